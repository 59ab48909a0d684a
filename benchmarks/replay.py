"""A backtest over recorded events: events a second of one core, and of all.

    python benchmarks/replay.py [--tickets 12000] [--rounds 2]

``breachwatch replay`` is run as a user runs it, over a file of lives (benchmarks/lives.py), its output thrown away. What a
start costs, measured with a short file each time, is taken off: it is the same for a file of any length.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from figures import figure, machine
from lab import SITE
from lives import feed

from stream.wire.effect import encode_event

TARGET: Final = 50_000


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
        short.write_bytes(b"".join(lines[:1_000]))
        print(f"{len(lines):,} events of {chosen.tickets:,} tickets", flush=True)
        alone: list[float] = []
        together: list[float] = []
        for _ in range(chosen.rounds):
            for jobs, rates in ((1, alone), (cores, together)):
                seconds, cpu = replayed(recorded, jobs)
                less, less_cpu = replayed(short, jobs)
                rates.append((len(lines) - 1_000) / (seconds - less))
                each = (cpu - less_cpu) / (len(lines) - 1_000) * 1e6
                print(f"  {jobs} processes: {rates[-1]:,.0f} events/s, {each:.1f} us of CPU an event", flush=True)
    figure("backtest, events/s of one core", alone, "events/s", TARGET, least=True)
    figure(f"backtest, events/s of all {cores} cores", together, "events/s", TARGET * cores, least=True)
    both = zip(together, alone, strict=True)
    figure(f"backtest, all {cores} cores to one", [all_ / one for all_, one in both], "times")


def replayed(file: Path, jobs: int) -> tuple[float, float]:
    """Seconds, and seconds of CPU of all processes."""
    before, began = os.times(), time.perf_counter()
    command = [sys.executable, "-m", "stream", "replay", str(file), "--policies", "batoi", "--jobs", str(jobs)]
    subprocess.run(command, cwd=SITE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    took, after = time.perf_counter() - began, os.times()
    return took, after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    main()
