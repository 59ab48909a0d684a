"""A slice of a backtest: some of the tickets, over the whole feed.

A slice takes each block of the feed in two steps:

1. ``decode`` decodes the lines of the slice's own tickets, and returns the instants to which they advance the time.
2. ``process`` gets the instants of all slices, and applies the events and fires the timers up to the end of the block.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

from stream.runtime.outcomes import OutcomeCounts, Outcomes
from stream.sla.engine import Engine
from stream.sla.events import ERASURE
from stream.sla.feed_health import LIMIT
from stream.sla.feed_state import FeedState
from stream.sla.playback import Playback
from stream.sla.policy.timeline import NEVER
from stream.sla.step import Outcome
from stream.wire.decode import Rejected, RejectReason, conflicting, read
from stream.wire.effect import encode_effect
from stream.wire.incoming import Incoming
from stream.wire.lines import only_ticket

if TYPE_CHECKING:
    from stream.sla.effects import Effect
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.policy.timeline import Deployments

ReadPolicies = Callable[[], "PolicySet | Deployments"]
"""Reads what the tickets are judged by. Every process calls it, so it must be picklable."""
MakeEngine = Callable[[], Engine]
"""So must this."""
Advances = tuple[list[int], list[int]]
"""Positions of lines in their block that advanced the watermark or equalled it, in order, and the watermark after each."""
Piece = tuple[int, bool, int, str, bytes]
"""Effects with their position in the output. The first four values are the position, and no two pieces share it: the position
of the line, whether a timer caused the effects (timers fire after the line's own effects), the instant of the timer, and the
ticket. The last one is the effects as JSON lines."""
SliceOutput = tuple[list[Piece], int, list[tuple[int, str]], int]
"""The pieces of a slice in order, the number of their effects, the positions of refused lines, with the reason, and the number
of valid lines."""
_SPACE: Final = 32
"""No byte that makes a line blank is greater."""
_RETURN: Final = 13
_Ticks = deque[tuple[int, str, int, FeedState | None]]
"""Ticks of sources that state how their feeds stand: position of the line, source, complete up to, state."""


class Totals(NamedTuple):
    """The counts of a whole backtest."""

    tickets: int
    unmatched: int
    """Tickets to which nothing was ever promised."""
    events: Counter[Outcome]
    commitments: Outcomes


class _Decoded(NamedTuple):
    """What a block has for this slice, with the positions of the lines."""

    own: list[Incoming]
    own_places: list[int]
    ticks: _Ticks
    refused: list[tuple[int, str]]
    valid: int
    """Lines that are events or ticks. A tick counts in the first slice."""


class Slice:
    """The tickets whose hash is ``number``, modulo ``of``."""

    def __init__(self, engine: Engine, feed_lag_limit: int = LIMIT, number: int = 0, of: int = 1) -> None:
        self._playback: Final = Playback(engine, feed_lag_limit)
        self._outcomes: Final = OutcomeCounts()
        self._number: Final = number
        self._of: Final = of
        self._newest = -1
        """The newest instant of own lines."""
        self._watched: Final[set[str]] = set()
        """Sources of ticks that have a state."""
        self._decoded: Final[deque[_Decoded]] = deque()
        """Blocks that are decoded and not yet processed."""
        # Of the block that is being processed:
        self._places: list[int] = []
        self._instants: list[int] = []
        self._pieces: list[Piece] = []
        self._effects = 0

    def decode(self, block: bytes) -> Callable[[], Advances]:
        """Decode the own lines of the next block. The result returns their advances, and may wait for them.

        Lines that no ticket owns concern all slices: each of them decodes these, and the first one reports them.
        """
        own: list[Incoming] = []
        own_places: list[int] = []
        ticks: _Ticks = deque()
        refused: list[tuple[int, str]] = []
        places: list[int] = []
        instants: list[int] = []
        number, of, newest = self._number, self._of, self._newest
        ticks_read = 0
        ticket = b""
        for place, line in enumerate(block.split(b"\n")):
            if of > 1:
                ticket = only_ticket(line)
                if ticket and crc32(ticket) % of != number:
                    continue
            if not line or (line[0] <= _SPACE and not line.strip()):
                continue
            record = read(line if line[-1] != _RETURN else line.rstrip(b"\r"))
            if isinstance(record, Incoming):
                event = record.event
                at = event.at
                if of > 1 and crc32(record.ticket.encode()) % of != number:
                    if ticket:
                        raise RuntimeError(f"two tickets in one line: {ticket!r} and {record.ticket!r}")
                    continue
                own.append(record)
                own_places.append(place)
                if event.type == ERASURE:
                    continue
            elif isinstance(record, Rejected):
                if ticket or number == 0:
                    refused.append((place, f"{record.reason}: {record.message} {record.path}".rstrip()))
                continue
            else:
                at = record.at
                if record.state is not None or record.source in self._watched:
                    self._watched.add(record.source)
                    ticks.append((place, record.source, at, record.state))
                if number > 0:
                    continue
                ticks_read += 1
            if at >= newest:
                places.append(place)
                instants.append(at)
                newest = at
        self._newest = newest
        self._decoded.append(_Decoded(own, own_places, ticks, refused, len(own) + ticks_read))
        return lambda: (places, instants)

    def process(self, advances: Advances) -> Callable[[], SliceOutput]:
        """Process the oldest block that is decoded. The result returns the output, and may wait for it.

        ``advances``: those of all slices.
        """
        own, own_places, ticks, refused, valid = self._decoded.popleft()
        places, self._instants = advances
        self._places = places
        pieces = self._pieces = []
        self._effects = 0
        playback = self._playback
        passed, count = 0, len(places)
        for number, record in enumerate(own):
            place = own_places[number]
            while ticks and ticks[0][0] < place:
                passed = self._tick(ticks.popleft(), passed)
            before = passed
            while before < count and places[before] < place:
                before += 1
            if before > passed:
                self._fire_timers(passed, before)
                passed = before
            step = playback.apply(record.ticket, record.event)
            if step.effects:
                self._outcomes.add(step.effects)
                self._effects += len(step.effects)
                pieces.append((place, False, 0, "", _lines(step.effects)))
            elif step.outcome is Outcome.TOO_LATE:
                refused.append((place, f"{RejectReason.TOO_LATE}: older than the history kept of its ticket"))
            elif step.outcome is Outcome.CONFLICT:
                refused.append((place, f"{RejectReason.CONFLICT}: {conflicting(record.event).message}"))
        for tick in ticks:
            passed = self._tick(tick, passed)
        self._fire_timers(passed, count)
        effects = self._effects
        return lambda: (pieces, effects, refused, valid)

    def _tick(self, tick: tuple[int, str, int, FeedState | None], passed: int) -> int:
        """Take a tick; ``passed`` and the result: how many of the advances are dealt with."""
        playback, (place, source, at, state) = self._playback, tick
        before, after = bisect_left(self._places, place, passed), bisect_right(self._places, place, passed)
        self._fire_timers(passed, before)
        watched = playback.state_feed(source, at, state)
        self._fire_timers(before, after)
        for ticket, effects in playback.confirmations() if watched else ():
            if effects:
                self._add_of_timer(place, NEVER, ticket, effects)
        return after

    def _fire_timers(self, start: int, end: int) -> None:
        """Fire the timers that are due at these advances. Advances at which no timer of this slice is due are skipped."""
        playback, instants = self._playback, self._instants
        while start < end:
            soonest = playback.soonest
            start = end - 1 if soonest is None or soonest > instants[end - 1] else bisect_left(instants, soonest, start, end)
            for wake_at, ticket, effects in playback.wakes(instants[start]):
                if effects:
                    self._add_of_timer(self._places[start], wake_at, ticket, effects)
            start += 1

    def _add_of_timer(self, place: int, wake_at: int, ticket: str, effects: tuple[Effect, ...]) -> None:
        self._outcomes.add(effects)
        self._effects += len(effects)
        self._pieces.append((place, True, wake_at, ticket, _lines(effects)))

    def totals(self) -> Totals:
        states = self._playback.states.values()
        unmatched = sum(not state.head.commitments for state in states)
        return Totals(len(states), unmatched, self._playback.outcomes, self._outcomes.totals(states))


def _lines(effects: tuple[Effect, ...]) -> bytes:
    return b"".join([encode_effect(effect) + b"\n" for effect in effects])
