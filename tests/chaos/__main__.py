"""``make chaos``: seed after seed until one fails, a line each, and what was done and found in all."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict

from stream.devkafka.signals import ended_by_signals
from tests.chaos.outages import Outage
from tests.chaos.run import Outcome, play

USUAL_MINUTES = 45


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=...", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds; %(default)s")
    parser.add_argument("--seed", type=int, help="the first one; a new one each time otherwise")
    parser.add_argument("--minutes", type=int, default=USUAL_MINUTES, help="of feed, each a second; %(default)s")
    parser.add_argument("--keep", action="store_true", help="keep the logs of runs in which nothing is wrong, too")
    options = parser.parse_args()
    first = options.seed if options.seed is not None else time.time_ns() // 1_000_000_000 % 1_000_000
    with ended_by_signals():
        return _seeds(range(first, first + options.seeds), options)


def _seeds(seeds: range, options: argparse.Namespace) -> int:
    outcomes: list[Outcome] = []
    try:
        for seed in seeds:
            outcomes.append(play(seed, minutes=options.minutes, keep=options.keep))
            print(_line(outcomes[-1]), flush=True)
            if outcomes[-1].objections:
                print("\n".join(f"    {one}" for one in outcomes[-1].objections[:20]))
                break
    finally:
        # Also when a run could not end, or somebody has had enough.
        print(_table(outcomes))
        if len(outcomes) < len(seeds):
            again = outcomes[-1].seed if outcomes and outcomes[-1].objections else seeds[len(outcomes)]
            print(f'once more: make chaos ARGS="--seeds 1 --seed {again} --minutes {options.minutes}"', flush=True)
    return 1 if any(outcome.objections for outcome in outcomes) else 0


def _line(outcome: Outcome) -> str:
    counts = outcome.counts
    faults = ", ".join(f"{kind} {count}" for kind, count in outcome.injected.items())
    verdict = f"{len(outcome.objections)} objections" if outcome.objections else "sound"
    exits = ", ".join(f"{count} x {name}" for name, count in sorted(counts.items()) if name.startswith("exit"))
    return (
        f"seed {outcome.seed}: {verdict} in {outcome.seconds:.0f} s; {counts['events']} records, {counts['tickets']} tickets, "
        f"{counts['emitted']} effects, {counts['retracted']} of them retractions, {counts['refused']} refused; {faults}; "
        f"{exits}"
    )


def _table(outcomes: list[Outcome]) -> str:
    injected, counts, outages = Counter[str](), Counter[str](), defaultdict[str, list[Outage]](list)
    for outcome in outcomes:
        injected += outcome.injected
        counts += outcome.counts
        for name, outage in outcome.outages.items():
            outages[name.rpartition(" ")[0]].append(outage)
    lines = [f"{len(outcomes)} seeds: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))]
    lines.append(
        "seconds from a fault until all partitions were served again, of those that no other fault fell upon, and of all:"
    )
    lines.append(f"{'fault':30} {'injected':>8} {'alone':>8} {'median':>8} {'longest':>8} {'of all':>8}")
    for kind, count in sorted(injected.items()):
        every = [outage.seconds for outage in outages[kind]]
        alone = sorted(outage.seconds for outage in outages[kind] if outage.alone)
        figures = [alone[len(alone) // 2], alone[-1]] if alone else [None, None]
        shown = "".join("        -" if figure is None else f" {figure:8.1f}" for figure in (*figures, max(every, default=None)))
        lines.append(f"{kind:30} {count:8} {len(alone):8}{shown}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
