"""A ticket's fields after an event: those the helpdesk sets, and those that follow from what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from stream.sla.ticket.bounds import MOST_PARTIES, bounded_fields, bounded_name

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.ticket.history import Fields
    from stream.sla.ticket.state import Ticket

SOLVED_STATUSES: Final = ("solved", "closed")
_ABOUT_FIELDS: Final = ("ticket.changed", "ticket.created")
"""Events from which no field is derived."""


def update_fields(ticket: Ticket, event: Event, read: frozenset[str]) -> tuple[Event, set[str]]:
    """Put an event into ``ticket.fields`` (a new dict where anything changes; the old one stays as it was).

    Returns the event with only those of its fields that really changed, and the names of all fields that did, derived ones
    included. ``read``: names of the fields that are kept whatever their size; ``stream.sla.ticket.bounds``.
    """
    fields, given, type_ = ticket.fields, event.fields, event.type
    names: set[str] = set()
    if not ticket.started:
        names.update(("@begun", "status"))
        ticket.started = True
        ticket.partial = type_ != "ticket.created"
        fields = {"@begun": "yes"} if ticket.partial else {"@begun": "yes", "status": "new"}
    elif "@begun" in fields:
        names.add("@begun")
        fields = fields.copy()
        del fields["@begun"]
    if type_ == "ticket.created":
        ticket.partial = False
        ticket.whole_at = event.at
    elif given and "status" in given and type_ == "ticket.changed" and _is_whole(fields, given):
        ticket.whole_at = event.at
    changed = given and {name: value for name, value in given.items() if fields.get(name, "") != value}
    if changed:
        fields = bounded_fields({**fields, **changed}, read)
        names.update(changed)
        left_solved = fields.get("status") not in SOLVED_STATUSES and ticket.fields.get("status") in SOLVED_STATUSES
        if left_solved and fields.get("@accepted"):
            # An acceptance is of a solution; what is opened again is not accepted any more.
            fields["@accepted"] = ""
            names.add("@accepted")
    if type_ not in _ABOUT_FIELDS:
        new = {name: value for name, value in _derived(ticket, event).items() if fields.get(name, "") != value}
        if new:
            fields = {**fields, **new}
            names.update(new)
    ticket.fields = fields
    if len(changed) == len(given):
        return event, names
    return msgspec.structs.replace(event, fields=changed), names


def _is_whole(fields: Fields, given: Fields) -> bool:
    """Whether an event gives every field that is known of a ticket."""
    return all(name in given or name[0] == "@" for name in fields)


def _derived(ticket: Ticket, event: Event) -> dict[str, str]:
    match event.type:
        case "comment.added" if event.public and event.actor == "agent":
            return {"@answered": "yes", "@waiting": ""}
        case "comment.added" if event.public and event.actor == "customer":
            return {"@waiting": "yes"}
        case "dependency.started":
            party = bounded_name(event.party)
            if party not in ticket.parties and len(ticket.parties) < MOST_PARTIES:
                ticket.parties = (*ticket.parties, party)
        case "dependency.ended":
            ended = bounded_name(event.party)
            ticket.parties = tuple([party for party in ticket.parties if party != ended])
        case "resolution.accepted":
            return {"@accepted": event.by}
        case "ticket.merged":
            ticket.ended_by = "merged"
            return {}
        case "ticket.deleted":
            ticket.ended_by = "deleted"
            return {}
        case _:
            return {}
    return {"@dependency": "yes" if ticket.parties else ""}
