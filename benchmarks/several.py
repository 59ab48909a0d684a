"""One, two and four workers on the two cores of this machine, on one input: events a second of all, and CPU an event.

    python benchmarks/several.py [--tickets 4000] [--rounds 1] [--workers 1 2 4]

The workers have joined before the input is published. The cores are theirs and the broker's together, so another worker adds
what the broker and the others leave. On a machine with other work, CPU an event means more than events a second.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final

from figures import machine
from lab import PARTITIONS, Sample, Worker, committed, produce, until
from lives import feed

from stream.devkafka.broker import Broker
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.runtime.kafka.transport import Record
from stream.wire.effect import encode_event

_CORES: Final = os.sched_getaffinity(0)
_STEADY: Final = (0.15, 0.9)


def run(broker: str, folder: Path, records: list[Record], count: int) -> tuple[float, float]:
    """Events a second of all workers, and microseconds of CPU an event."""
    topics = Topics("several", f"n{time.monotonic_ns()}.")
    asyncio.run(create(broker, topics, partitions=PARTITIONS))
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(broker, topics, folder, "--commit-interval", "200ms")) for _ in range(count)]
        for worker in workers:
            os.sched_setaffinity(worker.process.pid, _CORES)
        until(lambda: all(worker.is_live() for worker in workers), "all are live")
        until(lambda: sum(worker.total("sla_partitions_live") for worker in workers) == PARTITIONS, "all have their partitions")
        samples = asyncio.run(_samples(broker, topics, workers, records))
    steady = [sample for sample in samples if _STEADY[0] <= sample.done / len(records) <= _STEADY[1]]
    first, last = steady[0], steady[-1]
    done = last.done - first.done
    return done / (last.at - first.at), (last.cpu - first.cpu) / done * 1e6


async def _samples(broker: str, topics: Topics, workers: list[Worker], records: list[Record]) -> list[Sample]:
    samples: list[Sample] = []
    async with committed(broker, topics.group, topics.events) as committed_records:
        filling = asyncio.create_task(produce(broker, topics.events, records))
        while not samples or samples[-1].done < len(records):
            for worker in workers:
                worker.check()
            samples.append(Sample(time.perf_counter(), sum(worker.cpu() for worker in workers), await committed_records()))
            await asyncio.sleep(0.05)
        await filling
    return samples


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tickets", type=int, default=4_000)
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    chosen = options.parse_args()
    records = [Record(ticket.encode(), encode_event(ticket, event), []) for ticket, event in feed(chosen.tickets)]
    print(f"{machine()}\n{len(records):,} events, {PARTITIONS} partitions", flush=True)
    found: dict[int, list[tuple[float, float]]] = {count: [] for count in chosen.workers}
    with Broker() as broker, tempfile.TemporaryDirectory() as folder:
        for _ in range(chosen.rounds):
            for count, runs in found.items():
                runs.append(run(broker.bootstrap, Path(folder), records, count))
    for count, runs in found.items():
        events, cpu = (median(one[column] for one in runs) for column in (0, 1))
        print(f"{count} workers: {events:,.0f} events/s, {cpu:.1f} us of CPU an event")


if __name__ == "__main__":
    main()
