"""From the start of a worker's process to the first event it has processed, with a million open tickets in its table.

    python benchmarks/restart.py [--tickets 1000000] [--rounds 2]

The tickets are in the changelog (benchmarks/tickets.py), some events wait in the input topic, the interpreter is not running.
The first event is processed when a consumer that reads committed records sees the effect it makes. The parts of the way are
from the report of the worker itself (benchmarks/timed.py), in seconds; parts that overlap others are indented.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from figures import figure, machine
from lab import OTHERS, PARTITIONS, Worker, on_cores, produce
from tickets import fill, key_of, wall
from timed import Seen, read

from stream.devkafka.broker import Broker
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.runtime.kafka.transport import Record
from stream.sla.events import Event
from stream.wire.effect import encode_event

if TYPE_CHECKING:
    from stream.sla.policy.conditions import Fields

TARGET: Final = 15.0
TIMED: Final = str(Path(__file__).parent / "timed.py")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tickets", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=2)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, on_cores(OTHERS), Broker() as broker:
        asyncio.run(measure(broker.bootstrap, Path(folder), chosen))


async def measure(broker: str, folder: Path, chosen: Any) -> None:
    print(machine())
    topics = Topics("bench")
    await create(broker, topics, partitions=PARTITIONS)
    began = time.perf_counter()
    table = await fill(broker, topics, chosen.tickets, wall())
    took = time.perf_counter() - began
    print(f"{table.tickets:,} open tickets, a state has {table.state_bytes:.0f} bytes; put there in {took:.0f} s", flush=True)
    times, cpus, pauses = [], [], []
    for number in range(chosen.rounds):
        await publish_news(broker, topics, number)
        with Worker(broker, topics, folder, entry=(TIMED,)) as worker:
            seen = await first_effect(broker, topics, worker)
            times.append(seen - worker.began)
            cpus.append(worker.cpu())
            await asyncio.sleep(3)  # what the collector does once it runs
            log = read(worker.log)
        print(breakdown(log, worker.began, seen), flush=True)
        pauses.append(max((seconds for _, seconds in log.pauses), default=0.0))
    figure(f"restart with {chosen.tickets:,} open tickets to the first processed event", times, "s", TARGET)
    figure("CPU of such a restart", cpus, "s")
    figure("longest pause of the garbage collector in a start", [1e3 * pause for pause in pauses], "ms")


async def publish_news(broker: str, topics: Topics, number: int) -> None:
    """New tickets: each makes an effect."""
    fields: Fields = {"contract": "priority-support", "sender": "registered", "priority": "p2", "channel": "email"}
    records = []
    for one in range(9_000_000 + 400 * number, 9_000_000 + 400 * (number + 1)):
        event = Event(at=wall(), id=f"{one}", type="ticket.created", source="desk", fields=fields)
        records.append(Record(key_of(one), encode_event(key_of(one).decode(), event), []))
    await produce(broker, topics.events, records)


async def first_effect(broker: str, topics: Topics, worker: Worker) -> float:
    """When the first effect that is new was seen, seconds on the monotonic clock."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, isolation_level="read_committed", enable_auto_commit=False)
    await consumer.start()
    try:
        tps = [TopicPartition(topics.breaches, number) for number in range(PARTITIONS)]
        consumer.assign(tps)
        await consumer.seek_to_end(*tps)
        while not await consumer.getmany(timeout_ms=100):
            worker.check()
        return time.perf_counter()
    finally:
        await consumer.stop()


def breakdown(log: Seen, began: float, seen: float) -> str:
    """The parts of the way, in seconds."""
    points = {name: instants[0] for name, instants in log.points.items()}
    last = {name: instants[-1] for name, instants in log.points.items()}
    rows = [
        ("interpreter and imports", points["imported"] - began),
        ("settings, policies, topics checked", points["started began"] - points["imported"]),
        ("clients, joining the group", points["assigned ended"] - points["started began"]),
        ("restoring: reading the changelog", last["restore ended"] - points["assigned ended"]),
        ("    in it: putting records into the store", spent(log, "restore")),
        ("    in it: until its first record", points["restore began"] - points["assigned ended"]),
        ("from the last record to taking over", points["taking over began"] - last["restore ended"]),
        ("taking over", points["taking over ended"] - points["taking over began"]),
        ("    in it: fencing", spent(log, "fence")),
        ("    in it: the ledger", spent(log, "read_back")),
        ("    in it: states read, deadlines made", spent(log, "deadlines")),
        ("    in it: settling the collector", spent(log, "settle")),
        ("to the first effect that is seen", seen - points["taking over ended"]),
    ]
    return "\n".join(f"  {name:46}{seconds:7.2f}" for name, seconds in rows)


def spent(log: Seen, point: str) -> float:
    """Seconds between all beginnings and ends of a point."""
    began, ended = log.points.get(f"{point} began", []), log.points.get(f"{point} ended", [])
    return sum(ended) - sum(began[: len(ended)])


if __name__ == "__main__":
    main()
