"""A policy with all of its versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stream.sla.policy.policy import Policy


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of one policy in one set."""

    name: str
    was: str
    """The former name that one of the versions states; empty: none does."""
    position: int
    """The place of the policy in the order of evaluation."""
    by_number: Mapping[int, Policy]
    """In the order of their numbers."""

    def before(self, number: int) -> Policy | None:
        """The latest version with a smaller number."""
        return self.by_number.get(max((found for found in self.by_number if found < number), default=0))

    @property
    def latest(self) -> Policy:
        return self.by_number[max(self.by_number)]


def versions_of(policies: Iterable[Policy]) -> list[Versions]:
    """The policies of a set, in the order of evaluation."""
    found: dict[str, dict[int, Policy]] = {}
    for policy in policies:
        found.setdefault(policy.name, {})[policy.version] = policy
    return [
        Versions(name, max(policy.was for policy in numbered.values()), position, dict(sorted(numbered.items())))
        for position, (name, numbered) in enumerate(found.items())
    ]


def base_of(number: int, old: Versions, new: Versions) -> Policy | None:
    """The version that a new version with this number follows: the one before it in either set, rather that of the new set."""
    found = [policy for policy in (new.before(number), old.before(number)) if policy is not None]
    return max(found, key=lambda policy: policy.version, default=None)
