"""The broker and the workers of a run, and the supervisor that starts a worker again whenever it ends, as systemd would."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.devkafka.child_guard import ChildGuard
from stream.runtime.abort import EXIT_STATUS
from tests.chaos.launcher import HANG
from tests.chaos.pace import Pace, WorkerClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.runtime.kafka.topics import Topics

SESSION: Final = 6.0
"""Seconds that a worker may be silent: the least that its settings allow."""
KILLED: Final = (-signal.SIGKILL, 137)
"""How a worker ends that was killed, from outside or at a failpoint."""
ENDED: Final = (0, -signal.SIGTERM)
"""How a worker ends that gets SIGTERM: in order, or at once, when it has only just been started."""
NO_START: Final = 1
"""How a worker ends when Faust cannot start: the broker went away after it had been asked for its topics."""
_FOREVER: Final = 3_600_000_000
_RESTART_AFTER: Final = 0.2
_HERE: Final = Path(__file__).parent


class Exit(NamedTuple):
    """A worker has ended. ``at``: epoch microseconds."""

    at: int
    worker: int
    status: int
    asked: bool
    """Whether it had got SIGTERM."""


class Worker:
    """A place for a worker: its process, if it has one, its clock, its log over all of its lives."""

    def __init__(self, number: int, command: Sequence[str], folder: Path, pace: Pace) -> None:
        self.number: Final = number
        self.log: Final = folder / f"worker-{number}.log"
        clock_file = folder / f"clock-{number}"
        self.clock: Final = WorkerClock.create(clock_file, pace, _FOREVER)
        self.wanted = True
        self.asked = False
        self.failpoint = ""
        """For its next life: where it is to die."""
        self.process: subprocess.Popen[bytes] | None = None
        self._command: Final = [sys.executable, str(_HERE / "launcher.py"), str(clock_file), *command]
        self._guard: ChildGuard | None = None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BREACHWATCH_")}
        environment["PYTHONPATH"] = str(_HERE.parents[1])
        environment["BREACHWATCH_FAILPOINT"] = self.failpoint
        self.failpoint, self.asked = "", False
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=_HERE.parents[1], env=environment)
        self._guard = ChildGuard(self.process)

    def ended(self) -> int | None:
        """Its exit status, once; ``None`` while it runs, or after the status was returned."""
        if self.process is None or (status := self.process.poll()) is None:
            return None
        self.process = None
        if self._guard is not None:
            self._guard.release()
        return status

    def send(self, number: signal.Signals | int) -> bool:
        """Send it a signal. Whether there was anybody to get it."""
        if not self.running or self.process is None:
            return False
        self.asked = self.asked or number == signal.SIGTERM
        self.process.send_signal(number)
        return True

    def hang(self, seconds: float | None) -> bool:
        """Its event loop does nothing for so long; ``None``: ever after."""
        self.clock.set(hang=_FOREVER if seconds is None else int(seconds * 1e6))
        return self.send(HANG)

    def logged(self, text: str) -> bool:
        return self.log.exists() and text in self.log.read_text("utf-8", "replace")


class Cluster:
    """Workers on one broker, restarted when they end while ``supervise`` runs."""

    def __init__(self, bootstrap: str, topics: Topics, folder: Path, pace: Pace, count: int, *flags: str) -> None:
        command = ["worker", "--broker", bootstrap, "--policies", str(_HERE / "policy.yaml"), "--clock", "wall"]
        command += ["--app-id", topics.app_id, "--topic-prefix", topics.prefix, "--metrics-port", "0"]
        command += ["--session-timeout", f"{SESSION:g}s", "--commit-interval", "200ms", *flags]
        # Workers inherit it: until they have a handler, and when they have it no more, the signal must not end them.
        signal.signal(HANG, signal.SIG_IGN)
        self.workers: Final = [Worker(number, command, folder, pace) for number in range(count)]
        self.exits: Final[list[Exit]] = []

    async def supervise(self) -> None:
        """For ever: note who has ended, start who is wanted."""
        while True:
            for worker in self.workers:
                if (status := worker.ended()) is not None:
                    self.exits.append(Exit(time.time_ns() // 1_000, worker.number, status, worker.asked))
                    await asyncio.sleep(_RESTART_AFTER)
                if worker.wanted and worker.process is None:
                    worker.start()
            await asyncio.sleep(0.05)

    async def leave(self, worker: Worker, patience: float) -> int:
        """Have it end in good order; its exit status. AssertionError when it does not end."""
        worker.wanted = False
        worker.send(signal.SIGCONT)
        worker.send(signal.SIGTERM)
        deadline = time.monotonic() + patience
        while worker.process is not None:
            if time.monotonic() > deadline:
                raise AssertionError(f"worker {worker.number} got SIGTERM and did not end within {patience:g} s: {worker.log}")
            await asyncio.sleep(0.05)
        return [one.status for one in self.exits if one.worker == worker.number][-1]

    def kill(self) -> None:
        """End every process, however it is."""
        for worker in self.workers:
            worker.wanted = False
            if worker.running and worker.process is not None:
                worker.process.kill()
                worker.process.wait()
            worker.ended()

    def unexplained(self, *, broker_was_away: bool) -> list[str]:
        """Ends that nothing explains: neither killed, nor by SIGTERM, nor by their own decision to be started anew."""
        explained = {*KILLED, EXIT_STATUS, *([NO_START] if broker_was_away else [])}
        return [
            f"worker {one.worker} ended with {one.status} (its log: {self.workers[one.worker].log})"
            for one in self.exits
            if one.status not in explained and not (one.status in ENDED and one.asked)
        ]
