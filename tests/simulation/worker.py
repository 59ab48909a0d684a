"""One process of a worker: what ``stream.runtime.app`` and Faust do around the code under test, in their order.

A rebalance begins: hold every partition, commit what is finished, join. It ends: forget the tickets of partitions that went,
read the changelog to where it ends, take over (``stream.runtime.takeover``), set the positions of the input, go on.
Another one may begin at any moment of this; then the take-over under way finds that it is superseded.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from aiokafka.errors import KafkaError, RebalanceInProgressError, RequestTimedOutError
from faust.types import TP

from stream.observe.metrics.registry import Metrics
from stream.runtime.clock import SystemClock
from stream.runtime.partition.commit import WorkerContext
from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, epoch_of
from stream.runtime.recovery.store import SCHEME, Store
from stream.runtime.suspension import SuspensionDetector
from stream.runtime.takeover import Assignment, Restored, close, take_over
from stream.sla.engine import Engine
from stream.sla.settling import Lateness
from tests.simulation.clients import SimulatedClients
from tests.simulation.consumer import Consumer, Membership
from tests.simulation.deployments import Follower
from tests.simulation.network import GroupLink
from tests.simulation.process import EndedError, Process
from tests.simulation.producers import PlainProducer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random

    from stream.runtime.kafka.topics import Topics
    from stream.runtime.partition.task import PartitionTask
    from stream.runtime.settings import Settings
    from tests.chaos.pace import Pace
    from tests.simulation.brokers import Brokers
    from tests.simulation.clock import WorkerClock
    from tests.simulation.coordinators import Group, Joined
    from tests.simulation.deployments import DeploymentLog
    from tests.simulation.log import Partition
    from tests.simulation.loop import Loop


class Simulation(NamedTuple):
    """What all workers of a run share."""

    loop: Loop
    random: Random
    brokers: Brokers
    group: Group
    settings: Settings
    topics: Topics
    deployments: DeploymentLog
    pace: Pace
    busy: float
    """How much of the time a worker is busy: the share of its readings of the clock before which some has passed."""


class WorkerProcess:
    """From its start to its end. ``ended`` is called with what it was doing and what went wrong."""

    def __init__(
        self, simulation: Simulation, name: str, clock: WorkerClock, ended: Callable[[str, BaseException | None], None]
    ) -> None:
        loop, brokers, settings = simulation.loop, simulation.brokers, simulation.settings
        self.process: Final = Process(name)
        self.link: Final = GroupLink(brokers.network)
        self.tasks: Final[dict[int, PartitionTask]] = {}
        self._simulation: Final = simulation
        self._ended: Final = ended
        self._member = name
        self._joins = 0
        self._generation = -1
        self._owned: frozenset[int] = frozenset()
        self._moving = True
        """A rebalance is under way."""
        self._rejoin = asyncio.Event()
        self._stopping = False
        self._taking_over = asyncio.Lock()
        self._busy = 0.0
        self._consumer: Final = Consumer(brokers, simulation.group, self.link, simulation.random, settings.batch)
        self._store: Final = empty_store(simulation.topics.changelog)
        self._producer: Final = PlainProducer(brokers)
        self._clients: Final = SimulatedClients(brokers, 20)
        self._detector: Final = SuspensionDetector(settings.session_timeout / 1e6 / 2, loop.time)
        lateness = Lateness(settings.late_after, settings.settling)
        engine = Engine(simulation.deployments.deployments, history=settings.history, lateness=lateness)
        metrics = Metrics(engine.policies)
        self.deployments: Final = Follower(simulation.deployments, engine, metrics, self.tasks)
        consumer: Any = self._consumer
        self.context: Final = WorkerContext(
            settings=settings,
            topics=simulation.topics,
            engine=engine,
            metrics=metrics,
            wall=SystemClock(metrics.clock_stepped, clock.wall, clock.passing).now,
            consumer=consumer,
            clients=self._clients,
            suspension_detector=self._detector,
            passing=self._passing,
            abort=self._abort,
        )
        self._spawn(self._run)
        self.deployments.begin(loop, self.process)

    def _spawn(self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        """What it raises ends the process, as in production."""
        self._simulation.loop.spawn(self.process, self._guarded(work, *args))

    def leave(self) -> None:
        """As after SIGTERM: finish, commit, leave the group."""
        self._stopping = True
        self._rejoin.set()

    def wake(self) -> None:
        """Let every partition look for work."""
        for task in self.tasks.values():
            task._stir.set()

    async def _guarded(self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        try:
            await work(*args)
        except Exception as error:  # noqa: BLE001  the run reports it
            self._abort("beside its partitions", error)

    def _abort(self, doing: str, error: BaseException) -> NoReturn:
        self._end(doing, error)
        raise EndedError

    def _end(self, doing: str, error: BaseException | None) -> None:
        if self.process.alive:
            self._simulation.loop.kill(self.process)
            self._ended(doing, error)

    def _passing(self) -> float:
        """Work takes time, now more, now less."""
        self.deployments.unit()
        chance = self._simulation.random.random()
        if chance < self._simulation.busy:
            self._busy += 0.12 if chance < self._simulation.busy / 8 else 0.012
        return self._simulation.loop.time() + self._busy

    async def _run(self) -> None:
        await self._producer.start()
        self._spawn(self._detector.watch)
        self._spawn(self._heartbeats)
        self._spawn(self._commits)
        while not self._stopping:
            self._rejoin.clear()
            self._assigned(await self._join())
            self._spawn(self._recover, self._generation)
            await self._rejoin.wait()
            # First of all: no unit of work begins any more, and the last one is finished before the commit.
            self._moving = True
            await self._hold()
            await self._consumer.commit()
            self._consumer.forget()
        member, now = self._member, self._simulation.loop.time
        with suppress(RequestTimedOutError):  # the group notices
            await self.link.ask("group", lambda: self._simulation.group.leave(member, now()))
        for number in list(self.tasks):
            await close(self.context, self.tasks.pop(number))
        self._end("ended in order", None)

    async def _hold(self) -> None:
        for task in list(self.tasks.values()):
            await task.hold()

    async def _join(self) -> Joined:
        simulation = self._simulation
        patience = (simulation.settings.session_timeout / 1e6) * 3
        while True:
            joined: Any = asyncio.get_running_loop().create_future()

            def answer(found: Joined, joined: Any = joined) -> None:
                simulation.brokers.network.later(lambda: joined.done() or joined.set_result(found))

            member = self._member
            try:
                await self.link.ask("group", lambda: simulation.group.join(member, simulation.loop.time(), answer))  # noqa: B023
                async with asyncio.timeout(patience):
                    found: Joined = await joined
            except (RequestTimedOutError, TimeoutError):
                continue
            return found

    def _assigned(self, joined: Joined) -> None:
        topics = self._simulation.topics
        before, self._owned = self._owned, joined.partitions
        gone = {TP(topic, number) for number in before - self._owned for topic in (topics.events, topics.changelog)}
        self._generation = joined.generation
        self._consumer.membership = Membership(self._member, joined.generation)
        self._forget(gone)
        self._moving = False

    def _forget(self, gone: set[TP]) -> None:
        forgetting = self._store.on_rebalance(set(), gone, set(), self._generation)
        try:
            forgetting.send(None)
        except StopIteration:
            return
        raise AssertionError("the store awaits something while it forgets partitions")

    async def _recover(self, generation: int) -> None:
        """Read the changelog, take over, go on with the input."""

        def current() -> bool:
            return self._generation == generation and not self._moving

        changelog = self._simulation.topics.changelog
        owned = sorted(self._owned)
        tps = [TP(changelog, number) for number in owned]
        reader = self._clients.reader("restore")
        ends = await reader.end_offsets(tps)
        reader.assign(tps)
        for tp in tps:
            restored = self._store.persisted_offset(tp)
            reader.seek(tp, 0 if restored is None else restored + 1)
        left = [tp for tp in tps if await reader.position(tp) < ends[tp]]
        while left:
            found = await reader.getmany(*left, timeout_ms=20)
            if not current():
                return
            for tp, records in found.items():
                self._store.restore(tp.partition, records)
            left = [tp for tp in left if await reader.position(tp) < ends[tp]]
        if self._generation != generation:
            return
        for number in owned:
            checkpoint, written = self._store.checkpoint(number), self._simulation.brokers.log.of(changelog, number)
            if checkpoint is not None and checkpoint not in checkpoints_of_owners(written):
                raise AssertionError(f"partition {number} has a checkpoint of an owner that had been replaced")
        events = frozenset(TP(self._simulation.topics.events, number) for number in owned)
        await self._take_over(generation, events)
        if not current():
            return
        await self._consumer.seek(events)
        if not current():
            return
        for tp in sorted(events):
            self._spawn(self._consumer.feed, tp, self.tasks[tp.partition], current)

    async def _take_over(self, generation: int, owned: frozenset[TP]) -> None:
        async with self._taking_over:
            if self._generation != generation:
                return
            assignment = Assignment(owned, generation, lambda: generation != self._generation)
            producer: Any = self._producer
            try:
                await take_over(self.context, Restored(self._store, producer), self.tasks, assignment)
            except Exception as error:  # noqa: BLE001  as in stream.runtime.app
                self._abort("on taking partitions over", error)

    async def _heartbeats(self) -> None:
        simulation = self._simulation
        while True:
            await asyncio.sleep(simulation.settings.session_timeout / 1e6 / 4)
            if self._moving or self._rejoin.is_set():
                continue
            membership = self._consumer.membership
            try:
                await self.link.ask("group", lambda: simulation.group.heartbeat(*membership, simulation.loop.time()))  # noqa: B023
            except RequestTimedOutError:
                continue
            except RebalanceInProgressError:
                self._must_rejoin(membership)
            except KafkaError:
                # The group does not know this member any more: it comes back as a new one.
                if self._consumer.membership == membership:
                    self._joins += 1
                    self._member = f"{self.process.name}.{self._joins}"
                self._must_rejoin(membership)

    def _must_rejoin(self, membership: Membership) -> None:
        if self._consumer.membership == membership:
            self._rejoin.set()

    async def _commits(self) -> None:
        while True:
            await asyncio.sleep(self._simulation.settings.commit_interval / 1e6)
            if not self._moving:
                await self._consumer.commit()


def checkpoints_of_owners(partition: Partition) -> set[bytes | None]:
    """Those in a changelog that no owner wrote who had been replaced."""
    found, newest = set(), 0
    for entry in partition.entries:
        if entry is not None:
            epoch = epoch_of(entry)
            newest = max(newest, epoch)
            if entry.key == CHECKPOINT_KEY and epoch == newest:
                found.add(entry.value)
    return found


def empty_store(changelog: str) -> Store:
    """The store of a worker that starts. ``changelog``: the topic."""
    app: Any = None
    table: Any = SimpleNamespace(
        name="tickets",
        changelog_topic_name=changelog,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )
    return Store(f"{SCHEME}://", app, table)
