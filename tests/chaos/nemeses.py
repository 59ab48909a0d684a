"""What is done to a run, one function a kind of fault. Each decides by the run's own dice, and ends when it has done its worst.

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
    from tests.chaos.outages import Watch


@dataclass
class World:
    """What nemeses may break, and what they note."""

    random: Random
    pace: Pace
    broker: Broker
    disk: Disk
    cluster: Cluster
    helpdesk: Helpdesk
    watch: Watch
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
        self.watch.begin(name)
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


async def kill(world: World) -> None:
    """kill -9, up to three times in a row."""
    for _ in range(world.random.randint(1, 3)):
        if world.victim().send(signal.SIGKILL):
            world.fault("kill -9")
        await world.wait(0.5, 5)


async def die_in_a_unit(world: World) -> None:
    """A worker dies at a step of the commit cycle, some units of work after its start."""
    for worker in world.random.sample(world.cluster.workers, world.random.randint(1, 2)):
        worker.failpoint = f"{world.random.choice(STEPS)}:{world.random.randint(1, 25)}"
        if worker.send(signal.SIGKILL):
            world.fault("death at a step of a unit of work")
        await world.wait(3, 6)


async def pause(world: World) -> None:
    """A process is stopped for longer than its session, and then goes on as if nothing had been."""
    worker = world.victim()
    if worker.send(signal.SIGSTOP):
        world.fault("SIGSTOP")
        await world.wait(SESSION + 2, SESSION + 6)
        world.fault("SIGCONT")
        worker.send(signal.SIGCONT)


async def come_and_go(world: World) -> None:
    """Workers leave in good order and come back, every few seconds."""
    for _ in range(world.random.randint(2, 4)):
        worker = world.random.choice(world.cluster.workers)
        world.fault("leave" if worker.wanted else "join")
        worker.wanted = not worker.wanted
        if not worker.wanted:
            worker.send(signal.SIGTERM)
        await world.wait(1, 4)
    for worker in world.cluster.workers:
        if not worker.wanted:
            world.fault("join")
            worker.wanted = True
            await world.wait(0, 2)


async def kill_broker(world: World) -> None:
    """kill -9 of the broker, in the middle of transactions; it comes back at once."""
    for _ in range(world.random.randint(1, 2)):
        world.fault("broker kill -9")
        await asyncio.to_thread(world.broker.kill)
        await asyncio.to_thread(world.broker.start)
        await world.wait(1, 4)


async def broker_away(world: World) -> None:
    """No broker for half a minute, or nearly: longer than sessions, and than the watchdog has patience."""
    world.fault("broker away")
    await asyncio.to_thread(world.broker.kill if world.random.random() < 0.5 else world.broker.stop)
    await world.wait(15, 30)
    await asyncio.to_thread(world.broker.start)


async def poison(world: World) -> None:
    """Bad records, many at once, between the good ones."""
    count = world.random.randint(20, 80)
    world.fault("poison pill", times=count)
    world.helpdesk.publish_now(broken(world.random, 1_000 + number, world.pace.minute()) for number in range(count))
    await world.wait(0, 1)


async def repeat(world: World) -> None:
    """The newest few hundred records come again, in any order."""
    newest = world.helpdesk.records[-world.random.randint(50, 400) :]
    world.random.shuffle(newest)
    world.fault("shuffled repetition", times=len(newest))
    world.helpdesk.publish_now(newest)
    await world.wait(0, 1)


async def step_clock(world: World) -> None:
    """A worker's clock is set ahead or back, and after a while set right."""
    worker = world.victim()
    by = world.random.choice([-1, 1]) * world.random.randint(2, 25) * MINUTE
    world.fault("clock set ahead" if by > 0 else "clock set back")
    began = time.time_ns() // 1_000
    worker.clock.set(offset=by)
    try:
        await world.wait(1, 6)
    finally:
        worker.clock.set(offset=0)
        world.steps.append(Step(began, time.time_ns() // 1_000, by))


async def fill_disk(world: World) -> None:
    """No room is left for the broker's data. It ends; room is made; it is started again."""
    world.fault("full disk")
    world.disk.fill(world.broker.pid)
    deadline = time.monotonic() + 30
    try:
        while world.broker.alive and time.monotonic() < deadline:
            # A broker that has nothing to write does not notice.
            world.helpdesk.publish_now([broken(world.random, 5_000, world.pace.minute())])
            await asyncio.sleep(0.25)
        if world.broker.alive:
            raise AssertionError("the broker had no room left for 30 s and did not end")
    finally:
        world.disk.free()
    await asyncio.to_thread(world.broker.start)


async def hang(world: World) -> None:
    """The event loop does nothing for longer than the session, while other threads of the process go on."""
    if world.victim().hang(world.random.uniform(SESSION + 1, SESSION + 4)):
        world.fault("event loop blocked")
    await world.wait(2, 8)


async def hang_for_ever(world: World) -> None:
    """The event loop never does anything again. The process has to end by itself."""
    if world.victim().hang(None):
        world.fault("event loop blocked for ever")
    await world.wait(2, 8)


BROKER_FAULTS: Final = {"broker kill -9", "broker away", "full disk"}

Nemesis = Callable[[World], Awaitable[None]]

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
