"""Deployments in a run: their log in memory, the workers that follow it, and the people who deploy in the middle of faults.

A worker knows all of the log when it starts, as in production, and each later record after its own lag: before the instant
from which the deployment holds, after it, or only when all faults are over or it starts again.
"""

from __future__ import annotations

import tempfile
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from stream.deployments.log import Added, Entry, Log, NothingToUndoError
from stream.deployments.record import FIRST, DeploymentKind, encode_record, new_record
from stream.deployments.snapshot import decode, fingerprint, normal_form
from stream.sla.policy.resolve import PolicySet
from tests.chaos.pace import MINUTE
from tests.chaos.recording import Stored
from tests.chaos.run import policies
from tests.chaos.variants import read, variant
from tests.simulation.nemeses import kill, leader_away, rebalance, stop, trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from stream.observe.metrics.registry import Metrics
    from stream.runtime.partition.task import PartitionTask
    from stream.sla.calendar.calendar import Calendar
    from stream.sla.engine import Engine
    from stream.sla.policy.timeline import Deployments
    from tests.simulation.loop import Loop
    from tests.simulation.nemeses import FaultInjector, Nemesis
    from tests.simulation.process import Process
    from tests.simulation.worker import WorkerProcess

_VARIANTS: Final = 16
"""Sets that can be deployed, in all runs of a process together: reading one takes longer than a run."""


@cache
def _set(number: int, shows: int) -> PolicySet:
    """A set of policies. ``shows``: what the run's clock shows at its beginning."""
    random = Random(number)
    data = variant(random, shows + random.randint(0, 12) * MINUTE)
    with tempfile.TemporaryDirectory() as folder, patch("stream.language.policies.lint"):  # its advice takes long
        policies = read(data, Path(folder) / "policy.yaml")
    CALENDARS[fingerprint(policies)] = data["calendars"]
    return policies


CALENDARS: Final[dict[str, Any]] = {}
"""The calendars of the sets as a file writes them, by fingerprint, for the oracle."""
_calendars: Final[dict[bytes, Calendar]] = {}


@cache
def decoded(snapshot: bytes) -> PolicySet:
    """As ``stream.deployments.snapshot.decode``, but sets share calendars: to work one out takes longer than a run."""
    found = decode(snapshot)
    calendars = {
        name: _calendars.setdefault(normal_form(PolicySet((), {name: calendar})), calendar)
        for name, calendar in found.calendars.items()
    }
    return PolicySet(found.policies, calendars)


class DeploymentLog:
    """The topic of deployments. Its first record is the policies that every run begins with."""

    def __init__(self, loop: Loop, random: Random) -> None:
        """``random`` chooses how long a worker takes to read a record."""
        self.records: list[Stored] = []
        self.log: Final = Log()
        self.followers: list[Follower] = []
        self.random: Final = random
        self._loop: Final = loop
        self._valid: list[Added] = []
        self.append(_first())

    @property
    def deployments(self) -> Deployments:
        """All of them."""
        return self._valid[-1].deployments

    @property
    def last(self) -> Entry:
        return self._valid[-1].entry

    @property
    def end(self) -> int:
        """How many deployments there are."""
        return len(self._valid)

    def at(self, place: int) -> Added:
        """The deployment at a place, with the log up to there."""
        return self._valid[place]

    def append(self, value: bytes) -> None:
        """Raises RuntimeError for bytes that are void."""
        written = int(self._loop.time() * 1_000) * 1_000
        record = Stored("sla-policies", 0, len(self.records), written, None, value, ())
        added = self.log.add(record.offset, record.value, record.written)
        if not isinstance(added, Added):
            raise RuntimeError(added.text)  # noqa: TRY004  it is no wrong type
        self.records.append(record)
        self._valid.append(added)
        for follower in self.followers:
            follower.appended()


@cache
def _first() -> bytes:
    return encode_record(new_record(FIRST, 0, DeploymentKind.DEPLOY, policies()))


class Follower:
    """Keeps the deployments of one worker's engine as ``stream.runtime.deployments`` does, over the log in memory."""

    def __init__(self, log: DeploymentLog, engine: Engine, metrics: Metrics, tasks: dict[int, PartitionTask]) -> None:
        """``engine``: has the whole log, as it is at the start. ``tasks``: those of the worker's partitions, by number."""
        self.known = log.end
        """So many deployments are known."""
        self._log: Final = log
        self._engine: Final = engine
        self._metrics: Final = metrics
        self._tasks: Final = tasks
        self._lag: Final = log.random.choice([0.1, 0.1, 3.0, 12.0, None])
        """Seconds at most until a record is read; ``None``: no more records are read until the faults are over."""
        self._free = 0.0
        """When the record before is read."""
        self.sweep_failpoint: Callable[[], None] | None = None
        """Happens between two units of a sweep."""
        self._waits = 0
        """Up to there is read in the middle of the next unit of work."""
        self._process: Process | None = None
        self._loop: Loop | None = None

    def begin(self, loop: Loop, process: Process) -> None:
        self._loop, self._process = loop, process
        self._log.followers.append(self)

    def appended(self) -> None:
        """There is a record more."""
        if self._lag is not None and self._loop is not None and self._process is not None and self._process.alive:
            self._free = max(self._free, self._loop.time() + self._log.random.random() * self._lag)
            with self._loop.within(self._process):
                self._loop.call_at(self._free, self._wait_for_a_unit, self._log.end)

    def _wait_for_a_unit(self, end: int) -> None:
        if self._loop is not None and self._log.random.random() < 0.5:
            self._waits = end
            self._loop.call_later(2.0, self.read, end)
        else:
            self.read(end)

    def unit(self) -> None:
        """The worker is in the middle of a unit of work: just the moment to read what waits, if the unit yields."""
        if self.sweep_failpoint is not None and self._process is not None and self._between_units_of_a_sweep():
            self._process.fail_after(0, self.sweep_failpoint)
            self.sweep_failpoint = None
        if self._waits > self.known and self._loop is not None:
            self._loop.call_soon(self.read, self._waits)
            self._waits = 0

    def _between_units_of_a_sweep(self) -> bool:
        for task in self._tasks.values():
            sweep = task.shard.sweep
            if sweep is not None and 0 < len(sweep) < len(task.shard.tickets) and not task._working.locked():
                return True
        return False

    def read(self, end: int) -> None:
        """Read up to there."""
        while self.known < end:
            added = self._log.at(self.known)
            self.known += 1
            self._engine.deployments = added.deployments
            self._metrics.deployed(self._engine.policies, added.entry.fingerprint, 0.0)
            for task in self._tasks.values():
                task.deployed()


class Deployer:
    """Whoever deploys in a run. ``random`` chooses what and when."""

    def __init__(self, random: Random, log: DeploymentLog, shows: int) -> None:
        """``shows``: what the run's clock shows at its beginning."""
        self._random: Final = random
        self._log: Final = log
        self._shows: Final = shows

    async def work(self, injector: FaultInjector, ends: float) -> None:
        """Deploy now and then. ``ends``: when the faults end, seconds of the loop."""
        random = self._random
        if random.random() < 0.2:
            return
        for _ in range(random.choice([1, 2, 2, 3, 4])):
            await injector.wait_until(random.random() * ends)
            await random.choice(_WAYS)(self, injector)
            if random.random() < 0.5:
                await random.choice(_MEANWHILE)(injector)

    async def deploy(self, injector: FaultInjector) -> None:
        """From a whole minute on, a few seconds from now. Sometimes a fault strikes just when it begins to hold."""
        at = injector.helpdesk.minute() + self._random.randint(1, 5) * MINUTE
        injector.injected["deployment"] += 1
        self._append(max(at, self._log.last.at), DeploymentKind.DEPLOY, self._any())
        way = self._random.random()
        if way < 0.3:
            await injector.wait_until(self._begins() - 0.1 + self._random.random() * 0.5)
            await self._random.choice(_MEANWHILE)(injector)
        elif way < 0.6:
            await injector.wait_until(self._begins())
            await self._die_in_the_sweep(injector)
        elif way < 0.9:
            await injector.wait_until(self._begins())
            await self._die_behind(injector)

    async def deploy_last(self, injector: FaultInjector) -> None:
        """No sweep comes after the last one, which would mend what a worker that died in it has left undone."""
        if self._random.random() < 0.5:
            return
        at = max(injector.helpdesk.minute() + MINUTE, self._log.last.at)
        injector.injected["deployment"] += 1
        self._append(at, DeploymentKind.DEPLOY, self._any())
        for _ in range(2):
            for machine in injector.cluster.machines:
                if (worker := machine.worker) is not None:
                    worker.deployments.sweep_failpoint = partial(injector.die, machine, worker)
            await injector.wait_until(self._begins())
            await injector.wait(2)

    async def undo(self, injector: FaultInjector) -> None:
        try:
            undone, before = self._log.log.undone()
        except NothingToUndoError:
            await self.deploy(injector)
            return
        injector.injected["undo"] += 1
        self._append(undone.at, DeploymentKind.UNDO, self._log.log.deployed(before.number))
        await self._die(injector)

    async def deploy_and_undo(self, injector: FaultInjector) -> None:
        await self.deploy(injector)
        await injector.wait(4)
        await self.undo(injector)

    async def rejudge(self, injector: FaultInjector) -> None:
        """From an earlier instant on."""
        earlier = injector.helpdesk.minute() - self._random.randint(0, 12) * MINUTE
        injector.injected["rejudging deployment"] += 1
        self._append(earlier, DeploymentKind.REJUDGE, self._any())
        await self._die(injector)

    async def _die(self, injector: FaultInjector) -> None:
        if self._random.random() < 0.6:
            await self._random.choice([self._die_in_the_sweep, self._die_behind])(injector)

    async def _die_in_the_sweep(self, injector: FaultInjector) -> None:
        """A worker dies in the sweep, which takes several units where few tickets are woken in one."""

        def sweeping() -> list[WorkerProcess]:
            running = injector.cluster.running
            return [worker for worker in running if any(task.shard.sweep is not None for task in worker.tasks.values())]

        if self._random.random() < 0.5:
            for machine in injector.cluster.machines:
                if (worker := machine.worker) is not None:
                    worker.deployments.sweep_failpoint = partial(injector.die, machine, worker)
            return
        await injector.until(lambda: bool(sweeping()), 3, 0.01)
        for worker in sweeping():
            self._die_at_request(
                injector, worker, *self._random.choice([("end", 1), ("end", 2), ("append", 2), ("append", 3), ("append", 4)])
            )

    async def _die_behind(self, injector: FaultInjector) -> None:
        """A worker that does not know the last deployment yet dies when effects are written and the changelog is not."""
        for worker in injector.cluster.running:
            if worker.deployments.known < self._log.end:
                self._die_at_request(injector, worker, "end", self._random.choice([1, 1, 2]))

    def _die_at_request(self, injector: FaultInjector, worker: WorkerProcess, request: str, count: int) -> None:
        """``count``: it does not survive the last of so many of these requests."""
        machine = next(one for one in injector.cluster.machines if one.worker is worker)
        if not worker.process.has_failpoint:
            worker.process.request_failpoint = request, count, partial(injector.die, machine, worker)

    def _begins(self) -> float:
        """When the last deployment begins to hold, seconds of the loop."""
        return (self._log.last.at - self._shows) / MINUTE

    def _any(self) -> PolicySet:
        return _set(self._random.randrange(_VARIANTS), self._shows)

    def _append(self, at: int, kind: DeploymentKind, policies: PolicySet) -> None:
        self._log.append(encode_record(new_record(self._log.log.next_after, at, kind, policies)))


_WAYS: Final[list[Callable[[Deployer, FaultInjector], Awaitable[None]]]] = [
    Deployer.deploy,
    Deployer.deploy,
    Deployer.deploy,
    Deployer.undo,
    Deployer.deploy_and_undo,
    Deployer.rejudge,
]
_STEPS_OF_A_SWEEP: Final = [("end", 1), ("end", 2), ("append", 2), ("append", 3), ("append", 4)]
"""Requests after so many of which a worker dies: between effects and changelog, or between two units of work."""
_MEANWHILE: Final[list[Nemesis]] = [kill, kill, rebalance, stop, leader_away, trouble]
"""What strikes at a sweep."""
