"""Conditions over an event and the ticket it leaves behind: the vocabulary of policies and of metric rows.

A condition is a tree of three connectives over three kinds of test. It is data (so it can be checked and drawn) and it
compiles to a closure (so it can be asked a hundred thousand times a second).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from stream.sla.events import Event, role_of

Fields = dict[str, str | list[str]]
"""A ticket's fields after an event, derived ones included (see ``DERIVED``)."""

Test = Callable[[Event, Fields], bool]
"""Asked with the event and the fields after it."""

DERIVED: Final[Mapping[str, str]] = {
    "@answered": "yes once an agent has commented publicly; solved if the ticket was solved without that",
    "@waiting": "yes from a public comment of the requester until the next answer of an agent; contact while only others "
    "of the customer have commented",
    "@dependency": "yes while the ticket waits for at least one third party",
    "@begun": "yes on the event a ticket begins with: its creation, or the first that states that a partial ticket is open",
    "@accepted": "customer or manager, once the resolution was accepted",
}
"""Fields that breachwatch keeps itself. The language writes them without the ``@``: ``answered: yes``."""

STARTED: Final = "@started"
"""Whether the calendar was open when the clock started. No ticket has this field, because each calendar has an answer of its
own: ``stream.sla.policy.resolve`` gives it where it makes the choices."""
IN_HOURS: Final = "in_hours"
OUT_OF_HOURS: Final = "out_of_hours"


@dataclass(frozen=True, slots=True)
class Always:
    """Holds for every event."""


@dataclass(frozen=True, slots=True)
class FieldIn:
    """The ticket field has one of the values; a list field (tags) has at least one of them. A missing field is ``""``."""

    field: str
    values: frozenset[str]


@dataclass(frozen=True, slots=True)
class EventIs:
    """The event is of one of the types; empty means any. ``actors``, ``public`` and ``roles`` narrow it where they are given.

    ``None`` among the actors stands for an event that names no actor.
    """

    types: frozenset[str] = frozenset()
    actors: frozenset[str | None] = frozenset()
    public: bool | None = None
    roles: frozenset[str] = frozenset()
    """By ``events.role_of``; empty means any."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The event sets one of the fields to another value than it had."""

    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


Condition = Always | FieldIn | EventIs | Changed | All | AnyOf | Not
ALWAYS: Final = Always()
NO_EVENT: Final = Event(at=0, id="", type="ticket.changed", source="")
"""An event that changes nothing: conditions over ticket fields alone are asked with it."""


def leaves(condition: Condition) -> Iterator[Condition]:
    """Every test in a condition, in the order in which it is written, without the connectives."""
    match condition:
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield condition


def fields_read(condition: Condition) -> frozenset[str]:
    """The ticket fields an answer may depend on."""
    found: set[str] = set()
    for leaf in leaves(condition):
        if isinstance(leaf, FieldIn):
            found.add(leaf.field)
        elif isinstance(leaf, Changed):
            found |= leaf.fields
    return frozenset(found)


def types_read(condition: Condition) -> frozenset[str] | None:
    """The event types an answer may depend on; ``None``: any event may change it."""
    types = [leaf.types for leaf in leaves(condition) if isinstance(leaf, EventIs)]
    return frozenset[str]().union(*types) if all(types) else None


def momentary(condition: Condition) -> bool:
    """Whether the answer belongs to one event, rather than to the ticket's fields that stay."""
    return any(_of_one_event(leaf) for leaf in leaves(condition))


def _of_one_event(test: Condition) -> bool:
    return isinstance(test, EventIs | Changed) or (isinstance(test, FieldIn) and test.field == "@begun")


def holds(condition: Condition, fields: Fields) -> bool:
    """Whether a condition over ticket fields holds for a ticket with these fields."""
    return compile_condition(condition)(NO_EVENT, fields)


def compile_condition(condition: Condition) -> Test:
    """The condition as one callable ``(event, fields after it) -> bool``.

    An event given to it carries in ``fields`` only what it really changed (``transition.Transition.event`` sees to that).
    """
    match condition:
        case Always():
            return lambda _event, _fields: True
        case FieldIn(field, values):
            return _field_test(field, values)
        case EventIs():
            return _event_test(condition)
        case Changed(names):
            return lambda event, _fields: not names.isdisjoint(event.fields)
        case Not(part):
            inner = compile_condition(part)
            return lambda event, fields: not inner(event, fields)
        case All(parts):
            return _joined(tuple(map(compile_condition, parts)), stop_at=False)
        case AnyOf(parts):
            return _joined(tuple(map(compile_condition, parts)), stop_at=True)


def _field_test(field: str, values: frozenset[str]) -> Test:
    def test(_event: Event, fields: Fields) -> bool:
        try:
            return fields.get(field, "") in values
        except TypeError:  # a list
            return not values.isdisjoint(fields[field])

    return test


def _event_test(wanted: EventIs) -> Test:
    types, actors, public, roles = wanted.types, wanted.actors, wanted.public, wanted.roles

    def test(event: Event, _fields: Fields) -> bool:
        return (
            (not types or event.type in types)
            and (not actors or event.actor in actors)
            and (public is None or event.public is public)
            and (not roles or role_of(event) in roles)
        )

    return test


def _joined(parts: tuple[Test, ...], *, stop_at: bool) -> Test:
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        first, second = parts
        if stop_at:
            return lambda event, fields: first(event, fields) or second(event, fields)
        return lambda event, fields: first(event, fields) and second(event, fields)

    def test(event: Event, fields: Fields) -> bool:
        for part in parts:
            if part(event, fields) is stop_at:
                return stop_at
        return not stop_at

    return test
