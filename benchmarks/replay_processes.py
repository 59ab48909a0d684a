"""Runs ``breachwatch`` for ``replay.py``. At its end, each of its processes prints to a file how much CPU it has used.

A process that is started by another one imports this file again.
"""

from __future__ import annotations

import atexit
import os
import time
from multiprocessing import parent_process
from typing import Final

CPU_FILE: Final = "BREACHWATCH_BENCHMARK_CPU"
"""Variable with the file: lines of ``0`` or ``1`` (whether another process of breachwatch has started it) and of seconds."""


def report() -> None:
    with open(os.environ[CPU_FILE], "a", encoding="utf-8") as file:  # noqa: PTH123  an import less in what is measured
        file.write(f"{parent_process() is not None:d} {time.process_time()}\n")


if CPU_FILE in os.environ:
    atexit.register(report)

if __name__ == "__main__":
    from stream.cli.main import main

    main()
