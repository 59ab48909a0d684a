"""All benchmarks, one after the other, and what they found on a page: ``docs/internals/benchmarks.md``.

    python benchmarks/run.py [--quick] [--wheel FILE] [SCRIPT ...]

``--wheel`` takes a wheel whose hot path is compiled (``make wheel``) and measures that, and with some scripts the source too.
``--quick`` takes small sizes, to see that everything runs, and leaves the page as it is; so does naming scripts. Between
its two comments the page is written anew, around them it is written by hand. It takes about twenty minutes; nothing else should
run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from figures import COLLECT, machine, short

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs/internals/benchmarks.md"
BEGIN: Final = "<!-- measured: from here on written by benchmarks/run.py -->\n"
END: Final = "<!-- measured: to here -->\n"
LIMIT: Final = 420
"""Seconds that a script may take."""
SCRIPTS: Final[dict[str, tuple[str, str]]] = {
    "apply": ("", "--tickets 500"),
    "business_time": ("", "--rounds 11"),
    "decode": ("", "--loops 400"),
    "mapping": ("", "--payloads 400"),
    "unit_of_work": ("1500", "500"),
    "cycle": ("", "--events 4000 --rounds 1"),
    "throughput": ("", "--tickets 4000 --rounds 1"),
    "compared": ("", "--events 60000 --rounds 1"),
    "lateness": ("", "--tickets 20000 --rate 1000 --seconds 10"),
    "storm": ("", "--deadlines 5000"),
    "restart": ("", "--tickets 20000 --rounds 1"),
    "failover": ("", "--rounds 1"),
    "deploy": ("", "--rounds 1"),
    "sweep": ("--tickets 1000000", "--tickets 5000 --apart 1000"),
    "memory": ("", "--tickets 20000"),
    "replay": ("", "--tickets 2000 --rounds 1"),
    "idle": ("", "--seconds 2"),
    "outputs": ("", "--units 10"),
    "pages": ("", "--open 50000 --seconds 1"),
    "metrics": ("", "100000"),
}
"""Each benchmark: with what it is run, and with what it is quick."""
SMALLEST: Final[dict[str, str]] = {
    "apply": "--tickets 50",
    "business_time": "--rounds 1",
    "decode": "--loops 10",
    "mapping": "--payloads 20",
    "unit_of_work": "5",
    "cycle": "--events 200 --rounds 1",
    "sweep": "--tickets 200 --apart 20 --states 200 --deadlines 5",
    "replay": "--tickets 150 --rounds 1",
    "pages": "--open 8000 --seconds 0.3",
    "metrics": "500",
}
"""Each benchmark that needs no broker: with what it only shows that it runs (``tests/cli/test_benchmarks.py``)."""
COMPARED: Final = ("apply", "business_time", "unit_of_work", "cycle", "throughput")
"""Measured of the source as well when there is a wheel."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("scripts", nargs="*", metavar="SCRIPT", help=f"some of: {', '.join(SCRIPTS)}")
    options.add_argument("--quick", action="store_true")
    options.add_argument("--wheel", type=Path)
    chosen = options.parse_args()
    if unknown := set(chosen.scripts) - set(SCRIPTS):
        options.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    before = machine()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.jsonl"
        file.touch()
        wanted = chosen.scripts or list(SCRIPTS)
        sites = [(ROOT, wanted)]
        if chosen.wheel:
            with zipfile.ZipFile(chosen.wheel) as content:
                content.extractall(Path(folder) / "site")
            sites = [(Path(folder) / "site", wanted), (ROOT, [name for name in wanted if name in COMPARED])]
        failed = [
            name for site, names in sites for name in names if not run(name, SCRIPTS[name][chosen.quick].split(), site, file)
        ]
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    missing = f"\nNot measured, because it failed: {', '.join(failed)}.\n" if failed else ""
    print(table(rows))
    if not chosen.quick and not chosen.scripts:
        write(f"{datetime.now(UTC):%Y-%m-%d}: {before}.\n\n{table(rows)}{missing}")
        print(f"{PAGE.relative_to(ROOT)} is written")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def run(script: str, arguments: list[str], site: Path, file: Path) -> bool:
    """Whether it ended well. ``site``: where it has breachwatch from."""
    print(f"== {script}", flush=True)
    environment = os.environ | {COLLECT: str(file), "PYTHONPATH": str(site)}
    command = [sys.executable, str(ROOT / f"benchmarks/{script}.py"), *arguments]
    began = time.monotonic()
    try:
        done = subprocess.run(command, env=environment, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        print(f"== {script} took more than {LIMIT} s")
        return False
    print(f"== {script}: {time.monotonic() - began:.0f} s\n", flush=True)
    return done.returncode == 0


def table(rows: list[dict[str, Any]]) -> str:
    """``loop``: nanoseconds of the bare loop when the figure was found, for a shared machine is not the same twice."""
    lines = ["| what | build | loop | target | median | min | max | ratio to the target |", "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        target, ratio = row["target"], ""
        if target is not None:
            reached = row["median"] >= target if row["least"] else row["median"] <= target
            ratio = f"{row['median'] / target:.2f}" + ("" if reached else ", missed")
            target = f"{'at least' if row['least'] else 'at most'} {short(target)}"
        unit = f", {row['unit']}" if row["unit"] else ""
        found = " | ".join(short(row[name]) for name in ("median", "min", "max"))
        lines.append(f"| {row['what']}{unit} | {row['build']} | {row['loop']:.0f} | {target or ''} | {found} | {ratio} |")
    return "\n".join(lines) + "\n"


def write(measured: str) -> None:
    page = PAGE.read_text("utf-8")
    head, _, rest = page.partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{measured}\n{END}{rest.partition(END)[2]}", "utf-8")


if __name__ == "__main__":
    main()
