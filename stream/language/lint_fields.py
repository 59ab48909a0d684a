"""Warns of ticket fields and values that policies ask for and events do not have: nearly always another spelling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stream.documents.readers import listed, suggestion
from stream.sla.policy.conditions import Changed, FieldIn, fields_read, leaves
from stream.sla.policy.spelling import folded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stream.documents.document import Report, Where
    from stream.sla.policy.conditions import Condition
    from stream.sla.policy.metric import Metric
    from stream.sla.policy.policy import Policy

_MOST_VALUES = 1000
"""Of a field that are kept: a field with more is an id or a text."""


@dataclass(slots=True)
class Carried:
    """The ticket fields that some events have, each with the values that were seen."""

    by: str
    """The source of the events, for messages: ``events.jsonl``, ``the mapping zendesk``."""
    values: dict[str, set[str]] = field(default_factory=dict)

    def add(self, fields: Mapping[str, str | list[str]]) -> None:
        """Take up the fields of an event."""
        for name, value in fields.items():
            known = self.values.setdefault(name, set())
            if len(known) < _MOST_VALUES:
                known.update(value if isinstance(value, list) else [value])


def warn_of_fields(policies: Sequence[tuple[Policy, Report]], carried: Carried) -> None:
    """Report each field that no event has, and each value of which events have another spelling alone, once for each place."""
    for policy, warn in policies:
        reported: set[str] = set()
        for where, conditions in _places(policy):
            for message in dict.fromkeys(_problems(conditions, carried)):
                if message not in reported:
                    reported.add(message)
                    warn(where, message)


def _problems(conditions: Sequence[Condition], carried: Carried) -> Iterator[str]:
    for condition in conditions:
        for leaf in leaves(condition):
            names = leaf.fields if isinstance(leaf, Changed) else fields_read(leaf)
            for name in sorted(names):
                if not name.startswith("@") and name not in carried.values:
                    hint = _near(name, carried.values)
                    yield f"{carried.by} has no ticket field `{name}`{hint or f'; it has {listed(sorted(carried.values))}'}"
            if isinstance(leaf, FieldIn) and leaf.field in carried.values:
                yield from _spellings(leaf, carried)


def _spellings(leaf: FieldIn, carried: Carried) -> Iterator[str]:
    seen = carried.values[leaf.field]
    for value in sorted(leaf.values - seen):
        same = sorted(other for other in seen if folded(other) == folded(value))
        if same:
            yield f"{carried.by} never has `{value}` as `{leaf.field}`, did you mean `{same[0]}`?"


def _near(name: str, known: Mapping[str, object]) -> str:
    same = sorted(other for other in known if folded(other) == folded(name))
    return f", did you mean `{same[0]}`?" if same else suggestion(name, known)


def _places(policy: Policy) -> Iterator[tuple[Where, list[Condition]]]:
    """Each part of a policy that reads ticket fields, with its conditions."""
    yield ("applies_to",), [policy.applies_to]
    yield ("calendar",), policy.calendar.conditions
    for index, commitment in enumerate(policy.commitments):
        here: Where = ("commitments", index)
        yield (*here, "when"), [commitment.when]
        yield (*here, "target"), commitment.target.conditions
        yield (*here, "warn_at"), commitment.warn_at.conditions
        yield (*here, "page"), commitment.page.conditions
        if commitment.calendar is not None:
            yield (*here, "calendar"), commitment.calendar.conditions
        yield (*here, "metric"), _conditions(commitment.metric)
    for index, ladder in enumerate(policy.ladders):
        here = ("escalations", index)
        yield (*here, "when"), [ladder.when]
        if ladder.metric is not None:
            yield here, _conditions(ladder.metric)
        for number, level in enumerate(ladder.levels):
            assigned = level.assign_to.conditions if level.assign_to is not None else []
            yield (*here, "levels", number), [*level.at.conditions, *assigned]


def _conditions(metric: Metric) -> list[Condition]:
    parts = (metric.starts, metric.stops, metric.pauses, metric.resumes, metric.restarts, metric.cancels, metric.reopens)
    return [part for part in parts if part is not None]
