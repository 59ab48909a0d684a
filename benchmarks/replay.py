"""A backtest over recorded events: events a second of one core, and of all.

    python benchmarks/replay.py [--tickets 12000] [--rounds 2]

``breachwatch replay`` is run as a user runs it, over a file of lives (benchmarks/lives.py), its output thrown away. What a
start costs, measured with a short file each time, is taken off: it is the same for a file of any length.

On a machine that does other work, events a second mean little. The CPU of each process then shows how far several cores help:
no replay can take less time than its busiest process, or than all of them together divided by the cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from figures import figure, machine
from lab import SITE
from lives import feed
from replay_processes import CPU_FILE

from stream.wire.effect import encode_event

TARGET: Final = 50_000
SHORT: Final = 1_000
"""Events of the short file."""
PROCESSES: Final = Path(__file__).with_name("replay_processes.py")


class Cost(NamedTuple):
    """What a replay takes, in seconds."""

    wall: float
    first: float
    """CPU of the process that reads the file and writes the output."""
    others: list[float]
    """CPU of the processes that it has started."""

    def least(self, cores: int) -> float:
        """The time that it takes at least, on so many cores that do nothing else."""
        return max(self.first, *self.others, (self.first + sum(self.others)) / cores)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--tickets", type=int, default=12_000)
    options.add_argument("--rounds", type=int, default=2)
    chosen = options.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        print(machine())
        short, recorded = Path(folder) / "short.jsonl", Path(folder) / "recorded.jsonl"
        lines = [encode_event(ticket, event) + b"\n" for ticket, event in feed(chosen.tickets)]
        recorded.write_bytes(b"".join(lines))
        short.write_bytes(b"".join(lines[:SHORT]))
        print(f"{len(lines):,} events of {chosen.tickets:,} tickets", flush=True)
        events = len(lines) - SHORT
        alone: list[Cost] = []
        together: list[Cost] = []
        for _ in range(chosen.rounds):
            for jobs, costs in ((1, alone), (cores, together)):
                cost = without_start(replayed(recorded, jobs), replayed(short, jobs))
                costs.append(cost)
                each = ", ".join([f"{1e6 * cpu / events:.1f}" for cpu in (cost.first, *cost.others)])
                print(
                    f"  {jobs} processes: {events / cost.wall:,.0f} events/s; CPU of an event by process: {each} us", flush=True
                )
    figure("backtest, events/s of one core", [events / one.wall for one in alone], "events/s", TARGET, least=True)
    figure(
        f"backtest, events/s of all {cores} cores",
        [events / all_.wall for all_ in together],
        "events/s",
        TARGET * cores,
        least=True,
    )
    both = list(zip(alone, together, strict=True))
    figure(f"backtest, all {cores} cores to one", [one.wall / all_.wall for one, all_ in both], "times")
    figure(f"backtest, all {cores} cores to one by CPU", [one.least(1) / all_.least(cores) for one, all_ in both], "times")
    figure("backtest on one core, CPU of an event", [1e6 * one.first / events for one in alone], "us")
    figure(
        f"backtest on all {cores} cores, CPU of an event in the process that reads",
        [1e6 * all_.first / events for all_ in together],
        "us",
    )
    figure(
        f"backtest on all {cores} cores, CPU of an event in the others together",
        [1e6 * sum(all_.others) / events for all_ in together],
        "us",
    )


def without_start(whole: Cost, start: Cost) -> Cost:
    others = [cpu - less for cpu, less in zip(whole.others, start.others, strict=True)]
    return Cost(whole.wall - start.wall, whole.first - start.first, others)


def replayed(file: Path, jobs: int) -> Cost:
    cpu = file.with_suffix(".cpu")
    cpu.unlink(missing_ok=True)
    environment = os.environ | {CPU_FILE: str(cpu), "PYTHONPATH": str(SITE)}
    command = [sys.executable, str(PROCESSES), "replay", str(file), "--policies", "batoi", "--jobs", str(jobs)]
    began = time.perf_counter()
    subprocess.run(command, cwd=SITE, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    wall = time.perf_counter() - began
    used = [line.split() for line in cpu.read_text("utf-8").splitlines()]
    (first,) = [float(seconds) for started, seconds in used if started == "0"]
    return Cost(wall, first, sorted([float(seconds) for started, seconds in used if started == "1"]))


if __name__ == "__main__":
    main()
