"""A ticket's state to bytes and back: what the table and its changelog hold.

The first byte is the version of the form. A version that was ever released stays readable; an unknown one is an error that
says so, because a worker that guesses would lose tickets.
"""

from __future__ import annotations

from typing import Final

import msgspec

from stream.sla.codec import form1, layout
from stream.sla.ticket.state import State, Summary, open_commitments

_UNREADABLE: Final = (msgspec.DecodeError, ValueError, IndexError)


class CodecError(ValueError):
    """Bytes that are no state, or one written by a newer breachwatch."""


def encode(state: State) -> bytes:
    return layout.encode(state)


def decode(data: bytes) -> State:
    """Raises CodecError."""
    threshold = data[:1]
    try:
        if threshold == layout.VERSION:
            return layout.decode(data)
        if threshold == form1.VERSION:
            return form1.decode(data)
    except _UNREADABLE as error:
        raise CodecError(f"a ticket state that cannot be read: {error}") from error
    raise _unknown(data)


def peek(data: bytes) -> Summary:
    """What a worker must know of every ticket at its start, at less than half the cost of ``decode``. Raises CodecError."""
    threshold = data[:1]
    try:
        if threshold == layout.VERSION:
            return layout.peek(data)
    except _UNREADABLE as error:
        raise CodecError(f"a ticket state that cannot be read: {error}") from error
    state = decode(data)
    return Summary(state.wake_at, state.ended, open_commitments(state))


def _unknown(data: bytes) -> CodecError:
    return CodecError(
        f"a ticket state of form {data[0] if data else 'none'}; this breachwatch reads forms 1 and 2. "
        "Was the table written by a newer version?"
    )
