"""Runs the engine over recorded events, on one process or on several. The output is the same for any number of processes.

Tickets are independent of each other, so each process has a slice of them. All slices share the time of the feed: each process
gets the lines that advanced the watermark, and the watermark after each. Deadlines therefore pass at the same line as in one
process. Each piece of output carries its position, and this module sorts the pieces by it.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter, deque
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

from stream.runtime.backtest_slice import Chunk, MakeEngine, Own, Piece, Slice, SliceOutput, SliceProcess, Ticks, Totals
from stream.sla.events import ERASURE
from stream.sla.feed_health import LIMIT
from stream.sla.step import Outcome
from stream.wire.decode import Rejected, read
from stream.wire.incoming import Incoming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

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
    last: int
    """The number of the last of the lines."""


class _InProgress(NamedTuple):
    """A chunk that the slices are processing."""

    numbers: list[int]
    """The numbers of its lines."""
    refusals: list[Refusal]
    outputs: list[Callable[[], SliceOutput]]
    """Each waits for the output of a slice."""

    def result(self) -> Part:
        pieces, refusals = list[Piece](), self.refusals.copy()
        for output in self.outputs:
            of_slice, refused = output()
            pieces += of_slice
            refusals += [Refusal(self.numbers[place], text) for place, text in refused]
        pieces.sort()
        return Part(
            b"".join([piece[4] for piece in pieces]), sum([piece[5] for piece in pieces]), sorted(refusals), self.numbers[-1]
        )


class Backtest:
    """Runs over the lines once; ``totals`` is called afterwards. Created by ``backtest``."""

    def __init__(self, slices: Sequence[Slice | SliceProcess]) -> None:
        self._slices: Final = slices
        self._watermark = -1
        self._last = 0
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
            chunk = Chunk(array("q", [0]), array("q", [until]), [], [])
            yield _InProgress([self._last], [], [slice_.process(chunk) for slice_ in self._slices]).result()

    def totals(self) -> Totals:
        of_slices = [slice_.totals() for slice_ in self._slices]
        tickets, unmatched = sum(one.tickets for one in of_slices), sum(one.unmatched for one in of_slices)
        events = sum((one.events for one in of_slices), Counter[Outcome]())
        return Totals(tickets, unmatched, events, sum((one.commitments for one in of_slices), Counter()))

    def _distribute(self, lines: list[tuple[int, bytes]]) -> _InProgress:
        places, instants, refusals = array("q"), array("q"), []
        own: list[Own] = [[] for _ in self._slices]
        ticks: Ticks = []
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
        self._last = lines[-1][0]
        chunks = [Chunk(places, instants, events, ticks) for events in own]
        outputs = [slice_.process(chunk) for slice_, chunk in zip(self._slices, chunks, strict=True)]
        return _InProgress([number for number, _ in lines], refusals, outputs)


@contextmanager
def backtest(
    make_engine: MakeEngine,
    lines: Iterable[tuple[int, bytes]],
    jobs: int | None = None,
    feed_lag_limit: int = LIMIT,
) -> Iterator[tuple[Backtest, Iterator[tuple[int, bytes]]]]:
    """Yield a backtest, and the lines to run it over. Raises what ``make_engine`` raises.

    ``jobs``: number of processes; ``None``: one per core, or a single one for a short feed. ``feed_lag_limit``: how old the
    completeness of a watched source may be, in microseconds.
    """
    engine = make_engine()
    rest = iter(lines)
    begin = list(islice(rest, CHUNK + 1))
    all_lines = chain(begin, rest)
    if jobs is None:
        jobs = _cores() if len(begin) > CHUNK else 1
    if jobs == 1:
        yield Backtest([Slice(engine, feed_lag_limit)]), all_lines
        return
    with ExitStack() as stack:
        slices = [stack.enter_context(SliceProcess(make_engine, feed_lag_limit)) for _ in range(jobs)]
        yield Backtest(slices), all_lines


def _cores() -> int:
    """The cores that this process may use; macOS has only a number of them all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
