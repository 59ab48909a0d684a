"""The engine over recorded events on as many processes as are wanted, what comes of it the same as from one.

Tickets know nothing of each other, so each process has a part of them. What they share is the feed's time: each process is told
of every line what time it made it, so that deadlines pass at the line at which they would have passed in one process. What is
said bears the place where it belongs, and is put into that order here.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter, deque
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from zlib import crc32

from stream.feeds.decode import Incoming, Rejected, decode
from stream.feeds.lines import key_of
from stream.feeds.wire import encode_effect
from stream.language.policies import load
from stream.sla.engine import Engine, Outcome
from stream.sla.playback import Playback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from stream.sla.effects import Effect

CHUNK: Final = 5_000
"""Lines that are handed over at once. A feed that ends within the first such is not worth another process."""
_AHEAD: Final = 4
"""Chunks that may be under way: more cost memory."""
_EARLIER: Final = -1
"""Instead of an instant: the line made it no later than it was."""


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


class _Chunk(NamedTuple):
    """Lines as a shard gets them: what time each made it, and those that are about its own tickets, by their place."""

    instants: array[int]
    own: dict[int, Incoming | bytes]


class _Piece(NamedTuple):
    """Effects that belong together, and where. They compare by their place alone: no two have the same."""

    place: int
    """Of the line, in its chunk."""
    by_time: bool
    """What the line makes true comes before what the time makes true that it tells."""
    wake_at: int
    ticket: str
    said: bytes
    effects: int


_Answer = tuple[list[_Piece], list[int]]
"""What is to be said, in order, and the places of lines that came too late."""


class Shard:
    """Some of the tickets, all of the time."""

    def __init__(self, engine: Engine) -> None:
        self._playback: Final = Playback(engine)

    def take(self, chunk: _Chunk) -> Callable[[], _Answer]:
        playback, own = self._playback, chunk.own
        pieces, late = [], []
        for place, at in enumerate(chunk.instants):
            if (line := own.get(place)) is not None:
                heard = decode(key_of(line), line, now=None) if isinstance(line, bytes) else line
                assert isinstance(heard, Incoming)
                step = playback.apply(heard.ticket, heard.event)
                if step.effects:
                    pieces.append(_piece(place, by_time=False, wake_at=0, ticket="", effects=step.effects))
                if step.outcome is Outcome.TOO_LATE:
                    late.append(place)
            if at != _EARLIER:
                for wake_at, ticket, effects in playback.wakes(at):
                    if effects:
                        pieces.append(_piece(place, by_time=True, wake_at=wake_at, ticket=ticket, effects=effects))
        return lambda: (pieces, late)

    def tally(self) -> Tally:
        return Tally(len(self._playback.states), self._playback.outcomes)


class _Elsewhere:
    """A shard in a process of its own: a pool of one, for its tickets live there."""

    def __init__(self, policies: Sequence[Path], history: int) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_begin, initargs=(policies, history))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def take(self, chunk: _Chunk) -> Callable[[], _Answer]:
        return self._pool.submit(_take, chunk).result

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
        return Part(b"".join([piece.said for piece in pieces]), sum(piece.effects for piece in pieces), sorted(refusals))


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
            chunk = _Chunk(array("q", [until]), {})
            yield _UnderWay([], [], [shard.take(chunk) for shard in self._shards]).result()

    def tally(self) -> Tally:
        tallies = [shard.tally() for shard in self._shards]
        return Tally(sum(one.tickets for one in tallies), sum((one.outcomes for one in tallies), Counter()))

    def _hand_out(self, lines: list[tuple[int, bytes]]) -> _UnderWay:
        instants, refusals = array("q"), []
        own: list[dict[int, Incoming | bytes]] = [{} for _ in self._shards]
        for place, (number, line) in enumerate(lines):
            heard = decode(key_of(line), line, now=None)
            if isinstance(heard, Rejected):
                refusals.append(Refusal(number, f"{heard.reason}: {heard.message} {heard.path}".rstrip()))
                instants.append(_EARLIER)
                continue
            if isinstance(heard, Incoming):
                at = heard.event.at
                own[crc32(heard.ticket.encode()) % len(own)][place] = heard if len(own) == 1 else line
            else:
                at = heard.at
            instants.append(at if at >= self._watermark else _EARLIER)
            self._watermark = max(self._watermark, at)
        answers = [shard.take(_Chunk(instants, mine)) for shard, mine in zip(self._shards, own, strict=True)]
        return _UnderWay([number for number, _ in lines], refusals, answers)


@contextmanager
def backtest(
    policies: Sequence[Path], history: int, lines: Iterator[tuple[int, bytes]], jobs: int | None = None
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


def _piece(place: int, *, by_time: bool, wake_at: int, ticket: str, effects: tuple[Effect, ...]) -> _Piece:
    said = b"".join([encode_effect(effect) + b"\n" for effect in effects])
    return _Piece(place, by_time, wake_at, ticket, said, len(effects))


_own: list[Shard] = []
"""In a process of a shard: the one it has."""


def _begin(policies: Sequence[Path], history: int) -> None:
    _own.append(Shard(Engine(load(policies), history=history)))


def _take(chunk: _Chunk) -> _Answer:
    return _own[0].take(chunk)()


def _tally() -> Tally:
    return _own[0].tally()
