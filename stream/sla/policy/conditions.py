"""Conditions over an event and the ticket it leaves behind: the vocabulary of policies and of metrics.

A condition is a tree of three connectives over three kinds of test. It is data (so it can be checked and drawn) and it
compiles to a ``Test`` (so it can be asked a hundred thousand times a second).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stream.sla.events import Event, role_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Fields = dict[str, str | list[str]]
"""A ticket's fields after an event, derived ones included (see ``DERIVED``)."""

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
    return compile_condition(condition).holds(NO_EVENT, fields)


class Test:
    """A condition that is asked with an event and the ticket's fields after it.

    Compiled code calls a method of a class in a few steps, and a function that was made at run time through the interpreter.
    """

    def holds(self, event: Event, fields: Fields) -> bool:
        """An event given to it carries in ``fields`` only what it really changed (``Transition.event`` sees to that)."""
        raise NotImplementedError


def compile_condition(condition: Condition) -> Test:
    """The condition as it is asked."""
    match condition:
        case Always():
            return _Always()
        case FieldIn(field, values):
            return _FieldTest(field, values)
        case EventIs():
            return _EventTest(condition)
        case Changed(names):
            return _ChangeTest(names)
        case Not(part):
            return _Opposite(compile_condition(part))
        case All(parts):
            return _joined([compile_condition(part) for part in parts], stop_at=False)
        case AnyOf(parts):
            return _joined([compile_condition(part) for part in parts], stop_at=True)


class _Always(Test):
    def holds(self, event: Event, fields: Fields) -> bool:  # noqa: ARG002  every condition is asked alike
        return True


class _FieldTest(Test):
    def __init__(self, field: str, values: frozenset[str]) -> None:
        self.field: Final = field
        self.values: Final = values

    def holds(self, event: Event, fields: Fields) -> bool:  # noqa: ARG002
        try:
            return fields.get(self.field, "") in self.values
        except TypeError:  # a list
            return not self.values.isdisjoint(fields[self.field])


class _EventTest(Test):
    def __init__(self, wanted: EventIs) -> None:
        self.types: Final = wanted.types
        self.actors: Final = wanted.actors
        self.public: Final = wanted.public
        self.roles: Final = wanted.roles

    def holds(self, event: Event, fields: Fields) -> bool:  # noqa: ARG002
        return (
            (not self.types or event.type in self.types)
            and (not self.actors or event.actor in self.actors)
            and (self.public is None or event.public is self.public)
            and (not self.roles or role_of(event) in self.roles)
        )


class _ChangeTest(Test):
    def __init__(self, names: frozenset[str]) -> None:
        self.names: Final = names

    def holds(self, event: Event, fields: Fields) -> bool:  # noqa: ARG002
        return not self.names.isdisjoint(event.fields)


class _Opposite(Test):
    def __init__(self, part: Test) -> None:
        self.part: Final = part

    def holds(self, event: Event, fields: Fields) -> bool:
        return not self.part.holds(event, fields)


class _Both(Test):
    def __init__(self, first: Test, second: Test) -> None:
        self.first: Final = first
        self.second: Final = second

    def holds(self, event: Event, fields: Fields) -> bool:
        return self.first.holds(event, fields) and self.second.holds(event, fields)


class _Either(Test):
    def __init__(self, first: Test, second: Test) -> None:
        self.first: Final = first
        self.second: Final = second

    def holds(self, event: Event, fields: Fields) -> bool:
        return self.first.holds(event, fields) or self.second.holds(event, fields)


class _Several(Test):
    def __init__(self, tests: list[Test], stop_at: bool) -> None:
        self.tests: Final = tests
        self.stop_at: Final = stop_at

    def holds(self, event: Event, fields: Fields) -> bool:
        for test in self.tests:
            if test.holds(event, fields) is self.stop_at:
                return self.stop_at
        return not self.stop_at


def _joined(tests: list[Test], *, stop_at: bool) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        return _Either(tests[0], tests[1]) if stop_at else _Both(tests[0], tests[1])
    return _Several(tests, stop_at)
