"""Business time: nanoseconds per add and per measure on twenty years of a working calendar.

    python benchmarks/business_time.py [--rounds 101]

The figure to reach: each under 1,000 ns. The questions are spread over all twenty years, so caches do not help.
"""

from __future__ import annotations

import argparse
import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from figures import figure, machine

from stream.language.calendars import read_calendar

if TYPE_CHECKING:
    from collections.abc import Callable

FIGURE: Final = 1000
QUESTIONS: Final = 2000
HOUR: Final = 3_600_000_000
DATA: Final = {
    "timezone": "America/New_York",
    "week": {"mon-fri": ["09:00-17:00"]},
    "breaks": {"mon-fri": ["12:00-13:00"]},
    "holidays": [{"country": "US"}],
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=101)
    rounds = options.parse_args().rounds

    def fail(path: tuple[str | int, ...], message: str) -> None:
        raise SystemExit(f"{path}: {message}")

    calendar = read_calendar("benchmark", DATA, fail)
    assert calendar is not None
    first, last = (int(datetime(year, 1, 2, tzinfo=UTC).timestamp()) * 1_000_000 for year in (2010, 2029))
    calendar.measure(first, last)
    dice = random.Random(2026)
    instants = [dice.randrange(first, last) for _ in range(QUESTIONS)]
    targets = [dice.choice((1, 4, 8, 16, 40, 120)) * HOUR for _ in instants]
    ends = [calendar.add(instant, target) for instant, target in zip(instants, targets, strict=True)]

    print(machine())
    print(
        f"20 years, {QUESTIONS} questions, {rounds} rounds; CPU of a call, the loop's own {_loop_cost(rounds):.0f} ns included"
    )
    _print("add 1 to 120 h", calendar.add, instants, targets, rounds)
    _print("add backwards", calendar.add, ends, [-target for target in targets], rounds)
    _print("measure such lengths", calendar.measure, instants, ends, rounds)
    _print("measure over years", calendar.measure, instants, instants[1:] + instants[:1], rounds)


def _print(what: str, function: Callable[[int, int], int], one: list[int], other: list[int], rounds: int) -> None:
    times = _times(function, one, other, rounds)
    figure(f"business time, 20 years: {what}", times, "ns", FIGURE)


def _times(function: Callable[[int, int], int], one: list[int], other: list[int], rounds: int) -> list[float]:
    times = []
    for _ in range(rounds):
        start = time.thread_time_ns()
        for a, b in zip(one, other, strict=True):
            function(a, b)
        times.append((time.thread_time_ns() - start) / len(one))
    return times


def _loop_cost(rounds: int) -> float:
    return min(_times(lambda a, _b: a, [0] * QUESTIONS, [0] * QUESTIONS, rounds))


if __name__ == "__main__":
    main()
