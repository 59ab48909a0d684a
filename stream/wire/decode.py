"""Decodes a record of ticket events: to a valid event, to a tick, or to the reason why it is rejected. Pure; never raises.

The checks have a fixed order, so that the same record always gets the same reason: its size, its JSON, the contract, its key,
its time.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec.structs import astuple

from stream.wire.huge_numbers import without_huge_numbers
from stream.wire.incoming import AT, TICKET, Incoming, event_of
from stream.wire.instants import END, FIRST, epoch_micros
from stream.wire.leap_second import without_leap_second
from stream.wire.ticket_event import FeedTick, Wire
from stream.wire.ticket_fields import InvalidEvent

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.feed_state import FeedState


class RejectReason(StrEnum):
    """Why a record is rejected. Dead letters, logs and metric labels use the same words."""

    UNDECODABLE = "undecodable"
    """Empty, not UTF-8, not JSON, or not a JSON object."""
    TOO_LARGE = "too_large"
    INVALID = "invalid"
    """It breaks the contract; the path gives the place."""
    KEY_MISMATCH = "key_mismatch"
    """The record key is not the ticket, so the events of one ticket might be in several partitions."""
    FUTURE = "future"
    """Further ahead than clocks may differ: a wrong clock at the source must not breach everything."""
    TOO_LATE = "too_late"
    """Older than the history of its ticket. The engine finds it; ``decode`` never returns it."""
    CONFLICT = "conflict"
    """Another event of the ticket has its source, id and seq. The engine finds it too."""


class Tick(NamedTuple):
    """The feed of this source is complete up to ``at`` (epoch microseconds)."""

    source: str
    at: int
    state: FeedState | None = None
    """``None``: whoever published it cannot know."""


class Rejected(NamedTuple):
    """A record that breaks the contract: the reason, a message for people, and the JSON path of the place or ``""``."""

    reason: RejectReason
    message: str
    path: str


MAX_MESSAGE: Final = 300
"""The most characters of a message or path. Both quote the record, which may have any size."""

_TIME_HINT: Final = "use an RFC 3339 time with an offset, like 2026-03-02T09:30:00+05:30"
_AT_THE_END: Final = re.compile(r" - at `(\$[^`]*)`$")
_MISSING: Final = re.compile(r"^Object missing required field `([^`]+)`")
_OUTSIDE: Final = Rejected(RejectReason.INVALID, "outside the years 1970 to 2199 (UTC)", "$.at")
_decode: Final = msgspec.json.Decoder(Wire).decode
_well_formed: Final = msgspec.json.Decoder(msgspec.Raw).decode
# Compiled code looks up what it imports from code that is not compiled in a dict, at each use.
_astuple: Final = astuple
_FEED_TICK: Final = FeedTick
_BACKSLASH: Final = ord("\\")
"""As a number: to look for a byte as bytes, the interpreter raises and catches an exception first."""


def decode(
    key: bytes | None,
    value: bytes | None,
    *,
    now: int | None,
    max_ahead: int = 300_000_000,
    max_bytes: int = 1_048_576,
) -> Incoming | Tick | Rejected:
    """Decode one record of the topic of ticket events.

    ``now`` is the wall clock and ``max_ahead`` is how far an event may be ahead of it, both in microseconds. ``now=None``
    skips that check, where the feed itself sets the time. ``max_bytes`` limits the value. A tick may have any key, because
    it goes to every partition.
    """
    decoded = read(value, max_bytes=max_bytes)
    if isinstance(decoded, Incoming):
        if key != decoded.ticket.encode():
            found = repr(key.decode(errors="replace")) if key else "empty"
            message = f"the record key is {found}, but the ticket is {decoded.ticket!r}"
            return _rejected(RejectReason.KEY_MISMATCH, message, "$.ticket")
        return _future(decoded.event.at, now, max_ahead) or decoded
    if isinstance(decoded, Tick):
        return _future(decoded.at, now, max_ahead) or decoded
    return decoded


def read(value: bytes | None, *, max_bytes: int = 1_048_576) -> Incoming | Tick | Rejected:
    """Decode a value alone, without the checks of key and time: for a line of a recorded feed."""
    if not value:
        return Rejected(RejectReason.UNDECODABLE, "the record has no value", "")
    if len(value) > max_bytes:
        return Rejected(RejectReason.TOO_LARGE, f"{len(value)} bytes; at most {max_bytes} are allowed", "")
    try:
        ascii_only = value.isascii()
        if not ascii_only:
            value.decode()  # msgspec does not validate the UTF-8 of keys that it ignores
        wire = _decode(value)
        if type(wire) is _FEED_TICK:
            at = epoch_micros(wire.at)
            return Tick(wire.source, at, wire.state or None) if FIRST <= at < END else _OUTSIDE
        # All attributes in one step, because compiled code reads a struct's attributes by name.
        values: tuple[Any, ...] = _astuple(wire)
        at = epoch_micros(values[AT])
        if not FIRST <= at < END:
            return _OUTSIDE
        # With a backslash a text may be written in ASCII that is not ASCII.
        return Incoming(values[TICKET], event_of(wire, values, at, ascii_only and _BACKSLASH not in value))
    except InvalidEvent as invalid:  # a name of its own: compiled, a name has one type in a function
        return _rejected(RejectReason.INVALID, invalid.message, invalid.path)
    except msgspec.ValidationError as error:
        same = without_leap_second(value) or without_huge_numbers(value)
        return read(same, max_bytes=len(same)) if same is not None else _broken_contract(value, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as undecodable:
        return _rejected(RejectReason.UNDECODABLE, str(undecodable), "")


def conflicting(event: Event) -> Rejected:
    """Why an event is rejected whose identity another one of its ticket has."""
    message = (
        f"{event.source!r} has published another event of this ticket with the id {event.id!r} and seq {event.seq}, "
        "and this one differs from it: give each fact an id or a seq of its own"
    )
    return _rejected(RejectReason.CONFLICT, message, "$.id")


def _future(at: int, now: int | None, max_ahead: int) -> Rejected | None:
    if now is None or at <= now + max_ahead:
        return None
    ahead, allowed = (at - now) / 1_000_000, max_ahead / 1_000_000
    return Rejected(
        RejectReason.FUTURE, f"{ahead:.15g} s ahead of the worker's clock; at most {allowed:g} s are allowed", "$.at"
    )


def _broken_contract(value: bytes, error_text: str) -> Rejected:
    """Split an error of msgspec into message and path: its text ends with the path."""
    try:
        _well_formed(value)
    except (msgspec.DecodeError, RecursionError) as error:
        return _rejected(RejectReason.UNDECODABLE, str(error), "")
    found = _AT_THE_END.search(error_text)
    path = found[1] if found else "$"
    message = error_text[: found.start()] if found else error_text
    missing = _MISSING.match(message)
    if missing:
        path = f"{path}.{missing[1]}"
    elif path == "$":
        return _rejected(RejectReason.UNDECODABLE, message, "")
    elif path == "$.at":
        message = f"{message}: {_TIME_HINT}"
    return _rejected(RejectReason.INVALID, message, path)


def _rejected(reason: RejectReason, message: str, path: str) -> Rejected:
    return Rejected(reason, message[:MAX_MESSAGE], path[:MAX_MESSAGE])
