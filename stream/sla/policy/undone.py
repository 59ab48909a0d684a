"""Renames that a deployment made, taken back: another deployment has taken the place of it.

A ticket whose older events are not kept cannot be folded again without the deployment that gave way. It goes from that
deployment to the one that took its place, and what has its new name has its former name again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.sla.policy.change import Change


class Undone:
    """The names that things had before some deployments. A name that none of these gave stays as it is."""

    __slots__ = ("_renames",)

    def __init__(self, changes: Sequence[Change]) -> None:
        """``changes``: what each deployment changed, the newest first."""
        self._renames: Final = [_Renames(change) for change in changes]

    def policy(self, name: str) -> str:
        for renames in self._renames:
            name = renames.policies.get(name, name)
        return name

    def commitment(self, policy: str, name: str) -> str:
        for renames in self._renames:
            name = renames.commitments.get((policy, name), name)
            policy = renames.policies.get(policy, policy)
        return name

    def ladder(self, policy: str, name: str) -> str:
        for renames in self._renames:
            name = renames.ladders.get((policy, name), name)
            policy = renames.policies.get(policy, policy)
        return name

    def level(self, policy: str, ladder: str, name: str) -> str:
        for renames in self._renames:
            name = renames.levels.get((policy, ladder, name), name)
            ladder = renames.ladders.get((policy, ladder), ladder)
            policy = renames.policies.get(policy, policy)
        return name


class _Renames:
    """Of one deployment: new names to former names, by the new names of what they are in."""

    __slots__ = ("commitments", "ladders", "levels", "policies")

    def __init__(self, change: Change) -> None:
        self.policies: Final = {new: old for old, new in change.policies.items()}
        self.commitments: Final = {(policy, new): old for (policy, old), new in change.commitments.items()}
        self.ladders: Final = {(policy, new): old for (policy, old), new in change.ladders.items()}
        self.levels: Final = {
            (policy, ladder, new): old for (policy, ladder), names in change.levels.items() for old, new in names.items()
        }
