"""Signals to a worker that waits for its broker: it does not run yet, and ends in good order."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stream.devkafka.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A worker without a broker, and its log."""
    log = tmp_path / "worker.log"
    command = [sys.executable, "-m", "stream", "worker", "--broker", f"127.0.0.1:{free_port()}", "--policies", "starter"]
    command += ["--metrics-port", "0"]
    with log.open("wb") as output:
        worker = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=ROOT)
    try:
        logged(log, "no answer from the Kafka broker")
        yield worker, log
    finally:
        worker.kill()
        worker.wait()


def logged(log: Path, text: str) -> None:
    until = time.monotonic() + 90
    while text not in log.read_text("utf-8"):
        assert time.monotonic() < until, log.read_text("utf-8")
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_status_0_and_a_line(waiting: tuple[subprocess.Popen[bytes], Path], number: signal.Signals) -> None:
    worker, log = waiting

    worker.send_signal(number)

    assert worker.wait(90) == 0
    lines = log.read_text("utf-8").splitlines()
    assert lines[-1].endswith("stopped before it was ready")
    assert not any("Traceback" in line or "Aborted" in line for line in lines)


def test_a_hangup_without_a_terminal_is_logged_and_changes_nothing(waiting: tuple[subprocess.Popen[bytes], Path]) -> None:
    worker, log = waiting

    worker.send_signal(signal.SIGHUP)

    logged(log, "SIGHUP changes nothing: put policies in force with `breachwatch deploy`")
    assert worker.poll() is None
