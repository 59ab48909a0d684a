"""Runs the engine over recorded events, on one process or on several. The output is the same for any number of processes.

Tickets are independent of each other, so each process has a slice of them. All slices share the time of the feed: each process
gets the lines that advanced the watermark, and the watermark after each. Deadlines therefore pass at the same line as in one
process. Each piece of output carries its position, and this module sorts the pieces by it.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from zlib import crc32

import msgspec

from stream.runtime import gc_tuning
from stream.runtime.outcomes import OutcomeCounts, Outcomes
from stream.sla.engine import Engine, Outcome
from stream.sla.events import ERASURE, Event
from stream.sla.feed_state import FeedState
from stream.sla.playback import Playback
from stream.sla.policy.timeline import NEVER
from stream.wire.decode import Rejected, RejectReason, conflicting, read
from stream.wire.effect import encode_effect
from stream.wire.ticket_event import Incoming

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stream.sla.effects import Effect

MakeEngine = Callable[[], Engine]
"""Every process calls it, so it must be picklable."""

CHUNK: Final = 5_000
"""Lines that a process gets at once. For a feed of one chunk or less a second process does not pay."""
_AHEAD: Final = 4
"""Chunks that may be in progress. More of them cost memory."""


class Refusal(NamedTuple):
    """A line that is not a valid event, or an event that the engine refused."""

    line: int
    """Its number in the file, from 1."""
    text: str
    """``reason: message path``."""


class Part(NamedTuple):
    """The output of some lines."""

    output: bytes
    """Effects as JSON lines."""
    effects: int
    refusals: list[Refusal]


class Totals(NamedTuple):
    """The counts of a whole backtest."""

    tickets: int
    unmatched: int
    """Tickets to which nothing was ever promised."""
    events: Counter[Outcome]
    commitments: Outcomes


_Own = list[tuple[int, str, Event]]
"""Events of a slice's own tickets: position of the line in its chunk, ticket, event."""

_Ticks = list[tuple[int, str, int, FeedState | None]]
"""Ticks of sources that state how their feeds stand: position of the line in its chunk, source, complete up to, state. Every
slice gets all of them."""

_write_own: Final = msgspec.msgpack.Encoder().encode
_read_own: Final = msgspec.msgpack.Decoder(tuple[_Own, _Ticks]).decode


class _Chunk(NamedTuple):
    """Lines as a slice gets them."""

    places: array[int]
    """Positions of the lines that advanced the watermark or equalled it, in order."""
    instants: array[int]
    """The watermark after each of these lines."""
    own: _Own
    ticks: _Ticks


_Piece = tuple[int, bool, int, str, bytes, int]
"""Effects with their position in the output. The first four values are the position, and no two pieces share it: the position
of the line, whether a timer caused the effects (timers fire after the line's own effects), the instant of the timer, and the
ticket. The last two are the effects as bytes, and their number."""

_SliceOutput = tuple[list[_Piece], list[tuple[int, str]]]
"""The pieces of a slice in order, and the positions of events that the engine refused, with the reason."""


class Slice:
    """Some of the tickets, over the whole feed."""

    def __init__(self, engine: Engine) -> None:
        self._playback: Final = Playback(engine)
        self._outcomes: Final = OutcomeCounts()

    def process(self, chunk: _Chunk) -> Callable[[], _SliceOutput]:
        apply, places = self._playback.apply, chunk.places
        pieces: list[_Piece] = []
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

    def _tick(self, chunk: _Chunk, tick: tuple[int, str, int, FeedState | None], passed: int, pieces: list[_Piece]) -> int:
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

    def _fire_timers(self, chunk: _Chunk, start: int, end: int, pieces: list[_Piece]) -> None:
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


class _SliceProcess:
    """A slice in a process of its own. The pool has one process, because the process holds the slice's tickets."""

    def __init__(self, make_engine: MakeEngine) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_begin, initargs=(make_engine,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def process(self, chunk: _Chunk) -> Callable[[], _SliceOutput]:
        # Encoded as one message: pickling the events one by one costs more than processing them.
        return self._pool.submit(_process, chunk.places, chunk.instants, _write_own((chunk.own, chunk.ticks))).result

    def totals(self) -> Totals:
        return self._pool.submit(_totals).result()


class _InProgress(NamedTuple):
    """A chunk that the slices are processing."""

    numbers: list[int]
    refusals: list[Refusal]
    outputs: list[Callable[[], _SliceOutput]]
    """Each waits for the output of a slice."""

    def result(self) -> Part:
        pieces, refusals = list[_Piece](), self.refusals.copy()
        for output in self.outputs:
            of_slice, refused = output()
            pieces += of_slice
            refusals += [Refusal(self.numbers[place], text) for place, text in refused]
        pieces.sort()
        return Part(b"".join([piece[4] for piece in pieces]), sum([piece[5] for piece in pieces]), sorted(refusals))


class Backtest:
    """Runs over the lines once; ``totals`` is called afterwards. Created by ``backtest``."""

    def __init__(self, slices: Sequence[Slice | _SliceProcess]) -> None:
        self._slices: Final = slices
        self._watermark = -1
        self._watched: Final[set[str]] = set()
        """Sources of ticks that have a state."""

    def run(self, lines: Iterable[tuple[int, bytes]], until: int | None = None) -> Iterator[Part]:
        """Yield the output of the lines (number, content), in order.

        ``until``: advance time to this instant after the last line, epoch microseconds.
        """
        in_progress: deque[_InProgress] = deque()
        source = iter(lines)
        while some := list(islice(source, CHUNK)):
            in_progress.append(self._distribute(some))
            if len(in_progress) > _AHEAD:
                yield in_progress.popleft().result()
        while in_progress:
            yield in_progress.popleft().result()
        if until is not None and until >= self._watermark:
            chunk = _Chunk(array("q", [0]), array("q", [until]), [], [])
            yield _InProgress([], [], [slice_.process(chunk) for slice_ in self._slices]).result()

    def totals(self) -> Totals:
        of_slices = [slice_.totals() for slice_ in self._slices]
        tickets, unmatched = sum(one.tickets for one in of_slices), sum(one.unmatched for one in of_slices)
        events = sum((one.events for one in of_slices), Counter[Outcome]())
        return Totals(tickets, unmatched, events, sum((one.commitments for one in of_slices), Counter()))

    def _distribute(self, lines: list[tuple[int, bytes]]) -> _InProgress:
        places, instants, refusals = array("q"), array("q"), []
        own: list[_Own] = [[] for _ in self._slices]
        ticks: _Ticks = []
        for place, (number, line) in enumerate(lines):
            record = read(line)
            if isinstance(record, Incoming):
                ticket, event = record.ticket, record.event
                at = event.at
                own[crc32(ticket.encode()) % len(own)].append((place, ticket, event))
                if event.type == ERASURE:
                    continue
            elif isinstance(record, Rejected):
                refusals.append(Refusal(number, f"{record.reason}: {record.message} {record.path}".rstrip()))
                continue
            else:
                at = record.at
                if record.state is not None or record.source in self._watched:
                    self._watched.add(record.source)
                    ticks.append((place, record.source, at, record.state))
            if at >= self._watermark:
                places.append(place)
                instants.append(at)
                self._watermark = at
        chunks = [_Chunk(places, instants, events, ticks) for events in own]
        outputs = [slice_.process(chunk) for slice_, chunk in zip(self._slices, chunks, strict=True)]
        return _InProgress([number for number, _ in lines], refusals, outputs)


@contextmanager
def backtest(
    make_engine: MakeEngine, lines: Iterator[tuple[int, bytes]], jobs: int | None = None
) -> Iterator[tuple[Backtest, Iterator[tuple[int, bytes]]]]:
    """Yield a backtest, and the lines to run it over. Raises what ``make_engine`` raises.

    ``make_engine`` is called in each process. ``jobs``: number of processes; ``None``: one per core, or a single one for a
    short feed.
    """
    engine = make_engine()
    begin = list(islice(lines, CHUNK + 1))
    lines = chain(begin, lines)
    if jobs is None:
        jobs = len(os.sched_getaffinity(0)) if len(begin) > CHUNK else 1
    if jobs == 1:
        yield Backtest([Slice(engine)]), lines
        return
    with ExitStack() as stack:
        yield Backtest([stack.enter_context(_SliceProcess(make_engine)) for _ in range(jobs)]), lines


def _lines(effects: tuple[Effect, ...]) -> bytes:
    return b"".join([encode_effect(effect) + b"\n" for effect in effects])


_own: list[Slice] = []
"""The one slice of this process, if it is a slice's process."""


def _begin(make_engine: MakeEngine) -> None:
    gc_tuning.configure()
    _own.append(Slice(make_engine()))


def _process(places: array[int], instants: array[int], own: bytes) -> _SliceOutput:
    return _own[0].process(_Chunk(places, instants, *_read_own(own)))()


def _totals() -> Totals:
    return _own[0].totals()
