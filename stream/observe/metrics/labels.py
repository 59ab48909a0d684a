"""Bounds the values of metric labels.

Label values come from tickets, and a helpdesk may put anything into a ticket. The values of every label are therefore limited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.sla.policy.conditions import FieldIn, leaves

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.sla.policy.conditions import Condition
    from stream.sla.policy.policy import Commitment, Policy
    from stream.sla.policy.resolve import PolicySet

OTHER: Final = "other"
TEAMS: Final = 50
"""Number of teams that keep their names: the first ones seen."""
EXTRA_PRIORITIES: Final = 10
"""Number of priorities that keep their names although no policy names them."""
EXTRA_NAMES: Final = 20
"""Number of other names that keep their names: states written under an older policy file may still contain them."""
LABEL_SETS: Final = 2000
"""Number of combinations of policy, commitment, priority and team that are counted separately."""


class BoundedLabel:
    """The values of a label: the known ones, the first ``extra`` others, and ``other`` for the rest."""

    def __init__(self, known: Iterable[str], extra: int) -> None:
        self._known = set(known)
        self._limit = len(self._known) + extra

    def label(self, value: str) -> str:
        """Return the value, or ``other`` when the limit is reached."""
        if value in self._known:
            return value
        if len(self._known) >= self._limit:
            return OTHER
        self._known.add(value)
        return value


class BoundedLabels:
    """One bounded label for each label name, with every name of the policies."""

    def __init__(self, policies: PolicySet) -> None:
        commitments = [commitment for policy in policies.policies for commitment in policy.commitments]
        ladders = [ladder for policy in policies.policies for ladder in policy.ladders]
        known = {"", *(priority for policy in policies.policies for priority in priorities(policy))}
        self.policy = BoundedLabel((policy.name for policy in policies.policies), EXTRA_NAMES)
        self.commitment = BoundedLabel((commitment.name for commitment in commitments), EXTRA_NAMES)
        self.stage = BoundedLabel((stage for commitment in commitments for stage in stages(commitment)), EXTRA_NAMES)
        self.ladder = BoundedLabel((ladder.name for ladder in ladders), EXTRA_NAMES)
        self.level = BoundedLabel((level.name for ladder in ladders for level in ladder.levels), EXTRA_NAMES)
        self.priority = BoundedLabel(known, EXTRA_PRIORITIES)
        self.team = BoundedLabel({""}, TEAMS)


def priorities(policy: Policy) -> list[str]:
    """Return the priorities that its targets name, in order of appearance; ``[""]`` when they name none."""
    found: dict[str, None] = {}
    for commitment in policy.commitments:
        for condition in commitment.target.conditions:
            found.update(dict.fromkeys(_values_of("priority", condition)))
    return list(found) or [""]


def stages(commitment: Commitment) -> list[str]:
    """Return the texts of its warning thresholds."""
    return list(dict.fromkeys(threshold.text for _, thresholds in commitment.warn_at.cases for threshold in thresholds))


def _values_of(field: str, condition: Condition) -> list[str]:
    tests = [leaf for leaf in leaves(condition) if isinstance(leaf, FieldIn) and leaf.field == field]
    return [value for test in tests for value in sorted(test.values)]
