"""SIGTERM to a program that prepares its work: it ends with status 0, whatever the work does with its cancellation."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, logging, os, signal, time
from stream.runtime import signals

async def ends():
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(60)

async def goes_on():
    os.kill(os.getpid(), signal.SIGTERM)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        return 7

async def hangs():
    while True:
        await goes_on()

async def blocks():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)

logging.basicConfig(level="INFO", format="%(message)s")
signals.PATIENCE = 0.2
with signals.handled_signals():
    print(signals.run_until_signal({work}()))
"""
CLOSED = "stopped before it was ready"
AT_ONCE = f"{CLOSED}, and at once: it had not ended after 0.2 s"


@pytest.mark.parametrize(
    ("work", "line"),
    [("ends", CLOSED), ("goes_on", CLOSED), ("hangs", AT_ONCE), ("blocks", AT_ONCE)],
)
def test_it_ends_with_status_0_and_a_line(work: str, line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(work=work)], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{line}\n")
