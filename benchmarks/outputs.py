"""What it costs that the effects of a unit of work are one transaction: milliseconds and CPU of its outputs, with and without.

    python benchmarks/outputs.py [--units 60]

With: ``stream.runtime.recovery.outputs``, as a worker writes. Without: the same records by an idempotent producer,
acknowledged by all
replicas. Units of work alternate between the two, so both meet the same broker at the same time.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaProducer
from figures import figure, machine
from lab import OTHERS, PARTITIONS, WORKERS, on_cores

from stream.devkafka.broker import Broker
from stream.runtime.kafka.clients import AiokafkaClients
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.runtime.kafka.transport import Record, submit
from stream.runtime.recovery.outputs import fence
from stream.runtime.settings_sources import load
from stream.wire.effect import decode_effect, encode_effect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SIZES: Final = (1, 100, 2_000)
EXAMPLE: Final = Path(__file__).parents[1] / "schemas/examples/sla-effect/valid/commitment.breached.json"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--units", type=int, default=60)
    units = options.parse_args().units
    print(machine())
    with on_cores(OTHERS):
        broker = Broker()
        broker.start()
    try:
        with on_cores(WORKERS):
            asyncio.run(measure(broker.bootstrap, units))
    finally:
        broker.__exit__(None, None, None)


async def measure(broker: str, units: int) -> None:
    topics = Topics("bench")
    await create(broker, topics, partitions=PARTITIONS)
    settings = load({"policies": "batoi", "broker": broker, "app_id": topics.app_id}, {})
    effect = decode_effect(EXAMPLE.read_bytes())
    headers = [("ce_id", effect.id.encode()), ("ce_type", effect.kind.encode()), ("ce_source", b"/breachwatch/bench")]
    record = Record(effect.ticket.encode(), encode_effect(effect), headers)
    outputs = (await fence(AiokafkaClients(settings), topics, [0]))[0]
    producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True, acks="all", max_batch_size=512 * 1024)
    await producer.start()

    async def without(records: list[Record]) -> None:
        for delivery, _ in await submit(producer, topics.breaches, 0, records):
            await delivery

    async def together(records: list[Record]) -> None:
        await outputs.write({topics.breaches: records})

    try:
        for size in SIZES:
            records = [record] * size
            for write in (without, together):
                await timed(write, records)  # the first of a kind connects
            pairs = [(await timed(without, records), await timed(together, records)) for _ in range(units)]
            report(size, pairs)
    finally:
        await producer.stop()
        await outputs.close()


async def timed(write: Callable[[list[Record]], Awaitable[None]], records: list[Record]) -> tuple[float, float]:
    """Milliseconds, and milliseconds of CPU."""
    began, cpu = time.perf_counter(), time.process_time()
    await write(records)
    return 1e3 * (time.perf_counter() - began), 1e3 * (time.process_time() - cpu)


def report(size: int, pairs: list[tuple[tuple[float, float], tuple[float, float]]]) -> None:
    figure(f"{size} effects of a unit of work without a transaction", [plain[0] for plain, _ in pairs], "ms")
    figure(f"{size} effects of a unit of work in a transaction", [all_[0] for _, all_ in pairs], "ms")
    extra = median(all_[1] for _, all_ in pairs) - median(plain[1] for plain, _ in pairs)
    figure(f"a transaction of {size} effects, its CPU to that without", [all_[1] / plain[1] for plain, all_ in pairs], "times")
    print(
        f"  the transaction itself costs {extra:.1f} ms of CPU a unit, {1e3 * extra / size:.1f} us an effect",
        flush=True,
    )


if __name__ == "__main__":
    main()
