"""Renames by deployments that a ticket does not meet, although they lie between the one that judged it and the next one.

A ticket whose older events are not kept cannot be folded again from before them. Where the timeline has become another there,
the ticket goes from the deployment that judged it to the one in force after these events, in one step:

1. A deployment that gave way is undone: what has a name that it gave has its former name again.
2. A deployment that took its place, and is not in force any more, is done: what it renamed has its new name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_NONE: Final[dict[str, str]] = {}


class Renames(NamedTuple):
    """The renames of a deployment. What is in something else goes by the new names of that."""

    policies: Mapping[str, str]
    """Old name to new name."""
    commitments: Mapping[tuple[str, str], str]
    """Policy and old name to new name."""
    ladders: Mapping[tuple[str, str], str]
    """Policy and old name to new name."""
    levels: Mapping[tuple[str, str], Mapping[str, str]]
    """Policy and ladder to old and new names."""


class Skipped:
    """The names that things have after some deployments are undone and others are done.

    A name that none of these gave or took stays as it is.
    """

    __slots__ = ("_done", "_former")

    def __init__(self, undone: Sequence[Renames], done: Sequence[Renames]) -> None:
        """``undone``: of each deployment, the newest first. ``done``: of each deployment, the oldest first."""
        self._former: Final = [_Former(one) for one in undone]
        self._done: Final = done

    def policy(self, name: str) -> str:
        for former in self._former:
            name = former.policies.get(name, name)
        for renames in self._done:
            name = renames.policies.get(name, name)
        return name

    def commitment(self, policy: str, name: str) -> str:
        for former in self._former:
            name = former.commitments.get((policy, name), name)
            policy = former.policies.get(policy, policy)
        for renames in self._done:
            policy = renames.policies.get(policy, policy)
            name = renames.commitments.get((policy, name), name)
        return name

    def ladder(self, policy: str, name: str) -> str:
        for former in self._former:
            name = former.ladders.get((policy, name), name)
            policy = former.policies.get(policy, policy)
        for renames in self._done:
            policy = renames.policies.get(policy, policy)
            name = renames.ladders.get((policy, name), name)
        return name

    def level(self, policy: str, ladder: str, name: str) -> str:
        for former in self._former:
            name = former.levels.get((policy, ladder, name), name)
            ladder = former.ladders.get((policy, ladder), ladder)
            policy = former.policies.get(policy, policy)
        for renames in self._done:
            policy = renames.policies.get(policy, policy)
            ladder = renames.ladders.get((policy, ladder), ladder)
            name = renames.levels.get((policy, ladder), _NONE).get(name, name)
        return name


class _Former:
    """The same, the other way round."""

    __slots__ = ("commitments", "ladders", "levels", "policies")

    def __init__(self, renames: Renames) -> None:
        self.policies: Final = {new: old for old, new in renames.policies.items()}
        self.commitments: Final = {(policy, new): old for (policy, old), new in renames.commitments.items()}
        self.ladders: Final = {(policy, new): old for (policy, old), new in renames.ladders.items()}
        self.levels: Final = {
            (policy, ladder, new): old for (policy, ladder), names in renames.levels.items() for old, new in names.items()
        }
