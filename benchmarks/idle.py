"""What a worker costs that has nothing to do: percent of a core, all of its threads together.

python benchmarks/idle.py [--seconds 10]
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Final

from figures import figure, machine
from lab import OTHERS, PARTITIONS, Worker, on_cores, until

from stream.devkafka.broker import Broker
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics

TARGET: Final = 2.0
ROUNDS: Final = 3


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=float, default=10.0)
    seconds = options.parse_args().seconds
    print(machine())
    shares = []
    with tempfile.TemporaryDirectory() as folder, on_cores(OTHERS), Broker() as broker:
        topics = Topics("bench")
        asyncio.run(create(broker.bootstrap, topics, partitions=PARTITIONS))
        with Worker(broker.bootstrap, topics, Path(folder)) as worker:
            until(worker.is_live, "the worker is live", 0.3)
            time.sleep(3)
            for _ in range(ROUNDS):
                cpu, began = worker.cpu(), time.perf_counter()
                time.sleep(seconds)
                shares.append((worker.cpu() - cpu) / (time.perf_counter() - began) * 100)
    figure(f"an idle worker of {PARTITIONS} partitions", shares, "% of a core", TARGET)


if __name__ == "__main__":
    main()
