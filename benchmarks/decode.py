"""What it costs to decode a ticket event and to encode an effect: microseconds, as the median and spread of many short runs.

    python benchmarks/decode.py [--loops 4000]

Beside each decoding stands the bare parser (orjson into dicts, nothing checked), because machines differ and ratios less so.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from timeit import repeat
from typing import TYPE_CHECKING

import orjson
from figures import machine

from stream.wire.decode import decode
from stream.wire.effect import decode_effect, effect_headers, encode_effect
from stream.wire.incoming import Incoming

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = Path(__file__).parents[1] / "schemas" / "examples"
RUNS = 60


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--loops", type=int, default=4_000, help="calls in a run; %(default)s")
    loops = options.parse_args().loops
    print(f"{machine()}\nmicroseconds: min / median / max of {RUNS} runs")
    for name in ("ticket.created", "ticket.changed", "comment.added"):
        data = json.loads((EXAMPLES / "ticket-event" / "valid" / f"{name}.json").read_text())
        key, value = data["ticket"].encode(), orjson.dumps(data)
        assert isinstance(decode(key, value, now=None), Incoming)
        now = 4_000_000_000_000_000
        whole = measure(f"decode {name} ({len(value)} bytes)", lambda: decode(key, value, now=now), loops)  # noqa: B023  called at once
        bare = measure("    orjson alone", lambda: orjson.loads(value), loops)  # noqa: B023
        print(f"    ratio {whole / bare:.1f}")
    breach = decode_effect((EXAMPLES / "sla-effect" / "valid" / "commitment.breached.json").read_bytes())
    measure("encode_effect", lambda: encode_effect(breach), loops)
    measure("effect_headers", lambda: effect_headers(breach, b"/breachwatch"), loops)


def measure(name: str, work: Callable[[], object], loops: int) -> float:
    runs = sorted(spent / loops * 1e6 for spent in repeat(work, number=loops, repeat=RUNS))
    print(f"{name:45} {runs[0]:6.2f} / {median(runs):6.2f} / {runs[-1]:6.2f}")
    return runs[0]


if __name__ == "__main__":
    main()
