"""A ticket's fields after an event: those the helpdesk sets, and those that follow from what happened.

When a ticket begins, ``@begun`` holds for the event with which it does: its creation, or the first event that states that the
ticket is open. That is one that sets a status or a priority, a customer's public comment, or a request for an escalation. A
survey, a tag, an assignment or an agent's comment state nothing of the kind: by itself such an event begins nothing on a ticket
that was never seen. A merged or deleted ticket does not begin before it is restored.

A merged or deleted ticket is restored by ``ticket.restored``. A deleted one is also restored when the helpdesk gives it another
status that is neither solved nor closed. A status that is stated again restores nothing, and neither does a change at the
instant of the deletion, because feeds that publish whole tickets do both. Of a merged ticket some helpdesks go on changing the
status with that of the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.sla.events import REQUESTER, role_of
from stream.sla.ticket.bounds import MOST_PARTIES, bounded_fields, bounded_name

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.conditions import Fields
    from stream.sla.ticket.state import Ticket

SOLVED_STATUSES: Final = ("solved", "closed")
_ABOUT_FIELDS: Final = ("ticket.changed", "ticket.created")
"""Events from which no field is derived."""
_BEGUN: Final = ("@begun", "status")
"""The names of what changes where a ticket begins."""
_Derived = tuple[tuple[str, str], ...]
"""Names and values."""
_NONE: Final[_Derived] = ()
_ASKED: Final[_Derived] = (("@waiting", "yes"),)
_ANSWERED: Final[_Derived] = (("@answered", "yes"), ("@waiting", ""))
_CONTACTED: Final[_Derived] = (("@waiting", "contact"),)


def update_fields(ticket: Ticket, event: Event, read: frozenset[str]) -> tuple[Event, list[str]]:
    """Put an event into ``ticket.fields`` (a new dict where anything changes; the old one stays as it was).

    Returns the event with only those of its fields that really changed, and the names of all fields that did, derived ones
    included, perhaps twice. ``read``: names of the fields that are kept whatever their size; ``stream.sla.ticket.bounds``.
    """
    fields, given, type_ = ticket.fields, event.fields, event.type
    names: list[str] = []
    if "@begun" in fields:
        names.append("@begun")
        fields = fields.copy()
        del fields["@begun"]
    if type_ == "ticket.created":
        ticket.partial, ticket.whole_at = False, event.at
        if "status" not in fields:
            fields = {**fields, "status": "new"}
            names.append("status")
            ticket.shown = None
        elif given.get("status") == "new":
            # What it began with, or the default of the contract: a creation that comes after a status does not undo it.
            event = event.with_fields({name: given[name] for name in given if name != "status"})
            given = event.fields
    elif ticket.last is None:
        ticket.partial = True
    elif type_ == "ticket.changed" and "status" in given and _gives_all(given, fields):
        ticket.whole_at = event.at
    if given:
        first = len(names)
        updated = _updated(fields, given, names)
        changed = len(names) - first
        if changed < len(given):
            event = event.with_fields({name: given[name] for name in names[first:]})
        if changed:
            fields = bounded_fields(updated, read)
            ticket.shown = _still_shown(ticket.shown, given) if fields is updated else None
            if "status" in names:
                _follow_status(ticket, event, fields, names)
    if type_ not in _ABOUT_FIELDS:
        fields = _with_derived(ticket, event, fields, names)
    if not ticket.started and not ticket.ended_by and _states_that_it_is_open(type_, fields):
        ticket.started = True
        fields = {**fields, "@begun": "yes"}
        names += _BEGUN
    if names:
        ticket.fields = fields
    return event, names


def _updated(fields: Fields, given: Fields, names: list[str]) -> Fields:
    """The fields with those that an event gives; ``fields`` itself if nothing changes. ``names`` is added to."""
    updated = fields
    for name, value in given.items():
        if fields.get(name, "") != value:
            if updated is fields:
                updated = fields.copy()
            updated[name] = value
            names.append(name)
    return updated


def _still_shown(shown: Fields | None, given: Fields) -> Fields | None:
    """The fields that effects show, with those that an event gives; ``None``: more than values changes, so they are found anew
    when they are asked for."""
    if shown is None:
        return None
    still = shown.copy()
    for name, value in given.items():
        if not value or name not in shown:
            return None
        still[name] = value
    return still


def _gives_all(given: Fields, fields: Fields) -> bool:
    """Whether an event gives every field that the helpdesk has given. ``fields``: before it."""
    for name in fields:  # noqa: SIM110  compiled, a loop costs a fifth of a generator
        if name not in given and name[0] != "@":
            return False
    return True


def _follow_status(ticket: Ticket, event: Event, fields: Fields, names: list[str]) -> None:
    """The event has given the ticket another status. ``fields``: the ticket's own; they and ``names`` are added to."""
    if fields["status"] in SOLVED_STATUSES:
        if not fields.get("@answered"):
            fields["@answered"] = "solved"
            names.append("@answered")
        return
    if ticket.fields.get("status") in SOLVED_STATUSES and fields.get("@accepted"):
        # An acceptance is of a solution; what is opened again is not accepted any more.
        fields["@accepted"] = ""
        names.append("@accepted")
    if ticket.ended_by == "deleted" and event.type == "ticket.changed" and event.at > ticket.ended_at:
        ticket.ended_by, ticket.ended_at = "", 0


def _states_that_it_is_open(type_: str, fields: Fields) -> bool:
    """Of an event on a ticket that has not begun. ``fields``: the ticket's after the event."""
    return "status" in fields or bool(fields.get("priority")) or bool(fields.get("@waiting")) or type_ == "escalation.requested"


def _with_derived(ticket: Ticket, event: Event, fields: Fields, names: list[str]) -> Fields:
    """The fields with those that follow from the event; ``names`` is added to."""
    before = fields
    for name, value in _derived(ticket, event):
        if before.get(name, "") != value:
            if fields is before:
                fields = before.copy()
            fields[name] = value
            names.append(name)
    return fields


def _derived(ticket: Ticket, event: Event) -> _Derived:
    match event.type:
        case "comment.added":
            if not event.public:
                return _NONE
            actor = event.actor
            if (actor != "agent" or event.role) and role_of(event) == REQUESTER:
                return _ASKED
            if actor == "agent":
                return _ANSWERED
            return _NONE if actor != "customer" or ticket.fields.get("@waiting") else _CONTACTED
        case "dependency.started":
            party = bounded_name(event.party)
            if party not in ticket.parties and len(ticket.parties) < MOST_PARTIES:
                ticket.parties = (*ticket.parties, party)
        case "dependency.ended":
            ended = bounded_name(event.party)
            ticket.parties = tuple([party for party in ticket.parties if party != ended])
        case "resolution.accepted":
            return (("@accepted", event.by),)
        case "ticket.merged":
            ticket.ended_by, ticket.ended_at = "merged", event.at
            return _NONE
        case "ticket.deleted":
            ticket.ended_by, ticket.ended_at = "deleted", event.at
            return _NONE
        case "ticket.restored":
            ticket.ended_by, ticket.ended_at = "", 0
            return _NONE
        case _:
            return _NONE
    return (("@dependency", "yes" if ticket.parties else ""),)
