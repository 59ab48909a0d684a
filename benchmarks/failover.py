"""From kill -9 of one of two workers until every partition is served again, settings as by default.

    python benchmarks/failover.py [--rounds 3]

New tickets are published to every partition all the time; each makes effects. A partition is served again when a consumer that
reads committed records sees an effect of a ticket that was opened after the kill. Most of the time is the setting
``session_timeout`` (8 s): so long may a worker be silent before the broker informs the others.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from figures import figure, machine
from lab import OTHERS, PARTITIONS, PATIENCE, Worker, on_cores
from tickets import wall

from stream.devkafka.broker import Broker
from stream.runtime.kafka.publisher import Publisher
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.sla.events import Event
from stream.wire.effect import encode_event

TARGET: Final = 12.0
EVERY: Final = 0.1
"""Seconds between two new tickets of a partition."""


class Served:
    """By partition: when the newest ticket was opened of which an effect was seen, epoch microseconds."""

    def __init__(self) -> None:
        self.opened = dict.fromkeys(range(PARTITIONS), 0)

    async def watch(self, broker: str, topic: str) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=broker, isolation_level="read_committed", enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
            await consumer.seek_to_end()
            while True:
                for tp, records in (await consumer.getmany(timeout_ms=1000)).items():
                    for record in records:
                        opened = int(record.key.rpartition(b"/")[2])
                        self.opened[tp.partition] = max(self.opened[tp.partition], opened)
        finally:
            await consumer.stop()

    async def all_since(self, instant: int, *workers: Worker) -> None:
        """Return when all partitions have been served with what came after an instant. Raises RuntimeError."""
        deadline = time.perf_counter() + PATIENCE
        while min(self.opened.values()) <= instant:
            for worker in workers:
                worker.check()
            if time.perf_counter() > deadline:
                raise RuntimeError(f"not all partitions are served: {self.opened}")
            await asyncio.sleep(0.02)


async def news(broker: str, topic: str) -> None:
    """New tickets for every partition, until cancelled."""
    fields: Any = {"contract": "priority-support", "sender": "registered", "priority": "p2", "channel": "email"}
    async with Publisher({"bootstrap_servers": broker}, topic) as publisher:
        while True:
            for partition in range(PARTITIONS):
                at = wall()
                event = Event(at=at, id=f"{at}", type="ticket.created", source="desk", fields=fields)
                await publisher.event(encode_event(f"desk/{at}", event), f"desk/{at}".encode(), partition)
            await asyncio.sleep(EVERY)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, on_cores(OTHERS), Broker() as broker:
        asyncio.run(measure(broker.bootstrap, Path(folder), chosen.rounds))


async def measure(broker: str, folder: Path, rounds: int) -> None:
    print(machine())
    topics, served = Topics("bench"), Served()
    await create(broker, topics, partitions=PARTITIONS)
    tasks = [asyncio.create_task(served.watch(broker, topics.breaches)), asyncio.create_task(news(broker, topics.events))]
    times = []
    survivor = Worker(broker, topics, folder)
    try:
        await served.all_since(wall(), survivor)
        for _ in range(rounds):
            with Worker(broker, topics, folder) as victim:
                await both_serve(victim, survivor)
                await served.all_since(wall(), victim, survivor)
                victim.process.kill()
                killed, began = wall(), time.perf_counter()
                await served.all_since(killed, survivor)
                times.append(time.perf_counter() - began)
                print(f"  served again after {times[-1]:.1f} s", flush=True)
    finally:
        survivor.__exit__()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    figure("kill -9 of one of two workers until all partitions are served", times, "s", TARGET)


async def both_serve(*workers: Worker) -> None:
    """Return when each of them is live on two partitions. Raises RuntimeError."""
    deadline = time.perf_counter() + PATIENCE
    for worker in workers:
        while "partitions 0, 1, 2, 3" in (page := await asyncio.to_thread(readiness, worker)) or not page.startswith("live"):
            if time.perf_counter() > deadline:
                raise RuntimeError(f"the workers do not share the partitions: {page}")
            await asyncio.sleep(0.1)


def readiness(worker: Worker) -> str:
    """Its own report; empty while it has none, or is not ready."""
    try:
        return worker.page("readyz")
    except OSError:
        worker.check()
        return ""


if __name__ == "__main__":
    main()
