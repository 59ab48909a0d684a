"""Records that no worker may take, and the reason that each must get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sla.events import Event
from stream.wire.effect import encode_event
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_DAY: Final = 86_400_000_000


class Bad(NamedTuple):
    """Key and value of a record, and why it must be refused."""

    key: bytes | None
    value: bytes | None
    reason: str


def bad_record(random: Random, number: int, now: int) -> Bad:
    """One of any kind. ``number`` makes it unlike all others where it can be; ``now``: epoch microseconds."""
    return random.choice(_KINDS)(number, now)


def _event(number: int, at: int) -> bytes:
    return encode_event(f"bad/{number}", Event(at=at, id=f"bad-{number}", type="ticket.created", source="desk"))


def _key(number: int) -> bytes:
    return b"bad/%d" % number


def _without(name: bytes, number: int, now: int) -> bytes:
    return _event(number, now).replace(b'"%s":' % name, b'"not_%s":' % name)


_KINDS: Final[list[Callable[[int, int], Bad]]] = [
    lambda number, now: Bad(_key(number), b"no JSON %d" % number, "undecodable"),
    lambda number, now: Bad(_key(number), b'{"type":"ticket.created","id":"\xff%d"}' % number, "undecodable"),
    lambda number, now: Bad(_key(number), b"[%d]" % number, "undecodable"),
    lambda number, now: Bad(_key(number), _event(number, now)[:-9], "undecodable"),
    lambda number, now: Bad(_key(number), b"", "undecodable"),
    lambda number, now: Bad(_key(number), None, "undecodable"),
    lambda number, now: Bad(_key(number), b'{"x":"%d' % number + b"x" * 1_100_000 + b'"}', "too_large"),
    lambda number, now: Bad(_key(number), _without(b"id", number, now), "invalid"),
    lambda number, now: Bad(_key(number), _without(b"ticket", number, now), "invalid"),
    lambda number, now: Bad(_key(number), _without(b"at", number, now), "invalid"),
    lambda number, now: Bad(_key(number), _event(number, now).replace(b"created", b"eaten"), "invalid"),
    lambda number, now: Bad(_key(number), _event(number, now).replace(format_instant(now).encode(), b"soon"), "invalid"),
    lambda number, now: Bad(_key(number + 1), _event(number, now), "key_mismatch"),
    lambda number, now: Bad(None, _event(number, now), "key_mismatch"),
    lambda number, now: Bad(_key(number), _event(number, now + 2 * _DAY), "future"),
]
