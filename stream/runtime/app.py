"""Wiring: a Faust app whose one agent hands fetched batches to the partitions, and whose table is our store.

Faust does what it is good at: group membership, assignment, restoring the table, the order of a rebalance. What becomes
durable when is ``stream.runtime.partition.commit``.
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
from stream.runtime.clock import Clock
from stream.runtime.gauges import Gauges
from stream.runtime.kafka.assignor import Assignor
from stream.runtime.kafka.connection import faust_credentials
from stream.runtime.kafka.topics import Topics
from stream.runtime.kafka.transport import FAUST_LOG, Transport
from stream.runtime.partition.commit import WorkerContext
from stream.runtime.partition.task import Partition
from stream.runtime.partition.unit_of_work import expiration
from stream.runtime.recovery import store
from stream.runtime.recovery.changelog import Changelog, Mark
from stream.runtime.recovery.output_recovery import read_back
from stream.runtime.recovery.outputs import fence
from stream.runtime.suspension import SuspensionDetector
from stream.runtime.timers import TimerQueue
from stream.runtime.watchdog import Watchdog
from stream.sla.codec import codec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stream.observe.metrics.open_counts import OpenCommitmentCounts
    from stream.observe.metrics.registry import Metrics
    from stream.runtime.settings import Settings
    from stream.sla.engine import Engine

log = logging.getLogger(__name__)

TABLE: Final = "tickets"
_STOP_SECONDS: Final = 10
_PAUSE_EVERY: Final = 2_000
"""Tickets taken up at a start between two breaths of the event loop."""


class App(faust.App):  # type: ignore[misc]  # Faust ships no types mypy could follow
    """One worker. ``partitions`` are those it owns, by number."""

    logger = FAUST_LOG

    def __init__(self, settings: Settings, metrics: Metrics, engine: Engine) -> None:
        store.register()
        self.settings: Final = settings
        self.topic_names: Final = Topics(settings.app_id, settings.topic_prefix)
        self.metrics: Final = metrics
        self.engine: Final = engine
        self.partitions: dict[int, Partition] = {}
        self.events_loop: asyncio.AbstractEventLoop | None = None
        """The loop to which partitions, tickets and deadlines belong; ``None`` before it runs."""
        self._taking_over = asyncio.Lock()
        session = settings.session_timeout / 1e6
        self._presence = SuspensionDetector(session / 2)
        self._clock = Clock(metrics.clock_stepped)
        rebalance = max(25.0, 3 * session)
        self._watchdog = Watchdog(self, 2 * session, rebalance)
        self._rebalance_began: float | None = None
        metrics.collectors.add("partitions", Gauges(self))
        super().__init__(
            settings.app_id,
            broker=[URL(f"kafka://{address}") for address in settings.broker],
            broker_credentials=faust_credentials(settings),
            store=f"{store.SCHEME}://",
            web_enabled=False,
            PartitionAssignor=Assignor,
            processing_guarantee="at_least_once",
            broker_session_timeout=session,
            broker_heartbeat_interval=session / 4,
            broker_rebalance_timeout=rebalance,
            broker_request_timeout=max(40.0, 4 * session),
            broker_commit_interval=settings.commit_interval / 1e6,
            broker_max_poll_records=settings.batch,
            consumer_max_fetch_size=4 * 1024 * 1024,
            consumer_auto_offset_reset="earliest",
            producer_linger=0,
            producer_max_batch_size=512 * 1024,
            producer_compression_type=None,
            stream_buffer_maxsize=256,
            stream_wait_empty=True,
            table_standby_replicas=0,
            topic_disable_leader=True,
            topic_allow_declare=False,
            topic_partitions=settings.partitions,
        )
        self.source: Final = self.topic(
            self.topic_names.events, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )
        self.table: Final = self.Table(TABLE, key_type=bytes, value_type=bytes, partitions=settings.partitions)
        self.table.on_recover(self._take_over)
        self.agent(self.source, name="events")(self._deliver)

    @property
    def store(self) -> store.Store:
        data: store.Store = self.table.data
        return data

    @property
    def address(self) -> str:
        """Where this worker's pages are, as the other workers of its group are told."""
        return str(self.conf.canonical_url)

    def advertise(self, url: str) -> None:
        """Tell it to the other workers. Only before the start: Faust sends it along when it joins the group."""
        self.conf.canonical_url = url

    def workers(self) -> dict[str, tuple[int, ...]]:
        """The workers of the group, by the addresses of their pages, and their partitions: as the last assignment says."""
        changelog = self.topic_names.changelog
        return {url: tuple(sorted(topics.get(changelog, ()))) for url, topics in self.assignor.tables_metadata().items() if url}

    def catching_up(self) -> Iterator[tuple[TP, int]]:
        """Input partitions that are not live, and the offset up to which they must come."""
        return ((partition.source, partition.catch_up_to) for partition in self.partitions.values() if not partition.live)

    def lag(self, source: TP) -> int | None:
        """Records of an input partition that are published and not committed as processed; ``None``: not known yet."""
        end = self._watchdog.ends.get(source)
        return None if end is None else max(0, end - self.consumer.committed(source))

    def readiness(self) -> tuple[bool, str]:
        """For ``/readyz``: whether this worker does its work, and a line about it."""
        # Before the first rebalance it has no partitions, and would say so, but nobody has told it yet which are its.
        if self.rebalancing or not self.rebalancing_count or not self.started:
            return False, "joining the group or restoring tickets"
        behind = [number for number, partition in self.partitions.items() if not partition.live]
        if behind:
            return False, f"catching up on partitions {_listed(behind)}"
        return True, f"live on partitions {_listed(self.partitions)}"

    async def on_start(self) -> None:
        self.events_loop = asyncio.get_running_loop()
        await super().on_start()
        self.add_future(self._presence.watch())
        self.add_future(self._watchdog.watch())

    async def _deliver(self, stream: Any) -> None:
        async for event in stream.noack().events():
            self.partitions[event.message.partition].offer(event)

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> None:  # noqa: ARG002  the signature is Faust's
        # Faust would start the agent anew, behind the batch it failed on.
        abort("on handing over a batch", exc)

    async def _take_over(self) -> None:
        """After each rebalance, tickets restored and input not yet resumed: make ready what is ours, give up the rest."""
        try:
            async with self._taking_over:
                await self._take_over_one()
        except Exception as error:  # noqa: BLE001  Faust would drop it and go on without deadlines
            if self.should_stop:
                log.info("told to stop while taking partitions over")
                return
            abort("on taking partitions over", error)

    async def _take_over_one(self) -> None:
        generation = self.consumer_generation_id
        if self.tables.recovery._generation_id != generation:
            return  # another rebalance has begun; it ends here as well
        owned = {TP(self.topic_names.events, tp.partition) for tp in self.tables.recovery.active_tps}
        for number, partition in list(self.partitions.items()):
            # Tickets that came anew from the changelog need new deadlines, whoever had the partition in between.
            if partition.source not in owned or self.store.is_renewed(number, partition.tickets):
                await self._give_up(self.partitions.pop(number))
        new = [tp for tp in owned if tp.partition not in self.partitions]
        # In this order: who had a partition before must not be able to say anything that we do not read.
        outputs = await fence(self.settings, [tp.partition for tp in new])
        name = self.topic_names.changelog
        changelogs = {tp: Changelog(self.settings, name, tp.partition, self.producer, self.store) for tp in new}
        marks = {tp.partition: changelogs[tp].found() or Mark() for tp in new}
        await read_back(self.settings, self.topic_names, outputs, marks)
        made_ready = {tp: await self._make_ready(tp.partition) for tp in new}
        ends = await self.consumer.highwaters(*owned) if owned else {}
        context = self._context()
        for number, mark in marks.items():
            marks[number] = Mark(mark.watermark, outputs[number].unknown_from(0))
        await asyncio.gather(*(changelogs[tp].begin(generation, marks[tp.partition]) for tp in new))
        for tp in new:
            number = tp.partition
            tickets = self.store.of(number)
            deadlines, expirations, counts = made_ready[tp]
            self.partitions[number] = Partition(
                context, tp, tickets, deadlines, outputs[number], changelogs[tp], marks[number], expirations, counts
            )
            self.metrics.partition(number, live=False)
        if generation != self.consumer_generation_id:
            for tp in new:
                await self._give_up(self.partitions.pop(tp.partition))
            return
        gc_tuning.freeze()
        for tp in owned:
            self.store.taken_over(tp.partition)
            self.partitions[tp.partition].release(ends[tp])

    async def _make_ready(self, partition: int) -> tuple[TimerQueue, TimerQueue, OpenCommitmentCounts]:
        """When to wake and when to forget which ticket, and the counts of open commitments."""
        deadlines, expirations, counts = TimerQueue(), TimerQueue(), self.metrics.open_commitments.begin(partition)
        tickets = self.store.of(partition)
        for count, key in enumerate(list(tickets)):
            stored = tickets.get(key)
            if stored is None:  # another rebalance has begun, and the changelog forgets it: this one comes to nothing
                continue
            try:
                wake_at, ended, stand = codec.peek(stored)
            except codec.CodecError as error:
                raise RuntimeError(f"ticket {key!r} of partition {partition} cannot be read back") from error
            counts.add(stand)
            deadlines.set(key, wake_at)
            expirations.set(key, expiration(ended, self.settings.retention))
            if count % _PAUSE_EVERY == 0:
                await asyncio.sleep(0)
        return deadlines, expirations, counts

    def _context(self) -> WorkerContext:
        return WorkerContext(
            settings=self.settings,
            topics=self.topic_names,
            engine=self.engine,
            metrics=self.metrics,
            wall=self._clock.now,
            consumer=self.consumer,
            suspension_detector=self._presence,
        )

    async def _give_up(self, partition: Partition) -> None:
        await partition.give_up()
        self.metrics.partition_revoked(partition.number)

    async def _hold(self) -> None:
        for partition in self.partitions.values():
            await partition.hold()

    async def _on_partitions_revoked(self, revoked: set[TP]) -> None:
        # First of all: from here on no turn begins, and the last one is finished before Faust commits.
        await self._hold()
        await super()._on_partitions_revoked(revoked)

    def on_rebalance_start(self) -> None:
        super().on_rebalance_start()
        # Another may begin before this one has ended; nothing flows until the last one has.
        self._rebalance_began = self._rebalance_began or time.monotonic()

    def on_rebalance_end(self) -> None:
        super().on_rebalance_end()
        if self._rebalance_began is not None:
            self.metrics.worker.rebalanced(time.monotonic() - self._rebalance_began)
            self._rebalance_began = None
        log.info("ready: %s, partitions %s", self.settings.app_id, _listed(self.partitions) or "none")

    async def on_stop(self) -> None:
        log.info("stopping: finishing the turns that have begun")
        try:
            await asyncio.wait_for(self._hold(), _STOP_SECONDS)
        except TimeoutError as error:
            abort(f"on stopping: the broker did not acknowledge within {_STOP_SECONDS} s", error)
        await super().on_stop()
        for number in list(self.partitions):
            await self._give_up(self.partitions.pop(number))
        log.info("stopped")

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)

    def _create_directories(self) -> None:
        """Faust's folder for tables on disk is not needed: nothing is on disk."""


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
