"""Runs the engine over recorded events, on one process or on several. The output is the same for any number of processes.

Tickets are independent of each other, so each process has a slice of them. All slices share the time of the feed. Deadlines
therefore pass at the same line as in one process. A block of lines takes these steps, and several blocks are in progress:

1. Each slice gets the whole block and decodes the lines of its own tickets. No line is decoded twice.
2. This module merges the advances of all slices: the lines that advanced the watermark, and the watermark after each.
3. Each slice gets the advances and processes its events. Each piece of output carries its position.
4. This module sorts the pieces by their position.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.runtime.backtest_process import SliceProcess
from stream.runtime.backtest_slice import Advances, MakeEngine, Piece, Slice, SliceOutput, Totals
from stream.sla.feed_health import LIMIT
from stream.sla.step import Outcome
from stream.wire.lines import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_AHEAD: Final = 2
"""Blocks that other processes may have decoded and not yet processed, and as many again whose output may be pending. More of
them cost memory; with fewer, a process waits for the others."""


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
    valid: int
    """Lines that are events or ticks."""
    last: int
    """The number of the last of the lines that is not blank."""


class _InProgress(NamedTuple):
    """A block that the slices are processing."""

    block: Block
    outputs: list[Callable[[], SliceOutput]]
    """Each waits for the output of a slice."""

    def result(self) -> Part:
        pieces, effects, refusals, valid = list[Piece](), 0, list[Refusal](), 0
        for output in self.outputs:
            of_slice, count, refused, valid_of_slice = output()
            pieces += of_slice
            effects += count
            valid += valid_of_slice
            refusals += [Refusal(self.block.first + place, text) for place, text in refused]
        pieces.sort()
        return Part(b"".join([piece[4] for piece in pieces]), effects, sorted(refusals), valid, self.block.last)


class Backtest:
    """Runs over the blocks once; ``totals`` is called afterwards. Created by ``backtest``."""

    def __init__(self, slices: Sequence[Slice | SliceProcess], ahead: int = 0) -> None:
        """``ahead``: blocks that are decoded ahead."""
        self._slices: Final = slices
        self._ahead: Final = ahead
        self._watermark = -1

    def run(self, blocks: Iterable[Block], until: int | None = None) -> Iterator[Part]:
        """Yield the output of the blocks, in order.

        ``until``: advance time to this instant after the last line, epoch microseconds.
        """
        decoding: deque[tuple[Block, list[Callable[[], Advances]]]] = deque()
        in_progress: deque[_InProgress] = deque()
        block = Block(1, b"")
        for block in blocks:
            decoding.append((block, [slice_.decode(block.content) for slice_ in self._slices]))
            if len(decoding) > self._ahead:
                in_progress.append(self._process(*decoding.popleft()))
            if len(in_progress) > self._ahead:
                yield in_progress.popleft().result()
        while decoding:
            in_progress.append(self._process(*decoding.popleft()))
        while in_progress:
            yield in_progress.popleft().result()
        if until is not None and until >= self._watermark:
            end = Block(block.last + 1, b"")
            for slice_ in self._slices:
                slice_.decode(end.content)
            yield _InProgress(end, [slice_.process(([0], [until])) for slice_ in self._slices]).result()

    def totals(self) -> Totals:
        of_slices = [slice_.totals() for slice_ in self._slices]
        tickets, unmatched = sum(one.tickets for one in of_slices), sum(one.unmatched for one in of_slices)
        events = sum((one.events for one in of_slices), Counter[Outcome]())
        return Totals(tickets, unmatched, events, sum((one.commitments for one in of_slices), Counter()))

    def _process(self, block: Block, decoded: list[Callable[[], Advances]]) -> _InProgress:
        advances = self._merged([advances() for advances in decoded])
        return _InProgress(block, [slice_.process(advances) for slice_ in self._slices])

    def _merged(self, advances: list[Advances]) -> Advances:
        """The advances of all lines."""
        if len(advances) == 1:
            places, instants = advances[0]
        else:
            places, instants = [], []
            watermark = self._watermark
            for place, at in sorted(chain.from_iterable([zip(*of_slice, strict=True) for of_slice in advances])):
                if at >= watermark:
                    places.append(place)
                    instants.append(at)
                    watermark = at
        if instants:
            self._watermark = instants[-1]
        return places, instants


@contextmanager
def backtest(
    make_engine: MakeEngine,
    blocks: Iterable[Block],
    jobs: int | None = None,
    feed_lag_limit: int = LIMIT,
) -> Iterator[tuple[Backtest, Iterator[Block]]]:
    """Yield a backtest, and the blocks to run it over. Raises what ``make_engine`` raises.

    ``jobs``: number of processes; ``None``: one per core, or a single one for a feed of one block, where a second does not pay.
    ``feed_lag_limit``: how old the completeness of a watched source may be, in microseconds.
    """
    engine = make_engine()
    rest = iter(blocks)
    begin = list(islice(rest, 2))
    all_blocks = chain(begin, rest)
    if jobs is None:
        jobs = _cores() if len(begin) > 1 else 1
    if jobs == 1:
        yield Backtest([Slice(engine, feed_lag_limit)]), all_blocks
        return
    with ExitStack() as stack:
        slices = [stack.enter_context(SliceProcess(make_engine, feed_lag_limit, number, jobs)) for number in range(jobs)]
        yield Backtest(slices, _AHEAD), all_blocks


def _cores() -> int:
    """The cores that this process may use; macOS has only a number of them all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
