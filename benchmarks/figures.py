"""How every benchmark reports what it found: the figure, its target, their ratio, the spread, and the machine it ran on."""

from __future__ import annotations

import json
import os
import platform
import sysconfig
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ORDINARY: Final = 30.0
"""Nanoseconds that one pass of the gauge takes on an ordinary machine."""
COLLECT: Final = "BREACHWATCH_FIGURES"
"""Variable with the file to which figures are appended, a JSON object a line; ``benchmarks/run.py`` makes a page of them."""


def gauge(passes: int = 100_000, rounds: int = 5) -> float:
    """Nanoseconds of one pass of a bare loop that adds: how fast this machine is just now."""
    best = float("inf")
    for _ in range(rounds):
        total, began = 0, time.perf_counter()
        for number in range(passes):
            total += number
        best = min(best, (time.perf_counter() - began) / passes * 1e9)
    return best


def build() -> str:
    """What of breachwatch is measured."""
    from stream.sla import engine

    return "compiled" if engine.__file__.endswith(".so") else "plain"


def interpreter() -> str:
    """Whether Python itself was built with profile-guided optimization, which saves a fifth of the time of an event."""
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS"))
    return "built with optimizations" if "--enable-optimizations" in arguments else "built without optimizations"


def machine() -> str:
    """A line about the machine."""
    python = f"{platform.python_implementation()} {platform.python_version()}, {interpreter()}"
    loop = f"a bare loop: {gauge():.0f} ns a pass ({ORDINARY:.0f} is usual)"
    busy = f"{os.getloadavg()[0]:.1f} processes busy within the last minute"
    return f"{os.cpu_count()} cores, {platform.machine()}, {python}, hot path {build()}; {loop}; {busy}"


def figure(what: str, values: Sequence[float], unit: str, target: float | None = None, *, least: bool = False) -> None:
    """Print a figure: the median of the rounds, their spread, the target and the ratio of the median to it.

    ``least``: the target is to be reached at least; otherwise it is not to be exceeded.
    """
    low, middle, high = min(values), median(values), max(values)
    text = f"{what}: {short(middle)} {unit} (min {short(low)}, max {short(high)}, {len(values)} rounds)"
    if target is not None:
        reached = middle >= target if least else middle <= target
        word = "at least" if least else "at most"
        text += f"; target {word} {short(target)}, ratio {middle / target:.2f}, {'reached' if reached else 'MISSED'}"
    print(text, flush=True)
    if file := os.environ.get(COLLECT):
        row = {"what": what, "unit": unit, "target": target, "least": least, "min": low, "median": middle, "max": high}
        with Path(file).open("a", encoding="utf-8") as rows:
            rows.write(json.dumps(row | {"build": build(), "rounds": len(values), "loop": gauge()}) + "\n")


def short(value: float) -> str:
    """A number with as many digits as mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
