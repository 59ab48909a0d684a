"""Bounds the values of metric labels.

Label values come from tickets, and a helpdesk may put anything into a ticket. The values of every label are therefore limited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stream.sla.policy.conditions import FieldIn, leaves
from stream.sla.policy.resolve import conditions_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.sla.policy.conditions import Condition
    from stream.sla.policy.policy import Commitment, Policy
    from stream.sla.policy.resolve import PolicySet

OTHER: Final = "other"
EXTRA_PRIORITIES: Final = 10
"""Number of priorities that keep their names although no policy names them."""
EXTRA_NAMES: Final = 20
"""Number of other names that keep their names: states written under an older policy file may still contain them."""
REFUSED: Final = 1000
"""Number of values of a label that are remembered to be counted as ``other``."""


@dataclass(frozen=True, slots=True)
class LabelBounds:
    """The choices of an operator: the settings that begin with ``metric_``."""

    teams: int = 50
    """Number of teams that keep their names although no policy names them: the first ones seen."""
    customers: frozenset[str] = frozenset()
    """The customers that keep their names. If there are none, no metric has the label."""
    label_sets: int = 2000
    """Number of combinations of policy, commitment, priority, team and customer that are counted separately."""


class BoundedLabel:
    """The values of a label: the known ones, the first ``extra`` others, and ``other`` for the rest.

    An answer never changes: what was counted under one label is not counted under another afterwards.
    """

    def __init__(self, known: Iterable[str], extra: int) -> None:
        self._known = set(known)
        self._limit = len(self._known) + extra
        self._refused: set[str] = set()
        """Values that are counted as ``other``; the first ``REFUSED``."""

    def label(self, value: str) -> str:
        """Return the value, or ``other`` when the limit is reached."""
        if value in self._known:
            return value
        if len(self._known) >= self._limit:
            if len(self._refused) < REFUSED:
                self._refused.add(value)
            return OTHER
        self._known.add(value)
        return value

    def learn(self, values: Iterable[str]) -> None:
        """Keep the names of these values too, unless they may have been counted as ``other``."""
        for value in values:
            if value not in self._known and value not in self._refused and len(self._refused) < REFUSED:
                self._known.add(value)
                self._limit += 1


class BoundedLabels:
    """One bounded label for each label name, with every name of the policies."""

    def __init__(self, policies: PolicySet, bounds: LabelBounds = LabelBounds()) -> None:
        self.label_sets: Final = bounds.label_sets
        self.customer: Final = BoundedLabel({"", *bounds.customers}, 0) if bounds.customers else None
        self.policy = BoundedLabel((), EXTRA_NAMES)
        self.commitment = BoundedLabel((), EXTRA_NAMES)
        self.stage = BoundedLabel((), EXTRA_NAMES)
        self.ladder = BoundedLabel((), EXTRA_NAMES)
        self.level = BoundedLabel((), EXTRA_NAMES)
        self.priority = BoundedLabel({""}, EXTRA_PRIORITIES)
        self.team = BoundedLabel({""}, bounds.teams)
        self.learn(policies)

    def learn(self, policies: PolicySet) -> None:
        """Keep the names of these policies too."""
        commitments = [commitment for policy in policies.policies for commitment in policy.commitments]
        ladders = [ladder for policy in policies.policies for ladder in policy.ladders]
        self.policy.learn(policy.name for policy in policies.policies)
        self.commitment.learn(commitment.name for commitment in commitments)
        self.stage.learn(stage for commitment in commitments for stage in stages(commitment))
        self.ladder.learn(ladder.name for ladder in ladders)
        self.level.learn(level.name for ladder in ladders for level in ladder.levels)
        self.priority.learn(priority for policy in policies.policies for priority in priorities(policy))
        tests = [test for policy in policies.policies for test in conditions_of(policy)]
        self.team.learn(team for test in tests for team in _values_of("team", test))


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
