"""A ticket's state to bytes and back: what the table and its changelog hold.

The first byte is the version of the form. A version that was ever released stays readable; an unknown one is an error that
says so, because a worker that guesses would lose tickets.
"""

from __future__ import annotations

from typing import Final

import msgspec

from stream.sla.ticket import State

VERSION: Final = 1
_MARK: Final = bytes([VERSION])
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(State)


class CodecError(ValueError):
    """Bytes that are no state, or one written by a newer breachwatch."""


def encode(state: State) -> bytes:
    return _MARK + _encoder.encode(state)


def decode(data: bytes) -> State:
    """Raises CodecError."""
    if data[:1] != _MARK:
        raise CodecError(
            f"a ticket state of form {data[0] if data else 'none'}; this breachwatch reads form {VERSION}. "
            "Was the table written by a newer version?"
        )
    try:
        return _decoder.decode(memoryview(data)[1:])
    except msgspec.DecodeError as error:
        raise CodecError(f"a ticket state that cannot be read: {error}") from error
