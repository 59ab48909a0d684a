"""A hundred thousand deadlines at one instant: how long until every breach is out, while events go on coming in.

    python benchmarks/storm.py [--deadlines 100000] [--rate 500]

Chats that nobody answered are in the table, all due at the same instant. A breach is out when a consumer that reads committed
records has it; time counts from the instant at which the first could come (the deadline and the setting ``grace``). Meanwhile
new tickets come in at an even pace; each makes effects at once, and how late these are seen, before the storm and in it, shows
whether the deadlines starve the input.
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
from lab import OTHERS, PARTITIONS, PATIENCE, Core, Worker, on_cores, until
from tickets import batoi, fill, key_of, waiting_for_chat, wall

from stream.devkafka.broker import Broker
from stream.runtime.kafka.publisher import Publisher
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.sla.codec import codec
from stream.sla.events import Event
from stream.wire.effect import encode_event

TARGET: Final = 5.0
INPUT_TARGET: Final = 1_000.0
"""Milliseconds."""
GRACE: Final = 0.2
SECOND: Final = 1_000_000
AHEAD: Final = 20
"""Seconds from now to the storm: the worker must be live by then."""


class Watch:
    """What a consumer of the output sees."""

    def __init__(self) -> None:
        self.breaches = 0
        self.last_breach = 0
        """When it was seen, epoch microseconds."""
        self.news: list[tuple[int, int]] = []
        """When a new ticket was opened, and how many microseconds later its start was seen."""

    async def run(self, broker: str, topic: str) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=broker, isolation_level="read_committed", enable_auto_commit=False)
        await consumer.start()
        try:
            tps = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            consumer.assign(tps)
            await consumer.seek_to_end(*tps)
            while True:
                fetched = await consumer.getmany(timeout_ms=1000)
                seen = wall()
                for records in fetched.values():
                    for record in records:
                        kind = dict(record.headers)["ce_type"]
                        if b"breached" in kind:
                            self.breaches, self.last_breach = self.breaches + 1, seen
                        elif b"started" in kind and (opened := opened_at(record.key)):
                            self.news.append((opened, seen - opened))
        finally:
            await consumer.stop()


def opened_at(key: bytes) -> int:
    """When a new ticket was opened: its name has it."""
    name = key.rpartition(b"/")[2]
    return int(name[1:]) if name.startswith(b"n") else 0


async def news(broker: str, topic: str, rate: int) -> None:
    """New tickets at an even pace, until cancelled."""
    fields: Any = {"contract": "priority-support", "sender": "registered", "priority": "p4", "channel": "phone"}
    async with Publisher({"bootstrap_servers": broker}, topic) as publisher:
        began, sent = time.perf_counter(), 0
        while True:
            while sent < (time.perf_counter() - began) * rate:
                at = wall()
                ticket = f"desk/n{at}"
                event = Event(at=at, id=f"{at}", type="ticket.created", source="desk", fields=fields)
                await publisher.event(encode_event(ticket, event), ticket.encode())
                sent += 1
            await asyncio.sleep(0.02)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--deadlines", type=int, default=100_000)
    options.add_argument("--rate", type=int, default=500)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, on_cores(OTHERS), Broker() as broker:
        asyncio.run(measure(broker.bootstrap, Path(folder), chosen))


async def measure(broker: str, folder: Path, chosen: Any) -> None:
    print(machine())
    topics = Topics("bench")
    await create(broker, topics, partitions=PARTITIONS)
    now = wall()
    # Room to put the tickets into the changelog, to read them back, and to watch for some seconds before it begins.
    due = now + AHEAD * SECOND + chosen.deadlines * 300
    state = codec.encode(waiting_for_chat(batoi(), 0, due, now))
    tickets = ((key_of(n), state.replace(b"0000000", b"%07d" % n)) for n in range(1, chosen.deadlines + 1))
    await fill(broker, topics, 0, now, tickets)
    with Worker(broker, topics, folder) as worker:
        await asyncio.to_thread(until, worker.is_live, "the worker is live", 0.2)
        if wall() > due - 3 * SECOND:
            raise RuntimeError("the worker was not ready before the storm: this machine is too slow for so many deadlines")
        watch = Watch()
        tasks = [
            asyncio.create_task(watch.run(broker, topics.breaches)),
            asyncio.create_task(news(broker, topics.events, chosen.rate)),
        ]
        await asyncio.sleep((due - wall()) / SECOND)
        core, cpu, patience = Core(worker), worker.cpu(), time.perf_counter() + PATIENCE
        while watch.breaches < chosen.deadlines and time.perf_counter() < patience:
            worker.check()
            await asyncio.sleep(0.05)
        cpu = worker.cpu() - cpu
        print(core)
        await asyncio.sleep(2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if watch.breaches != chosen.deadlines:
        raise RuntimeError(f"{watch.breaches:,} breaches of {chosen.deadlines:,} were seen")
    report(watch, due, cpu, chosen)


def report(watch: Watch, due: int, cpu: float, chosen: Any) -> None:
    took = (watch.last_breach - due) / SECOND - GRACE
    before = [late / 1e3 for opened, late in watch.news if opened + late < due]
    during = [late / 1e3 for opened, late in watch.news if opened < watch.last_breach and opened + late >= due]
    print(f"{cpu / chosen.deadlines * 1e6:.0f} us of CPU a deadline, the input meanwhile included")
    print(f"{len(before)} effects of new tickets before the storm, {len(during)} in it")
    figure("input before the storm: until its effects are seen", before, "ms")
    figure(f"{chosen.deadlines:,} deadlines at one instant until all are out", [took], "s", TARGET)
    figure(f"input in that storm, {chosen.rate} events/s: until its effects are seen", during, "ms", INPUT_TARGET)


if __name__ == "__main__":
    main()
