"""A ticket's state to bytes and back: what the table and its changelog hold.

The first byte is the version of the layout. A version that a release wrote stays readable. Any other is an error, because a
worker that guesses would lose tickets. Only 0.1.0 wrote version 1, and nothing else reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from stream.sla.codec import layout

if TYPE_CHECKING:
    from stream.sla.ticket.state import State, Summary

_OLDER: Final = "breachwatch 0.1.0 or older wrote it: give all workers a new app_id, and they read the events anew."
_NEWER: Final = "A newer breachwatch wrote it."
_UNREADABLE: Final = (msgspec.DecodeError, ValueError, IndexError)


class CodecError(ValueError):
    """The bytes are not a state, or another breachwatch wrote them."""


class NewerLayoutError(CodecError):
    """A newer breachwatch wrote them."""


def encode(state: State) -> bytes:
    """The bytes of a state; equal states have equal bytes."""
    return layout.encode(state)


def decode(data: bytes) -> State:
    """The state that ``encode`` wrote. Raises CodecError."""
    _check_version(data)
    try:
        return layout.decode(data)
    except _UNREADABLE as error:
        raise CodecError(f"cannot read a ticket state: {error}") from error


def peek(data: bytes) -> Summary:
    """The part of a ticket that a worker needs when it starts, for less than half the cost of ``decode``. Raises CodecError."""
    _check_version(data)
    try:
        return layout.peek(data)
    except _UNREADABLE as error:
        raise CodecError(f"cannot read a ticket state: {error}") from error


def has_unconfirmed(data: bytes) -> bool:
    """Whether effects of the stored state wait to be confirmed, without reading it."""
    return data[:1] == layout.UNCONFIRMED


def _check_version(data: bytes) -> None:
    if data[:1] != layout.VERSION and data[:1] != layout.UNCONFIRMED:
        if not data:
            raise CodecError("cannot read a ticket state without a version: it is empty")
        newer = data > layout.UNCONFIRMED
        text = (
            f"cannot read a ticket state of version {data[0]}; this breachwatch reads versions {layout.VERSION[0]} and "
            f"{layout.UNCONFIRMED[0]}. {_NEWER if newer else _OLDER}"
        )
        raise NewerLayoutError(text) if newer else CodecError(text)
