"""``make chaos``: seed after seed until one fails, a line each, and what was done and found in all."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict

from stream.tools.signals import ended_by_signals
from tests.chaos.run import Outcome, play

USUAL_MINUTES = 60
USUAL_FAULTS = 6


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=...", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds; %(default)s")
    parser.add_argument("--seed", type=int, help="the first one; a new one each time otherwise")
    parser.add_argument("--minutes", type=int, default=USUAL_MINUTES, help="of feed, each a second; %(default)s")
    parser.add_argument("--faults", type=int, default=USUAL_FAULTS, help="kinds of faults in a run; %(default)s")
    parser.add_argument("--keep", action="store_true", help="keep the logs of runs in which nothing is wrong, too")
    options = parser.parse_args()
    first = options.seed if options.seed is not None else time.time_ns() // 1_000_000_000 % 1_000_000
    with ended_by_signals():
        return _seeds(range(first, first + options.seeds), options)


def _seeds(seeds: range, options: argparse.Namespace) -> int:
    outcomes = []
    for seed in seeds:
        try:
            outcome = play(seed, minutes=options.minutes, count=options.faults, keep=options.keep)
        except BaseException:
            print(_again(seed, options.minutes, options.faults), flush=True)
            raise
        print(_line(outcome), flush=True)
        outcomes.append(outcome)
        if outcome.objections:
            print("\n".join(f"    {one}" for one in outcome.objections[:20]))
            print(_again(seed, options.minutes, options.faults))
            return 1
    print(_table(outcomes))
    return 0


def _again(seed: int, minutes: int, faults: int) -> str:
    return f'once more: make chaos ARGS="--seeds 1 --seed {seed} --minutes {minutes} --faults {faults}"'


def _line(outcome: Outcome) -> str:
    counts = outcome.counts
    faults = ", ".join(f"{kind} {count}" for kind, count in outcome.injected.items())
    verdict = f"{len(outcome.objections)} objections" if outcome.objections else "sound"
    exits = ", ".join(f"{count} x {name}" for name, count in sorted(counts.items()) if name.startswith("exit"))
    return (
        f"seed {outcome.seed}: {verdict} in {outcome.seconds:.0f} s; {counts['events']} records, {counts['tickets']} tickets, "
        f"{counts['said']} effects, {counts['retracted']} of them retractions, {counts['refused']} refused; {faults}; {exits}"
    )


def _table(outcomes: list[Outcome]) -> str:
    injected, counts, outages = Counter[str](), Counter[str](), defaultdict[str, list[float]](list)
    for outcome in outcomes:
        injected += outcome.injected
        counts += outcome.counts
        for name, seconds in outcome.outages.items():
            outages[name.rpartition(" ")[0]].append(seconds)
    lines = [f"{len(outcomes)} seeds: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))]
    lines.append(f"{'fault':32} {'injected':>8} {'served again after':>20} {'at most':>10}")
    for kind, count in sorted(injected.items()):
        times = sorted(outages[kind])
        median = f"{times[len(times) // 2]:.1f} s" if times else "-"
        most = f"{times[-1]:.1f} s" if times else "-"
        lines.append(f"{kind:32} {count:8} {median:>20} {most:>10}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
