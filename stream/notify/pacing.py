"""Decides when the messages of a destination are sent, and which of them are combined into a summary. Pure: time is an
argument, in microseconds.

1. In quiet hours nothing is sent.
2. As long as the messages sent within the window and those that wait are at most the limit, each is sent by itself, at once.
3. Otherwise those that wait become one summary: at once if they are more than the limit themselves, else when the oldest has
   waited for the window.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sla.calendar.zone import EPOCH

if TYPE_CHECKING:
    from stream.notify.rules import Quiet, Storm

_MINUTE: Final = 60_000_000
_DAY_MINUTES: Final = 24 * 60
MOST_TOGETHER: Final = 500
"""Messages that one summary stands for."""


class Due(NamedTuple):
    """The decision about the messages that wait."""

    messages: int
    """The number of the oldest messages to send now: 0 none, 1 by itself, more as a summary."""
    at: int | None
    """The time of the next decision, if nothing is sent; ``None``: when another message comes to wait."""


class Pacer:
    """Decides when the messages of one destination are sent."""

    def __init__(self, storm: Storm | None, quiet: Quiet | None) -> None:
        self._storm: Final = storm
        self._quiet: Final = quiet
        self._quiet_until = 0
        self._times: Final[deque[int]] = deque()
        """The times of the messages that were sent within the window."""

    def due(self, now: int, waiting: int, oldest: int) -> Due:
        """``waiting``: how many messages wait. ``oldest``: since when the oldest of them does."""
        if not waiting:
            return Due(0, None)
        if self._quiet is not None:
            if now >= self._quiet_until:
                self._quiet_until = quiet_until(self._quiet, now) or 0
            if now < self._quiet_until:
                return Due(0, self._quiet_until)
        storm = self._storm
        if storm is None:
            return Due(1, None)
        while self._times and self._times[0] <= now - storm.within:
            self._times.popleft()
        if len(self._times) + waiting <= storm.most:
            return Due(1, None)
        if waiting > storm.most or now >= oldest + storm.within:
            return Due(min(waiting, MOST_TOGETHER), None)
        # The window moves on: when its oldest message leaves it, there may be room again.
        next_room = self._times[0] + storm.within if self._times else oldest + storm.within
        return Due(0, min(next_room, oldest + storm.within))

    def sent(self, now: int) -> None:
        """A message was sent, a summary too."""
        if self._storm is not None:
            self._times.append(now)


def quiet_until(quiet: Quiet, now: int) -> int | None:
    """The end of the quiet hours that ``now`` is in; ``None``: it is in none."""
    moment = (EPOCH + timedelta(microseconds=now)).astimezone(quiet.zone)
    if not _is_quiet(quiet, moment):
        return None
    # A quiet time may go over several days and a change of clocks, so that its end is looked for minute by minute.
    minute = now - now % _MINUTE
    for _ in range(8 * _DAY_MINUTES):
        minute += _MINUTE
        if not _is_quiet(quiet, (EPOCH + timedelta(microseconds=minute)).astimezone(quiet.zone)):
            return minute
    return minute


def _is_quiet(quiet: Quiet, moment: datetime) -> bool:
    if moment.weekday() in quiet.days:
        return True
    if quiet.begin == quiet.end:
        return False
    minute = moment.hour * 60 + moment.minute
    if quiet.begin < quiet.end:
        return quiet.begin <= minute < quiet.end
    return minute >= quiet.begin or minute < quiet.end
