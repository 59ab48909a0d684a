"""How much time open commitments have left, and how old they are: distributions as of the scrape, without looking at tickets.

The books count deadlines by the minute and beginnings by the quarter of an hour in which they lie. A scrape adds up those of
the next day and of the last thirty, however many commitments are open.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stream.observe.catalogue import AGE, CLOCK, LEFT, NEXT_DEADLINE
from stream.observe.open_book import BREACHED, MINUTE, MINUTE_BITS, MINUTES, QUARTER, QUARTERS, RUNNING, WHAT_BITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stream.observe.counts import LabelSets
    from stream.observe.open_books import OpenBooks
    from stream.observe.spec import Spec

_LEFT: Final = tuple(int(bound) * 1_000_000 // MINUTE for bound in LEFT.buckets)
"""Upper bounds in minutes."""
_AGES: Final = tuple(int(bound) * 1_000_000 // QUARTER for bound in AGE.buckets)
"""Upper bounds in quarters of an hour."""
_LEFT_BUCKET: Final = tuple(bisect_left(_LEFT, minutes) for minutes in range(_LEFT[-1] + MINUTES + 1))
"""By minutes left: the first bucket whose upper bound is not below. Beyond the last bound it is one more than there are."""
_AGE_BUCKET: Final = tuple(bisect_left(_AGES, quarters) for quarters in range(_AGES[-1] + QUARTERS + 1))
"""The same by age in quarters of an hour."""
_WHAT_MASK: Final = (1 << WHAT_BITS) - 1
_MINUTE_MASK: Final = (1 << MINUTE_BITS) - 1

_Counted = list[tuple[int, dict[int, int]]]
"""A stretch of time, each with what a book counts in it."""


class OpenTimes(Collector):
    """Over the books of all partitions. ``now``: what time it is for deadlines, epoch microseconds."""

    def __init__(self, sets: LabelSets, books: OpenBooks, now: Callable[[], int]) -> None:
        self._sets: Final = sets
        self._books: Final = books
        self._now: Final = now

    def collect(self) -> Iterator[Metric]:
        """The distributions as of now. Called by the thread that serves the scrape."""
        now = self._now()
        sets, totals = self._books.totals()
        minute, quarter = now // MINUTE, now // QUARTER
        # Copied, for the worker goes on counting meanwhile; and before the labels are, so that all that is counted has some.
        due = sorted((item for book in self._books.all() for item in _until(book.due, minute + _LEFT[-1])), key=_first)
        began = [item for book in self._books.all() for item in _since(book.began, quarter - _AGES[-1])]
        whom, what = self._sets.whom.copy(), self._sets.what.copy()
        running, breached, open_ = [0] * len(whom), [0] * len(whom), [0] * len(what)
        for counts in sets:
            running[counts.whom] += totals[RUNNING][counts.number]
            breached[counts.whom] += totals[BREACHED][counts.number]
            open_[counts.what] += sum(total[counts.number] for total in totals.values())

        left = Metric(LEFT.name, LEFT.help, LEFT.type)
        within = _time_left(due, minute, len(whom))
        for labels, number in whom.items():
            counted = [bucket[number] for bucket in within]
            counted[0] += breached[number]
            _add(left, labels, LEFT, counted, breached[number] + running[number])
        yield left
        age = Metric(AGE.name, AGE.help, AGE.type)
        younger = _ages(began, quarter, len(what))
        for pair, number in what.items():
            _add(age, pair, AGE, [bucket[number] for bucket in younger], open_[number])
        yield age
        soonest = GaugeMetricFamily(NEXT_DEADLINE.name, NEXT_DEADLINE.help, labels=NEXT_DEADLINE.labels)
        found = _soonest(due, minute, [what[labels[:2]] for labels in whom], len(what))
        for pair, number in what.items():
            soonest.add_metric(pair, found[number] * MINUTE / 1e6)
        yield soonest
        yield GaugeMetricFamily(CLOCK.name, CLOCK.help, now / 1e6)

    def describe(self) -> Iterator[Metric]:
        """Name the metrics without counting, so that registering twice is noticed."""
        for spec in (LEFT, AGE):
            yield Metric(spec.name, spec.help, spec.type)
        for spec in (NEXT_DEADLINE, CLOCK):
            yield GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)


def _first(item: tuple[int, dict[int, int]]) -> int:
    return item[0]


def _until(due: dict[int, dict[int, int]], minute: int) -> _Counted:
    """Those with deadlines before a minute; all that have passed are among them."""
    return [(quarter, there.copy()) for quarter, there in due.copy().items() if quarter * MINUTES < minute]


def _since(began: dict[int, dict[int, int]], quarter: int) -> _Counted:
    """Those of the day of a quarter of an hour and of all later ones."""
    oldest = quarter // QUARTERS << WHAT_BITS
    return [(key, there.copy()) for key, there in began.copy().items() if key >= oldest]


def _time_left(due: _Counted, minute: int, numbers: int) -> list[list[int]]:
    """By bucket and number: how many deadlines."""
    within = [[0] * numbers for _ in range(len(_LEFT) + 1)]
    for quarter, there in due:
        ahead = quarter * MINUTES + 1 - minute
        first, last = _LEFT_BUCKET[max(0, ahead)], _LEFT_BUCKET[max(0, ahead + MINUTES - 1)]
        near, far = within[first], within[last]
        if first == last:
            for number, minutes in there.items():
                near[number] += minutes
        else:  # bounds are a quarter of an hour apart or more: there is one among these minutes
            bits = (_LEFT[first] - ahead + 1) * MINUTE_BITS
            for number, minutes in there.items():
                near[number] += minutes & ((1 << bits) - 1)
                far[number] += minutes >> bits
    return [[_sum(minutes) for minutes in bucket] for bucket in within[:-1]]


def _sum(minutes: int) -> int:
    """Of all the numbers in one."""
    total = 0
    while minutes:
        total += minutes & _MINUTE_MASK
        minutes >>= MINUTE_BITS
    return total


def _soonest(due: _Counted, minute: int, what: list[int], numbers: int) -> list[int]:
    """By number of policy and commitment: the minute of the first deadline that is still ahead, 0 where there is none.

    ``what``: by number of policy, commitment and team. ``due``: the soonest first.
    """
    soonest, missing, known = [0] * numbers, numbers, -1
    for quarter, there in due:
        if not missing and quarter != known:
            break  # another partition may have sooner ones in the same quarter, none in a later one
        first = max(quarter * MINUTES, minute)
        passed = (first - quarter * MINUTES) * MINUTE_BITS
        for whom, minutes in there.items():
            number, ahead = what[whom], minutes >> passed
            if not ahead or (soonest[number] and quarter != known):
                continue
            slot = first + ((ahead & -ahead).bit_length() - 1) // MINUTE_BITS
            if slot < minute + _LEFT[-1] and (not soonest[number] or slot < soonest[number]):
                missing -= not soonest[number]
                soonest[number], known = slot, quarter
    return soonest


def _ages(began: _Counted, quarter: int, numbers: int) -> list[list[int]]:
    """By bucket and number: how many beginnings."""
    younger = [[0] * numbers for _ in range(len(_AGES) + 1)]
    for key, there in began:
        number, midnight = key & _WHAT_MASK, quarter - (key >> WHAT_BITS) * QUARTERS
        first, last = _AGE_BUCKET[max(0, midnight - QUARTERS + 1)], _AGE_BUCKET[max(0, midnight)]
        if first == last:
            younger[first][number] += sum(there.values())
        else:
            for slot, count in there.items():
                younger[_AGE_BUCKET[max(0, midnight - slot)]][number] += count
    return younger[:-1]


def _add(family: Metric, labels: tuple[str, ...], spec: Spec, counts: list[int], total: int) -> None:
    """Cumulate. A total that is read a moment before or after its parts must not be less than they are."""
    named = dict(zip(spec.labels, labels, strict=True))
    below = 0
    for bound, count in zip(spec.buckets, counts, strict=True):
        below += count
        family.add_sample(f"{spec.name}_bucket", {**named, "le": str(float(bound))}, below)
    family.add_sample(f"{spec.name}_bucket", {**named, "le": "+Inf"}, max(below, total))
