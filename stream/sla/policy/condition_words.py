"""Conditions in words: ``priority p1 or p2 and not channel chat``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.policy.conditions import All, Always, AnyOf, Changed, Condition, EventIs, FieldIn, Not

if TYPE_CHECKING:
    from collections.abc import Iterable


def condition_words(condition: Condition) -> str:
    """A condition in words; parentheses stand only where they are needed."""
    match condition:
        case Always():
            return "always"
        case FieldIn(field, values):
            return f"{field.removeprefix('@')} {_either(value or 'not set' for value in values)}"
        case Changed(fields):
            return f"{_either(fields)} changed"
        case EventIs():
            return _event(condition)
        case Not(Always()):
            return "never"
        case Not(FieldIn(field, values)):
            return f"{field.removeprefix('@')} not {_either(value or 'not set' for value in values)}"
        case Not(part):
            return f"not ({condition_words(part)})"
        case All(parts):
            return " and ".join(map(_part, parts))
        case AnyOf(parts):
            return " or ".join(map(_part, parts))


def _part(condition: Condition) -> str:
    words = condition_words(condition)
    return f"({words})" if isinstance(condition, All | AnyOf) else words


def _event(event: EventIs) -> str:
    words = f"event {_either(event.types)}" if event.types else "event"
    if event.actors:
        words += f" by {_either(actor or 'nobody' for actor in event.actors)}"
    if event.roles:
        words += f" as {_either(role or 'no role' for role in event.roles)}"
    if event.public is not None:
        words += ", public" if event.public else ", not public"
    return words


def _either(values: Iterable[str]) -> str:
    *others, last = sorted(values)
    return f"{', '.join(others)} or {last}" if others else last
