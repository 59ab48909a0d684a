"""Renames that a deployment made, taken back: another deployment has taken the place of it.

A ticket whose older events are not kept cannot be folded again without the deployment that gave way. It goes from that
deployment to the one that took its place, and what has its new name has its former name again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Renames(NamedTuple):
    """What a deployment renamed. What is in something else goes by the new names of that."""

    policies: Mapping[str, str]
    """Old name to new name."""
    commitments: Mapping[tuple[str, str], str]
    """Policy and old name to new name."""
    ladders: Mapping[tuple[str, str], str]
    """Policy and old name to new name."""
    levels: Mapping[tuple[str, str], Mapping[str, str]]
    """Policy and ladder to old and new names."""


class Undone:
    """The names that things had before some deployments. A name that none of these gave stays as it is."""

    __slots__ = ("_former",)

    def __init__(self, renames: Sequence[Renames]) -> None:
        """``renames``: of each deployment, the newest first."""
        self._former: Final = [_Former(one) for one in renames]

    def policy(self, name: str) -> str:
        for former in self._former:
            name = former.policies.get(name, name)
        return name

    def commitment(self, policy: str, name: str) -> str:
        for former in self._former:
            name = former.commitments.get((policy, name), name)
            policy = former.policies.get(policy, policy)
        return name

    def ladder(self, policy: str, name: str) -> str:
        for former in self._former:
            name = former.ladders.get((policy, name), name)
            policy = former.policies.get(policy, policy)
        return name

    def level(self, policy: str, ladder: str, name: str) -> str:
        for former in self._former:
            name = former.levels.get((policy, ladder, name), name)
            ladder = former.ladders.get((policy, ladder), ladder)
            policy = former.policies.get(policy, policy)
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
