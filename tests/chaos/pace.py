"""The time of a chaos run, in which a minute passes in a second, and which can be stepped for one worker alone.

It lies in a small file that the run writes and a worker's process reads at each reading of its clock.
"""

from __future__ import annotations

import mmap
import struct
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from pathlib import Path

_FIELDS: Final = struct.Struct("<5q")
MINUTE: Final = 60_000_000


class Pace:
    """``real`` and all other instants are epoch microseconds, lengths microseconds."""

    def __init__(self, began: int, shows: int, speed: int) -> None:
        """At the real instant ``began`` the run's time is ``shows``; from there on it passes ``speed`` times as fast."""
        self.began: Final = began
        self.shows: Final = shows
        self.speed: Final = speed

    def at(self, real: int) -> int:
        """The run's time at a real instant."""
        return self.shows + (real - self.began) * self.speed

    def now(self) -> int:
        return self.at(time.time_ns() // 1_000)

    def minute(self) -> int:
        """The whole minute that was last."""
        return self.now() // MINUTE * MINUTE

    def seconds_until(self, instant: int) -> float:
        """Real seconds until the run's time shows this; negative when it is over."""
        return (instant - self.now()) / self.speed / 1e6


class WorkerClock:
    """The clock of one worker: the pace of the run, and by how much somebody has set it ahead or back."""

    def __init__(self, file: Path) -> None:
        with file.open("r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), _FIELDS.size)
        began, shows, speed, *_ = self._fields()
        self.pace: Final = Pace(began, shows, speed)

    @classmethod
    def create(cls, file: Path, pace: Pace, hang: int) -> Self:
        """``hang``: for how long the worker does nothing when it gets the signal ``HANG``; real microseconds."""
        file.write_bytes(_FIELDS.pack(pace.began, pace.shows, pace.speed, 0, hang))
        return cls(file)

    @property
    def offset(self) -> int:
        return self._fields()[3]

    @property
    def hang(self) -> int:
        return self._fields()[4]

    def set(self, *, offset: int | None = None, hang: int | None = None) -> None:
        began, shows, speed, was_offset, was_hang = self._fields()
        offset, hang = was_offset if offset is None else offset, was_hang if hang is None else hang
        _FIELDS.pack_into(self._memory, 0, began, shows, speed, offset, hang)

    def wall(self) -> int:
        """What the worker takes for the machine's clock."""
        return self.pace.now() + self.offset

    def passing(self) -> int:
        """What it takes for the clock that nobody sets."""
        return time.monotonic_ns() // 1_000 * self.pace.speed

    def _fields(self) -> tuple[int, int, int, int, int]:
        fields: tuple[int, int, int, int, int] = _FIELDS.unpack_from(self._memory)
        return fields
