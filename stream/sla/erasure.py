"""A ticket that is erased: nothing is known of it any more but its name and that it was erased.

Rules:

1. An erasure takes effect when it is applied, after all that was applied before it, and not at its place among the events. It
   cannot be undone.
2. What the events of the ticket have made true up to then is emitted first: what waits until the ticket has settled, and
   what is unconfirmed. Then the ticket ends as by a deletion: what is open is cancelled.
3. The effects of that step show only ``SHOWN`` of the fields, which metrics and routes of messages need.
4. What is left has no field, no history and no identity of an event but that of the erasure. Every later event of the ticket is
   ignored, however old it is: nothing late or repeated brings anything back.
5. It lets no time pass for other tickets, because it states nothing about a feed.
6. What is left is forgotten like any ticket that has ended, and it has ended when the erasure arrived, if that is later than
   its own instant: an old one must not be forgotten before what it has to ignore.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from stream.sla.event_order import PRECEDENCE
from stream.sla.ticket.state import State, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.sla.effects import Effect
    from stream.sla.events import Event

ERASED: Final = "erased"
"""As ``Ticket.ended_by``."""
SHOWN: Final = ("priority", "team")
_DELETION: Final = "ticket.deleted"


def is_erased(ticket: Ticket) -> bool:
    """Whether nothing is known of it any more."""
    return ticket.ended_by == ERASED


def deletion(erasure: Event, at: int) -> Event:
    """The deletion by which what is open ends, at an instant (epoch microseconds)."""
    return erasure.replace(type=_DELETION, at=at)


def erased(ticket: Ticket, at: int, erasure: Event | None = None) -> State:
    """The rest of a ticket that was erased at an instant (epoch microseconds).

    ``erasure``: the event that asked for it; ``None``: it was deleted long ago.
    """
    id_, source, seq = ("", "", 0) if erasure is None else (erasure.id, erasure.source, erasure.seq)
    last = (at, PRECEDENCE[_DELETION], seq, id_, source)
    return State(Ticket(ticket.id, ended_by=ERASED, ended_at=at, last=last, deployment=ticket.deployment))


def without_fields(effects: Iterable[Effect]) -> tuple[Effect, ...]:
    """The effects with no other fields than ``SHOWN``."""
    return tuple(
        [
            msgspec.structs.replace(effect, fields={name: effect.fields[name] for name in SHOWN if name in effect.fields})
            for effect in effects
        ]
    )
