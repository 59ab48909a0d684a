"""Describes the effect of an event on a ticket in a few words, and never with text that people wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.conditions import Fields


def what_changed(event: Event, before: Fields, after: Fields) -> str:
    """``before`` and ``after``: the ticket's fields. Of a change only what really changed; it may be empty."""
    who = f" by {event.actor}" if event.actor else ""
    if event.role:
        who += f" ({event.role})"
    match event.type:
        case "ticket.created":
            return f"created{who}"
        case "ticket.changed":
            names = [name for name in event.fields if before.get(name, "") != after.get(name, "")]
            return ", ".join(f"{name}: {_shown(before.get(name, ''))} -> {_shown(after.get(name, ''))}" for name in names)
        case "comment.added":
            return f"{'public' if event.public else 'internal'} comment{who}"
        case "extension.granted":
            return f"{event.commitment} extended by {event.by}"
        case "escalation.requested" | "escalation.acknowledged" | "escalation.released":
            return " ".join(filter(None, (event.type.replace(".", " "), event.level, event.impact))) + who
        case _:
            details = (event.into, event.party, event.by, event.level, event.impact)
            return " ".join(filter(None, (event.type.replace(".", " "), *details)))


def _shown(value: str | list[str]) -> str:
    return (", ".join(value) if isinstance(value, list) else value) or "nothing"
