"""Which values the labels of metrics may have.

Label values come from tickets, and a helpdesk may put anything into a ticket; so every label has a vocabulary that
ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from stream.sla.policy.conditions import All, AnyOf, Condition, FieldIn, Not

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.sla.policy.policy import Commitment, Policy
    from stream.sla.policy.resolve import PolicySet

T = TypeVar("T")

OTHER: Final = "other"
TEAMS: Final = 50
"""Teams that keep their names: the first ones seen."""
EXTRA_PRIORITIES: Final = 10
"""Priorities no policy names that keep their names."""
ROOM: Final = 20
"""Other names that no policy has but state written under an older policy file may still carry."""
LABEL_SETS: Final = 2000
"""Combinations of policy, commitment, priority and team that are told apart."""


class Vocabulary:
    """The values a label may have: those known, the first ``room`` others, and ``other`` for the rest."""

    def __init__(self, known: Iterable[str], room: int) -> None:
        self._known = set(known)
        self._end = len(self._known) + room

    def label(self, value: str) -> str:
        """The value, or ``other`` when there is no room for it."""
        if value in self._known:
            return value
        if len(self._known) >= self._end:
            return OTHER
        self._known.add(value)
        return value


class Vocabularies:
    """One vocabulary for each label, with everything the policies name."""

    def __init__(self, policies: PolicySet) -> None:
        commitments = [commitment for policy in policies.policies for commitment in policy.commitments]
        ladders = [ladder for policy in policies.policies for ladder in policy.ladders]
        known = {"", *(priority for policy in policies.policies for priority in priorities(policy))}
        self.policy = Vocabulary((policy.name for policy in policies.policies), ROOM)
        self.commitment = Vocabulary((commitment.name for commitment in commitments), ROOM)
        self.stage = Vocabulary((stage for commitment in commitments for stage in stages(commitment)), ROOM)
        self.ladder = Vocabulary((ladder.name for ladder in ladders), ROOM)
        self.level = Vocabulary((level.name for ladder in ladders for level in ladder.levels), ROOM)
        self.priority = Vocabulary(known, EXTRA_PRIORITIES)
        self.team = Vocabulary({""}, TEAMS)


def priorities(policy: Policy) -> list[str]:
    """The priorities its targets name, in the order in which it names them; ``[""]`` when they name none."""
    found: dict[str, None] = {}
    for commitment in policy.commitments:
        for condition, _ in commitment.target.cases:
            found.update(dict.fromkeys(_values_of("priority", condition)))
    return list(found) or [""]


def stages(commitment: Commitment) -> list[str]:
    """The texts of its warning marks."""
    return list(dict.fromkeys(threshold.text for _, thresholds in commitment.warn_at.cases for threshold in thresholds))


def _values_of(field: str, condition: Condition) -> list[str]:
    match condition:
        case FieldIn(name, values) if name == field:
            return sorted(values)
        case All(parts) | AnyOf(parts):
            return [value for part in parts for value in _values_of(field, part)]
        case Not(part):
            return _values_of(field, part)
        case _:
            return []
