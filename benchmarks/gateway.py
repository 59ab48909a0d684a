"""Answers of the gateway in a second and how long they take, with a real Kafka broker; also with one of two instances killed.

    python benchmarks/gateway.py [SECONDS]

The gateways have the first core; the broker and the sender share the others.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from figures import figure, machine
from gateway_load import Gateway, percentile, send
from lab import OTHERS, PARTITIONS, on_cores

from stream.devkafka.broker import Broker
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
CONNECTIONS = 32


async def one_instance(gateway: Gateway) -> None:
    await send([gateway.port], 2, CONNECTIONS)  # warm
    cpu = gateway.cpu()
    answers = await send([gateway.port], SECONDS, CONNECTIONS)
    accepted = [answer for answer in answers if answer.status == 200]
    used = gateway.cpu() - cpu
    figure("answers of one gateway, 32 connections", [len(accepted) / SECONDS], "/s")
    for share in (0.5, 0.99):
        figure(f"time to an answer, p{share * 100:.0f}", [percentile([a.seconds for a in accepted], share) * 1e3], "ms")
    figure("CPU of an answer", [used / len(accepted) * 1e6], "µs")
    alone = await send([gateway.port], 3, 1)
    figure("time to an answer, one connection, p50", [percentile([a.seconds for a in alone], 0.5) * 1e3], "ms")


async def one_of_two_killed(one: Gateway, other: Gateway) -> None:
    async def kill() -> None:
        await asyncio.sleep(SECONDS / 2)
        one.process.kill()

    killing = asyncio.create_task(kill())
    answers = await send([one.port, other.port], SECONDS, CONNECTIONS)
    await killing
    lost = sum(answer.status != 200 for answer in answers)
    figure("answers of two gateways, one killed halfway", [(len(answers) - lost) / SECONDS], "/s")
    figure("time to an answer with repetitions, p99", [percentile([a.seconds for a in answers], 0.99) * 1e3], "ms")
    figure("time to an answer with repetitions, longest", [max(a.seconds for a in answers) * 1e3], "ms")
    figure("requests that were repeated", [sum(answer.attempts > 1 for answer in answers)], "")
    figure("requests that were never accepted", [lost], "")


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as name, on_cores(OTHERS), Broker() as broker:
        folder, topics = Path(name), Topics("bench", prefix=f"bench{time.time_ns()}.")
        asyncio.run(create(broker.bootstrap, topics, partitions=PARTITIONS))
        with Gateway(broker.bootstrap, topics, folder) as gateway:
            gateway.ready()
            asyncio.run(one_instance(gateway))
        with Gateway(broker.bootstrap, topics, folder) as one, Gateway(broker.bootstrap, topics, folder) as other:
            one.ready()
            other.ready()
            asyncio.run(one_of_two_killed(one, other))


if __name__ == "__main__":
    main()
