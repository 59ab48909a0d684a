"""The faults of a run, one function a kind. Each decides by the run's random numbers, and ends when its fault is over.

None waits until the workers have recovered: the next fault may well hit them before that.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from stream.runtime.failpoint import STEPS
from stream.wire.effect import encode_tick
from tests.chaos.cluster import SESSION, Cluster, Worker
from tests.chaos.deploying import deploy
from tests.chaos.pace import MINUTE, Pace
from tests.chaos.recording import Step
from tests.chaos.workload import PARTITIONS, Planned, broken

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from stream.devkafka.broker import Broker
    from stream.runtime.kafka.policy_log import PolicyLog
    from tests.chaos.disk import Disk
    from tests.chaos.helpdesk import Helpdesk
    from tests.chaos.outages import OutageMonitor


@dataclass
class ChaosRun:
    """What nemeses may use of a run, and what they note."""

    random: Random
    pace: Pace
    broker: Broker
    disk: Disk
    cluster: Cluster
    helpdesk: Helpdesk
    outage_monitor: OutageMonitor
    policy_log: PolicyLog
    folder: Path
    """Of the run."""
    variants: int = 0
    """How many sets of policies were made to be deployed."""
    calendars: dict[str, Any] = field(default_factory=dict)
    """Their calendars as the files have them, by fingerprint."""
    injected: Counter[str] = field(default_factory=Counter)
    steps: list[Step] = field(default_factory=list)

    def fault(self, kind: str, *, times: int = 1) -> str:
        """A fault begins; its name. From here on it is measured how long its partitions are not served."""
        self.injected[kind] += times
        name = f"{kind} {self.injected[kind]}"
        self.outage_monitor.begin(name)
        # Something that is to be processed after the fault, in each partition.
        tick = encode_tick("desk", self.pace.minute())
        self.helpdesk.publish_now(Planned(0, number, None, tick) for number in range(PARTITIONS))
        return name

    def victim(self) -> Worker:
        """A worker that runs, or any if none does."""
        running = [worker for worker in self.cluster.workers if worker.running]
        return self.random.choice(running or self.cluster.workers)

    async def wait(self, least: float, most: float) -> None:
        await asyncio.sleep(self.random.uniform(least, most))


async def kill(run: ChaosRun) -> None:
    """kill -9, up to three times in a row."""
    for _ in range(run.random.randint(1, 3)):
        if run.victim().send(signal.SIGKILL):
            run.fault("kill -9")
        await run.wait(0.5, 5)


async def die_in_a_unit(run: ChaosRun) -> None:
    """A worker dies at a step of the commit cycle, some units of work after its start."""
    for worker in run.random.sample(run.cluster.workers, run.random.randint(1, 2)):
        worker.failpoint = f"{run.random.choice(STEPS)}:{run.random.randint(1, 25)}"
        if worker.send(signal.SIGKILL):
            run.fault("death at a step of a unit of work")
        await run.wait(3, 6)


async def pause(run: ChaosRun) -> None:
    """A process is stopped for longer than its session, and then goes on as if nothing had been."""
    worker = run.victim()
    if worker.send(signal.SIGSTOP):
        run.fault("SIGSTOP")
        await run.wait(SESSION + 2, SESSION + 6)
        run.fault("SIGCONT")
        worker.send(signal.SIGCONT)


async def come_and_go(run: ChaosRun) -> None:
    """Workers leave in good order and come back, every few seconds."""
    for _ in range(run.random.randint(2, 4)):
        worker = run.random.choice(run.cluster.workers)
        run.fault("leave" if worker.wanted else "join")
        worker.wanted = not worker.wanted
        if not worker.wanted:
            worker.send(signal.SIGTERM)
        await run.wait(1, 4)
    for worker in run.cluster.workers:
        if not worker.wanted:
            run.fault("join")
            worker.wanted = True
            await run.wait(0, 2)


async def kill_broker(run: ChaosRun) -> None:
    """kill -9 of the broker, in the middle of transactions; it comes back at once."""
    for _ in range(run.random.randint(1, 2)):
        run.fault("broker kill -9")
        await asyncio.to_thread(run.broker.kill)
        await asyncio.to_thread(run.broker.start)
        await run.wait(1, 4)


async def broker_away(run: ChaosRun) -> None:
    """No broker for half a minute, or nearly: longer than sessions, and than the watchdog has patience."""
    run.fault("broker away")
    await asyncio.to_thread(run.broker.kill if run.random.random() < 0.5 else run.broker.stop)
    await run.wait(15, 30)
    await asyncio.to_thread(run.broker.start)


async def poison(run: ChaosRun) -> None:
    """Bad records, many at once, between the good ones."""
    count = run.random.randint(20, 80)
    run.fault("poison pill", times=count)
    run.helpdesk.publish_now(broken(run.random, 1_000 + number, run.pace.minute()) for number in range(count))
    await run.wait(0, 1)


async def repeat(run: ChaosRun) -> None:
    """The newest few hundred records come again, in any order."""
    newest = run.helpdesk.records[-run.random.randint(50, 400) :]
    run.random.shuffle(newest)
    run.fault("shuffled repetition", times=len(newest))
    run.helpdesk.publish_now(newest)
    await run.wait(0, 1)


async def step_clock(run: ChaosRun) -> None:
    """A worker's clock is set ahead or back, and after a while set right."""
    worker = run.victim()
    by = run.random.choice([-1, 1]) * run.random.randint(2, 25) * MINUTE
    run.fault("clock set ahead" if by > 0 else "clock set back")
    began = time.time_ns() // 1_000
    worker.clock.set(offset=by)
    try:
        await run.wait(1, 6)
    finally:
        worker.clock.set(offset=0)
        run.steps.append(Step(began, time.time_ns() // 1_000, by))


async def fill_disk(run: ChaosRun) -> None:
    """No room is left for the broker's data. It ends; room is made; it is started again."""
    run.fault("full disk")
    run.disk.fill(run.broker.pid)
    deadline = time.monotonic() + 30
    try:
        while run.broker.alive and time.monotonic() < deadline:
            # A broker that has nothing to write does not notice.
            run.helpdesk.publish_now([broken(run.random, 5_000, run.pace.minute())])
            await asyncio.sleep(0.25)
        if run.broker.alive:
            raise AssertionError("the broker had no room left for 30 s and did not end")
    finally:
        run.disk.free()
    await asyncio.to_thread(run.broker.start)


async def hang(run: ChaosRun) -> None:
    """The event loop does nothing for longer than the session, while other threads of the process go on."""
    if run.victim().hang(run.random.uniform(SESSION + 1, SESSION + 4)):
        run.fault("event loop blocked")
    await run.wait(2, 8)


async def hang_for_ever(run: ChaosRun) -> None:
    """The event loop never does anything again. The process has to end by itself."""
    if run.victim().hang(None):
        run.fault("event loop blocked for ever")
    await run.wait(2, 8)


BROKER_FAULTS: Final = {"broker kill -9", "broker away", "full disk"}

Nemesis = Callable[[ChaosRun], Awaitable[None]]

KINDS: Final[list[Nemesis]] = [
    kill,
    pause,
    kill_broker,
    die_in_a_unit,
    step_clock,
    come_and_go,
    hang,
    broker_away,
    poison,
    fill_disk,
    repeat,
    hang_for_ever,
    deploy,
]
