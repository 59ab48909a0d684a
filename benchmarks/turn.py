"""A worker's whole path of an event, the broker left out: microseconds of CPU by stage, and events a second.

    python benchmarks/turn.py [TICKETS]

Runs ``stream.runtime.cycle`` on records of the Batoi policy (the lives of ``benchmarks/apply.py``, by default 100,000 events
of 12,500 tickets, of which some 4,300 are open at a time) with a producer that only looks at what it is given; then each
stage alone. The figure to reach is 16 us for the whole, Kafka's own part included.

The stages are timed in turn, and before each the calibration loop, so that a slow or shared machine shows: ``scaled`` is what
the figure would be where a loop of one addition takes 30 ns a pass. ``state`` is the decoding and encoding of a ticket
at every event, which is what a worker does whose batches meet a ticket once.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from aiokafka.structs import ConsumerRecord
from apply import life
from faust.types import TP

from stream.feeds.decode import decode
from stream.feeds.wire import effect_headers, encode_effect, encode_event
from stream.language.policies import load, shipped
from stream.observe.metrics import Metrics
from stream.runtime.cycle import Workbench, cycle
from stream.runtime.deadlines import Deadlines
from stream.runtime.partition import Partition
from stream.runtime.settings import load as load_settings
from stream.runtime.topics import Topics
from stream.runtime.transport import Batch
from stream.sla import codec
from stream.sla.engine import Engine
from stream.sla.ticket import standings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stream.sla.effects import Effect
    from stream.sla.events import Event
    from stream.sla.ticket import State

TICKETS: Final = 12_500
ROUNDS: Final = 3
BATCH: Final = 1_000
ORDINARY: Final = 30.0
"""Nanoseconds that one pass of the calibration loop takes on an ordinary machine."""


class _Nowhere:
    """Stands for the store, the consumer and the producer: takes what it is given."""

    async def write(self, _topic: str, _partition: int, records: list[Any]) -> int | None:
        return len(records) or None

    def written(self, partition: int, offset: int) -> None:
        pass

    def finish(self, tp: TP, batch: Batch) -> None:
        pass


def main() -> None:
    tickets = int(sys.argv[1]) if len(sys.argv) > 1 else TICKETS
    lives = [(f"desk/{number}", life(number)) for number in range(tickets)]
    feed = sorted(((event.at, ticket, event) for ticket, events in lives for event in events), key=lambda one: one[:2])
    events = [(ticket, event) for _, ticket, event in feed]
    records = [_record(offset, ticket, event) for offset, (ticket, event) in enumerate(events)]
    engine = Engine(load([shipped("batoi")]))
    effects, stored = _results(engine, events)
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    print(f"{len(events)} events, {len(effects)} effects, batches of {BATCH}; us of CPU an event, {ROUNDS} rounds")
    stages: dict[str, Callable[[], float]] = {
        "decode": lambda: _timed(lambda: [decode(record.key, record.value, now=None) for record in records]),
        "state": lambda: _state(stored),
        "apply": lambda: _timed(lambda: _apply(engine, events)),
        "wire": lambda: _timed(lambda: [(encode_effect(effect), effect_headers(effect, "/breachwatch")) for effect in effects]),
        "metrics": lambda: _metrics(engine, effects, stored),
        "whole cycle": lambda: asyncio.run(_whole(engine, records)),
    }
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in stages}
    for _ in range(ROUNDS):
        for name, stage in stages.items():
            before = calibration()
            figure = stage() / len(events) * 1e6
            figures[name].append((figure, (before + calibration()) / 2))
    print(f"{'':14}{'min':>8}{'median':>8}{'max':>8}{'scaled':>8}{'loop ns':>9}")
    for name, rounds in figures.items():
        taken = [figure for figure, _ in rounds]
        scaled = median(figure * ORDINARY / loop for figure, loop in rounds)
        loop = median(loop for _, loop in rounds)
        print(f"{name:14}{min(taken):8.2f}{median(taken):8.2f}{max(taken):8.2f}{scaled:8.2f}{loop:9.0f}")
    whole = min(figure for figure, _ in figures["whole cycle"])
    print(f"{1e6 / whole:.0f} events/s by the best round; ratio to the figure of 16 us: {whole / 16:.2f}")


def calibration(passes: int = 300_000) -> float:
    """Nanoseconds a pass of a loop that adds: how fast this machine is just now."""
    total, began = 0, time.process_time()
    for number in range(passes):
        total += number
    return (time.process_time() - began) / passes * 1e9


def _record(offset: int, ticket: str, event: Event) -> Any:
    key, value = ticket.encode(), encode_event(ticket, event)
    return ConsumerRecord("ticket-events", 0, offset, 0, 0, key, value, None, len(key), len(value), ())


def _apply(engine: Engine, events: list[tuple[str, Event]]) -> Iterator[tuple[State, tuple[Effect, ...]]]:
    states: dict[str, State] = {}
    for ticket, event in events:
        step = engine.apply(states.get(ticket), ticket, event, event.at)
        states[ticket] = step.state
        yield step.state, step.effects


def _results(engine: Engine, events: list[tuple[str, Event]]) -> tuple[list[Effect], list[bytes]]:
    effects, stored = [], []
    for state, said in _apply(engine, events):
        effects += said
        stored.append(codec.encode(state))
    return effects, stored


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    result = work()
    if hasattr(result, "__next__"):
        for _ in result:
            pass
    return time.process_time() - began


def _state(stored: list[bytes]) -> float:
    return sum(
        _timed(lambda: [codec.encode(codec.decode(data)) for data in stored[start : start + BATCH]])  # noqa: B023
        for start in range(0, len(stored), BATCH)
    )


def _metrics(engine: Engine, effects: list[Effect], stored: list[bytes]) -> float:
    metrics, spent, share = Metrics(engine.policies), 0.0, len(effects) / len(stored)
    for start in range(0, len(stored), BATCH):
        states = [codec.decode(data) for data in stored[start : start + BATCH]]
        some = effects[int(start * share) : int((start + BATCH) * share)]
        began = time.process_time()
        metrics.effects(some, clock_is_wall=False)
        for state in states:
            metrics.open(state.head.id, standings(state))
        spent += time.process_time() - began
    return spent


async def _whole(engine: Engine, records: list[Any]) -> float:
    nowhere: Any = _Nowhere()
    settings = load_settings({"policies": str(shipped("batoi")), "clock": "event"}, {})
    bench = Workbench(
        settings=settings,
        topics=Topics("bench"),
        engine=engine,
        metrics=Metrics(engine.policies),
        wall=lambda: time.time_ns() // 1_000,
        store=nowhere,
        consumer=nowhere,
        producer=nowhere,
    )
    partition = Partition(bench, TP("ticket-events", 0), {}, Deadlines(), set())
    began = time.process_time()
    for start in range(0, len(records), BATCH):
        batch = Batch(records[start : start + BATCH], start or None, start + BATCH)
        while not await cycle(bench, partition, batch):
            pass
        partition.cursor = 0
    spent = time.process_time() - began
    partition.give_up()
    return spent


if __name__ == "__main__":
    main()
