"""``make simulate``: many seeds on all cores, and the command that repeats each one that fails."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.run import Outcome, simulate


def main() -> int:
    parser = argparse.ArgumentParser(prog="make simulate SEEDS=...", description=__doc__)
    parser.add_argument("seeds", type=_seeds, help="how many, from 0 on, or a range such as 500-999")
    parser.add_argument("--traces", action="store_true", help="print the trace of each seed instead, one a line")
    options = parser.parse_args()
    _quiet()
    if options.traces:
        for seed in options.seeds:
            print(seed, simulate(seed).trace)
        return 0
    return _many(options.seeds)


def repeat(seed: int) -> str:
    """The command that runs a seed again."""
    return f"make simulate SEEDS={seed}-{seed}"


def report(outcome: Outcome) -> str:
    """What is wrong with a run, and how to repeat it."""
    shown = "".join(f"\n    {objection}" for objection in outcome.objections[:10])
    faults = ", ".join(f"{kind} {count}" for kind, count in outcome.injected.items())
    return f"seed {outcome.seed}: {len(outcome.objections)} objections; {faults}{shown}\n    {repeat(outcome.seed)}"


def _many(seeds: range) -> int:
    began, failed = time.monotonic(), 0
    injected, counts = Counter[str](), Counter[str]()
    with ProcessPoolExecutor(initializer=_quiet) as pool:
        for outcome in pool.map(simulate, seeds, chunksize=5):
            injected += outcome.injected
            counts += outcome.counts
            if outcome.objections:
                failed += 1
                print(report(outcome), flush=True)
    seconds = time.monotonic() - began
    print(f"{failed} of {len(seeds)} seeds failed, in {seconds:.0f} s: {60 * len(seeds) / seconds:.0f} seeds a minute")
    for totals in (injected, counts):
        print(", ".join(f"{count} {name}" for name, count in sorted(totals.items())))
    return 1 if failed else 0


def _seeds(text: str) -> range:
    first, dash, last = text.partition("-")
    return range(int(first), int(last) + 1) if dash else range(int(first))


def _quiet() -> None:
    logging.disable(logging.CRITICAL)  # workers that are stopped and killed are what we want


if __name__ == "__main__":
    sys.exit(main())
