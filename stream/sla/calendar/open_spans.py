"""Open spans indexed so that ``Calendar`` finds any instant, and any amount of business time, in a few steps."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# The open spans of consecutive years, indexed for searching: a plain tuple of plain lists, because every attribute
# and every object between an instant and its answer costs a tenth of the time allowed.
#   first, last   the instants from and to which the years are worked out
#   near_time     for every 2**BUCKET microseconds from `first` on, the i to search on from
#   near_total    for every 2**BUCKET microseconds of business time, the i to search on from
#   starts        of the spans; span 0 is empty and begins at `first`, so that one always has begun; sentinel at the end
#   shifts        shifts[i]: start of span i - 1 less the business time before it; shifts[0] is padding
#   totals        totals[i]: business time from `first` to the end of span i - 1; totals[0] is 0
# With i = the number of spans that begin at or before t, the business time up to t is min(t - shifts[i], totals[i]).
OpenSpans = tuple[int, int, list[int], list[int], list[int], list[int], list[int]]
BUCKET: Final = 35
"""9.5 hours: no more than a few spans begin in each. A third faster, measured, than a binary search over twenty years."""


def index_spans(first: int, last: int, spans: Iterable[tuple[int, int]]) -> OpenSpans:
    """``spans`` are [start, end) in order, within [first, last]; those that touch are joined, empty ones left out."""
    starts, shifts, totals = [first], [0, first], [0, 0]
    closed_at = None
    for start, end in spans:
        if start >= end:
            continue
        if start == closed_at:
            totals[-1] += end - start
        else:
            starts.append(start)
            shifts.append(start - totals[-1])
            totals.append(totals[-1] + end - start)
        closed_at = end
    starts.append(last + 1)
    near_time = _near(starts, range(first + 1, last + 2, 1 << BUCKET))
    near_total = _near(totals, range(0, totals[-1] + 1, 1 << BUCKET))
    return first, last, near_time, near_total, starts, shifts, totals


def _near(values: list[int], thresholds: range) -> list[int]:
    """For every threshold the number of values below it, at least 1."""
    return [max(bisect_left(values, threshold), 1) for threshold in thresholds]
