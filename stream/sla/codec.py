"""A ticket's state to bytes and back: what the table and its changelog hold.

The first byte is the version of the form. A version that was ever released stays readable; an unknown one is an error that
says so, because a worker that guesses would lose tickets.
"""

from __future__ import annotations

from typing import Final

import msgspec

from stream.sla.commitment import Pledge
from stream.sla.escalation import Climb
from stream.sla.stopwatch import Stopwatch
from stream.sla.ticket import State, Stored, StoredState, Ticket

VERSION: Final = 1
_MARK: Final = bytes([VERSION])

_write: Final = msgspec.msgpack.Encoder().encode
_read: Final = msgspec.msgpack.Decoder(StoredState).decode


class CodecError(ValueError):
    """Bytes that are no state, or one written by a newer breachwatch."""


def encode(state: State) -> bytes:
    return _MARK + _write(state.parts())


def decode(data: bytes) -> State:
    """Raises CodecError."""
    if data[:1] != _MARK:
        raise CodecError(
            f"a ticket state of form {data[0] if data else 'none'}; this breachwatch reads form {VERSION}. "
            "Was the table written by a newer version?"
        )
    try:
        head, recent, kept, base, old_ids, revisions = _read(memoryview(data)[1:])
    except msgspec.DecodeError as error:
        raise CodecError(f"a ticket state that cannot be read: {error}") from error
    return State(_ticket(head), recent, kept, None if base is None else _ticket(base), old_ids, revisions)


def _ticket(stored: Stored) -> Ticket:
    id_, fields, watches, pledges, climbs, parties, begun, partial, gone, last, fired, soonest = stored
    return Ticket(
        id_,
        fields,
        {name: Stopwatch(*parts) for name, parts in watches.items()},
        {name: Pledge(*parts) for name, parts in pledges.items()},
        {name: Climb(*parts) for name, parts in climbs.items()},
        parties,
        begun,
        partial,
        gone,
        last,
        fired,
        soonest,
    )
