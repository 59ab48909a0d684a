"""A ticket's fields after an event: those the helpdesk sets, and those that follow from what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from stream.sla.events import REQUESTER, role_of

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.ticket.state import Ticket

SOLVED_STATUSES: Final = ("solved", "closed")
_ABOUT_FIELDS: Final = ("ticket.changed", "ticket.created")
"""Events from which no field is derived."""


def update_fields(ticket: Ticket, event: Event) -> tuple[Event, set[str]]:
    """Put an event into ``ticket.fields`` (a new dict where anything changes; the old one stays as it was).

    Returns the event with only those of its fields that really changed, and the names of all fields that did, derived ones
    included.
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
    changed = given and {name: value for name, value in given.items() if fields.get(name, "") != value}
    if changed:
        fields = {**fields, **changed}
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


def _derived(ticket: Ticket, event: Event) -> dict[str, str]:
    match event.type:
        case "comment.added" if event.public and role_of(event) == REQUESTER:
            return {"@waiting": "yes"}
        case "comment.added" if event.public and event.actor == "agent":
            return {"@answered": "yes", "@waiting": ""}
        case "comment.added" if event.public and event.actor == "customer":
            return {} if ticket.fields.get("@waiting") else {"@waiting": "contact"}
        case "dependency.started":
            if event.party not in ticket.parties:
                ticket.parties = (*ticket.parties, event.party)
        case "dependency.ended":
            ticket.parties = tuple([party for party in ticket.parties if party != event.party])
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
