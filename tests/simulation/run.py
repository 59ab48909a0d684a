"""One run: a seed's workers, faults and input, and what is wrong with what came of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from unittest.mock import patch

from stream.deployments import log as log_of_deployments
from stream.runtime.kafka.topics import Topics
from stream.runtime.partition import time_slices
from stream.runtime.settings import ClockMode, Settings
from stream.runtime.settings_sources import load
from stream.sla.codec import codec
from stream.sla.effects import Kind
from stream.wire.effect import decode_effect
from tests.chaos.pace import MINUTE, Pace
from tests.chaos.recording import Recording, Stored
from tests.chaos.run import judge
from tests.chaos.workload import CANARY_DUE, PARTITIONS, Planned, canaries, planned, with_erasures
from tests.simulation.brokers import Brokers
from tests.simulation.cluster import Cluster
from tests.simulation.coordinators import Group, Transactions
from tests.simulation.deployments import CALENDARS, Deployer, DeploymentLog, decoded
from tests.simulation.deployments_checker import check_deployments
from tests.simulation.feed import SOURCE, Feed
from tests.simulation.helpdesk import Helpdesk, may_be_published
from tests.simulation.log import Log
from tests.simulation.loop import Loop, StuckError
from tests.simulation.nemeses import KINDS, FaultInjector, Nemesis
from tests.simulation.network import Network
from tests.simulation.worker import Simulation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.log import Entry

SPEED: Final = 60
"""A minute of the feed passes in a second of the loop."""
_SHOWS: Final = 1_798_794_000_000_000
"""What the run's clock shows at its beginning: 2027-01-01 09:00 UTC."""
_PATIENCE: Final = 90.0
"""Seconds of the loop for what is to come true once all faults are over."""
_TOPICS: Final = Topics("simulation")


class Outcome(NamedTuple):
    """What a run came to."""

    seed: int
    objections: list[str]
    injected: Counter[str]
    counts: Counter[str]
    trace: int
    """Of two runs with the same steps in the same order it is the same."""


class Workload(NamedTuple):
    """What is published in a run, in the order of publishing."""

    feed: list[Planned]
    minutes: int


@cache
def settings(clock: ClockMode, history: int, batch: int, commit_interval: str, lateness: tuple[str, str]) -> Settings:
    return load(
        {
            "policies": str(Path(__file__).parents[1] / "chaos" / "policy.yaml"),
            "app_id": _TOPICS.app_id,
            "clock": clock,
            "grace": "12s",
            "max_ahead": "1h",
            "session_timeout": "6s",
            "history": str(history),
            "batch": str(batch),
            "commit_interval": commit_interval,
            "late_after": lateness[0],
            "settling": lateness[1],
            "feed_lag_limit": "1m",
        },
        {},
    )


def workload(random: Random, clock: ClockMode, of_erasures: Random) -> Workload:
    minutes = random.randint(5, 12)
    feed = with_erasures(of_erasures, planned(random, _SHOWS, minutes, 1))
    return Workload([one for one in feed if may_be_published(one, clock)], minutes)


def simulate(seed: int) -> Outcome:
    """The run of this seed, judged."""
    of_deployments = Random(f"deployments of {seed}")
    of_units = Random(f"turns of {seed}")  # another text would give other runs to all seeds
    limits: dict[str, Any] = {
        "MOST_WOKEN": of_units.choice([1, 1, 2, 2_000]),  # the sweep of a few tickets, too, takes several units of work
        "SLICE_SECONDS": of_units.choice([0.0, 0.01, 0.01]),  # and a unit, several slices
        "MOST_OUTPUTS": of_units.choice([1, 4_000, 4_000]),  # and a batch, a unit an effect
    }
    with patch.multiple(time_slices, **limits), patch.object(log_of_deployments, "decode_snapshot", decoded):
        return _simulate(seed, of_deployments)


def _simulate(seed: int, of_deployments: Random) -> Outcome:
    random = Random(seed)
    loop = Loop(Random(random.random()))
    network = Network(loop, Random(random.random()))
    network.stragglers = random.choice([0.0, 0.5])
    log = Log((spec.name for spec in _TOPICS.specs()), PARTITIONS)
    brokers = Brokers(network, log, Transactions(log, network.later), random.choice([2, 5, 100]))
    clock = random.choice([ClockMode.WALL, ClockMode.WALL, ClockMode.WALL, ClockMode.EVENT])
    of_lateness = Random(f"lateness of {seed}")
    of_workers = settings(
        clock,
        random.choice([200, 200, 6, 3]),
        random.choice([3, 20, 500]),
        random.choice(["50ms", "200ms", "1s"]),
        (of_lateness.choice(["20s", "2m", "1d"]), of_lateness.choice(["0s", "1m", "10m"])),
    )
    group = Group(Random(random.random()), PARTITIONS, of_workers.session_timeout / 1e6, 12.0)
    simulation = Simulation(
        loop=loop,
        random=Random(random.random()),
        brokers=brokers,
        group=group,
        settings=of_workers,
        topics=_TOPICS,
        deployments=DeploymentLog(loop, of_deployments),
        pace=Pace(0, _SHOWS, SPEED),
        busy=random.choice([0.0, 0.05, 0.3]),
    )
    deployer = Deployer(of_deployments, simulation.deployments, _SHOWS)
    planned_input = workload(random, clock, Random(f"erasures of {seed}"))
    run = _Run(simulation, random, deployer, Random(f"feed of {seed}"), planned_input)
    counts = Counter[str]()
    try:
        until = loop.run(run.play())
        recording = _recording(run, until)
        objections, counts = judge(recording)
        objections += check_deployments(recording, simulation.deployments.deployments)
    except StuckError as error:
        objections = [str(error)]
    counts["steps"] = loop.steps
    counts.update({f"exit {name}": count for name, count in run.cluster.exits.items()})
    objections += run.cluster.unexplained + loop.errors
    return Outcome(seed, objections, run.injected, counts, hash((loop.trace, log.checksum())))


class _Run:
    def __init__(self, simulation: Simulation, random: Random, deployer: Deployer, of_feed: Random, workload: Workload) -> None:
        self.simulation: Final = simulation
        self._deployer: Final = deployer
        self.injected = Counter[str]()
        self._random: Final = random
        self._workload: Final = workload
        self._kinds: Final[list[Nemesis]] = random.sample(KINDS, random.randint(2, len(KINDS)))
        self.cluster: Final = Cluster(simulation, random.choice([1, 1, 2, 2, 3]))
        self._helpdesk: Final = Helpdesk(simulation)
        self._feed: Final = Feed(self._helpdesk, of_feed, self._workload.feed, self.injected)
        self._watched: Final = of_feed.random() < 0.5

    async def play(self) -> int:
        """The feed and the faults, until everything is processed. The instant up to which all effects must be published."""
        loop = self.simulation.loop
        watching = loop.spawn(loop.environment, self._watch())
        publishing = loop.spawn(loop.environment, self._helpdesk.follow(self._workload.feed))
        reporting = loop.spawn(loop.environment, self._feed.report()) if self._watched else None
        injector = FaultInjector(self._random, self.cluster, self._helpdesk, self.injected)
        ends = self._workload.minutes * MINUTE / SPEED / 1e6
        deploying = loop.spawn(loop.environment, self._deployer.work(injector, ends))
        await asyncio.gather(
            *(loop.spawn(loop.environment, self._inject(injector, ends)) for _ in range(self._random.choice([1, 2, 3])))
        )
        await deploying
        await publishing
        await self._deployer.deploy_last(injector)
        self._heal()
        await self._until(self._processed, "all input is processed and committed")
        await self._until(lambda: self.simulation.deployments.last.at < self._helpdesk.minute(), "the last deployment holds")
        born = self._helpdesk.minute()
        self._helpdesk.publish(canaries(born))
        ticking = loop.spawn(loop.environment, self._helpdesk.tick())
        # A partition wakes its tickets in the order of their instants: when this breach is published, all before it are.
        await self._until(self._canaries_died, "the last breaches are published")
        await self._until(self._swept, "every partition is swept after the last deployment")
        await self._until(self._settled, "all tickets have settled")
        ticking.cancel()
        if reporting is not None:
            self._feed.recover()
            await self._until(self._confirmed, "everything provisional is confirmed")
            reporting.cancel()
        await self._until(self._processed, "all input is committed")
        self.cluster.check_memory()
        for machine in self.cluster.machines:
            machine.leave()
        await self._until(lambda: not self.cluster.running, "all workers have ended")
        watching.cancel()
        return born + CANARY_DUE

    async def _watch(self) -> None:
        """The coordinator of the group notices who is silent."""
        while True:
            self.simulation.group.check_members(self.simulation.loop.time())
            await asyncio.sleep(0.25)

    async def _inject(self, injector: FaultInjector, ends: float) -> None:
        while self.simulation.loop.time() < ends:
            await self._random.choice(self._kinds)(injector)
            await injector.wait(1.5)

    def _heal(self) -> None:
        self.simulation.brokers.network.heal()
        for machine in self.cluster.machines:
            machine.wanted = True
            machine.start()
        for worker in self.cluster.running:
            worker.link.cut = False
            worker.process.clear_failpoints()
            worker.deployments.sweep_failpoint = None
            self.simulation.loop.go_on(worker.process)
            worker.deployments.read(self.simulation.deployments.end)

    async def _until(self, true: Callable[[], bool], what: str) -> None:
        ends = self.simulation.loop.time() + _PATIENCE
        while not true():
            if self.simulation.loop.time() > ends:
                raise StuckError(f"not within {_PATIENCE:g} s after all faults: {what}")
            await asyncio.sleep(0.1)

    def _processed(self) -> bool:
        log, group = self.simulation.brokers.log, self.simulation.group
        return all(group.committed.get(number, 0) == log.of(_TOPICS.events, number).end for number in range(PARTITIONS))

    def _swept(self) -> bool:
        tasks = [task for worker in self.cluster.running for task in worker.tasks.values()]
        number = self.simulation.deployments.last.number
        return {task.shard.number for task in tasks if task.shard.swept == number} == set(range(PARTITIONS))

    def _settled(self) -> bool:
        shards = [task.shard for worker in self.cluster.running for task in worker.tasks.values()]
        settling = [stored for shard in shards for _, stored in shard.tickets.items() if codec.decode(stored).settling]
        return {shard.number for shard in shards} == set(range(PARTITIONS)) and not settling

    def _confirmed(self) -> bool:
        shards = [task.shard for worker in self.cluster.running for task in worker.tasks.values()]
        complete = [shard for shard in shards if shard.feeds.watched and not len(shard.feeds)]
        until = self._helpdesk.minute() - MINUTE
        return {one.number for one in complete if one.feeds.watched[SOURCE].complete >= until} == set(range(PARTITIONS))

    def _canaries_died(self) -> bool:
        emitted = self.simulation.brokers.log.committed(_TOPICS.breaches)
        breached = {one.key for one in emitted if decode_effect(one.value or b"").kind is Kind.BREACHED}
        return sum((key or b"").startswith(b"canary/") for key in breached) == PARTITIONS


def _recording(run: _Run, until: int) -> Recording:
    simulation = run.simulation
    log = simulation.brokers.log
    topics = (_TOPICS.events, _TOPICS.breaches, _TOPICS.escalations, _TOPICS.rejected, _TOPICS.changelog)
    events, breaches, escalations, rejected, changelog = ([_stored(one) for one in log.committed(topic)] for topic in topics)
    return Recording(
        events=events,
        breaches=breaches,
        escalations=escalations,
        rejected=rejected,
        changelog=changelog,
        committed=simulation.group.committed,
        ends={number: log.of(_TOPICS.events, number).end for number in range(PARTITIONS)},
        pace=simulation.pace,
        steps=run.cluster.steps,
        until=until,
        stopped=simulation.pace.at(int(simulation.loop.time() * 1e6)),
        history=simulation.settings.history,
        feed_lag_limit=simulation.settings.feed_lag_limit,
        deployments=tuple(simulation.deployments.records),
        calendars=CALENDARS,
    )


def _stored(entry: Entry) -> Stored:
    headers: Any = entry.headers
    return Stored(entry.topic, entry.partition, entry.offset, entry.timestamp * 1_000, entry.key, entry.value, headers)
