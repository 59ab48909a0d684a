"""A worker that reports where its CPU went: ``python benchmarks/sampled.py FILE worker ...`` runs ``stream worker ...``.

Every two milliseconds of CPU the stack of the event loop's thread is noted. At the end (SIGTERM) FILE has, one a line,
how often each function was at work itself and how often it was anywhere on the stack. CPU of other threads counts for what
the event loop stood at then, mostly waiting: the split by thread is from the kernel, not this.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stream.cli.main import main

if TYPE_CHECKING:
    from types import FrameType

EVERY: Final = 0.002
_ROOT: Final = f"{Path(__file__).parents[1]}/"


def run(file: Path, arguments: list[str]) -> None:
    itself: Counter[str] = Counter()
    anywhere: Counter[str] = Counter()

    def note(_number: int, frame: FrameType | None) -> None:
        seen = set()
        if frame is not None:
            itself[_name(frame)] += 1
        while frame is not None:
            seen.add(_name(frame))
            frame = frame.f_back
        anywhere.update(seen)

    signal.signal(signal.SIGPROF, note)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    sys.argv = ["stream", *arguments]
    try:
        main()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        file.write_text(json.dumps({"itself": itself, "anywhere": anywhere}), "utf-8")


def _name(frame: FrameType) -> str:
    code = frame.f_code
    path = code.co_filename.removeprefix(_ROOT)
    return f"{path.rpartition('site-packages/')[2]}:{code.co_qualname}"


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
