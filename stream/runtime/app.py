"""The worker's Faust app: one agent passes fetched batches to the partitions, and our store is its table.

Faust manages group membership, assignment, the restoring of the table and the order of a rebalance.
``stream.runtime.partition.commit`` defines when results become durable.

Longer than 250 lines because it overrides one class of Faust.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

import faust
from faust.types import TP
from yarl import URL

from stream.runtime import gc_tuning
from stream.runtime.abort import abort
from stream.runtime.freed_memory import give_back
from stream.runtime.kafka.assignor import Assignor
from stream.runtime.kafka.clients import AiokafkaClients
from stream.runtime.kafka.connection import faust_credentials
from stream.runtime.kafka.consumer import FAUST_LOG
from stream.runtime.kafka.input_records import account_for
from stream.runtime.kafka.topic_watch import TopicWatch
from stream.runtime.kafka.topics import Topics
from stream.runtime.kafka.transport import Transport
from stream.runtime.partition.commit import WorkerContext
from stream.runtime.partition.lifecycle import IllegalTransitionError, State
from stream.runtime.recovery import store
from stream.runtime.recovery.checkpoint import decode_checkpoint
from stream.runtime.recovery.table_recovery import TableManager
from stream.runtime.takeover import Assignment, Restored, close, take_over

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator

    from stream.observe.metrics.registry import Metrics
    from stream.runtime.clock import SystemClock
    from stream.runtime.deployments import DeploymentFollower
    from stream.runtime.partition.shard import Shard
    from stream.runtime.partition.task import PartitionTask
    from stream.runtime.settings import Settings
    from stream.runtime.suspension import SuspensionDetector
    from stream.sla.engine import Engine

log = logging.getLogger(__name__)

TABLE: Final = "tickets"
_STOP_SECONDS: Final = 10


class App(faust.App):  # type: ignore[misc]  # Faust ships no types mypy could follow
    """One worker. ``tasks`` has the tasks of its partitions, by number."""

    logger = FAUST_LOG

    def __init__(
        self, settings: Settings, metrics: Metrics, engine: Engine, clock: SystemClock, suspension_detector: SuspensionDetector
    ) -> None:
        store.register()
        self.settings: Final = settings
        self.topic_names: Final = Topics(settings.app_id, settings.topic_prefix)
        account_for(self.topic_names.events)
        self.metrics: Final = metrics
        self.engine: Final = engine
        self.tasks: Final[dict[int, PartitionTask]] = {}
        self.events_loop: asyncio.AbstractEventLoop | None = None
        """The loop to which partitions, tickets and timers belong; ``None`` before it runs."""
        self.background: list[Callable[[], Coroutine[Any, Any, None]]] = []
        """Coroutines that run beside the partitions until the app stops."""
        self.deployments: DeploymentFollower | None = None
        """``None`` if the engine has a set of policies that never changes."""
        self.topic_watch: Final = TopicWatch(self.topic_names, settings.partitions)
        self._clock = clock
        self._suspension_detector = suspension_detector
        self._taking_over = asyncio.Lock()
        self._rebalance_began: float | None = None
        super().__init__(self.topic_names.group, **_faust_settings(settings))
        self.source: Final = self.topic(
            self.topic_names.events, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )
        self.table: Final = self.Table(TABLE, key_type=bytes, value_type=bytes, partitions=settings.partitions)
        self.table.on_recover(self._take_over)
        self.agent(self.source, name="events")(self._deliver)

    def follow(self, deployments: DeploymentFollower) -> None:
        """Judge by the log of deployments. Only before the start."""
        self.deployments = deployments
        deployments.listeners.append(lambda _: self._deployed())
        self.background.append(deployments.run)

    def _deployed(self) -> None:
        for task in self.tasks.values():
            task.deployed()

    @property
    def store(self) -> store.Store:
        data: store.Store = self.table.data
        return data

    @property
    def address(self) -> str:
        """The URL of this worker's pages that the other workers of the group know."""
        return str(self.conf.canonical_url)

    def advertise(self, url: str) -> None:
        """Set ``address``. Call it before the start, because Faust sends the address when it joins the group."""
        self.conf.canonical_url = url

    def read_up_to(self, partition: int) -> int:
        """The offset up to which the input was processed, as the changelog knows it; 0: nothing was."""
        checkpoint = self.store.checkpoint(partition)
        return 0 if checkpoint is None else decode_checkpoint(checkpoint, partition).input or 0

    def workers(self) -> dict[str, tuple[int, ...]]:
        """The partitions of each worker of the group, by the URL of its pages, from the last assignment."""
        changelog = self.topic_names.changelog
        return {url: tuple(sorted(topics.get(changelog, ()))) for url, topics in self.assignor.tables_metadata().items() if url}

    def shards(self) -> list[Shard]:
        """The shards of the worker's partitions. Any thread may call this."""
        return [task.shard for task in list(self.tasks.values())]

    def catching_up(self) -> Iterator[tuple[TP, int]]:
        """The input partitions that are catching up, with the offset at which they have caught up."""
        return ((shard.source, shard.catch_up_to) for shard in self.shards() if shard.life.state is State.CATCHING_UP)

    def readiness(self) -> tuple[bool, str]:
        """For ``/readyz``: whether this worker processes its partitions, and a line of text."""
        # Before the first rebalance it has no partitions, but that does not mean that it is ready.
        if self.rebalancing or not self.rebalancing_count or not self.started:
            return False, "joining the group or restoring tickets"
        behind = [shard.number for shard in self.shards() if not shard.live]
        if self.topic_watch.problem:
            return False, f"not all events are read: {self.topic_watch.problem}"
        if behind:
            return False, f"catching up on partitions {_listed(behind)}"
        lost = [shard.number for shard in self.shards() if shard.gaps]
        doubts = f"; input was lost, so effects are provisional, on partitions {_listed(lost)}" if lost else ""
        if not self.tasks:
            return True, "live, and a spare: other workers have all partitions"
        return True, f"live on partitions {_listed(self.tasks)}{doubts}"

    async def on_start(self) -> None:
        self.events_loop = asyncio.get_running_loop()
        await super().on_start()
        for run in self.background:
            self.add_future(run())

    async def _deliver(self, stream: Any) -> None:
        async for event in stream.noack().events():
            self.tasks[event.message.partition].offer(event)

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:  # noqa: ARG002  the signature is Faust's
        # Faust would restart the agent after the batch that failed.
        abort("on passing a batch to its partition", exc)

    async def _take_over(self) -> None:
        """Take over new partitions after each rebalance, when the tickets are restored and the input is still paused."""
        try:
            async with self._taking_over:
                # If this was the restoring of an older generation, another rebalance has begun, whose end calls this again.
                if self.tables.recovery._generation_id == (generation := self.consumer_generation_id):
                    owned = frozenset(TP(self.topic_names.events, tp.partition) for tp in self.tables.recovery.active_tps)
                    assignment = Assignment(owned, generation, lambda: generation != self.consumer_generation_id)
                    await take_over(self._context(), Restored(self.store, self.producer), self.tasks, assignment)
                    if not assignment.superseded():
                        gc_tuning.freeze()
                        give_back()
        except Exception as error:  # noqa: BLE001  Faust would ignore it and continue without timers
            if self.should_stop:
                log.info("stopping while taking over partitions")
                return
            abort("on taking partitions over", error)

    def _context(self) -> WorkerContext:
        return WorkerContext(
            settings=self.settings,
            topics=self.topic_names,
            engine=self.engine,
            metrics=self.metrics,
            wall=self._clock.now,
            consumer=self.consumer,
            clients=AiokafkaClients(self.settings),
            suspension_detector=self._suspension_detector,
        )

    async def _hold(self) -> None:
        for task in list(self.tasks.values()):
            try:
                await task.hold()
            except IllegalTransitionError as error:
                abort("on holding partitions", error)

    async def _on_partitions_revoked(self, revoked: set[TP]) -> None:
        # Hold first: no further unit of work begins, and the current one is finished before Faust commits.
        await self._hold()
        await super()._on_partitions_revoked(revoked)

    def on_rebalance_start(self) -> None:
        super().on_rebalance_start()
        # Another rebalance may begin before this one has ended. No events flow until the last one has ended.
        self._rebalance_began = self._rebalance_began or time.monotonic()

    def on_rebalance_end(self) -> None:
        super().on_rebalance_end()
        if self._rebalance_began is not None:
            self.metrics.worker.rebalanced(time.monotonic() - self._rebalance_began)
            self._rebalance_began = None
        log.info("ready: %s, partitions %s", self.topic_names.group, _listed(self.tasks) or "none")

    async def on_stop(self) -> None:
        log.info("stopping: finishing the current units of work")
        try:
            await asyncio.wait_for(self._hold(), _STOP_SECONDS)
        except TimeoutError as error:
            abort(f"on stopping: the broker did not acknowledge within {_STOP_SECONDS} s", error)
        await super().on_stop()
        for number in list(self.tasks):
            await close(self._context(), self.tasks.pop(number))
        log.info("stopped")

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)

    def _create_directories(self) -> None:
        """Do nothing: Faust's folder for tables is not needed, because the table is in memory."""


def _faust_settings(settings: Settings) -> dict[str, Any]:
    session = settings.session_timeout / 1e6
    return {
        "broker": [URL(f"kafka://{address}") for address in settings.broker],
        "broker_credentials": faust_credentials(settings),
        "store": f"{store.SCHEME}://",
        "web_enabled": False,
        "PartitionAssignor": Assignor,
        "TableManager": TableManager,
        "processing_guarantee": "at_least_once",
        "broker_session_timeout": session,
        "broker_heartbeat_interval": session / 4,
        "broker_rebalance_timeout": max(25.0, 3 * session),
        "broker_request_timeout": max(40.0, 4 * session),
        "broker_commit_interval": settings.commit_interval / 1e6,
        "broker_max_poll_records": settings.batch,
        "consumer_max_fetch_size": 4 * 1024 * 1024,
        "consumer_auto_offset_reset": "earliest",
        "producer_linger": 0,
        "producer_max_batch_size": 512 * 1024,
        "producer_compression_type": None,
        "stream_buffer_maxsize": 256,
        "stream_wait_empty": True,
        "table_standby_replicas": 0,
        "topic_disable_leader": True,
        "topic_allow_declare": False,
        "topic_partitions": settings.partitions,
    }


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
