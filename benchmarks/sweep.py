"""The sweep after a deployment: every open ticket is woken once, while events come in and other deadlines pass.

    python benchmarks/sweep.py [--tickets 20000] [--apart 10000] [--rate 500]

The partitions of a worker in one process, the broker left out: outputs and changelog take what they are given, and answer
after as many milliseconds as a broker does (``benchmarks/outputs.py``). The tickets are those of ``benchmarks/tickets.py``. The
deployment changes two targets of the Batoi policy, which moves the deadlines of a tenth of the tickets. Meanwhile new tickets
are opened at an even pace, and chats that nobody answers fall due, fifty a second: the deployment does not touch them. Their
lateness is counted from the end of the grace to the call that writes the effect.

What a ticket costs is measured apart from that, in sweeps of tickets of one sort in which nothing else goes on.

Longer than 250 lines because it stands in for all that surrounds the sweep.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from aiokafka.structs import ConsumerRecord
from faust.types import TP
from figures import figure, machine, short
from lab import PARTITIONS, partition_of
from stand_ins import IdleConsumer, NoClients, TakingChangelog, TakingOutputs
from tickets import batoi, key_of, open_states, waiting_for_chat, wall

from stream.language.policies import load, shipped
from stream.observe.metrics.registry import Metrics
from stream.runtime import gc_tuning
from stream.runtime.kafka.positions import Batch
from stream.runtime.kafka.topics import Topics
from stream.runtime.partition.commit import WorkerContext, process_and_commit
from stream.runtime.partition.shard import Logs, Shard, TicketIndex
from stream.runtime.partition.sweep import Sweep
from stream.runtime.partition.task import PartitionTask
from stream.runtime.partition.ticket_lists import TicketLists
from stream.runtime.recovery.checkpoint import Checkpoint
from stream.runtime.recovery.tickets import Tickets
from stream.runtime.settings_sources import load as load_settings
from stream.runtime.suspension import SuspensionDetector
from stream.runtime.timers import Expirations, TimerQueue
from stream.sla.codec import codec
from stream.sla.effects import Kind
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.wire.effect import decode_effect, encode_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from stream.runtime.kafka.transport import Record
    from stream.sla.policy.resolve import PolicySet

TARGET: Final = 60.0
LATENESS: Final = 250.0
AFFECTED: Final = 0.1
DEADLINES: Final = 50
"""A second."""
ROUNDS: Final = 3
OUTPUTS, CHANGELOG = 0.009, 0.003
"""Seconds."""
SECOND: Final = 1_000_000
CHATS: Final = 8_000_000
"""From this number on tickets are chats that fall due."""


class Seen:
    """What the outputs and changelogs of all partitions were given."""

    def __init__(self, unaffected: frozenset[bytes], grace: int) -> None:
        self.unaffected = unaffected
        self.bytes_of_unaffected = 0
        self.moved = 0
        """Deadlines that the deployment moved."""
        self.lateness: list[float] = []
        """Of each breach, in milliseconds."""
        self.decodes = True
        """Whether it decodes effects, which costs CPU."""
        self._grace: Final = grace

    def effects(self, records: list[Record]) -> None:
        if not self.decodes:
            return
        seen = wall()
        for record in records:
            effect = decode_effect(record.value or b"")
            if effect.deployment is not None:
                self.moved += effect.kind is Kind.RETARGETED
            elif effect.kind is Kind.BREACHED and effect.due_at is not None:
                self.lateness.append((seen - effect.due_at - self._grace) / 1e3)

    def tickets(self, changes: Mapping[bytes, bytes | None]) -> None:
        self.bytes_of_unaffected += sum(len(state or b"") for key, state in changes.items() if key in self.unaffected)


class _Outputs(TakingOutputs):
    """Answer as late as a broker does."""

    def __init__(self, topics: Topics, partition: int, seen: Seen) -> None:
        super().__init__(topics, partition)
        self._seen: Final = seen

    async def write(self, outputs: Mapping[str, Iterable[Record]]) -> None:
        if outputs:
            self._seen.effects([record for of_topic in outputs.values() for record in of_topic])  # which makes them
            await asyncio.sleep(OUTPUTS)


class _Changelog(TakingChangelog):
    """Answers as late as a broker does."""

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self._seen: Final = seen

    async def write(self, changes: Mapping[bytes, bytes | None], checkpoint: Checkpoint) -> None:
        self._seen.tickets(changes)
        await asyncio.sleep(CHANGELOG)


class Worker:
    """The partitions of a worker, live."""

    def __init__(self, tickets: dict[bytes, bytes], unaffected: frozenset[bytes]) -> None:
        engine = batoi()
        settings = load_settings({"policies": str(shipped("batoi"))}, {})
        self.seen = Seen(unaffected, settings.grace)
        self.metrics = Metrics(engine.policies)
        self.context = WorkerContext(
            settings=settings,
            topics=Topics("bench"),
            engine=engine,
            metrics=self.metrics,
            wall=wall,
            consumer=IdleConsumer(),
            clients=NoClients(),
            suspension_detector=SuspensionDetector(allowed=3_600.0),
        )
        tables = [Tickets() for _ in range(PARTITIONS)]
        for key, state in tickets.items():
            tables[partition_of(key)][key] = state
        self.shards = [self._shard(number, table) for number, table in enumerate(tables)]
        self.ends = [0] * PARTITIONS

    def _shard(self, number: int, table: Tickets) -> Shard:
        index = TicketIndex(TimerQueue(), Expirations(), self.metrics.open_commitments.begin(number), TicketLists())
        for key, state in table.items():
            wake_at, _, open_commitments, _, _ = codec.peek(state)
            index.open_counts.add(open_commitments)
            index.timers.move(key, None, wake_at)
        return Shard(
            self.context.settings,
            TP("ticket-events", number),
            table,
            index,
            Logs(_Outputs(self.context.topics, number, self.seen), _Changelog(self.seen)),
            Checkpoint(watermark=wall()),
        )

    async def start(self) -> list[PartitionTask]:
        """All partitions live."""
        tasks = [PartitionTask(self.context, shard) for shard in self.shards]
        for task in tasks:
            task.release(0)
            self.publish(task, [])
        await until(lambda: all(shard.live for shard in self.shards))
        return tasks

    def publish(self, task: PartitionTask, records: list[Any]) -> None:
        number = task.shard.number
        after, self.ends[number] = self.ends[number], self.ends[number] + len(records)
        task.offer(_Fetched(Batch(records, after or None, self.ends[number])))

    def deploy(self, policies: PolicySet) -> int:
        """From now on; the instant at which sweeps may begin."""
        at = wall()
        self.context.engine.deployments = self.context.engine.deployments.add(1, at, policies)
        return at + self.context.settings.grace


class _Fetched:
    """Stands for Faust's event."""

    def __init__(self, batch: Batch) -> None:
        self.value: Any = batch

    def ack(self) -> None:
        pass


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110  what is waited for has no event
        await asyncio.sleep(0.01)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tickets", type=int, default=20_000)
    options.add_argument("--apart", type=int, default=10_000, help="tickets of one sort that are swept alone; %(default)s")
    options.add_argument("--states", type=int, default=4_000, help="different states of tickets; %(default)s")
    options.add_argument("--deadlines", type=int, default=60, help="seconds of other deadlines; %(default)s")
    options.add_argument("--rate", type=int, default=500, help="new tickets a second; %(default)s")
    chosen = options.parse_args()
    print(machine())
    gc_tuning.configure()
    policies = changed()
    affected, unaffected = sorts(policies, chosen.states)
    for name, states in (("affected", affected), ("unaffected", unaffected)):
        costs = [asyncio.run(apart(states, policies, chosen.apart)) for _ in range(ROUNDS)]
        figure(f"sweep, CPU of a ticket that is {name}", [1e6 * cost for cost in costs], "us")
    asyncio.run(together(affected, unaffected, policies, chosen))


def changed() -> PolicySet:
    """The Batoi policy with other targets for p2, and for what came by mail."""
    text = shipped("batoi").read_text("utf-8")
    text = text.replace("p2: 5bd", "p2: 6bd").replace("target: 1bd\n", "target: 2bd\n")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "batoi.yaml"
        file.write_text(text, "utf-8")
        return load([file])


def sorts(policies: PolicySet, count: int) -> tuple[list[bytes], list[bytes]]:
    """States of tickets about which the deployment changes something, and of such about which it does not."""
    now, engine = wall(), batoi()
    deployed = Engine(engine.deployments.add(1, now, policies))
    affected: list[bytes] = []
    unaffected: list[bytes] = []
    for state in open_states(engine, now, count):
        before = codec.decode(state)
        (unaffected if deployed.wake(before, now + 1).state is before else affected).append(state)
    return affected, unaffected


def table(
    affected: list[bytes], unaffected: list[bytes], numbers: range, share: float
) -> tuple[dict[bytes, bytes], set[bytes]]:
    """So many tickets, and the keys of those that are unaffected."""
    dice, tickets, keys = Random(3), dict[bytes, bytes](), set[bytes]()
    for number in numbers:
        hit = dice.random() < share
        states, key = affected if hit else unaffected, key_of(number)
        tickets[key] = states[number % len(states)].replace(b"0000000", key[-7:])
        if not hit:
            keys.add(key)
    return tickets, keys


async def apart(states: list[bytes], policies: PolicySet, count: int) -> float:
    """Seconds of CPU a ticket, of a sweep of these alone."""
    tickets, _ = table(states, states, range(count), 0.0)
    worker = Worker(tickets, frozenset())
    worker.seen.decodes = False
    worker.deploy(policies)
    await asyncio.sleep(2 * worker.context.settings.grace / SECOND)
    gc.collect()
    began = time.process_time()
    for shard in worker.shards:
        shard.watermark = wall()
        shard.sweep = Sweep(1, shard.tickets, shard.timers)
        while not await process_and_commit(worker.context, shard, shard.sweep):
            pass
    return (time.process_time() - began) / count


async def together(affected: list[bytes], unaffected: list[bytes], policies: PolicySet, chosen: Any) -> None:
    tickets, untouched = table(affected, unaffected, range(1, chosen.tickets + 1), AFFECTED)
    now, engine = wall(), batoi()
    first = now + 3 * SECOND + chosen.tickets * 40  # the tables are made by then
    chats = chosen.tickets // 5_000 * DEADLINES + chosen.deadlines * DEADLINES
    for number in range(CHATS, CHATS + chats):
        state = waiting_for_chat(engine, number, first + (number - CHATS) * SECOND // DEADLINES, now)
        tickets[key_of(number)] = codec.encode(state)
    worker = Worker(tickets, frozenset(untouched))
    del tickets, untouched
    gc_tuning.freeze()
    tasks = await worker.start()
    feed = asyncio.create_task(news(worker, tasks, chosen.rate))
    await asyncio.sleep(max(0, (first - wall()) / SECOND) + 5)
    before = list(worker.seen.lateness)
    worker.seen.lateness.clear()
    cpu, begins = time.process_time(), worker.deploy(policies)
    for task in tasks:
        task.deployed()
    await until(lambda: all(shard.swept == 1 for shard in worker.shards))
    took, cpu = (wall() - begins) / SECOND, time.process_time() - cpu
    feed.cancel()
    during, seen = sorted(worker.seen.lateness), worker.seen
    many = sum(len(shard.tickets) for shard in worker.shards)
    print(f"{many:,} tickets in the end, {seen.moved:,} deadlines were moved, {cpu / took:.0%} of a core in the sweep")
    name = f"sweep of {chosen.tickets:,} open tickets, a tenth affected, {chosen.rate} events/s"
    figure(name, [took], "s", TARGET)
    figure(f"{name}: tickets a second", [chosen.tickets / took], "")
    figure(f"{name}: CPU, events, deadlines and the benchmark itself included", [cpu], "s")
    figure(f"{name}: bytes written for unaffected tickets", [seen.bytes_of_unaffected], "")
    figure("lateness of other deadlines before it", before or [0.0], "ms")
    if not during:
        print("the sweep was over before another deadline passed")
        return
    figure("lateness of other deadlines in it", during, "ms")
    figure("lateness of other deadlines in it, p99", [during[min(len(during) - 1, len(during) * 99 // 100)]], "ms", LATENESS)
    print(f"of {short(len(during))} deadlines")


async def news(worker: Worker, tasks: list[PartitionTask], rate: int) -> None:
    """New tickets at an even pace, until cancelled."""
    fields: Any = {"contract": "priority-support", "sender": "registered", "priority": "p4", "channel": "phone"}
    began, sent, offsets = time.perf_counter(), 0, [0] * PARTITIONS
    while True:
        records: list[list[Any]] = [[] for _ in range(PARTITIONS)]
        while sent < (time.perf_counter() - began) * rate:
            key = b"desk/n%d" % sent
            event = Event(at=wall(), id=f"n{sent}", type="ticket.created", source="desk", fields=fields)
            value, number = encode_event(key.decode(), event), partition_of(key)
            record: Any = ConsumerRecord(
                "ticket-events", number, offsets[number], wall() // 1_000, 0, key, value, None, len(key), len(value), ()
            )
            records[number].append(record)
            offsets[number] += 1
            sent += 1
        for task, some in zip(tasks, records, strict=True):
            if some:
                worker.publish(task, some)
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    main()
