"""The engine over recorded events on as many processes as are wanted, what comes of it the same as from one.

Tickets know nothing of each other, so each process has a part of them. What they share is the feed's time: each process is told
which lines made it later, and how late, so that deadlines pass at the line at which they would have passed in one process. What
is said bears the place where it belongs, and is put into that order here.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections import Counter, deque
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from zlib import crc32

import msgspec

from stream.language.policies import load
from stream.runtime import gc_tuning
from stream.sla.engine import Engine, Outcome
from stream.sla.events import Event
from stream.sla.playback import Playback
from stream.wire.decode import Rejected, read
from stream.wire.effect import encode_effect
from stream.wire.ticket_event import Incoming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from stream.sla.effects import Effect

CHUNK: Final = 5_000
"""Lines that are handed over at once. A feed that ends within the first such is not worth another process."""
_AHEAD: Final = 4
"""Chunks that may be under way: more cost memory."""


class Refusal(NamedTuple):
    """A line that is no sound event, or came too late."""

    line: int
    """Its number in the file, from 1."""
    text: str
    """``reason: message path``."""


class Part(NamedTuple):
    """What came of some lines."""

    said: bytes
    """Effects as JSON lines."""
    effects: int
    refusals: list[Refusal]


class Tally(NamedTuple):
    """What a backtest has come to."""

    tickets: int
    outcomes: Counter[Outcome]


_Own = list[tuple[int, str, Event]]
"""Events about a shard's own tickets: the place of the line in its chunk, the ticket, the event."""

_write_own: Final = msgspec.msgpack.Encoder().encode
_read_own: Final = msgspec.msgpack.Decoder(_Own).decode


class _Chunk(NamedTuple):
    """Lines as a shard gets them."""

    places: array[int]
    """Of the lines that are no earlier than all before them, in order."""
    instants: array[int]
    """What time each of these made it."""
    own: _Own


_Piece = tuple[int, bool, int, str, bytes, int]
"""Effects that belong together, and where: the place of the line; whether by what time it made it, which comes after what the
line itself makes true; then for which instant, and of which ticket; the bytes; the number of effects. No two are equal in the
first four."""

_Answer = tuple[list[_Piece], list[int]]
"""What is to be said, in order, and the places of lines that came too late."""


class Shard:
    """Some of the tickets, all of the time."""

    def __init__(self, engine: Engine) -> None:
        self._playback: Final = Playback(engine)

    def take(self, chunk: _Chunk) -> Callable[[], _Answer]:
        apply, places = self._playback.apply, chunk.places
        pieces: list[_Piece] = []
        late = []
        passed = 0
        for place, ticket, event in chunk.own:
            before = bisect_left(places, place, passed)
            if before > passed:
                self._pass(chunk, passed, before, pieces)
                passed = before
            step = apply(ticket, event)
            if step.effects:
                pieces.append((place, False, 0, "", _lines(step.effects), len(step.effects)))
            elif step.outcome is Outcome.TOO_LATE:
                late.append(place)
        self._pass(chunk, passed, len(places), pieces)
        return lambda: (pieces, late)

    def _pass(self, chunk: _Chunk, start: int, end: int, pieces: list[_Piece]) -> None:
        """Let time pass as these lines tell it: to the first of them that a deadline of ours lies before, and so on."""
        playback, instants = self._playback, chunk.instants
        while start < end:
            soonest = playback.soonest
            start = end - 1 if soonest is None else min(bisect_left(instants, soonest, start, end), end - 1)
            for wake_at, ticket, effects in playback.wakes(instants[start]):
                if effects:
                    pieces.append((chunk.places[start], True, wake_at, ticket, _lines(effects), len(effects)))
            start += 1

    def tally(self) -> Tally:
        return Tally(len(self._playback.states), self._playback.outcomes)


class _Elsewhere:
    """A shard in a process of its own: a pool of one, for its tickets live there."""

    def __init__(self, policies: Sequence[str | Path], history: int) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_begin, initargs=(policies, history))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def take(self, chunk: _Chunk) -> Callable[[], _Answer]:
        # Written at one go: as objects the events would cost more on their way than all that is done with them there.
        return self._pool.submit(_take, chunk.places, chunk.instants, _write_own(chunk.own)).result

    def tally(self) -> Tally:
        return self._pool.submit(_tally).result()


class _UnderWay(NamedTuple):
    """Lines that were handed out."""

    numbers: list[int]
    refusals: list[Refusal]
    answers: list[Callable[[], _Answer]]
    """Each waits for what a shard says."""

    def result(self) -> Part:
        pieces, refusals = list[_Piece](), self.refusals.copy()
        for answer in self.answers:
            its, late = answer()
            pieces += its
            refusals += [Refusal(self.numbers[place], "too_late: older than the history kept of its ticket") for place in late]
        pieces.sort()
        return Part(b"".join([piece[4] for piece in pieces]), sum([piece[5] for piece in pieces]), sorted(refusals))


class Backtest:
    """Give it the lines; ``tally`` afterwards. Made by ``backtest``."""

    def __init__(self, shards: Sequence[Shard | _Elsewhere]) -> None:
        self._shards: Final = shards
        self._watermark = -1

    def run(self, lines: Iterable[tuple[int, bytes]], until: int | None = None) -> Iterator[Part]:
        """What comes of the lines (number, content), in order, piece by piece.

        ``until``: let time pass to this instant in the end, epoch microseconds.
        """
        under_way: deque[_UnderWay] = deque()
        source = iter(lines)
        while some := list(islice(source, CHUNK)):
            under_way.append(self._hand_out(some))
            if len(under_way) > _AHEAD:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
        if until is not None and until >= self._watermark:
            chunk = _Chunk(array("q", [0]), array("q", [until]), [])
            yield _UnderWay([], [], [shard.take(chunk) for shard in self._shards]).result()

    def tally(self) -> Tally:
        tallies = [shard.tally() for shard in self._shards]
        return Tally(sum(one.tickets for one in tallies), sum((one.outcomes for one in tallies), Counter()))

    def _hand_out(self, lines: list[tuple[int, bytes]]) -> _UnderWay:
        places, instants, refusals = array("q"), array("q"), []
        own: list[_Own] = [[] for _ in self._shards]
        for place, (number, line) in enumerate(lines):
            heard = read(line)
            if isinstance(heard, Incoming):
                ticket, event = heard.ticket, heard.event
                at = event.at
                own[crc32(ticket.encode()) % len(own)].append((place, ticket, event))
            elif isinstance(heard, Rejected):
                refusals.append(Refusal(number, f"{heard.reason}: {heard.message} {heard.path}".rstrip()))
                continue
            else:
                at = heard.at
            if at >= self._watermark:
                places.append(place)
                instants.append(at)
                self._watermark = at
        answers = [shard.take(_Chunk(places, instants, mine)) for shard, mine in zip(self._shards, own, strict=True)]
        return _UnderWay([number for number, _ in lines], refusals, answers)


@contextmanager
def backtest(
    policies: Sequence[str | Path], history: int, lines: Iterator[tuple[int, bytes]], jobs: int | None = None
) -> Iterator[tuple[Backtest, Iterator[tuple[int, bytes]]]]:
    """A backtest and the lines to give it. ``jobs``: processes; ``None``: as many as there are cores, or one for a short feed.

    Raises ``PolicyError``.
    """
    engine = Engine(load(policies), history=history)
    begin = list(islice(lines, CHUNK + 1))
    lines = chain(begin, lines)
    if jobs is None:
        jobs = len(os.sched_getaffinity(0)) if len(begin) > CHUNK else 1
    if jobs == 1:
        yield Backtest([Shard(engine)]), lines
        return
    with ExitStack() as stack:
        yield Backtest([stack.enter_context(_Elsewhere(policies, history)) for _ in range(jobs)]), lines


def _lines(effects: tuple[Effect, ...]) -> bytes:
    return b"".join([encode_effect(effect) + b"\n" for effect in effects])


_own: list[Shard] = []
"""In a process of a shard: the one it has."""


def _begin(policies: Sequence[str | Path], history: int) -> None:
    gc_tuning.configure()
    _own.append(Shard(Engine(load(policies), history=history)))


def _take(places: array[int], instants: array[int], own: bytes) -> _Answer:
    return _own[0].take(_Chunk(places, instants, _read_own(own)))()


def _tally() -> Tally:
    return _own[0].tally()
