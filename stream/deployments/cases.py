"""For which tickets two choices by fields give different values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from stream.sla.calendar.duration import Duration
from stream.sla.policy.conditions import ALWAYS, All, AnyOf, Condition, FieldIn, Fields, Not, holds
from stream.sla.policy.policy import Threshold
from stream.sla.policy.satisfiability import few_tickets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.deployments.facts import Value
    from stream.sla.policy.policy import Choice

T = TypeVar("T", Duration, Threshold, tuple[Threshold, ...], str)


class Case(NamedTuple):
    """Some tickets, and the value they got before and get now."""

    when: Condition | None
    """``None``: there are too many kinds of tickets to list."""
    before: Value
    after: Value


def changed_cases(before: Choice[T], after: Choice[T], scope: tuple[Condition, ...]) -> list[Case]:
    """The cases in which tickets of the scope get another value, in the order of the choices."""
    if before == after:
        return []
    conditions = list(dict.fromkeys((*after.conditions, *before.conditions)))
    tickets = few_tickets(conditions, scope)
    if not tickets:
        return [Case(None, None, None)]
    groups: dict[tuple[Condition, ...], list[Fields]] = {}
    for fields in tickets:
        if before.of(fields) != after.of(fields):
            groups.setdefault(tuple(dict.fromkeys((_first(after, fields), _first(before, fields)))), []).append(fields)
    order = {condition: index for index, condition in enumerate(conditions)} | {ALWAYS: len(conditions)}
    found = []
    for taken in sorted(groups, key=lambda taken: [order[condition] for condition in taken]):
        old, new = before.of(groups[taken][0]), after.of(groups[taken][0])
        others = [fields for fields in tickets if (before.of(fields), after.of(fields)) != (old, new)]
        found.append(Case(_apart(taken, conditions, groups[taken], others), old, new))
    return found


def _first(choice: Choice[T], fields: Fields) -> Condition:
    """The condition of the case that a ticket gets; that of all tickets where it gets none."""
    return next((condition for condition in choice.conditions if holds(condition, fields)), ALWAYS)


def _apart(taken: tuple[Condition, ...], conditions: list[Condition], group: list[Fields], others: list[Fields]) -> Condition:
    """The fields that distinguish the tickets of a group, which get the cases ``taken``, from the others."""
    parts = tuple(condition for condition in taken if condition != ALWAYS)
    if any(all(holds(part, fields) for part in parts) for fields in others):
        idle = _merged(c for c in conditions if c != ALWAYS and not any(holds(c, fields) for fields in group))
        parts += (Not(idle[0] if len(idle) == 1 else AnyOf(idle)),) if idle else ()
    return parts[0] if len(parts) == 1 else All(parts) if parts else ALWAYS


def _merged(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """The same tickets in all, with the values of one field together."""
    values: dict[str, frozenset[str]] = {}
    others = []
    for condition in conditions:
        if isinstance(condition, FieldIn):
            values[condition.field] = values.get(condition.field, frozenset()) | condition.values
        else:
            others.append(condition)
    return (*(FieldIn(field, named) for field, named in values.items()), *others)
