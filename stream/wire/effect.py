"""Encodes effects and dead letters for the output topics, and ticket events and ticks for publishers.

Each ``encode_...`` function has a counterpart that returns exactly what was encoded. The bytes depend on the arguments alone,
so every worker encodes an effect to the same bytes.

Longer than 250 lines because each function for encoding is read beside its counterpart.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import NODEFAULT, UNSET
from msgspec.structs import astuple

from stream.sla.effects import Effect, Kind
from stream.wire.decode import Rejected
from stream.wire.instants import NO_END, format_instant, parse_instant
from stream.wire.output_structs import WireEffect, WireRejected

if TYPE_CHECKING:
    from stream.sla.events import Event, EventType
    from stream.sla.feed_state import FeedState
    from stream.wire.output_structs import Seconds

Header = tuple[str, bytes]
_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_astuple: Final = astuple  # compiled code looks up the imported name in a dict, at each use


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.required:
        return UNSET
    return field.default if field.default_factory is NODEFAULT else msgspec.field(default_factory=field.default_factory)


_Written: Final = msgspec.defstruct(
    "_Written",
    [(field.name, Any, _default(field)) for field in msgspec.structs.fields(WireEffect)],
    omit_defaults=True,
    gc=False,
)
"""``WireEffect`` for encoding, with untyped fields that are passed by position, ``fields`` last. Passing them by
name took half of the time that the encoding of an effect takes."""


_place: Final = Effect.__struct_fields__.index
_ID: Final[int] = _place("id")
_KIND: Final[int] = _place("kind")
_AT: Final[int] = _place("at")
_DETECTED_AT: Final[int] = _place("detected_at")
_DUE_AT: Final[int] = _place("due_at")
_ALLOWED_FROM: Final[int] = _place("allowed_from")
_ELAPSED: Final[int] = _place("elapsed")
_PAUSED: Final[int] = _place("paused")
_TARGET: Final[int] = _place("target")
_FIELDS: Final[int] = _place("fields")


class DeadLetter(NamedTuple):
    """A rejected record: the reason, the original bytes, and its place in the source topic."""

    rejected: Rejected
    key: bytes | None
    value: bytes | None
    topic: str
    partition: int
    offset: int
    at: int
    """Time of the rejection, epoch microseconds."""


MAX_KEPT: Final = 700_000
"""The most bytes of a rejected value that its dead letter holds. In base64 they stay below 1 MiB, Kafka's default limit.
The whole value is in the source topic, at the partition and offset that the dead letter names."""

MAX_KEPT_KEY: Final = 16_384

_read_effect: Final = msgspec.json.Decoder(WireEffect).decode
_read_rejected: Final = msgspec.json.Decoder(WireRejected).decode


def encode_effect(effect: Effect) -> bytes:
    """Encode an effect as the value of an output record."""
    return _encode_values(list(_astuple(effect)))


def encode_with_headers(effect: Effect, source: Header) -> tuple[bytes, list[Header]]:
    """``encode_effect`` and ``effect_headers`` together, which takes what both need once. ``source``: that header."""
    values = list(_astuple(effect))
    value = _encode_values(values)
    return value, _headers(values[_ID], values[_KIND], values[_AT], source)


def _encode_values(values: list[Any]) -> bytes:
    """``values``: the attributes of an effect. Those up to ``fields`` become what is written, in their places.

    All attributes are read in one step, because compiled code reads a struct's attributes by name. Most are written as they
    are.
    """
    instant: int = values[_AT]
    detected_at: int = values[_DETECTED_AT]
    due_at: int | None = values[_DUE_AT]
    allowed_from: int | None = values[_ALLOWED_FROM]
    target: int | None = values[_TARGET]
    at = values[_AT] = format_instant(instant)
    values[_DETECTED_AT] = at if detected_at == instant else format_instant(detected_at)
    if due_at is not None:
        values[_DUE_AT] = format_instant(due_at)
    if allowed_from is not None:
        values[_ALLOWED_FROM] = format_instant(allowed_from)
    values[_ELAPSED] = _seconds(values[_ELAPSED])
    values[_PAUSED] = _seconds(values[_PAUSED])
    if target is not None:
        values[_TARGET] = _seconds(target)
    values.append(values.pop(_FIELDS))  # last on the wire
    return _encode(_Written(*values))


def decode_effect(value: bytes) -> Effect:
    """Decode what ``encode_effect`` encoded. Raises ``msgspec.DecodeError`` or ``InstantError`` for anything else."""
    try:
        wire = _read_effect(value)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error
    return Effect(
        wire.id,
        wire.type,
        parse_instant(wire.at),
        parse_instant(wire.detected_at),
        wire.ticket,
        wire.policy,
        wire.policy_version,
        wire.commitment,
        wire.ladder,
        wire.escalation_kind,
        wire.level,
        wire.assign_to,
        wire.notify,
        wire.owner,
        wire.cycle,
        wire.reason,
        wire.cause,
        None if wire.due_at is None else parse_instant(wire.due_at, NO_END),
        None if wire.allowed_from is None else parse_instant(wire.allowed_from, NO_END),
        _micros(wire.elapsed_seconds),
        _micros(wire.paused_seconds),
        None if wire.target_seconds is None else _micros(wire.target_seconds),
        wire.calendar,
        wire.timezone,
        wire.page,
        wire.late,
        wire.deployment,
        wire.provisional,
        wire.provisional_reason,
        wire.fields,
        wire.retracts,
        wire.retracts_type,
        wire.retracts_reason,
    )


def effect_headers(effect: Effect, source: bytes) -> list[Header]:
    """The CloudEvents 1.0 attributes of an effect, in Kafka binary mode. ``source`` is the URI reference of this installation.

    ``ce_type`` is the effect's type with the prefix ``breachwatch.``. ``ce_time`` is when the effect became true, not when a
    worker noticed it.
    """
    return _headers(effect.id, effect.kind, format_instant(effect.at), ("ce_source", source))


def _headers(id_: str, kind: Kind, at: str, source: Header) -> list[Header]:
    return [_VERSION, ("ce_id", id_.encode()), _TYPE[kind], source, ("ce_time", at.encode()), _JSON]


_VERSION: Final = ("ce_specversion", b"1.0")
_TYPE: Final = {kind: ("ce_type", b"breachwatch." + kind.encode()) for kind in Kind}
_JSON: Final = ("content-type", b"application/json")


def encode_rejected(dead_letter: DeadLetter) -> bytes:
    """Encode a dead letter, with at most ``MAX_KEPT`` bytes of the value."""
    rejected, key, value, topic, partition, offset, at = dead_letter
    cut = value is not None and len(value) > MAX_KEPT
    return _encode(
        WireRejected(
            reason=rejected.reason,
            message=rejected.message,
            path=rejected.path,
            at=format_instant(at),
            topic=topic,
            partition=partition,
            offset=offset,
            key_base64=None if key is None else b64encode(key[:MAX_KEPT_KEY]).decode(),
            value_base64=None if value is None else b64encode(value[:MAX_KEPT]).decode(),
            value_bytes=len(value) if value is not None and cut else None,
        )
    )


def decode_rejected(value: bytes) -> DeadLetter:
    """Decode what ``encode_rejected`` encoded. Raises ``msgspec.DecodeError`` or ``ValueError`` for anything else."""
    try:
        wire = _read_rejected(value)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error
    return DeadLetter(
        Rejected(wire.reason, wire.message, wire.path),
        None if wire.key_base64 is None else b64decode(wire.key_base64, validate=True),
        None if wire.value_base64 is None else b64decode(wire.value_base64, validate=True),
        wire.topic,
        wire.partition,
        wire.offset,
        parse_instant(wire.at),
    )


_KEYS_OF: Final[dict[EventType, tuple[str, ...]]] = {
    "ticket.created": ("fields",),
    "ticket.changed": ("fields",),
    "comment.added": ("public",),
    "ticket.merged": ("into",),
    "ticket.deleted": (),
    "ticket.restored": (),
    "ticket.erased": (),
    "dependency.started": ("party",),
    "dependency.ended": ("party",),
    "extension.granted": ("commitment", "by"),
    "resolution.accepted": ("by",),
    "escalation.requested": ("level", "impact"),
    "escalation.acknowledged": ("level",),
    "escalation.released": ("level",),
}


def encode_event(ticket: str, event: Event) -> bytes:
    """Encode a ticket event as publishers write it; ``decode`` returns the event."""
    wire: dict[str, Any] = {
        "type": event.type,
        "id": event.id,
        "source": event.source,
        "ticket": ticket,
        "at": format_instant(event.at),
    }
    if event.seq:
        wire["seq"] = event.seq
    if event.actor is not None:
        wire["actor"] = {"kind": event.actor, "role": event.role} if event.role else {"kind": event.actor}
    for name in _KEYS_OF[event.type]:
        value = getattr(event, name)
        if value != "":
            wire[name] = value
    return _encode_event(wire)


_encode_event: Final = msgspec.json.Encoder().encode


def encode_tick(source: str, at: int, state: FeedState | None = None) -> bytes:
    """Encode a ``feed.tick``: the feed of ``source`` is complete up to ``at`` (epoch microseconds).

    ``state``: only from whoever reads the feed to its end. It must then be published again and again, also while the feed
    lags or cannot be reached; ``at`` stays at the instant up to which it is complete.
    """
    tick = {"type": "feed.tick", "source": source, "at": format_instant(at)}
    return _encode_event(tick if state is None else tick | {"state": state})


def _seconds(micros: int) -> Seconds:
    seconds = micros // 1_000_000
    return seconds if seconds * 1_000_000 == micros else micros / 1_000_000


def _micros(seconds: Seconds) -> int:
    """Convert exactly, which ``round(seconds * 1e6)`` does not: the float's shortest text is the decimal that was encoded."""
    return seconds * 1_000_000 if isinstance(seconds, int) else int(Decimal(repr(seconds)).scaleb(6))
