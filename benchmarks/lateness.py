"""How late breaches are with a million open tickets and events coming in: seconds behind the deadline, as a consumer sees it.

    python benchmarks/lateness.py [--tickets 1000000] [--rate 5000] [--seconds 25]

Chats that nobody answers are among the tickets, their deadlines spread evenly over the run, thirty a second. A breach is seen
when a consumer that reads committed records has it. The worker waits for a while after each deadline, on purpose (the setting
``grace``, by default 200 ms: the answer may be on its way); lateness is counted from the end of that. Never early means: not
before the deadline itself.

Events are published at the rate asked for. Where the worker cannot keep up with it (its backlog grows beyond a second) the
rate is halved and the measurement begins anew: the figure is of the first rate that it could keep.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition
from figures import figure, machine
from lab import OTHERS, PARTITIONS, Core, Worker, committed, on_cores, partition_of, until
from restart import TIMED
from tickets import batoi, fill, key_of, waiting_for_chat, wall
from timed import Seen, read

from stream.devkafka.broker import Broker
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.runtime.kafka.transport import Record, submit
from stream.sla.codec import codec
from stream.sla.effects import Kind
from stream.sla.events import Event
from stream.wire.effect import decode_effect, encode_event

TARGET: Final = 100.0
GRACE: Final = 200.0
BREACHES: Final = 30
"""A second."""
SETTLE: Final = 5.0
"""Seconds at the begin of a run that do not count."""
ROUNDS: Final = 3
"""Rates that are tried, each half of the one before."""
SECOND: Final = 1_000_000


class Feed:
    """Events on open tickets at an even pace, their instants the present."""

    def __init__(self, broker: str, topic: str, tickets: int) -> None:
        self.published = 0
        self._producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True, max_batch_size=512 * 1024)
        self._topic, self._tickets, self._dice = topic, tickets, Random(5)

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def run(self, rate: int, seconds: float) -> float:
        """The events a second that it came to: a machine may be too slow to make as many as asked for."""
        began, first = time.perf_counter(), self.published
        while (now := time.perf_counter() - began) < seconds:
            behind = int(now * rate) - (self.published - first)
            await self._publish(min(behind, rate))
            await asyncio.sleep(0.02)
        return (self.published - first) / (time.perf_counter() - began)

    async def _publish(self, count: int) -> None:
        by_partition: dict[int, list[Record]] = {}
        for _ in range(count):
            record = self._event()
            by_partition.setdefault(partition_of(record.key or b""), []).append(record)
        deliveries = []
        for partition, records in by_partition.items():
            deliveries += await submit(self._producer, self._topic, partition, records)
        for delivery, _ in deliveries:
            await delivery
        self.published += count

    def _event(self) -> Record:
        dice, key = self._dice, key_of(self._dice.randrange(self._tickets))
        kind = dice.choices(("answer", "comment", "assign", "pending", "reply"), (15, 25, 30, 15, 15))[0]
        more: Any = {
            "answer": {"type": "comment.added", "actor": "agent", "public": True},
            "comment": {"type": "comment.added", "actor": "agent"},
            "assign": {"type": "ticket.changed", "actor": "agent", "fields": {"assignee": f"agent-{dice.randrange(60)}"}},
            "pending": {"type": "ticket.changed", "actor": "agent", "fields": {"status": "pending"}},
            "reply": {"type": "comment.added", "actor": "customer", "public": True},
        }[kind]
        event = Event(at=wall(), id=f"n{dice.getrandbits(60)}", source="desk", **more)
        return Record(key, encode_event(key.decode(), event), [])


class Breach(NamedTuple):
    seen: int
    due: int
    """Both epoch microseconds."""


async def breaches(broker: str, topics: Topics, found: list[Breach]) -> None:
    """Note breaches as they are seen, until cancelled."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, isolation_level="read_committed", enable_auto_commit=False)
    await consumer.start()
    try:
        tps = [TopicPartition(topics.breaches, number) for number in range(PARTITIONS)]
        consumer.assign(tps)
        await consumer.seek_to_end(*tps)
        while True:
            fetched = await consumer.getmany(timeout_ms=1000)
            seen = wall()
            for records in fetched.values():
                for record in records:
                    if b"breached" in dict(record.headers)["ce_type"]:
                        effect = decode_effect(record.value)
                        assert effect.kind is Kind.BREACHED
                        found.append(Breach(seen, effect.at))
    finally:
        await consumer.stop()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tickets", type=int, default=1_000_000)
    options.add_argument("--rate", type=int, default=5_000)
    options.add_argument("--seconds", type=int, default=25)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, on_cores(OTHERS), Broker() as broker:
        asyncio.run(measure(broker.bootstrap, Path(folder), chosen))


async def measure(broker: str, folder: Path, chosen: Any) -> None:
    print(machine())
    topics = Topics("bench")
    await create(broker, topics, partitions=PARTITIONS)
    engine, now = batoi(), wall()
    # They fall due from when the worker may be ready to when the last try may be over, which is not known beforehand.
    first, last = now + 20 * SECOND, now + (300 + ROUNDS * (chosen.seconds + 15)) * SECOND
    dues = range(first, last, SECOND // BREACHES)
    numbered = enumerate(dues, 8_000_000)
    chats = ((key_of(n), codec.encode(waiting_for_chat(engine, n, due, now))) for n, due in numbered)
    table = await fill(broker, topics, chosen.tickets, now, chats)
    print(f"{table.tickets:,} open tickets of {table.state_bytes:.0f} bytes and {len(dues):,} chats", flush=True)
    with Worker(broker, topics, folder, entry=(TIMED,)) as worker:
        await asyncio.to_thread(until, worker.is_live, "the worker is live", 0.5)
        print(f"live after {time.perf_counter() - worker.began:.0f} s", flush=True)
        started = len(read(worker.log).pauses)
        found: list[Breach] = []
        watching = asyncio.create_task(breaches(broker, topics, found))
        await asyncio.sleep(2)
        async with Feed(broker, topics.events, chosen.tickets) as feed:
            rate = chosen.rate
            for _ in range(ROUNDS):
                found.clear()
                core, began = Core(worker), time.perf_counter()
                backlog = asyncio.create_task(longest_backlog(broker, topics, feed))
                reached = await feed.run(rate, chosen.seconds)
                behind = await stop(backlog)
                print(f"{reached:,.0f} events/s: backlog up to {behind:,} events; {core}", flush=True)
                print(f"  {units(read(worker.log), began)}", flush=True)
                if behind < 1.5 * rate:
                    break
                await until_caught_up(broker, topics, feed)
                rate //= 2
        await asyncio.sleep(1)
        await stop(watching)
        worker.check()
        pauses = [seconds for _, seconds in read(worker.log).pauses[started:]]
    report(found, pauses, reached, chosen.tickets)


def report(found: list[Breach], pauses: list[float], rate: float, tickets: int) -> None:
    begin = found[0].seen + SETTLE * SECOND
    late = sorted((breach.seen - breach.due) / 1_000 for breach in found if breach.due > begin)
    if early := [one for one in late if one < 0]:
        raise RuntimeError(f"{len(early)} breaches were early, the first by {-early[0]:.1f} ms")
    beyond = [one - GRACE for one in late]
    print(f"{len(late)} breaches, none early; with the grace of {GRACE:.0f} ms: from {late[0]:.0f} to {late[-1]:.0f} ms late")
    where = f"with {tickets:,} open tickets and {rate:,.0f} events/s"
    figure(f"breach lateness beyond the grace, p99 {where}", [percentile(beyond, 0.99)], "ms", TARGET)
    figure(f"breach lateness beyond the grace, all {where}", beyond, "ms")
    figure(f"pauses of the garbage collector {where}", [1e3 * pause for pause in pauses] or [0.0], "ms")


def units(log: Seen, since: float) -> str:
    """How many units of work there were since an instant, and how long they took."""
    # Units of several partitions overlap, so beginnings and ends are paired by their order: right in the mean.
    began = [at for at in log.points["unit began"] if at > since]
    ended = [at for at in log.points["unit ended"] if at > since]
    count = min(len(began), len(ended))
    mean = (sum(ended[-count:]) - sum(began[:count])) / max(count, 1)
    return f"{count} units of work of {PARTITIONS} partitions, each {1e3 * mean:.0f} ms in the mean"


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def longest_backlog(broker: str, topics: Topics, feed: Feed) -> Any:
    """The most events that were published and not committed, after a while to settle; until cancelled."""
    most, began = 0, time.perf_counter()
    with contextlib.suppress(asyncio.CancelledError):
        async with committed(broker, topics.group, topics.events) as done:
            while True:
                published = feed.published
                behind = published - await done()
                if time.perf_counter() - began > SETTLE:
                    most = max(most, behind)
                await asyncio.sleep(0.25)
    return most


async def until_caught_up(broker: str, topics: Topics, feed: Feed) -> None:
    async with committed(broker, topics.group, topics.events) as done:
        while await done() < feed.published:  # noqa: ASYNC110  the broker does not announce it
            await asyncio.sleep(0.25)


async def stop(task: asyncio.Task[Any]) -> Any:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        return await task


if __name__ == "__main__":
    main()
