"""From the struct of a record to the event for the engine, with the checks that msgspec cannot make.

Compiled, which structs cannot be. Nearly all events have one of three types, which come first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mypy_extensions import mypyc_attr

from stream.sla.calendar.duration import Duration, DurationError
from stream.sla.events import ActorKind, Event
from stream.wire.ticket_event import (
    CommentAdded,
    DependencyEnded,
    DependencyStarted,
    EscalationAcknowledged,
    EscalationReleased,
    EscalationRequested,
    ExtensionGranted,
    ResolutionAccepted,
    TicketChanged,
    TicketCreated,
    TicketDeleted,
    TicketErased,
    TicketEvent,
    TicketMerged,
    TicketRestored,
)
from stream.wire.ticket_fields import InvalidEvent, one_form, ticket_fields

if TYPE_CHECKING:
    from collections.abc import Callable

# Compiled code looks up what it imports from code that is not compiled in a dict, at each use.
_CHANGED: Final = TicketChanged
_COMMENT: Final = CommentAdded
_CREATED: Final = TicketCreated
_place: Final = TicketEvent.__struct_fields__.index
_ID: Final[int] = _place("id")
_SOURCE: Final[int] = _place("source")
TICKET: Final[int] = _place("ticket")
AT: Final[int] = _place("at")
_SEQ: Final[int] = _place("seq")
_ACTOR: Final[int] = _place("actor")
_OWN: Final = len(TicketEvent.__struct_fields__)
"""The first attribute that only one type has: the fields, or whether a comment is public."""

_Who = tuple[ActorKind | None, str]
"""Kind and role of the actor."""


@mypyc_attr(acyclic=True)
class Incoming:
    """A valid event and the ticket to which it belongs. Never changed."""

    def __init__(self, ticket: str, event: Event) -> None:
        self.ticket: str = ticket
        self.event: Event = event

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Incoming) and (self.ticket, self.event) == (other.ticket, other.event)

    def __hash__(self) -> int:
        return hash((self.ticket, self.event))

    def __repr__(self) -> str:
        return f"Incoming(ticket={self.ticket!r}, event={self.event!r})"


def event_of(wire: TicketEvent, values: tuple[Any, ...], at: int, ascii_only: bool) -> Event:
    """``values``: the attributes of ``wire`` in their order. ``at``: the instant of its time. ``ascii_only``: whether all texts
    are known to be. Raises ``InvalidEvent``."""
    actor = values[_ACTOR]
    kind: ActorKind | None = None
    role = ""
    if actor:
        kind = actor.kind
        if actor.role:
            role = one_form(actor.role)
    if type(wire) is _CHANGED:
        fields = ticket_fields(values[_OWN], ascii_only)
        return Event(at, values[_ID], "ticket.changed", values[_SOURCE], values[_SEQ], kind, fields, role=role)
    if type(wire) is _COMMENT:
        return Event(at, values[_ID], "comment.added", values[_SOURCE], values[_SEQ], kind, public=values[_OWN], role=role)
    if type(wire) is _CREATED:
        fields = ticket_fields(values[_OWN], ascii_only)
        if "status" not in fields:
            fields["status"] = "new"
        return Event(at, values[_ID], "ticket.created", values[_SOURCE], values[_SEQ], kind, fields, role=role)
    return _OTHERS[type(wire)](wire, at, (kind, role))


def _merged(wire: TicketMerged, at: int, who: _Who) -> Event:
    if wire.into == wire.ticket:
        raise InvalidEvent("$.into", "a ticket cannot be merged into itself")
    return Event(at, wire.id, "ticket.merged", wire.source, wire.seq, who[0], into=wire.into, role=who[1])


def _deleted(wire: TicketDeleted, at: int, who: _Who) -> Event:
    return Event(at, wire.id, "ticket.deleted", wire.source, wire.seq, who[0], role=who[1])


def _restored(wire: TicketRestored, at: int, who: _Who) -> Event:
    return Event(at, wire.id, "ticket.restored", wire.source, wire.seq, who[0], role=who[1])


def _erased(wire: TicketErased, at: int, who: _Who) -> Event:
    return Event(at, wire.id, "ticket.erased", wire.source, wire.seq, who[0], role=who[1])


def _dependency_started(wire: DependencyStarted, at: int, who: _Who) -> Event:
    party = one_form(wire.party)
    return Event(at, wire.id, "dependency.started", wire.source, wire.seq, who[0], party=party, role=who[1])


def _dependency_ended(wire: DependencyEnded, at: int, who: _Who) -> Event:
    party = one_form(wire.party)
    return Event(at, wire.id, "dependency.ended", wire.source, wire.seq, who[0], party=party, role=who[1])


def _extension_granted(wire: ExtensionGranted, at: int, who: _Who) -> Event:
    try:
        Duration.parse(wire.by)
    except DurationError as error:
        raise InvalidEvent("$.by", str(error)) from error
    commitment = one_form(wire.commitment)
    return Event(
        at, wire.id, "extension.granted", wire.source, wire.seq, who[0], commitment=commitment, by=wire.by, role=who[1]
    )


def _resolution_accepted(wire: ResolutionAccepted, at: int, who: _Who) -> Event:
    return Event(at, wire.id, "resolution.accepted", wire.source, wire.seq, who[0], by=wire.by, role=who[1])


def _escalation_requested(wire: EscalationRequested, at: int, who: _Who) -> Event:
    level, impact = one_form(wire.level), "" if wire.impact == "none" else wire.impact
    return Event(at, wire.id, "escalation.requested", wire.source, wire.seq, who[0], level=level, impact=impact, role=who[1])


def _escalation_acknowledged(wire: EscalationAcknowledged, at: int, who: _Who) -> Event:
    level = one_form(wire.level)
    return Event(at, wire.id, "escalation.acknowledged", wire.source, wire.seq, who[0], level=level, role=who[1])


def _escalation_released(wire: EscalationReleased, at: int, who: _Who) -> Event:
    level = one_form(wire.level)
    return Event(at, wire.id, "escalation.released", wire.source, wire.seq, who[0], level=level, role=who[1])


_OTHERS: Final[dict[type[TicketEvent], Callable[[Any, int, _Who], Event]]] = {
    TicketMerged: _merged,
    TicketDeleted: _deleted,
    TicketRestored: _restored,
    TicketErased: _erased,
    DependencyStarted: _dependency_started,
    DependencyEnded: _dependency_ended,
    ExtensionGranted: _extension_granted,
    ResolutionAccepted: _resolution_accepted,
    EscalationRequested: _escalation_requested,
    EscalationAcknowledged: _escalation_acknowledged,
    EscalationReleased: _escalation_released,
}
