"""Memory per open ticket: what a worker occupies with many of them, less what it occupies with few.

    python benchmarks/memory.py [--tickets 200000]

Both workers restore their tickets from the changelog (benchmarks/tickets.py) and are read when they are live and at rest. The
difference holds all that a ticket costs: its state, its key, its place among the deadlines, what it adds to the counts of open
commitments by time, and what the allocator loses between them.
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
from tickets import fill, wall

from stream.devkafka.broker import Broker
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics

TARGET: Final = 1_024
FEW: Final = 1_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tickets", type=int, default=200_000)
    chosen = options.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder, on_cores(OTHERS), Broker() as broker:
        few, _ = resident(broker.bootstrap, Path(folder), FEW)
        many, state = resident(broker.bootstrap, Path(folder), chosen.tickets)
    print(f"{few / 1e6:.0f} MB with {FEW:,} tickets, {many / 1e6:.0f} MB with {chosen.tickets:,}")
    figure("state of an open ticket as it is stored", [state], "bytes")
    figure(f"memory per open ticket, of {chosen.tickets:,}", [(many - few) / (chosen.tickets - FEW)], "bytes", TARGET)


def resident(broker: str, folder: Path, tickets: int) -> tuple[int, float]:
    """Bytes that a worker with so many open tickets occupies, and the mean size of a state."""
    topics = Topics(f"bench-{tickets}", f"{tickets}.")
    asyncio.run(create(broker, topics, partitions=PARTITIONS))
    table = asyncio.run(fill(broker, topics, tickets, wall()))
    with Worker(broker, topics, folder) as worker:
        until(worker.is_live, "the worker is live", 0.3)
        time.sleep(3)  # what it needs at its start only is let go by then
        return worker.resident(), table.state_bytes


if __name__ == "__main__":
    main()
