"""A slice of a backtest: some of the tickets over the whole feed, in this process or in one of its own."""

from __future__ import annotations

import signal
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import msgspec

from stream.runtime import gc_tuning
from stream.runtime.outcomes import OutcomeCounts, Outcomes
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.feed_health import LIMIT
from stream.sla.feed_state import FeedState
from stream.sla.playback import Playback
from stream.sla.policy.timeline import NEVER
from stream.sla.step import Outcome
from stream.wire.decode import RejectReason, conflicting
from stream.wire.effect import encode_effect

if TYPE_CHECKING:
    from array import array

    from stream.sla.effects import Effect
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.policy.timeline import Deployments

ReadPolicies = Callable[[], "PolicySet | Deployments"]
"""Reads what the tickets are judged by. Every process calls it, so it must be picklable."""
MakeEngine = Callable[[], Engine]
"""So must this."""
Own = list[tuple[int, str, Event]]
"""Events of a slice's own tickets: position of the line in its chunk, ticket, event."""
Ticks = list[tuple[int, str, int, FeedState | None]]
"""Ticks of sources that state how their feeds stand: position of the line in its chunk, source, complete up to, state. Every
slice gets all of them."""
Piece = tuple[int, bool, int, str, bytes, int]
"""Effects with their position in the output. The first four values are the position, and no two pieces share it: the position
of the line, whether a timer caused the effects (timers fire after the line's own effects), the instant of the timer, and the
ticket. The last two are the effects as bytes, and their number."""
SliceOutput = tuple[list[Piece], list[tuple[int, str]]]
"""The pieces of a slice in order, and the positions of events that the engine refused, with the reason."""
_write_own: Final = msgspec.msgpack.Encoder(enc_hook=Event.values).encode
_read_own: Final = msgspec.msgpack.Decoder(tuple[Own, Ticks], dec_hook=lambda _, values: Event(*values)).decode


class Totals(NamedTuple):
    """The counts of a whole backtest."""

    tickets: int
    unmatched: int
    """Tickets to which nothing was ever promised."""
    events: Counter[Outcome]
    commitments: Outcomes


class Chunk(NamedTuple):
    """Lines as a slice gets them."""

    places: array[int]
    """Positions of the lines that advanced the watermark or equalled it, in order."""
    instants: array[int]
    """The watermark after each of these lines."""
    own: Own
    ticks: Ticks


class Slice:
    """Some of the tickets, over the whole feed."""

    def __init__(self, engine: Engine, feed_lag_limit: int = LIMIT) -> None:
        self._playback: Final = Playback(engine, feed_lag_limit)
        self._outcomes: Final = OutcomeCounts()

    def process(self, chunk: Chunk) -> Callable[[], SliceOutput]:
        """Process the lines of a chunk. The result returns the output, and may wait for it."""
        apply, places = self._playback.apply, chunk.places
        pieces: list[Piece] = []
        refused = []
        passed = 0
        ticks = deque(chunk.ticks)
        for place, ticket, event in chunk.own:
            while ticks and ticks[0][0] < place:
                passed = self._tick(chunk, ticks.popleft(), passed, pieces)
            before = bisect_left(places, place, passed)
            if before > passed:
                self._fire_timers(chunk, passed, before, pieces)
                passed = before
            step = apply(ticket, event)
            if step.effects:
                self._outcomes.add(step.effects)
                pieces.append((place, False, 0, "", _lines(step.effects), len(step.effects)))
            elif step.outcome is Outcome.TOO_LATE:
                refused.append((place, f"{RejectReason.TOO_LATE}: older than the history kept of its ticket"))
            elif step.outcome is Outcome.CONFLICT:
                refused.append((place, f"{RejectReason.CONFLICT}: {conflicting(event).message}"))
        for tick in ticks:
            passed = self._tick(chunk, tick, passed, pieces)
        self._fire_timers(chunk, passed, len(places), pieces)
        return lambda: (pieces, refused)

    def _tick(self, chunk: Chunk, tick: tuple[int, str, int, FeedState | None], passed: int, pieces: list[Piece]) -> int:
        """Take a tick; ``passed`` and the result: how many of ``places`` are dealt with."""
        playback, (place, source, at, state) = self._playback, tick
        before, after = bisect_left(chunk.places, place, passed), bisect_right(chunk.places, place, passed)
        self._fire_timers(chunk, passed, before, pieces)
        watched = playback.state_feed(source, at, state)
        self._fire_timers(chunk, before, after, pieces)
        for ticket, effects in playback.confirmations() if watched else ():
            if effects:
                self._outcomes.add(effects)
                pieces.append((place, True, NEVER, ticket, _lines(effects), len(effects)))
        return after

    def _fire_timers(self, chunk: Chunk, start: int, end: int, pieces: list[Piece]) -> None:
        """Fire the timers that are due at these lines. Lines at which no timer of this slice is due are skipped."""
        playback, instants = self._playback, chunk.instants
        while start < end:
            soonest = playback.soonest
            start = end - 1 if soonest is None else min(bisect_left(instants, soonest, start, end), end - 1)
            for wake_at, ticket, effects in playback.wakes(instants[start]):
                if effects:
                    self._outcomes.add(effects)
                    pieces.append((chunk.places[start], True, wake_at, ticket, _lines(effects), len(effects)))
            start += 1

    def totals(self) -> Totals:
        states = self._playback.states.values()
        unmatched = sum(not state.head.commitments for state in states)
        return Totals(len(states), unmatched, self._playback.outcomes, self._outcomes.totals(states))


def _lines(effects: tuple[Effect, ...]) -> bytes:
    return b"".join([encode_effect(effect) + b"\n" for effect in effects])


class SliceProcess:
    """A slice in a process of its own. The pool has one process, because the process holds the slice's tickets."""

    def __init__(self, make_engine: MakeEngine, feed_lag_limit: int) -> None:
        arguments = (make_engine, feed_lag_limit)
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_begin, initargs=arguments)
        # A terminal sends Ctrl-C to all processes. Only this one handles it, and then ends the others; they inherit the mask.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._pool.submit(_nothing)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def process(self, chunk: Chunk) -> Callable[[], SliceOutput]:
        # Encoded as one message: pickling the events one by one costs more than processing them.
        return self._pool.submit(_process, chunk.places, chunk.instants, _write_own((chunk.own, chunk.ticks))).result

    def totals(self) -> Totals:
        return self._pool.submit(_totals).result()


_own: list[Slice] = []
"""The one slice of this process, if it is a slice's process."""


def _begin(make_engine: MakeEngine, feed_lag_limit: int) -> None:
    gc_tuning.configure()
    _own.append(Slice(make_engine(), feed_lag_limit))


def _nothing() -> None:
    """Lets the pool start its process."""


def _process(places: array[int], instants: array[int], own: bytes) -> SliceOutput:
    return _own[0].process(Chunk(places, instants, *_read_own(own)))()


def _totals() -> Totals:
    return _own[0].totals()
