"""Tickets that are alike share the bytes of their frame in the memory of a worker.

A stored state is self-contained, so each one has its frame (``stream.sla.ticket.names``), a fifth of its bytes: the names of
its policies, metrics and calendars. A worker with a million open tickets has some dozens of different frames. So the table cuts
a state: it keeps each frame once, and the rest of a state refers to it by a number. ``whole`` puts the frame back in its place,
which gives the very bytes that were cut. Only the process that cut a state can read it.

The bytes before a frame show where it is. Where they stand for something else, other bytes are cut, and put back as well.
"""

from __future__ import annotations

from typing import Final

_BEFORE: Final = b"\x95\xcf\x00"
"""How the parts of a ticket begin: an array of five, and the first is an instant. The frame is the second."""
_INSTANT: Final = 10
"""Bytes of both, with the whole instant."""
_SHORT: Final = 0xC4
"""In MessagePack: bytes, their length in one byte to follow."""
_LONG: Final = 0xC5
"""The same with a length of two bytes."""
_HEADER: Final = 4
"""Bytes before a cut state: the number of its frame and the place of it, two each."""
_UNCUT: Final = b"\0\0\0\0"
_FIRST: Final = 4
"""No frame is sooner, so that what ``is_timed`` looks at is never cut."""
_MOST: Final = 10_000
"""Frames that are kept; a helpdesk has hundreds. States with any further frame are not cut."""
_NIL: Final = 0xC0
_NEXT: Final = 3
"""The place in a stored state of the instant at which its ticket is due next."""

_frames: Final[list[bytes]] = [b""]
"""By number; the first for states that are not cut. None is ever let go: states in the table refer to it."""
_numbers: Final[dict[bytes, int]] = {}


def cut(stored: bytes) -> bytes:
    """The bytes without their frame. Takes any bytes."""
    before = stored.find(_BEFORE, _FIRST)
    at = before + _INSTANT
    if before < 0 or len(stored) < at + 3 or at > 65_000:
        return _UNCUT + stored
    kind, size = stored[at], stored[at + 1]
    if kind == _SHORT:
        at += 2
    elif kind == _LONG:
        size, at = size << 8 | stored[at + 2], at + 3
    else:
        return _UNCUT + stored
    end = at + size
    frame = stored[at:end]
    number = _numbers.get(frame)
    if number is None:
        if len(_frames) >= _MOST:
            return _UNCUT + stored
        number = _numbers[frame] = len(_frames)
        _frames.append(frame)
    return (number << 16 | at).to_bytes(_HEADER, "big") + stored[:at] + stored[end:]


def whole(data: bytes) -> bytes:
    """The bytes that ``cut`` was given."""
    at = (data[2] << 8 | data[3]) + _HEADER
    return data[_HEADER:at] + _frames[data[0] << 8 | data[1]] + data[at:]


def is_timed(data: bytes) -> bool:
    """Whether the ticket of a cut state waits for an instant."""
    return len(data) > _HEADER + _NEXT and data[_HEADER + _NEXT] != _NIL
