"""Reads the outputs and lets each desk write its tickets.

An effect passes through these steps, so that none is lost or written twice:

1. The record of its ticket takes the effect, and the ticket waits for some seconds for further effects.
2. Its desk writes the ticket (``stream.writeback.desk``).
3. The record is saved in the topic of states.
4. The offset of the effect may be committed.

After a crash behind 1 or 2 the effect is read again; the record of 3 states which effects it has taken and which values were
written. When partitions move to another process, no further ticket is begun, the current one is finished, and 4 follows. The
tickets of a partition wait until the partition is read to its end, so that only their current state is written.

Longer than 250 lines because reading, saving and committing share the four steps.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import (
    CommitFailedError,
    GroupCoordinatorNotAvailableError,
    IllegalStateError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from aiokafka.structs import TopicPartition

from stream.runtime.kafka.topic_admin import admin_client
from stream.wire.effect import decode_effect
from stream.writeback.desk import Desk, Tickets
from stream.writeback.metrics import NO_DESK, UNREADABLE, WritebackMetrics
from stream.writeback.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream.runtime.kafka.topics import Topics
    from stream.writeback.desk import OpenDesk
    from stream.writeback.record import TicketRecord
    from stream.writeback.settings import WritebackSettings
    from stream.writeback.states import States

POLL_MS: Final = 500
_COMMIT_SECONDS: Final = 1.0
_FORGET_SECONDS: Final = 3600.0
_REBALANCE_MS: Final = 90_000
"""More than a request may take that is being answered when partitions are moved."""
_MAX_RECORDS: Final = 2_000
_OPEN_KEPT: Final = 12
"""A record on which something is open is kept so many times as long. No effect states that a breach ended with a merge."""
_SAVED_TOGETHER: Final = 500
_CLIENT: Final = "breachwatch-writeback"
_SUPERSEDED: Final = (CommitFailedError, IllegalStateError, RebalanceInProgressError, UnknownMemberIdError)
"""Another instance has the partitions by now, or is about to."""

log = logging.getLogger(__name__)


class Service(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types mypy could follow
    """One ``writeback`` process."""

    def __init__(
        self,
        settings: WritebackSettings,
        desks: Sequence[OpenDesk],
        states: States,
        metrics: WritebackMetrics,
        *,
        write: bool,
    ) -> None:
        """``write`` ``False``: what would be written is logged, and nothing is committed."""
        self.caught_up = False
        """Every partition is read up to where it ended when it was assigned."""
        self.polled = time.monotonic()
        """The time at which the outputs were last read."""
        self._settings: Final = settings
        self._states: Final = states
        self._metrics: Final = metrics
        self._write: Final = write
        tickets = Tickets(self._record, self._begin, self._end)
        self.desks: Final = [Desk(opened, tickets, metrics, write=write) for opened in desks]
        self._progress: Final = Progress()
        self._live: Final[dict[str, TicketRecord]] = {}
        """Records of the tickets that are not saved as they are."""
        self._behind: Final[dict[TopicPartition, tuple[int, dict[str, float]]]] = {}
        """Partition to where it ended, and the tickets that wait for it with when they were read."""
        self._committed: dict[str, int] = {}
        self._consumer: Any = None
        self._assigned: set[TopicPartition] = set()
        """Partitions whose records may be taken."""
        self._raised: Exception | None = None
        """Why this instance cannot go on with the partitions that it was assigned."""
        metrics.watch(lambda: [desk.status() for desk in self.desks])

    async def run(self, client: Mapping[str, Any], topics: Topics) -> None:
        """Write until cancelled. ``client``: arguments of an aiokafka client.

        Raises ``aiokafka.errors.KafkaError``, NewerReleaseError.
        """
        await self._states.start()
        try:
            # Before it joins: aiokafka only logs what its listeners raise.
            await self._states.load()
            async with (
                AIOKafkaConsumer(
                    **client,
                    client_id=_CLIENT,
                    group_id=topics.writeback_group if self._write else None,
                    isolation_level="read_committed",
                    enable_auto_commit=False,
                    auto_offset_reset="earliest",
                    rebalance_timeout_ms=_REBALANCE_MS,
                    # The partitions of a ticket in both topics go to one instance.
                    partition_assignment_strategy=(RangePartitionAssignor,),
                ) as self._consumer,
                asyncio.TaskGroup() as group,
            ):
                names = (topics.breaches, topics.escalations)
                if self._write:
                    self._consumer.subscribe(names, listener=self)
                else:
                    await self._assign_all(client, topics, names)
                for desk in self.desks:
                    group.create_task(desk.run())
                if self._write:
                    group.create_task(self._forget_old())
                try:
                    await self._read()
                finally:
                    await self.on_partitions_revoked([])
        finally:
            await self._states.stop()

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:  # noqa: ARG002  all of them, always
        """Finish what is being written, and leave the rest to whoever is assigned it."""
        await asyncio.gather(*(desk.hold() for desk in self.desks))
        await self._commit()
        for desk in self.desks:
            desk.waiting.clear()
        for store in (self._assigned, self._progress, self._live, self._behind, self._committed):
            store.clear()

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Read what others have written, and begin.

        1. No record is fetched: the client does not wait for the end of this before it fetches.
        2. What others have written is read.
        3. Where the partitions end now is noted: until there, tickets are not written.
        4. Records are fetched, and desks write.

        The client only logs what its listeners raise, so it is raised by the loop.
        """
        self._consumer.pause(*assigned)  # 1
        try:
            await self._states.load()  # 2
            ends = await self._consumer.end_offsets(assigned) if assigned else {}
        except Exception as error:  # noqa: BLE001  the loop raises it
            self._raised = error
            return
        self._behind.update({tp: (end, {}) for tp, end in ends.items()})  # 3
        self.caught_up = False
        self._assigned.update(assigned)
        self._consumer.resume(*assigned)  # 4
        for desk in self.desks:
            desk.release()
        log.info("partitions %s", ", ".join(sorted(f"{tp.topic} {tp.partition}" for tp in assigned)) or "none")

    async def _assign_all(self, client: Mapping[str, Any], topics: Topics, names: Sequence[str]) -> None:
        """Read from the offsets of the group, without joining it."""
        async with admin_client("", client) as admin:
            try:
                committed = await admin.list_consumer_group_offsets(topics.writeback_group)
            except GroupCoordinatorNotAvailableError:  # the cluster has never had a group
                committed = {}
        tps = [TopicPartition(name, number) for name in names for number in await self._partitions(name)]
        self._consumer.assign(tps)
        for tp in tps:
            if tp in committed and committed[tp].offset >= 0:
                self._consumer.seek(tp, committed[tp].offset)
            else:
                await self._consumer.seek_to_beginning(tp)
        await self.on_partitions_assigned(tps)

    async def _partitions(self, topic: str) -> set[int]:
        while (found := self._consumer.partitions_for_topic(topic)) is None:
            await self._consumer._client.force_metadata_update()
            await self._consumer.topics()
            await asyncio.sleep(0.1)
        return set(found)

    async def _read(self) -> None:
        clock = asyncio.get_running_loop().time
        next_commit = clock()
        while True:
            batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=_MAX_RECORDS)
            self.polled = time.monotonic()
            if self._raised is not None:
                raise self._raised
            for tp, records in batches.items():
                # The partition may have gone to another instance while the records were on their way.
                for record in records if tp in self._assigned else ():
                    self._take(tp, record)
            for tp in [*self._behind]:
                if tp in self._consumer.assignment() and await self._consumer.position(tp) >= self._behind[tp][0]:
                    await self._catch_up(tp)
            if clock() >= next_commit:
                await self._commit()
                next_commit = clock() + _COMMIT_SECONDS

    def _take(self, tp: TopicPartition, record: Any) -> None:
        place, ticket = f"{tp.topic}/{tp.partition}", None
        try:
            effect = decode_effect(record.value or b"")
        except (msgspec.DecodeError, ValueError) as error:
            log.error("offset %d of %s cannot be read: %s", record.offset, place, error)  # noqa: TRY400  it has no more to show
            self._metrics.skipped(UNREADABLE)
        else:
            if self._desk_of(effect.ticket) is None:
                self._metrics.skipped(NO_DESK)
            else:
                ticket = effect.ticket
                state = self._record(ticket)
                state.take(effect, place, record.offset)
                if tp in self._behind:
                    self._states.put(ticket, state)
                else:
                    self._live[ticket] = state
        self._progress.read(ticket, place, record.offset)
        if ticket is not None:
            behind = self._behind.get(tp)
            if behind is None:
                self._schedule(ticket, time.time())
            else:
                behind[1].setdefault(ticket, time.time())

    async def _catch_up(self, tp: TopicPartition) -> None:
        """The partition is read up to where it ended: let its tickets be written."""
        _, tickets = self._behind.pop(tp)
        old = [ticket for ticket in tickets if self._is_history(self._record(ticket))]
        for first in range(0, len(old), _SAVED_TOGETHER):
            some = old[first : first + _SAVED_TOGETHER]
            for ticket in some:
                tickets.pop(ticket)
                self._begin(ticket)
            await asyncio.gather(*(self._end(ticket, True) for ticket in some))
        for ticket, since in tickets.items():
            self._schedule(ticket, since)
        self.caught_up = not self._behind
        if self.caught_up:
            log.info("ready: the outputs are read, and %d tickets are to be written", sum(len(d.waiting) for d in self.desks))

    def _is_history(self, record: TicketRecord) -> bool:
        old = record.at < (time.time() * 1e6) - self._settings.history
        return old and record.over and not record.written

    def _schedule(self, ticket: str, since: float) -> None:
        desk = self._desk_of(ticket)
        if desk is not None:
            desk.add(ticket, asyncio.get_running_loop().time() + self._settings.coalesce / 1e6, since)

    def _desk_of(self, ticket: str) -> Desk | None:
        return next((desk for desk in self.desks if desk.file.id_of(ticket) is not None), None)

    def _record(self, ticket: str) -> TicketRecord:
        found = self._live.get(ticket)
        return self._states.get(ticket) if found is None else found

    def _begin(self, ticket: str) -> None:
        self._live.setdefault(ticket, self._record(ticket))
        self._progress.begin(ticket)

    async def _end(self, ticket: str, done: bool) -> None:
        if done:
            await self._states.save(ticket, self._live[ticket])
        self._progress.end(ticket, done)
        if not self._progress.is_open(ticket):
            self._live.pop(ticket, None)

    async def _commit(self) -> None:
        done = self._progress.done()
        if not self._write or done == self._committed:
            return
        offsets = {}
        for place, offset in done.items():
            topic, _, number = place.rpartition("/")
            offsets[TopicPartition(topic, int(number))] = offset
        try:
            await self._consumer.commit(offsets)
        except _SUPERSEDED as error:
            log.info("not committed, because partitions are assigned anew: %s", error)
        else:
            self._committed = done

    async def _forget_old(self) -> None:
        """Let records of tickets go that rest for long. Only one instance does it: that with the first partition."""
        while True:
            await asyncio.sleep(_FORGET_SECONDS)
            if not any(tp.partition == 0 for tp in self._consumer.assignment()):
                continue
            now = time.time() * 1e6
            for ticket, record in self._states.all():
                before = now - self._settings.keep * (1 if record.over else _OPEN_KEPT)
                if record.at < before and ticket not in self._live:
                    await self._states.forget(ticket)
                await asyncio.sleep(0)
