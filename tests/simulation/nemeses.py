"""What goes wrong in a run. Each nemesis is one kind of fault; a seed chooses which come, when, and upon whom.

Most strike at a *step* of a worker, which is any point at which one of its tasks goes on after an ``await``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.chaos.pace import MINUTE
from tests.chaos.workload import broken
from tests.simulation.network import REQUESTS

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence
    from random import Random

    from tests.simulation.cluster import Cluster, Machine
    from tests.simulation.helpdesk import Helpdesk
    from tests.simulation.worker import WorkerProcess


class FaultInjector:
    """What a nemesis uses to inject its faults. ``random`` chooses for it."""

    def __init__(self, random: Random, cluster: Cluster, helpdesk: Helpdesk, injected: Counter[str]) -> None:
        self.random: Final = random
        self.cluster: Final = cluster
        self.helpdesk: Final = helpdesk
        self.injected: Final = injected
        self.simulation: Final = cluster.simulation

    def machine(self) -> Machine:
        return self.random.choice(self.cluster.machines)

    async def wait(self, most: float) -> None:
        await asyncio.sleep(self.random.random() * most)

    async def wait_until(self, time: float) -> None:
        """``time``: of the loop, seconds."""
        await asyncio.sleep(max(0.0, time - self.simulation.loop.time()))

    async def until(self, true: Callable[[], bool], most: float, every: float = 0.05) -> None:
        """Wait for it, but so many seconds at most. ``every``: how often it is checked."""
        ends = self.simulation.loop.time() + most
        while not true():
            if self.simulation.loop.time() > ends:
                return
            await asyncio.sleep(every)

    @contextmanager
    def without_leader(self, topic: str) -> Iterator[None]:
        """Most partitions of the topic can be neither written nor read in here."""
        away = [one for one in self.simulation.brokers.log.all() if one.topic == topic and self.random.random() < 0.7]
        self.injected["partition without a leader"] += len(away)
        for partition in away:
            partition.lose_leader()
        try:
            yield
        finally:
            for partition in away:
                partition.gain_leader()

    def die(self, machine: Machine, worker: WorkerProcess) -> None:
        if machine.worker is worker:
            self.injected["kill -9"] += 1
            machine.kill()

    async def at_a_step(
        self,
        action: Callable[[Machine, WorkerProcess], None],
        within: int,
        machine: Machine | None = None,
        requests: Sequence[str] = (),
    ) -> None:
        """Do this to a worker at one of its next steps or requests: sometimes upon its start, when it takes over."""
        machine = machine or self.machine()
        for _ in range(200):
            worker = machine.worker
            if worker is not None and worker.process.alive and not worker.process.stopped and not worker.process.has_failpoint:
                self.set_failpoint(worker, within, partial(action, machine, worker), requests)
                return
            await asyncio.sleep(0.05)

    def set_failpoint(
        self, worker: WorkerProcess, within: int, action: Callable[[], None], requests: Sequence[str] = ()
    ) -> None:
        """Do this at one of so many steps, or when a request is served: of these kinds, or of any, the rare ones as often."""
        if not requests and self.random.random() < 0.5:
            worker.process.fail_after(self.random.randint(1, within), action)
        else:
            kind = self.random.choice(requests or REQUESTS)
            worker.process.request_failpoint = kind, self.random.choice([1, 1, 2, 3, 5, 8]), action


async def kill(injector: FaultInjector) -> None:
    """kill -9 at a step, sometimes again soon after the restart."""
    for _ in range(injector.random.choice([1, 1, 2, 3])):
        await injector.at_a_step(injector.die, injector.random.choice([15, 60, 250, 600]))
        await injector.wait(2)


async def stop(injector: FaultInjector) -> None:
    """A worker does nothing for a while, and then goes on as if nothing had been: often when another one has replaced it.

    Sometimes it goes on in the middle of the take-over, and sometimes its successor dies soon after: then a third owner finds
    what both have written.
    """
    random, group = injector.random, injector.simulation.group
    suspended: list[tuple[Machine, WorkerProcess]] = []

    def suspend(machine: Machine, worker: WorkerProcess) -> None:
        injector.injected["stop"] += 1
        injector.simulation.loop.stop_process(worker.process)
        suspended.append((machine, worker))

    in_a_transaction = random.random() < 0.3
    await injector.at_a_step(suspend, random.choice([15, 60, 250]), requests=("add", "append") if in_a_transaction else ())
    await injector.until(lambda: bool(suspended), 2)
    if not suspended:
        return
    machine, worker = suspended[0]
    others = [one for one in injector.cluster.machines if one is not machine]
    if others and random.random() < 0.6:
        generation, successor = group.generation, random.choice(others).worker
        if not in_a_transaction:
            await injector.until(lambda: group.generation > generation, 15)
        if successor is not None and not successor.process.has_failpoint:
            # Nobody reads what workers have written but who takes over.
            requests = ("read",) if in_a_transaction else ()
            injector.set_failpoint(successor, 120, partial(_meet, injector, worker, successor), requests)
        await injector.until(lambda: not worker.process.stopped, 15 if in_a_transaction else 2)
    else:
        await asyncio.sleep(random.choice([0.5, 2.0, 4.0, 7.0, 9.0, 12.0]) * (0.8 + random.random() * 0.4))
    injector.simulation.loop.go_on(worker.process)
    if others and random.random() < 0.5:
        await injector.at_a_step(injector.die, random.choice([60, 250]), random.choice(others))


def _meet(injector: FaultInjector, worker: WorkerProcess, successor: WorkerProcess) -> None:
    """The one that was replaced goes on, and its successor waits for a moment, wherever it is."""
    loop = injector.simulation.loop
    loop.go_on(worker.process)
    loop.stop_process(successor.process)
    with loop.within(loop.environment):
        loop.call_later(injector.random.random() ** 2, loop.go_on, successor.process)


async def cut(injector: FaultInjector) -> None:
    """The group takes a worker for dead that goes on reading and writing."""
    worker = injector.machine().worker
    if worker is not None:
        injector.injected["cut from the group"] += 1
        worker.link.cut = True
        if injector.random.random() < 0.5:
            await poison(injector)  # what is refused now comes again: none of it is committed
        await injector.wait(18)
        worker.link.cut = False


async def trouble(injector: FaultInjector) -> None:
    """Requests and answers are lost or late."""
    network = injector.simulation.brokers.network
    injector.injected["lost and late messages"] += 1
    network.trouble = injector.random.choice([0.01, 0.05, 0.2])
    await injector.wait(5)
    network.trouble = 0.0


async def leader_away(injector: FaultInjector) -> None:
    """Partitions of one topic have no leader for a while, and what lies between two steps of a unit of work takes seconds."""
    topics = injector.simulation.topics
    topic = injector.random.choice([topics.changelog, topics.changelog, *(spec.name for spec in topics.specs())])
    with injector.without_leader(topic):
        await injector.wait(1)
        for _ in range(injector.random.randint(0, 2)):
            await injector.at_a_step(injector.die, injector.random.choice([15, 60]))
        await injector.wait(6)


async def slowness(injector: FaultInjector) -> None:
    """Some answers take far longer than others, so that they come in another order."""
    network = injector.simulation.brokers.network
    injector.injected["slow messages"] += 1
    network.slow = injector.random.choice([0.05, 0.3])
    await injector.wait(6)
    network.slow = 0.0


async def rebalance(injector: FaultInjector) -> None:
    """The group divides the partitions anew, up to five times in a row; sometimes take-overs last longer than that."""
    topics, slow = injector.simulation.topics, injector.random.random() < 0.5
    with injector.without_leader(injector.random.choice([topics.changelog, topics.breaches])) if slow else nullcontext():
        for _ in range(injector.random.randint(1, 5)):
            injector.injected["rebalance"] += 1
            injector.simulation.group.rebalance(injector.simulation.loop.time())
            await injector.wait(injector.random.choice([0.2, 3.0]))


async def come_and_go(injector: FaultInjector) -> None:
    """A worker leaves in good order and comes back."""
    machine = injector.machine()
    injector.injected["leave"] += 1
    machine.leave()
    await injector.wait(5)
    machine.wanted = True
    machine.start()


async def step_clock(injector: FaultInjector) -> None:
    """The clock of a machine is set ahead or back, and after a while set right."""
    clock = injector.machine().clock
    if clock.is_right:
        injector.injected["clock set"] += 1
        clock.set(injector.random.choice([-1, 1]) * injector.random.randint(2, 25) * MINUTE)
        await injector.wait(6)
        clock.set_right()


async def wake(injector: FaultInjector) -> None:
    """The tasks of a worker's partitions look for work at any moment, though there may be none."""
    worker = injector.machine().worker
    if worker is not None:
        for _ in range(injector.random.randint(1, 10)):
            injector.injected["wake-up"] += 1
            worker.wake()
            await injector.wait(0.1)


async def repeat(injector: FaultInjector) -> None:
    """The newest records come again, in any order."""
    newest = injector.helpdesk.published[-injector.random.randint(5, 40) :]
    injector.random.shuffle(newest)
    injector.injected["shuffled repetition"] += len(newest)
    injector.helpdesk.publish(newest)


async def poison(injector: FaultInjector) -> None:
    """Bad records between the good ones."""
    for _ in range(injector.random.randint(1, 8)):
        injector.injected["poison pill"] += 1
        number = 1_000 + injector.injected["poison pill"]
        injector.helpdesk.publish([broken(injector.random, number, injector.helpdesk.minute())])
        await injector.wait(0.2)


async def rebalance_in_a_batch(injector: FaultInjector) -> None:
    """The group divides the partitions anew when a worker has processed a part of a batch, with bad records in it or not."""
    if injector.random.random() < 0.5:
        await poison(injector)

    def in_a_batch() -> bool:
        return any(task.shard.cursor for worker in injector.cluster.running for task in worker.tasks.values())

    await injector.until(in_a_batch, 2, 0.01)
    injector.injected["rebalance"] += 1
    injector.simulation.group.rebalance(injector.simulation.loop.time())


Nemesis = Callable[[FaultInjector], Awaitable[None]]

KINDS: Final[list[Nemesis]] = [
    kill,
    kill,
    stop,
    cut,
    trouble,
    leader_away,
    leader_away,
    slowness,
    rebalance,
    rebalance_in_a_batch,
    come_and_go,
    step_clock,
    wake,
    repeat,
    poison,
]
