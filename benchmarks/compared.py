"""The work of the comparison with other engines: CPU of an event, of the worker and of a raw loop that has the same deadlines.

    python benchmarks/compared.py [--events 200000] [--rounds 3]

A ticket has about five events and two deadlines (``benchmarks/cycle.py``); routine effects are off, and the feed is the clock.
At the end a tick in each partition lets all open deadlines pass. Both read the same topic in turn, as in
``benchmarks/throughput.py``. The raw loop is ``deadlines`` in ``benchmarks/peers.py``: at least once, and it cannot restart.
Fewer than 60,000 events give it too few commits to measure.

Every breach of both is compared with those that a plain run over the events finds (``benchmarks/two_deadlines.py``). One that
is missing, wrong or repeated is an error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cycle
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from figures import figure, machine
from lab import OTHERS, PARTITIONS, Child, Worker, forget, on_cores, produce
from throughput import PEERS, Run, make, printed, slopes
from two_deadlines import Breach, expected, instant

from stream.devkafka.broker import Broker
from stream.runtime.kafka.groupless import records_between, started
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.runtime.kafka.transport import Record
from stream.wire.effect import encode_event, encode_tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CPU_TARGET: Final = 16.0
RATIO_TARGET: Final = 0.6
MONTH: Final = 30 * 24 * cycle.HOUR


class Work:
    """One input topic, and the breaches that are expected of it."""

    def __init__(self, broker: str, folder: Path, events: int) -> None:
        self.broker, self.folder = broker, folder
        self.topics = Topics("compared-0", "compared.")
        feed = cycle.feed(events)
        self._records = [Record(ticket.encode(), encode_event(ticket, event), []) for ticket, event in feed]
        self._tick = encode_tick("desk", feed[-1][1].at + MONTH)
        self.total = len(feed) + PARTITIONS
        self.expected = expected(json.loads(record.value or b"") for record in self._records)
        self._policy = folder / "compared.yaml"
        self._policy.write_text(cycle.POLICY, "utf-8")
        self._runs = 0

    async def fill(self) -> None:
        """Publish the input."""
        await create(self.broker, self.topics, partitions=PARTITIONS)
        await produce(self.broker, self.topics.events, self._records)
        for partition in range(PARTITIONS):
            await produce(self.broker, self.topics.events, [Record(b"tick", self._tick, [])], partition)

    def worker(self) -> Run:
        self._runs += 1
        topics = Topics(f"compared-{self._runs}", "compared.")
        asyncio.run(create(self.broker, topics, partitions=PARTITIONS))
        asyncio.run(forget(self.broker, topics.breaches, topics.escalations, topics.rejected))
        flags = ("--policies", str(self._policy), "--clock", "event", "--routine", "no", "--commit-interval", "200ms")
        with Worker(self.broker, topics, self.folder, *flags) as worker:
            run = slopes(self.broker, worker, topics.group, self.topics.events, self.total)
        self._check(topics.breaches, published)
        return run

    def raw(self) -> Run:
        self._runs += 1
        group = f"deadlines-{self._runs}"
        asyncio.run(make(self.broker, f"{group}-changelog", f"{group}-breaches"))
        with Child(self.folder / f"{group}.log", PEERS, "deadlines", self.broker, group, self.topics.events) as child:
            run = slopes(self.broker, child, group, self.topics.events, self.total)
        self._check(f"{group}-breaches", json.loads)
        return run

    def _check(self, topic: str, read: Callable[[bytes], Iterable[Any]]) -> None:
        """Raises RuntimeError when a breach is missing, wrong or repeated."""
        found = [breach for value in asyncio.run(values(self.broker, topic)) if (breach := tuple(read(value)))]
        missing, wrong = self.expected.difference(found), set(found) - self.expected
        if missing or wrong or len(found) != len(self.expected):
            raise RuntimeError(
                f"{topic}: {len(found):,} breaches of {len(self.expected):,}, {len(missing)} missing, {len(wrong)} wrong: "
                f"{sorted(missing)[:3]} {sorted(wrong)[:3]}"
            )


def published(value: bytes) -> Breach | tuple[()]:
    """The breach of an effect; empty: it is another one. Raises RuntimeError: it takes back another effect."""
    effect = json.loads(value)
    if "retracts" in effect:
        raise RuntimeError(f"nothing is to be retracted: {effect}")
    if effect["type"] != "commitment.breached":
        return ()
    return effect["ticket"], effect["commitment"], instant(effect["due_at"])


async def values(broker: str, topic: str) -> list[bytes]:
    """The values of all committed records of a topic."""
    reader = AIOKafkaConsumer(bootstrap_servers=broker, isolation_level="read_committed", enable_auto_commit=False)
    tps = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    async with started(reader) as consumer:
        consumer.assign(tps)
        first, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        return [record.value async for record in records_between(consumer, {tp: (first[tp], end[tp]) for tp in tps})]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--events", type=int, default=200_000)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder, on_cores(OTHERS), Broker() as broker:
        work = Work(broker.bootstrap, Path(folder), chosen.events)
        asyncio.run(work.fill())
        print(f"{chosen.events:,} events, {len(work.expected):,} breaches, {PARTITIONS} partitions", flush=True)
        both = [(printed("worker", work.worker()), printed("raw", work.raw())) for _ in range(chosen.rounds)]
    figure("comparison: worker, CPU an event", [own.cpu for own, _ in both], "us", CPU_TARGET)
    figure("comparison: worker, events/s of one core", [own.events for own, _ in both], "events/s")
    figure("comparison: raw loop with deadlines, CPU an event", [raw.cpu for _, raw in both], "us")
    figure("comparison: worker to raw loop, by CPU", [raw.cpu / own.cpu for own, raw in both], "", RATIO_TARGET, least=True)


if __name__ == "__main__":
    main()
