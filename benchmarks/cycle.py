"""The whole cycle of a worker without a broker, with the batch builders of aiokafka: CPU of an event, and counts of its work.

    python benchmarks/cycle.py [--events 40000] [--rounds 5] [--batches 500 4000]
    python benchmarks/cycle.py --count        # needs valgrind

The work is that of the comparison with other engines: a ticket has about five events (opened, answered, discussed, paused,
given another priority, solved) and two commitments, some are breached, and routine effects are off. All events are of one
partition. A fetch is the bytes of some batches, which are taken apart as the consumer does it. Effects, dead letters and
states go through ``Outputs`` and ``Changelog`` into the batch builders of aiokafka, which a producer without a broker discards.
What is missing: the sockets, Faust, and the acknowledgement of a transaction.

``benchmarks/unit_of_work.py`` does short batches and another policy. Here batches are as long as those of a worker with a
backlog, because a long unit of work meets memory that is in no cache.

The figure is the least of the rounds, each the sum over all batches. Builds are compared in alternation: the same command
with ``PYTHONPATH`` on the one and the other, several times each, and the least of each.

``--count`` prints machine instructions an event, which are the same from run to run, however busy the machine is; but not with
another interpreter or compiler. The file that ``CALLGRIND_OUT`` names then shows where they are (``callgrind_annotate``).

Longer than 250 lines because it stands in for all that surrounds the cycle.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import chain, pairwise
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import RecordMetadata, TopicPartition
from faust.types import TP
from figures import figure, machine

from stream.language.policies import load
from stream.observe.metrics.registry import Metrics
from stream.runtime.kafka.input_records import InputRecords, InputResult, account_for
from stream.runtime.kafka.positions import Batch
from stream.runtime.kafka.topics import Topics
from stream.runtime.kafka.transport import write
from stream.runtime.partition.commit import WorkerContext, process_and_commit
from stream.runtime.partition.shard import Logs, Shard, TicketIndex
from stream.runtime.partition.ticket_lists import TicketLists
from stream.runtime.recovery.changelog import Changelog
from stream.runtime.recovery.checkpoint import Checkpoint
from stream.runtime.recovery.outputs import Outputs
from stream.runtime.recovery.tickets import Tickets
from stream.runtime.settings_sources import load as load_settings
from stream.runtime.timers import Expirations, TimerQueue
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.wire.effect import encode_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE
START: Final = 1_767_603_600_000_000
SPAN: Final = 10 * 24 * HOUR
"""Tickets are opened within it."""
TARGET: Final = 16.0
INPUT: Final = TopicPartition("ticket-events", 0)
PUBLISHED: Final = 100
"""Records of a batch in the topic."""
USUAL: Final = 20e-6
"""Seconds between two readings of the clock where the clock is only counted."""
POLICY: Final = """policies:
  - policy: compared
    version: 1
    applies_to: always
    calendar: 24x7
    commitments:
      - metric: first_response
        target: {p1: 15m, p2: 1h, p3: 4h, p4: 8h}
        pauses: pending
        stops: [answered_by_agent, solved]
      - metric: resolution
        target: {p1: 4h, p2: 8h, p3: 24h, p4: 72h}
        pauses: pending
        stops: solved
"""
FIRST: Final = {"p1": 15 * MINUTE, "p2": HOUR, "p3": 4 * HOUR, "p4": 8 * HOUR}
LAST: Final = {"p1": 4 * HOUR, "p2": 8 * HOUR, "p3": 24 * HOUR, "p4": 72 * HOUR}


def feed(events: int, seed: int = 11) -> list[tuple[str, Event]]:
    """So many events with their tickets, in the order of their instants: the same from run to run."""
    dice = Random(seed)
    found: list[tuple[int, int, int, dict[str, Any]]] = []
    number = 0
    while len(found) < events:
        number += 1
        found += [(at, number, step, what) for step, (at, what) in enumerate(_life(dice))]
    found = sorted(found[:events], key=lambda one: one[:3])
    return [
        (f"T-{number}", Event(at=at // 1_000 * 1_000, id=f"e-{place}", source="desk", **what))
        for place, (at, number, _, what) in enumerate(found)
    ]


def _life(dice: Random) -> list[tuple[int, dict[str, Any]]]:
    opened = START + int(dice.random() * SPAN)
    priority = dice.choices(("p1", "p2", "p3", "p4"), (5, 20, 45, 30))[0]
    fields = {
        "priority": priority,
        "channel": dice.choice(("email", "chat", "web", "phone")),
        "status": "open",
        "customer": f"customer-{dice.randrange(6)}",
    }
    agent: dict[str, Any] = {"type": "comment.added", "actor": "agent", "public": True}
    customer: dict[str, Any] = {"type": "comment.added", "actor": "customer", "public": True}

    def changed(**changes: str) -> dict[str, Any]:
        return {"type": "ticket.changed", "fields": changes}

    life: list[tuple[int, dict[str, Any]]] = [(opened, {"type": "ticket.created", "fields": fields})]
    at = opened + int(FIRST[priority] * dice.lognormvariate(-1.2, 0.8))
    life.append((at, agent))
    if dice.random() < 0.85:
        at += int(dice.expovariate(1 / 40) * MINUTE)
        life.append((at, customer))
    if dice.random() < 0.2:
        priority = dice.choice(("p1", "p2", "p3", "p4"))
        life.append((opened + int((at - opened) * dice.random()), changed(priority=priority)))
    if dice.random() < 0.35:
        at += int(dice.expovariate(1 / 20) * MINUTE)
        life.append((at, changed(status="pending")))
        if dice.random() < 0.95:
            at += int(dice.expovariate(1 / 2) * HOUR)
            life.append((at, changed(status="open")))
    if dice.random() < 0.4:
        at += int(dice.expovariate(1 / 20) * MINUTE)
        life.append((at, agent))
    if dice.random() < 0.92:
        at += int(LAST[priority] * dice.lognormvariate(-1.5, 0.8))
        life.append((at, changed(status="solved")))
    return life


class Producer:
    """Builds batches as aiokafka's producer does, and acknowledges them without sending them."""

    def __init__(self, *, transactional: bool) -> None:
        self._transactional = transactional
        self._offset = 0
        self.bytes = 0

    def create_batch(self) -> Any:
        return BatchBuilder(512 * 1024, 0, is_transactional=self._transactional)

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        self.bytes += len(batch._build())
        written = asyncio.get_running_loop().create_future()
        written.set_result(RecordMetadata(topic, partition, None, self._offset, None, None, None))
        self._offset += batch.record_count()
        return written

    async def begin_transaction(self) -> None:
        pass

    async def commit_transaction(self) -> None:
        pass

    async def write(self, topic: str, partition: int, records: Any) -> int | None:
        return await write(self, topic, partition, records)


class _Counter:
    """A clock that shows how often it was read: units of work have the same size in each run, however slow it is."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        self._now += USUAL
        return self._now


class _Elsewhere:
    """Stands for the consumer, the suspension detector and the store."""

    def __init__(self) -> None:
        self.tickets = Tickets()

    def of(self, _: int) -> Tickets:
        return self.tickets

    def holds(self, *_: Any) -> bool:
        return True

    def written(self, *_: Any) -> None:
        pass

    def committed(self, *_: Any) -> int:
        return 0

    async def prove(self, tp: TP) -> None:
        pass

    def finish(self, tp: TP, batch: Batch) -> None:
        pass

    def check(self) -> int:
        return 0


def worker(
    folder: Path, passing: Callable[[], float] = time.monotonic
) -> tuple[WorkerContext, Shard, tuple[Producer, Producer]]:
    """A worker with one partition that is empty, and the producers of its outputs and of its changelog."""
    policy = folder / "policy.yaml"
    policy.write_text(POLICY, "utf-8")
    settings = load_settings({"policies": str(policy), "clock": "event", "routine": "no"}, {})
    engine = Engine(load([policy]), routine=False)
    metrics = Metrics(engine.policies)
    elsewhere: Any = _Elsewhere()
    outputs, changelog = Producer(transactional=True), Producer(transactional=False)
    topics = Topics("bench")
    context = WorkerContext(
        settings=settings,
        topics=topics,
        engine=engine,
        metrics=metrics,
        wall=lambda: time.time_ns() // 1_000,
        consumer=elsewhere,
        clients=elsewhere,
        suspension_detector=elsewhere,
        passing=passing,
    )
    written: Any = Outputs(outputs, 0, topics.rejected)  # type: ignore[arg-type]  # a fake
    for topic in (topics.breaches, topics.escalations, topics.rejected):
        written.found(topic, 0, 0)
    changes = Changelog(elsewhere, "bench-tickets-changelog", 0, changelog, elsewhere)  # type: ignore[arg-type]
    index = TicketIndex(TimerQueue(), Expirations(), metrics.open_commitments.begin(0), TicketLists())
    shard = Shard(settings, TP(topics.events, 0), elsewhere.tickets, index, Logs(written, changes), Checkpoint())
    return context, shard, (outputs, changelog)


class Fetch(NamedTuple):
    """What the broker answers to a request for a partition."""

    data: bytes
    first: int
    end: int


def fetches_of(events: list[tuple[str, Event]], firsts: Iterable[int]) -> list[Fetch]:
    """``firsts``: where each begins."""
    found = []
    for first, end in pairwise([*firsts, len(events)]):
        data = b"".join(_published(events, at, min(at + PUBLISHED, end)) for at in range(first, end, PUBLISHED))
        found.append(Fetch(data, first, end))
    return found


def _published(events: list[tuple[str, Event]], first: int, end: int) -> bytes:
    """A batch as it stands in the topic."""
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, 0, 1 << 30)
    for number, (ticket, event) in enumerate(events[first:end]):
        builder.append(number, event.at // 1_000, ticket.encode(), encode_event(ticket, event), [])
    data = bytearray(builder.build())
    data[:8] = first.to_bytes(8, "big")
    return bytes(data)


class _Position:
    """The state of a partition as aiokafka keeps it."""

    def __init__(self, at: int) -> None:
        self.paused, self.position = False, at

    def consumed_to(self, offset: int) -> None:
        self.position = offset


def batch_of(fetch: Fetch) -> Batch:
    """As the consumer makes it."""
    account_for(INPUT.topic)
    position = _Position(fetch.first)
    assignment = SimpleNamespace(active=True, state_value=lambda _: position)
    records = InputRecords(INPUT, MemoryRecords(fetch.data), [], fetch.first, None, None, True, fetcher.READ_UNCOMMITTED)
    parts = InputResult(INPUT, assignment=assignment, partition_records=records, backoff=0).getall()
    return Batch(chain.from_iterable([part.records for part in parts]), fetch.first or None, fetch.end)


async def process(folder: Path, fetches: list[Fetch]) -> tuple[float, tuple[int, int]]:
    """CPU seconds for all fetches, and the bytes of outputs and changelog."""
    context, shard, producers = worker(folder)
    took = 0.0
    for fetch in fetches:
        began = time.process_time()
        batch = batch_of(fetch)
        while not await process_and_commit(context, shard, batch):
            pass
        took += time.process_time() - began
        shard.cursor = 0
    return took, (producers[0].bytes, producers[1].bytes)


def instructions(events: int, size: int) -> float:
    """Machine instructions an event, counted by Callgrind from after the first tenth of the events on."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.environ.get("CALLGRIND_OUT") or f"{folder}/callgrind.out"
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}", sys.executable, "-P"]
        counted = [*command, __file__, "--counted", "--events", str(events), "--batches", str(size)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONHASHSEED": "0"}
        subprocess.run(counted, check=True, env=environment, stderr=subprocess.DEVNULL)
        totals = next(line for line in Path(out).read_text("utf-8").splitlines() if line.startswith("totals:"))
    return int(totals.split()[1]) / (events - events // 10)


def _counted(events: int, size: int) -> None:
    """What ``instructions`` runs: counting is on while the events after the first tenth are processed."""

    def count(switch: str) -> None:
        subprocess.run(["callgrind_control", "-i", switch, str(os.getpid())], check=True, stdout=subprocess.DEVNULL)

    async def run(folder: Path) -> None:
        fetches = fetches_of(feed(events), (0, *range(events // 10, events, size)))
        context, shard, _ = worker(folder, _Counter())
        gc.collect()
        gc.disable()
        for number, fetch in enumerate(fetches):
            if number == 1:
                count("on")
            batch = batch_of(fetch)
            while not await process_and_commit(context, shard, batch):
                pass
            shard.cursor = 0
        count("off")

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--events", type=int)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--batches", type=int, nargs="+", default=[500, 4_000])
    options.add_argument("--count", action="store_true", help="count machine instructions (needs valgrind)")
    options.add_argument("--counted", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.counted:
        _counted(chosen.events, chosen.batches[0])
        return
    print(machine())
    if chosen.count:
        if not shutil.which("valgrind"):
            options.error("valgrind is missing (Debian: apt install valgrind)")
        events = chosen.events or 4_000
        for size in chosen.batches:
            figure(f"cycle, batches of {size:,}: instructions of an event", [instructions(events, size)], "")
        return
    events = chosen.events or 40_000
    by_size = {size: fetches_of(feed(events), range(0, events, size)) for size in chosen.batches}
    gc.collect()
    gc.set_threshold(100_000, 20, 100)
    gc.freeze()  # the feed is not a part of a worker
    with tempfile.TemporaryDirectory() as folder:
        for size, fetches in by_size.items():
            runs = [asyncio.run(process(Path(folder), fetches)) for _ in range(chosen.rounds)]
            took = [seconds / events * 1e6 for seconds, _ in runs]
            figure(f"cycle, batches of {size:,}: CPU of an event", took, "us", TARGET)
            outputs, changelog = runs[0][1]
            print(f"least {min(took):.2f} us; {outputs:,} bytes of outputs, {changelog:,} of the changelog")


if __name__ == "__main__":
    main()
