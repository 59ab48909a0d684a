"""Distributions of the time left and of the age of open commitments, computed at the scrape without reading tickets.

``OpenCommitmentCounts`` counts deadlines by the minute and starts by the quarter of an hour. A scrape adds up the deadlines
of the next day and the starts of the last thirty days; its cost does not grow with the number of open commitments.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stream.observe.metrics.catalogue import AGE, CLOCK, LEFT, NEXT_DEADLINE
from stream.observe.metrics.open_counts import (
    BREACHED,
    COMMITMENT_BITS,
    MINUTE,
    MINUTE_BITS,
    MINUTES,
    QUARTER,
    QUARTERS,
    RUNNING,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stream.observe.metrics.commitment_metrics import CommitmentMetrics
    from stream.observe.metrics.families import Spec
    from stream.observe.metrics.open_commitments import OpenCommitments

_LEFT: Final = tuple(int(bound) * 1_000_000 // MINUTE for bound in LEFT.buckets)
"""Upper bounds in minutes."""
_AGES: Final = tuple(int(bound) * 1_000_000 // QUARTER for bound in AGE.buckets)
"""Upper bounds in quarters of an hour."""
_LEFT_BUCKET: Final = tuple(bisect_left(_LEFT, minutes) for minutes in range(_LEFT[-1] + MINUTES + 1))
"""By minutes left: the index of the bucket. Minutes beyond the last bound have an index one past the last bucket."""
_AGE_BUCKET: Final = tuple(bisect_left(_AGES, quarters) for quarters in range(_AGES[-1] + QUARTERS + 1))
"""The same by age in quarters of an hour."""
_COMMITMENT_MASK: Final = (1 << COMMITMENT_BITS) - 1
_MINUTE_MASK: Final = (1 << MINUTE_BITS) - 1

_Slots = list[tuple[int, dict[int, int]]]
"""Pairs of a time slot and the counts in it, by index."""


class OpenTimes(Collector):
    """The distributions over all partitions. ``now`` returns the current time of the detector, epoch microseconds."""

    def __init__(self, metrics: CommitmentMetrics, commitments: OpenCommitments, now: Callable[[], int]) -> None:
        self._metrics: Final = metrics
        self._commitments: Final = commitments
        self._now: Final = now

    def collect(self) -> Iterator[Metric]:
        """Yield the distributions as of now. Runs in the thread that serves the scrape."""
        now = self._now()
        known, totals = self._commitments.totals()
        minute, quarter = now // MINUTE, now // QUARTER
        # Copied, because the event loop keeps counting; before the indexes, so that every counted index is known.
        partitions = self._commitments.all()
        due = sorted((slot for counts in partitions for slot in _until(counts.due, minute + _LEFT[-1])), key=_first)
        began = [slot for counts in partitions for slot in _since(counts.began, quarter - _AGES[-1])]
        team_indexes, commitment_indexes = self._metrics.team_indexes.copy(), self._metrics.commitment_indexes.copy()
        running, breached, open_ = [0] * len(team_indexes), [0] * len(team_indexes), [0] * len(commitment_indexes)
        for series in known:
            running[series.team_index] += totals[RUNNING][series.index]
            breached[series.team_index] += totals[BREACHED][series.index]
            open_[series.commitment_index] += sum(total[series.index] for total in totals.values())

        spec = self._metrics.left
        left = Metric(spec.name, spec.help, spec.type)
        buckets = _time_left(due, minute, len(team_indexes))
        for labels, index in team_indexes.items():
            by_bucket = [bucket[index] for bucket in buckets]
            by_bucket[0] += breached[index]
            _add_buckets(left, labels, spec, by_bucket, breached[index] + running[index])
        yield left
        age = Metric(AGE.name, AGE.help, AGE.type)
        buckets = _ages(began, quarter, len(commitment_indexes))
        for pair, index in commitment_indexes.items():
            _add_buckets(age, pair, AGE, [bucket[index] for bucket in buckets], open_[index])
        yield age
        soonest = GaugeMetricFamily(NEXT_DEADLINE.name, NEXT_DEADLINE.help, labels=NEXT_DEADLINE.labels)
        minutes = _soonest(
            due, minute, [commitment_indexes[labels[0], labels[1]] for labels in team_indexes], len(commitment_indexes)
        )
        for pair, index in commitment_indexes.items():
            soonest.add_metric(pair, minutes[index] * MINUTE / 1e6)
        yield soonest
        yield GaugeMetricFamily(CLOCK.name, CLOCK.help, now / 1e6)

    def describe(self) -> Iterator[Metric]:
        """Yield the names without samples, so that the registry detects a second registration."""
        for spec in (LEFT, AGE):
            yield Metric(spec.name, spec.help, spec.type)
        for spec in (NEXT_DEADLINE, CLOCK):
            yield GaugeMetricFamily(spec.name, spec.help, labels=spec.labels)


def _first(slot: tuple[int, dict[int, int]]) -> int:
    return slot[0]


def _until(due: dict[int, dict[int, int]], minute: int) -> _Slots:
    """Copy the slots of deadlines before a minute, including all deadlines that have passed."""
    return [(quarter, counts.copy()) for quarter, counts in due.copy().items() if quarter * MINUTES < minute]


def _since(began: dict[int, dict[int, int]], quarter: int) -> _Slots:
    """Copy the slots of the day that contains a quarter of an hour, and of all later days."""
    oldest = quarter // QUARTERS << COMMITMENT_BITS
    return [(key, counts.copy()) for key, counts in began.copy().items() if key >= oldest]


def _time_left(due: _Slots, minute: int, size: int) -> list[list[int]]:
    """Return the number of deadlines by bucket and ``team_index``."""
    buckets = [[0] * size for _ in range(len(_LEFT) + 1)]
    for quarter, counts in due:
        ahead = quarter * MINUTES + 1 - minute
        first, last = _LEFT_BUCKET[max(0, ahead)], _LEFT_BUCKET[max(0, ahead + MINUTES - 1)]
        near, far = buckets[first], buckets[last]
        if first == last:
            for index, packed in counts.items():
                near[index] += packed
        else:  # bounds are at least a quarter of an hour apart, so exactly one lies among these minutes
            bits = (_LEFT[first] - ahead + 1) * MINUTE_BITS
            for index, packed in counts.items():
                near[index] += packed & ((1 << bits) - 1)
                far[index] += packed >> bits
    return [[_unpacked_sum(packed) for packed in bucket] for bucket in buckets[:-1]]


def _unpacked_sum(packed: int) -> int:
    """Sum the counts in a packed number."""
    total = 0
    while packed:
        total += packed & _MINUTE_MASK
        packed >>= MINUTE_BITS
    return total


def _soonest(due: _Slots, minute: int, commitment_of: list[int], size: int) -> list[int]:
    """Return the minute of the first deadline that is still ahead, by ``commitment_index``; 0 where there is none.

    ``commitment_of``: ``commitment_index`` by ``team_index``. ``due``: in order of time.
    """
    soonest, missing, known = [0] * size, size, -1
    for quarter, counts in due:
        if not missing and quarter != known:
            break  # another partition may have sooner deadlines in the same quarter, but not in a later one
        first = max(quarter * MINUTES, minute)
        passed = (first - quarter * MINUTES) * MINUTE_BITS
        for team_index, packed in counts.items():
            index, ahead = commitment_of[team_index], packed >> passed
            if not ahead or (soonest[index] and quarter != known):
                continue
            slot = first + ((ahead & -ahead).bit_length() - 1) // MINUTE_BITS
            if slot < minute + _LEFT[-1] and (not soonest[index] or slot < soonest[index]):
                missing -= not soonest[index]
                soonest[index], known = slot, quarter
    return soonest


def _ages(began: _Slots, quarter: int, size: int) -> list[list[int]]:
    """Return the number of starts by bucket and ``commitment_index``."""
    buckets = [[0] * size for _ in range(len(_AGES) + 1)]
    for key, counts in began:
        index, midnight = key & _COMMITMENT_MASK, quarter - (key >> COMMITMENT_BITS) * QUARTERS
        first, last = _AGE_BUCKET[max(0, midnight - QUARTERS + 1)], _AGE_BUCKET[max(0, midnight)]
        if first == last:
            buckets[first][index] += sum(counts.values())
        else:
            for slot, count in counts.items():
                buckets[_AGE_BUCKET[max(0, midnight - slot)]][index] += count
    return buckets[:-1]


def _add_buckets(family: Metric, labels: tuple[str, ...], spec: Spec, counts: list[int], total: int) -> None:
    """Add cumulative buckets. ``total`` is read at another moment than the counts, and must not be below their sum."""
    named = dict(zip(spec.labels, labels, strict=True))
    cumulative = 0
    for bound, count in zip(spec.buckets, counts, strict=True):
        cumulative += count
        family.add_sample(f"{spec.name}_bucket", {**named, "le": str(float(bound))}, cumulative)
    family.add_sample(f"{spec.name}_bucket", {**named, "le": "+Inf"}, max(cumulative, total))
