"""The first form of a ticket's state: read for ever, written no more.

Everything stands by its full name, as the ``parts`` of the classes have it; the events are maps one after another.
"""

from __future__ import annotations

from typing import Final

import msgspec

from stream.sla.events import Event
from stream.sla.ticket.commitment_state import CommitmentState
from stream.sla.ticket.escalation_state import EscalationState
from stream.sla.ticket.history import packed
from stream.sla.ticket.state import State, Stored, Ticket
from stream.sla.ticket.stopwatch import Stopwatch

VERSION: Final = b"\x01"
_ARRAY: Final = b"\xdd"
"""In MessagePack: an array, its length in four bytes to follow."""
_Stored = tuple[Stored, bytes, int, Stored | None, tuple[str, ...], dict[str, int]]
_read: Final = msgspec.msgpack.Decoder(_Stored).decode
_read_events: Final = msgspec.msgpack.Decoder(list[Event]).decode


def decode(data: bytes) -> State:
    """``data`` with its mark. Raises msgspec.DecodeError."""
    head, recent, kept, base, old_ids, revisions = _read(memoryview(data)[1:])
    events = _read_events(_ARRAY + kept.to_bytes(4, "big") + recent)
    return State(_ticket(head), packed(events), None if base is None else _ticket(base), old_ids, revisions)


def _ticket(stored: Stored) -> Ticket:
    id_, fields, watches, commitments, escalations, parties, started, partial, ended_by, last, last_timer_at, soonest = stored
    return Ticket(
        id_,
        fields,
        {name: Stopwatch(*parts) for name, parts in watches.items()},
        {name: CommitmentState(*parts) for name, parts in commitments.items()},
        {name: EscalationState(*parts) for name, parts in escalations.items()},
        parties,
        started,
        partial,
        ended_by,
        last,
        last_timer_at,
        soonest,
    )
