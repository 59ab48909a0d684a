"""From the bytes of a record to a sound event, or to the reason why it is none. Pure, and never raises.

The order in which a record is asked is fixed, so that one record always gets one reason: its size, whether it is JSON at all,
whether it keeps the contract, whether its key is its ticket, whether its time can be true.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from stream.wire.instants import END, FIRST, epoch_micros
from stream.wire.ticket_event import FeedTick, Incoming, Wire
from stream.wire.ticket_fields import FieldsOnly, FieldValue, InvalidEvent, field_path


class RejectReason(StrEnum):
    """Why a record is refused. The same words in the dead letters, logs and metric labels."""

    UNDECODABLE = "undecodable"
    """Empty, not UTF-8, not JSON, or JSON that is no object."""
    TOO_LARGE = "too_large"
    INVALID = "invalid"
    """It does not keep the contract; the path says where."""
    KEY_MISMATCH = "key_mismatch"
    """The record key is not the ticket: the events of one ticket might be in several partitions."""
    FUTURE = "future"
    """Further ahead than clocks may differ: a wrong clock at the source must not breach everything."""
    TOO_LATE = "too_late"
    """Older than the history that is kept of its ticket. Found by the engine, never by ``decode``."""


class Tick(NamedTuple):
    """The feed of this source is complete up to ``at`` (epoch microseconds)."""

    source: str
    at: int


class Rejected(NamedTuple):
    """Their event, their fault: what is wrong with it, for people, and the JSON path of the place (or ``""``)."""

    reason: RejectReason
    message: str
    path: str


MAX_MESSAGE: Final = 300
"""Characters of a message or path: they quote the record, and a record may be of any size."""

_TIME_HINT: Final = "an RFC 3339 time with an offset, like 2026-03-02T09:30:00+05:30, is asked for"
_AT_THE_END: Final = re.compile(r" - at (`key` in )?`(\$[^`]*)`$")
_MISSING: Final = re.compile(r"^Object missing required field `([^`]+)`")
_decode: Final = msgspec.json.Decoder(Wire).decode
_well_formed: Final = msgspec.json.Decoder(msgspec.Raw).decode
_field_value: Final = msgspec.json.Decoder[FieldValue](FieldValue).decode


_fields_only: Final = msgspec.json.Decoder(FieldsOnly).decode


def decode(
    key: bytes | None,
    value: bytes | None,
    *,
    now: int | None,
    max_ahead: int = 300_000_000,
    max_bytes: int = 1_048_576,
) -> Incoming | Tick | Rejected:
    """Read one record of the topic of ticket events.

    ``now`` is the wall clock and ``max_ahead`` how far an event may be ahead of it, both in microseconds; ``now=None`` where
    time is what the feed says. ``max_bytes`` bounds the value. A tick may bear any key: it goes to every partition.
    """
    heard = read(value, max_bytes=max_bytes)
    if isinstance(heard, Incoming):
        if key != heard.ticket.encode():
            said = "none" if not key else repr(key.decode(errors="replace"))
            message = f"the record key is {said}, the ticket {heard.ticket!r}"
            return _rejected(RejectReason.KEY_MISMATCH, message, "$.ticket")
        return _future(heard.event.at, now, max_ahead) or heard
    if isinstance(heard, Tick):
        return _future(heard.at, now, max_ahead) or heard
    return heard


def read(value: bytes | None, *, max_bytes: int = 1_048_576) -> Incoming | Tick | Rejected:
    """Read what has no key and may be of any time: a line of a recorded feed."""
    if not value:
        return Rejected(RejectReason.UNDECODABLE, "the record has no value", "")
    if len(value) > max_bytes:
        return Rejected(RejectReason.TOO_LARGE, f"{len(value)} bytes, {max_bytes} are taken", "")
    try:
        if not value.isascii():
            value.decode()  # msgspec does not look into what it skips
        wire = _decode(value)
        at = epoch_micros(wire.at)
        if not FIRST <= at < END:
            return Rejected(RejectReason.INVALID, "outside the years 1970 to 2199 (UTC)", "$.at")
        if type(wire) is FeedTick:
            return Tick(wire.source, at)
        actor = wire.actor
        return Incoming(wire.ticket, wire.event(at, actor.kind if actor else None))
    except InvalidEvent as error:
        return _rejected(RejectReason.INVALID, error.message, error.path)
    except msgspec.ValidationError as error:
        return _broken_contract(value, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _rejected(RejectReason.UNDECODABLE, str(error), "")


def _future(at: int, now: int | None, max_ahead: int) -> Rejected | None:
    if now is None or at <= now + max_ahead:
        return None
    ahead, allowed = (at - now) / 1_000_000, max_ahead / 1_000_000
    return Rejected(RejectReason.FUTURE, f"{ahead:g} s ahead of the clock here, {allowed:g} s are allowed", "$.at")


def _broken_contract(value: bytes, complaint: str) -> Rejected:
    """Where and what the complaint is about: msgspec's text has the path at its end, but not the names of ticket fields."""
    try:
        _well_formed(value)
    except (msgspec.DecodeError, RecursionError) as error:
        return _rejected(RejectReason.UNDECODABLE, str(error), "")
    found = _AT_THE_END.search(complaint)
    path = found[2] if found else "$"
    message = complaint[: found.start()] if found else complaint
    missing = _MISSING.match(message)
    if missing:
        path = f"{path}.{missing[1]}"
    elif path == "$":
        return _rejected(RejectReason.UNDECODABLE, message, "")
    elif path.startswith("$.fields[...]"):
        path = _guilty_field(value) or "$.fields"
    elif found and found[1]:
        message = f"a field name: {message}"
    elif path == "$.at":
        message = f"{message}: {_TIME_HINT}"
    return _rejected(RejectReason.INVALID, message, path)


def _guilty_field(value: bytes) -> str | None:
    try:
        fields = _fields_only(value).fields
    except (msgspec.DecodeError, RecursionError):
        return None  # the key `fields` twice, say
    for name, raw in fields.items():
        try:
            _field_value(raw)
        except msgspec.ValidationError as error:
            inside = _AT_THE_END.search(str(error))
            return field_path(name) + (inside[2].removeprefix("$") if inside else "")
    return None


def _rejected(reason: RejectReason, message: str, path: str) -> Rejected:
    return Rejected(reason, message[:MAX_MESSAGE], path[:MAX_MESSAGE])
