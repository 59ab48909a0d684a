"""What metrics cost a worker: their share of a unit of work, and a scrape while a million commitments are open.

    python benchmarks/metrics.py [OPEN]

All figures are CPU time in one run, so that shares mean something on a machine that is shared. A scrape is served by a
thread; while it runs the event loop gets the interpreter only sometimes, so what it takes is taken from the worker: with a few
partitions, with many, and with all deadlines within a day. Beside it stands what reading every ticket would take, which no
scrape does. Their memory depends on labels and time, hardly on how much is open.
"""

from __future__ import annotations

import gc
import sys
import time
from collections import defaultdict
from itertools import islice
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import unit_of_work
from apply import life
from figures import figure, machine
from prometheus_client import generate_latest

from stream.language.policies import load, shipped
from stream.observe.metrics.registry import Metrics
from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.ticket.state import OpenCommitment, open_commitments

if TYPE_CHECKING:
    from stream.sla.events import Event

TICKETS: Final = 1_000
OPEN: Final = 1_000_000
SCRAPE_EVERY: Final = 15.0
SHARE: Final = 1.0
"""Percent of a unit of work that counting may take."""
NOW: Final = 1_767_225_600_000_000
MINUTE: Final = 60_000_000
STAGES: Final = ("decode", "read the state", "apply", "write the state", "wire", "metrics")


def main() -> None:
    print(machine())
    engine = Engine(load([shipped("batoi")]))
    _share_of_a_unit(engine)
    open_ = int(sys.argv[1]) if len(sys.argv) > 1 else OPEN
    for partitions, days in ((4, 30), (12, 30), (12, 1)):
        scrape = _scrape(engine, open_, partitions, days)
    _scan(engine, open_, scrape)


def _share_of_a_unit(engine: Engine) -> None:
    lives = [(f"desk/{number}", life(number)) for number in range(TICKETS)]
    feed = sorted(((event.at, ticket, event) for ticket, events in lives for event in events), key=lambda one: one[:2])
    records = [unit_of_work._record(offset, ticket, event) for offset, (_, ticket, event) in enumerate(feed)]
    batches = [records[start : start + unit_of_work.BATCH] for start in range(0, len(records), unit_of_work.BATCH)]
    rounds = []
    for _ in range(3):
        times: unit_of_work.Times = defaultdict(list)
        unit_of_work._stages(engine, batches, times)
        rounds.append(times)
    best = {stage: sum(map(min, zip(*(times[stage] for times in rounds), strict=True))) for stage in STAGES}
    whole = sum(best.values())
    loop = min(unit_of_work._calibration() for _ in range(50))
    print(f"a pass of the calibration loop: {loop:.0f} ns, {unit_of_work.ORDINARY:.0f} on an ordinary machine")
    print(f"{len(records)} events; a unit of work without the broker: {1e6 * whole / len(records):.1f} us an event")
    figure("counting what a unit of work did: CPU of an event", [1e6 * best["metrics"] / len(records)], "us")
    figure("the same, share of a unit of work", [100 * best["metrics"] / whole], "%", SHARE)
    metrics = Metrics(engine.policies)
    began = time.thread_time()
    for _ in range(10_000):
        metrics.worker.events_done(0.01, 0.1)
        metrics.partition(0, NOW, live=True)
    print(f"what is measured once a unit of work, however large: {1e6 * (time.thread_time() - began) / 10_000:.1f} us")


def _scrape(engine: Engine, open_: int, partitions: int, days: int) -> float:
    """Seconds that a scrape takes with so many open commitments, all due within so many days."""
    dice, metrics = Random(7), Metrics(engine.policies, now=lambda: NOW)
    policy = engine.policies.policies[0]
    names = [commitment.name for commitment in policy.commitments]
    gc.collect()
    gc.freeze()
    partitions_open = [metrics.open_commitments.begin(partition) for partition in range(partitions)]
    for number in range(open_):
        due = NOW + dice.randrange(-60, days * 24 * 60) * MINUTE + number
        began = NOW - dice.randrange(30 * 24 * 60) * MINUTE - number
        state = ("running", "running", "running", "paused", "breached")[number % 5]
        team, priority = f"team-{number % 40}", f"p{1 + number % 4}"
        one = OpenCommitment(names[number % len(names)], policy.name, priority, team, "", state, due, began)
        partitions_open[dice.randrange(partitions)].add([one])
    occupied = sum(_occupied(slots) for counts in partitions_open for slots in (counts.due, counts.began))
    print(f"{open_:,} open, due within {days} days, {partitions} partitions: {occupied / open_:.0f} bytes each in the counts")
    took = []
    for _ in range(5):
        began_at = time.thread_time()
        page = generate_latest(metrics.registry)
        took.append(time.thread_time() - began_at)
    for sample in (s for family in metrics.collectors.collect() for s in family.samples if "collector_duration" in s.name):
        print(f"  gathering {sample.labels['collector']}: {1e3 * sample.value:.1f} ms")
    scrape = median(took)
    print(f"  a scrape: {1e3 * scrape:.1f} ms, {len(page) / 1e3:.0f} kB, {len(page.splitlines()):,} lines")
    print(f"  scraped every {SCRAPE_EVERY:.0f} s: {scrape / SCRAPE_EVERY:.2%} of a worker's time")
    for partition in range(partitions):
        metrics.partition_revoked(partition)
    return scrape


def _occupied(slots: dict[int, dict[int, int]]) -> int:
    """Bytes of the counts by time."""
    return _size(slots) + sum(map(_size, slots.values()))


def _size(counts: dict[int, Any]) -> int:
    # Numbers up to 256 exist once in the interpreter.
    return sys.getsizeof(counts) + sum(sys.getsizeof(key) for key in counts if key > 256)


def _scan(engine: Engine, open_: int, scrape: float) -> None:
    state = engine.apply(None, *_ticket()).state
    stored = [codec.encode(state)] * 20_000
    began_at = time.thread_time()
    for one in islice(stored, 20_000):
        open_commitments(codec.decode(one))
    scan = (time.thread_time() - began_at) * open_ / len(stored)
    print(f"reading every ticket: {scan:.1f} s (from 20,000 of them), {scan / scrape:,.0f} times the scrape")


def _ticket() -> tuple[str, Event, int]:
    event = life(1)[0]
    return "desk/1", event, event.at


if __name__ == "__main__":
    main()
