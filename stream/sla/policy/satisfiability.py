"""Small worlds: every ticket and event that conditions distinguish, so that a question about them is decided by looking.

A condition asks of a field only whether it has certain values. So a field has as many values worth trying as conditions name,
one more that none names, and none at all; the six statuses are all there are. Of events, those count that can happen: only
created and changed events change fields, only comments are public, an agent's public comment answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.sla.events import ACTOR_KINDS, EVENT_TYPES, REQUESTER, STATUSES, TICKET_FIELDS, Event, EventType, role_of
from stream.sla.policy.conditions import (
    DERIVED,
    IN_HOURS,
    NO_EVENT,
    OUT_OF_HOURS,
    STARTED,
    All,
    Changed,
    Condition,
    EventIs,
    FieldIn,
    Fields,
    Test,
    compile_condition,
    fields_read,
    leaves,
    momentary,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OTHER: Final = "any other"
"""Stands for every value that no condition names."""

LIMIT: Final = 50_000
"""After so many steps a question is given up."""


class TooManyError(Exception):
    """There are too many worlds to try."""


def possible(condition: Condition) -> bool:
    """Whether some event on some ticket makes the condition hold. True also where there are too many worlds to try."""
    parts = tuple(_conjuncts(condition))
    lasting = tuple(part for part in parts if not momentary(part))
    passing = tuple(part for part in parts if momentary(part))
    test = compile_condition(All(passing))
    events = _events(condition) if passing else [NO_EVENT]
    tried = 0
    try:
        for fields in tickets([condition], lasting):
            tried += len(events)
            if any(_can_be(event, fields) and test.holds(event, fields) for event in events):
                return True
            if tried > LIMIT:
                return True
    except TooManyError:
        return True
    return False


def tickets(conditions: Iterable[Condition], scope: tuple[Condition, ...] = ()) -> Iterator[Fields]:
    """The fields of every ticket that the conditions distinguish and for which all of ``scope`` holds.

    Raises TooManyError when that takes too many steps.
    """
    named: dict[str, set[str]] = {}
    for condition in (*conditions, *scope):
        for leaf in leaves(condition):
            if isinstance(leaf, FieldIn):
                named.setdefault(leaf.field, set()).update(leaf.values)
    order = sorted(named)
    values = [_values(field, named[field]) for field in order]
    # Each part of the scope is asked as soon as its fields are known, so that most combinations are never made.
    tests: list[list[Test]] = [[] for _ in (*order, None)]
    for part in (part for condition in scope for part in _conjuncts(condition)):
        tests[max((order.index(field) + 1 for field in fields_read(part)), default=0)].append(compile_condition(part))
    steps = 0

    def extend(fields: dict[str, str | list[str]], depth: int) -> Iterator[Fields]:
        nonlocal steps
        steps += 1
        if steps > LIMIT:
            raise TooManyError
        if not all(test.holds(NO_EVENT, fields) for test in tests[depth]):
            return
        if depth == len(order):
            yield fields
            return
        for value in values[depth]:
            yield from extend({**fields, order[depth]: value}, depth + 1)

    return extend({}, 0)


def few_tickets(conditions: Iterable[Condition], scope: tuple[Condition, ...]) -> list[Fields]:
    """The same as a list; an empty one where there are too many of them."""
    try:
        return list(tickets(conditions, scope))
    except TooManyError:
        return []


def example(condition: Condition) -> Fields | None:
    """A ticket for which a condition over ticket fields holds; ``None`` if none was found."""
    try:
        fields = next(tickets([], (condition,)), None)
    except TooManyError:
        return None
    return {"status": "new", **fields} if fields is not None else None


def _values(field: str, named: set[str]) -> list[str | list[str]]:
    if field == "status":
        return list(STATUSES)
    if field == STARTED:
        return [IN_HOURS, OUT_OF_HOURS]
    if field in DERIVED:
        return ["", *sorted(named)]
    if field == "tags":
        single: list[str | list[str]] = [[tag] for tag in sorted(named)]
        return ["", [OTHER], *single, sorted(named)]
    several = [sorted(named)] if len(named) > 1 and field not in TICKET_FIELDS else []
    return [*sorted(named | {""}), OTHER, *several]


def _events(condition: Condition) -> list[Event]:
    types: set[EventType] = {"ticket.created", "ticket.changed", "comment.added"}
    changed: set[str] = set()
    named: set[str] = set()
    for leaf in leaves(condition):
        if isinstance(leaf, EventIs):
            types.update(kind for kind in EVENT_TYPES if kind in leaf.types)
            named |= leaf.roles
        elif isinstance(leaf, Changed):
            changed.update(leaf.fields)
    # An event changes none of the fields, one or all of them: that distinguishes all but contrived `changed` conditions.
    changes = [frozenset[str](), *(frozenset({field}) for field in sorted(changed)), frozenset(changed)]
    return [
        Event(at=0, id="", type=kind, source="", actor=actor, role=role, fields=dict.fromkeys(change, ""), public=visible)
        for kind in sorted(types)
        for actor in (*ACTOR_KINDS, None)
        for role in (("", *sorted(named - {""}), OTHER) if named and actor is not None else ("",))
        for visible in ((False, True) if kind == "comment.added" else (False,))
        for change in (changes if kind in {"ticket.created", "ticket.changed"} else changes[:1])
    ]


def _can_be(event: Event, fields: Fields) -> bool:
    """Whether an event can leave a ticket with these fields behind, as far as derived fields go."""
    if event.type == "comment.added" and event.public:
        if role_of(event) == REQUESTER:
            return fields.get("@waiting", "yes") == "yes"
        if event.actor == "agent":
            return fields.get("@answered", "yes") == "yes" and fields.get("@waiting", "") == ""
        if event.actor == "customer":
            return fields.get("@waiting", "yes") in ("yes", "contact")
    if event.type == "dependency.started":
        return fields.get("@dependency", "yes") == "yes"
    if event.type == "resolution.accepted":
        return fields.get("@accepted", "customer") != ""
    return True


def _conjuncts(condition: Condition) -> Iterator[Condition]:
    """Conditions that hold together exactly when the given one holds."""
    if isinstance(condition, All):
        for part in condition.parts:
            yield from _conjuncts(part)
    else:
        yield condition
