"""A worker's whole path of an event, the broker left out: microseconds by stage, and events a second.

    python benchmarks/unit_of_work.py [TICKETS]

The lives of ``benchmarks/apply.py`` on the Batoi policy, interleaved as they would arrive (some 4,300 tickets are open at a
time, by default 40,000 events), go batch by batch through each stage alone and through ``stream.runtime.partition.commit``
with a producer that only takes what it is given. The figure to reach is 16 us for the whole, Kafka's own part included.

A figure is the sum over the batches of the least a batch took in any round: batches are short enough to be done between two
interruptions, so it is the same from run to run even on a machine that is shared, where long rounds differ by half. (A
worker's batches are longer, which costs less an event.) Beside it stands the median round. ``scaled`` is the figure where
one pass of a loop that adds takes 30 ns: what an ordinary machine needs.
"""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import sys
import time
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from aiokafka.structs import ConsumerRecord
from apply import life
from faust.types import TP
from stand_ins import IdleConsumer, NoClients, TakingChangelog, TakingOutputs

from stream.language.policies import load, shipped
from stream.observe.metrics.registry import Metrics
from stream.runtime.kafka.positions import Batch
from stream.runtime.kafka.topics import Topics
from stream.runtime.partition.commit import WorkerContext, process_and_commit
from stream.runtime.partition.shard import Logs, Shard, TicketIndex
from stream.runtime.partition.ticket_lists import TicketLists
from stream.runtime.recovery.checkpoint import Checkpoint
from stream.runtime.recovery.tickets import Tickets
from stream.runtime.settings_sources import load as load_settings
from stream.runtime.suspension import SuspensionDetector
from stream.runtime.timers import Expirations, TimerQueue
from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.wire.decode import decode
from stream.wire.effect import effect_headers, encode_effect, encode_event
from stream.wire.incoming import Incoming

if TYPE_CHECKING:
    from stream.sla.events import Event

TICKETS: Final = 5_000
ROUNDS: Final = 5
BATCH: Final = 25
FIGURE: Final = 16.0
ORDINARY: Final = 30.0
"""Nanoseconds that one pass of the calibration loop takes on an ordinary machine."""

Times = defaultdict[str, list[float]]
"""By stage: seconds that each batch took."""


def main() -> None:
    tickets = int(sys.argv[1]) if len(sys.argv) > 1 else TICKETS
    lives = [(f"desk/{number}", life(number)) for number in range(tickets)]
    feed = sorted(((event.at, ticket, event) for ticket, events in lives for event in events), key=lambda one: one[:2])
    records = [_record(offset, ticket, event) for offset, (_, ticket, event) in enumerate(feed)]
    batches = [records[start : start + BATCH] for start in range(0, len(records), BATCH)]
    engine = Engine(load([shipped("batoi")]))
    gc.collect()
    gc.set_threshold(100_000, 20, 100)
    gc.freeze()  # the feed is no part of a worker
    rounds, loops = [], []
    for _ in range(ROUNDS):
        times: Times = defaultdict(list)
        loops += [_calibration() for _ in range(50)]
        _stages(engine, batches, times)
        asyncio.run(_whole(engine, batches, times))
        rounds.append(times)

    loop = min(loops)
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    print(f"{len(records)} events in batches of {BATCH}, {ROUNDS} rounds; a pass of the calibration loop: {loop:.0f} ns")
    print(f"{'us an event':20}{'figure':>8}{'median round':>14}{'scaled':>8}")
    for stage in rounds[0]:
        best = sum(map(min, zip(*(times[stage] for times in rounds), strict=True))) / len(records) * 1e6
        usual = median(sum(times[stage]) for times in rounds) / len(records) * 1e6
        print(f"{stage:20}{best:8.2f}{usual:14.2f}{best * ORDINARY / loop:8.2f}")
    print(f"{1e6 / best:.0f} events/s; ratio of the whole to the figure of {FIGURE:.0f} us: {best / FIGURE:.2f}")


def _calibration(passes: int = 10_000) -> float:
    """Nanoseconds a pass of a loop that adds: how fast this machine is."""
    total, began = 0, time.perf_counter()
    for number in range(passes):
        total += number
    return (time.perf_counter() - began) / passes * 1e9


def _record(offset: int, ticket: str, event: Event) -> Any:
    key, value = ticket.encode(), encode_event(ticket, event)
    return ConsumerRecord("ticket-events", 0, offset, 0, 0, key, value, None, len(key), len(value), ())


def _stages(engine: Engine, batches: list[list[Any]], times: Times) -> None:
    """Each stage for itself. A ticket is read and written at every event, as by a worker whose batches meet it once."""
    tickets: dict[bytes, bytes] = {}
    metrics = Metrics(engine.policies)
    open_counts = metrics.open_commitments.begin(0)
    for records in batches:
        instants = [time.perf_counter()]
        incoming = [decode(record.key, record.value, now=None) for record in records]
        instants.append(time.perf_counter())
        states = [codec.decode(tickets[record.key]) if record.key in tickets else None for record in records]
        instants.append(time.perf_counter())
        steps = [
            engine.apply(state, one.ticket, one.event, one.event.at)
            for state, one in zip(states, incoming, strict=True)
            if isinstance(one, Incoming)
        ]
        instants.append(time.perf_counter())
        encoded = [codec.encode(step.state) for step in steps]
        instants.append(time.perf_counter())
        effects = [effect for step in steps for effect in step.effects]
        written = [(encode_effect(effect), effect_headers(effect, b"/breachwatch")) for effect in effects]
        instants.append(time.perf_counter())
        metrics.effects(effects, clock_is_wall=False)
        for state, step in zip(states, steps, strict=True):
            open_counts.change(state, step.state)
        instants.append(time.perf_counter())
        names = ("decode", "read the state", "apply", "write the state", "wire", "metrics")
        for name, began, ended in zip(names, instants, instants[1:], strict=False):
            times[name].append(ended - began)
        tickets.update(zip((record.key for record in records), encoded, strict=True))
        del incoming, states, steps, effects, written


async def _whole(engine: Engine, batches: list[list[Any]], times: Times) -> None:
    metrics = Metrics(engine.policies)
    topics = Topics("bench")
    context = WorkerContext(
        settings=load_settings({"policies": str(shipped("batoi")), "clock": "event"}, {}),
        topics=topics,
        engine=engine,
        metrics=metrics,
        wall=lambda: time.time_ns() // 1_000,
        consumer=IdleConsumer(),
        clients=NoClients(),
        suspension_detector=SuspensionDetector(allowed=3_600.0),
    )
    index = TicketIndex(TimerQueue(), Expirations(), metrics.open_commitments.begin(0), TicketLists())
    logs = Logs(TakingOutputs(topics, 0), TakingChangelog())
    shard = Shard(context.settings, TP("ticket-events", 0), Tickets(), index, logs, Checkpoint())
    end = 0
    for records in batches:
        batch = Batch(records, end or None, end + len(records))
        began = time.perf_counter()
        while not await process_and_commit(context, shard, batch):
            pass
        times["the whole cycle"].append(time.perf_counter() - began)
        shard.cursor, end = 0, batch.end


if __name__ == "__main__":
    main()
