"""How much time open commitments have left, and how old they are: distributions as of the scrape, without looking at tickets.

Deadlines are counted by the minute and beginnings by the quarter of an hour in which they lie. A change costs a step or two in
these counts; a scrape adds up those of the next day and of the last thirty, however many commitments are open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stream.observe.catalogue import AGE, CLOCK, LEFT, NEXT_DEADLINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stream.observe.open_book import Entry
    from stream.observe.spec import Spec

_MINUTE: Final = 60_000_000
_QUARTER: Final = 15 * _MINUTE
_LEFT: Final = tuple(int(bound) * 1_000_000 // _MINUTE for bound in LEFT.buckets)
"""Upper bounds in minutes."""
_AGES: Final = tuple(int(bound) * 1_000_000 // _QUARTER for bound in AGE.buckets)
"""Upper bounds in quarters of an hour."""

_Counts: TypeAlias = "dict[int, dict[int, int]]"
"""Slot of time, then number of a label set, to how many."""


class OpenTimes(Collector):
    """Told of each open commitment by the book. ``now``: what time it is for deadlines, epoch microseconds."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now: Final = now
        self._whom: dict[tuple[str, ...], int] = {}
        """(policy, commitment, team) to its number."""
        self._what: dict[tuple[str, ...], int] = {}
        """(policy, commitment) to its number."""
        self._due: _Counts = {}
        """Running ones by the minute of their deadline."""
        self._began: _Counts = {}
        """Open ones by the quarter of an hour in which they began."""
        self._breached: list[int] = []
        self._running: list[int] = []
        self._open: list[int] = []
        """Totals, by number."""

    def numbers(self, policy: str, commitment: str, team: str) -> tuple[int, int]:
        """The numbers under which a label set is counted here; new ones are shown as 0 until something opens."""
        whom = self._whom.setdefault((policy, commitment, team), len(self._whom))
        if whom == len(self._running):
            self._running.append(0)
            self._breached.append(0)
        what = self._what.setdefault((policy, commitment), len(self._what))
        if what == len(self._open):
            self._open.append(0)
        return whom, what

    def note(self, entry: Entry, due: int | None, began: int, step: int) -> None:
        """A commitment opened (``step`` 1), or is not what it was any more (-1). Instants are epoch microseconds."""
        self._open[entry.what] += step
        _count(self._began, began // _QUARTER, entry.what, step)
        if entry.state == "breached":
            self._breached[entry.whom] += step
        elif entry.state == "running":
            self._running[entry.whom] += step
            if due is not None:
                _count(self._due, due // _MINUTE, entry.whom, step)

    def collect(self) -> Iterator[Metric]:
        """The distributions as of now. Called by the thread that serves the scrape."""
        now = self._now()
        left, soonest = self._time_left(now // _MINUTE)
        yield left
        yield self._ages(now // _QUARTER)
        yield soonest
        yield GaugeMetricFamily(CLOCK.name, CLOCK.help, now / 1e6)

    def describe(self) -> Iterator[Metric]:
        """Name the metrics without counting, so that registering twice is noticed."""
        for spec in (LEFT, AGE):
            yield Metric(spec.name, spec.help, spec.type)
        for spec in (NEXT_DEADLINE, CLOCK):
            yield GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)

    def _time_left(self, minute: int) -> tuple[Metric, Metric]:
        numbers = list(self._whom.items())
        running, breached = self._running.copy(), self._breached.copy()
        within = [[0] * len(_LEFT) for _ in numbers]
        soonest = [0] * len(numbers)
        # A copy is one step of the interpreter, and the worker goes on counting meanwhile.
        for slot in sorted(slot for slot in self._due.copy() if slot < minute + _LEFT[-1]):
            bucket = _bucket(_LEFT, slot + 1 - minute)
            for number, count in self._due.get(slot, {}).copy().items():
                if number < len(numbers):
                    within[number][bucket] += count
                    if slot >= minute and not soonest[number]:
                        soonest[number] = slot
        family = Metric(LEFT.name, LEFT.help, LEFT.type)
        next_ = {labels[:2]: 0 for labels, _ in numbers}
        for labels, number in numbers:
            within[number][0] += breached[number]
            _add(family, labels, LEFT, within[number], breached[number] + running[number])
            if soonest[number]:
                known = next_[labels[:2]]
                next_[labels[:2]] = min(known, soonest[number]) if known else soonest[number]
        gauge = GaugeMetricFamily(NEXT_DEADLINE.name, NEXT_DEADLINE.help, labels=NEXT_DEADLINE.labels)
        for what, slot in next_.items():
            gauge.add_metric(what, slot * _MINUTE / 1e6)
        return family, gauge

    def _ages(self, quarter: int) -> Metric:
        numbers = list(self._what.items())
        total = self._open.copy()
        younger = [[0] * len(_AGES) for _ in numbers]
        for slot in range(quarter - _AGES[-1], quarter + 1):
            if there := self._began.get(slot):
                bucket = _bucket(_AGES, quarter - slot)
                for number, count in there.copy().items():
                    if number < len(numbers):
                        younger[number][bucket] += count
        family = Metric(AGE.name, AGE.help, AGE.type)
        for labels, number in numbers:
            _add(family, labels, AGE, younger[number], total[number])
        return family


def _count(counts: _Counts, slot: int, number: int, step: int) -> None:
    there = counts.get(slot)
    if there is None:
        there = counts[slot] = {}
    count = there.get(number, 0) + step
    if count:
        there[number] = count
    else:
        del there[number]
        if not there:
            del counts[slot]


def _bucket(bounds: tuple[int, ...], value: int) -> int:
    """The first bucket whose upper bound is not below the value, which is at most the last bound."""
    return next(bucket for bucket, bound in enumerate(bounds) if value <= bound)


def _add(family: Metric, labels: tuple[str, ...], spec: Spec, counts: list[int], total: int) -> None:
    """Cumulate. A total that is read a moment before or after its parts must not be less than they are."""
    named = dict(zip(spec.labels, labels, strict=True))
    below = 0
    for bound, count in zip(spec.buckets, counts, strict=True):
        below += count
        family.add_sample(f"{spec.name}_bucket", {**named, "le": str(float(bound))}, below)
    family.add_sample(f"{spec.name}_bucket", {**named, "le": "+Inf"}, max(below, total))
