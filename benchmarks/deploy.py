"""From the append of a deployment until the last worker judges by it, on two workers, settings as by default.

    python benchmarks/deploy.py [--rounds 7]

New tickets are published to every partition all the time. Each round deploys another target for them. The last worker judges by
it when a consumer that reads committed records has seen, of every partition, the start of a ticket with the new target. Once a
deployment holds from the append on: what is measured is how soon all workers know it. Once it holds five seconds later, as
``breachwatch deploy`` has it: what is measured is what these five seconds do not cover.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
import time
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from failover import both_serve, news
from figures import figure, machine
from lab import OTHERS, PARTITIONS, PATIENCE, Worker, on_cores
from tickets import wall

from stream.deployments.log import Entry
from stream.deployments.proposal import LEAD
from stream.deployments.record import DeploymentKind, new_record
from stream.devkafka.broker import Broker
from stream.language.policies import load, shipped
from stream.runtime.kafka.policy_log import PolicyLog
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.sla.effects import Kind
from stream.wire.effect import decode_effect

DAY: Final = 8 * 3_600_000_000
"""A business day of the Batoi policy, in microseconds."""
TARGET: Final = 5.0
"""Seconds."""


class Probes:
    """By partition: the target of the newest ticket whose start was seen, in microseconds."""

    def __init__(self) -> None:
        self.targets: dict[int, int | None] = dict.fromkeys(range(PARTITIONS))

    async def watch(self, broker: str, topic: str) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=broker, isolation_level="read_committed", enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
            await consumer.seek_to_end()
            while True:
                for tp, records in (await consumer.getmany(timeout_ms=1000)).items():
                    for effect in (decode_effect(record.value) for record in records):
                        if effect.kind is Kind.STARTED and effect.commitment == "first_response":
                            self.targets[tp.partition] = effect.target
        finally:
            await consumer.stop()

    async def all_have(self, target: int, *workers: Worker) -> None:
        """Return when every partition has shown this target. Raises RuntimeError."""
        deadline = time.perf_counter() + PATIENCE
        while set(self.targets.values()) != {target}:
            for worker in workers:
                worker.check()
            if time.perf_counter() > deadline:
                raise RuntimeError(f"not every partition judges by {target}: {self.targets}")
            await asyncio.sleep(0.005)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=7)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, on_cores(OTHERS), Broker() as broker:
        asyncio.run(measure(broker.bootstrap, Path(folder), chosen.rounds))


async def measure(broker: str, folder: Path, rounds: int) -> None:
    print(machine())
    topics, probes = Topics("bench"), Probes()
    await create(broker, topics, partitions=PARTITIONS)
    log = PolicyLog({"bootstrap_servers": broker}, topics)
    tasks = [asyncio.create_task(probes.watch(broker, topics.breaches)), asyncio.create_task(news(broker, topics.events))]
    took: dict[int, list[float]] = {0: [], LEAD: []}
    try:
        with contextlib.ExitStack() as stack:
            workers = [stack.enter_context(Worker(broker, topics, folder)) for _ in range(2)]
            await both_serve(*workers)
            await probes.all_have(5 * DAY, *workers)
            for number in range(2 * rounds):
                days, lead = 6 + number, [0, LEAD][number % 2]
                appended = await deploy(log, folder, days, lead)
                await probes.all_have(days * DAY, *workers)
                took[lead].append((wall() - appended - lead) / 1e6)
                print(f"  lead {lead / 1e6:.0f} s: {took[lead][-1]:.2f} s", flush=True)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    figure("deployment without a lead, from the append until the last of 2 workers judges by it", took[0], "s", TARGET)
    figure(f"deployment with a lead of {LEAD / 1e6:.0f} s, the same, less the lead", took[LEAD], "s")


async def deploy(log: PolicyLog, folder: Path, days: int, lead: int) -> int:
    """The instant of the append, from ``lead`` after which the new target holds; epoch microseconds."""
    file = folder / f"batoi-{days}.yaml"
    file.write_text(shipped("batoi").read_text("utf-8").replace("p2: 5bd", f"p2: {days}bd"), "utf-8")
    policies, after = await asyncio.to_thread(load, [file]), (await log.read()).log.next_after
    now = wall()
    found, _ = await log.deploy(new_record(after, now + lead, DeploymentKind.DEPLOY, policies))
    assert isinstance(found, Entry), "nobody else deploys here"
    return now


if __name__ == "__main__":
    main()
