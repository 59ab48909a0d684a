"""Faust's Kafka consumer, changed so that it delivers whole batches and commits only finished ones.

The agent gets one event for each fetched batch of a partition. The value of the event is a ``Batch``. A message that is only
acknowledged is not committed; ``Consumer.finish`` determines the offset. During the restoration of a partition, the changelog
records of a fetch go to the store at once. ``docs/internals/adr/0001-consumer.md`` has the reasons, and
``tests/unit/runtime/kafka/test_transport.py`` tests the internals of Faust and aiokafka on which this relies.

Longer than 250 lines because it overrides one class of Faust.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from stream.runtime.kafka.positions import Batch, Positions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping

    from faust.types import Message

_BATCHES_AHEAD: Final = 8
"""The most batches that wait for processing. More would cost memory and delay a rebalance."""
_FETCH_WAIT_MS: Final = 250
"""The longest delay of an empty fetch by the broker. Faust's 1500 would delay every start and rebalance as much."""
_POLL_SECONDS: Final = 0.25


FAUST_LOG: Final = logging.getLogger("faust.breachwatch")
"""The logger of our subclasses of Faust's services. By default, they would log each start and stop under our name."""


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust ships no types mypy could follow
    """The thread for requests to the broker, with a shorter wait for fetches."""

    logger = FAUST_LOG

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MS
        return consumer

    async def commit_or_raise(self, offsets: Mapping[TP, int]) -> None:
        """Commit, and raise the broker's error. Faust's ``commit`` would log the error and continue."""
        positions = {driver.ensure_aiokafka_TP(tp): offset for tp, offset in offsets.items()}
        await self.call_thread(self._ensure_consumer().commit, positions)

    async def heartbeat(self, generation: int) -> bool:
        """Whether the coordinator answered a heartbeat, and knows this member in that generation, 1 or more.

        aiokafka sends the generation that it has then. While it joins the group again that is none, or already the next one,
        of which Faust learns only after the assignment. Nothing is asked then: the answer would be about another generation,
        and a refusal would let aiokafka forget the member that it has become.
        """
        coordinator = self._ensure_consumer()._coordinator

        async def ask() -> Any:
            return 0 < generation == coordinator.generation and await coordinator._do_heartbeat()

        accepted: bool = await self.call_thread(ask)
        return accepted

    def reached(self, tp: TP) -> int | None:
        """The offset after all fetched records, including the markers of transactions. ``None`` if it is not known yet."""
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None or tp not in assignment.tps:
            return None
        state = assignment.state_value(tp)
        position: int | None = state.position if state is not None and state.has_valid_position else None
        return position


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Delivers batches, and commits the offsets of finished batches."""

    logger = FAUST_LOG

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._positioned = False
        """Whether input positions are those of this assignment. Until then a fetch of input would be lost or premature."""
        self._fetching = asyncio.Lock()
        """No position is set while a fetch is under way: what it brings would be from before, the position from after."""
        self._positions: Final = Positions()
        self.commits = 0  # that the broker has taken
        self._waiting = 0
        self._room = asyncio.Event()
        self._room.set()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[Any]]:  # noqa: ASYNC109  as in Faust
        # A set of its own: Faust's changes while the other thread reads it, and when it becomes empty, aiokafka takes that
        # for "all partitions", and hands out records of paused ones, which Faust then drops. The changelog is fetched during a
        # recovery only: its records are dropped after it, and a fetch that spans the next seek would leave a gap in the store.
        async with self._fetching:
            recovering = self.app.in_recovery
            wanted = {tp for tp in active_partitions or () if (recovering if self._is_changelog_tp(tp) else self._positioned)}
            if wanted:
                fetched = await super()._getmany(wanted, timeout)
                return {TP(*tp): records for tp, records in fetched.items()}
        await asyncio.sleep(timeout)
        return {}

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:  # noqa: ARG002, ASYNC109  as in Faust
        await self._room.wait()
        fetched, active = await self._wait_next_records(_POLL_SECONDS)
        if fetched is None or active is None:
            return
        # Read now, not before: a rebalance may have come and gone while we waited, and what was fetched after it counts.
        generation = self.app.consumer_generation_id
        flowing = {tp: records for tp, records in fetched.items() if tp in active}
        ways = (self._restored_changelog(flowing), self._input_batches(flowing), self._ends_reached(fetched.keys(), active))
        # When a rebalance begins, the rest is let go: it will be fetched again, from the committed offset. Asked before each is
        # made, because a changelog that is restored and a batch that is counted cannot be taken back.
        found = chain.from_iterable(ways)
        while not self.should_stop and self.flow_active and self.app.consumer_generation_id == generation:
            if (entry := next(found, None)) is None:
                return
            yield entry

    def _restored_changelog(self, fetched: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Message]]:
        """Put changelog records into the store. Yield the last one, from which Faust takes the progress of the table.

        After the recovery they are dropped: a take-over has the tickets in hand then. The owner notices such records when it
        appends its own (``stream.runtime.recovery.changelog``), and the next recovery reads them again.
        """
        for tp, records in fetched.items() if self.app.in_recovery else ():
            if self._is_changelog_tp(tp) and tp in self.app.tables.recovery.active_tps:
                self.app.store.restore(tp.partition, records)
                yield tp, self._to_message(tp, records[-1])

    def _input_batches(self, fetched: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Message]]:
        """Yield one message for all fetched records of an input partition."""
        for tp, parts in fetched.items():
            if not self._is_changelog_tp(tp):
                records = chain.from_iterable([part.records for part in parts])
                yield tp, self._message(tp, self._positions.deliver(tp, records, parts[-1].next_offset))

    def _ends_reached(self, fetched: Collection[TP], active: Collection[TP]) -> Iterator[tuple[TP, Message]]:
        """Yield an empty batch for a partition that has caught up, which can then use the wall clock; and for one whose
        position was set anew, because the records there were deleted and none follow."""
        if not self._positioned:
            return
        ends = dict(self.app.catching_up())
        for tp in active:
            if tp in fetched or self._is_changelog_tp(tp):
                continue
            reached, delivered = self._thread.reached(tp), self._positions.delivered.get(tp)
            if reached is not None and (reached > delivered if delivered is not None else tp in ends and reached >= ends[tp]):
                yield tp, self._message(tp, self._positions.deliver(tp, (), reached))

    def _message(self, tp: TP, batch: Batch) -> Message:
        self._waiting += 1
        if self._waiting >= _BATCHES_AHEAD:
            self._room.clear()
        return ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=batch.end,
            timestamp=0.0,
            timestamp_type=0,
            headers=[],
            key=None,
            value=batch,
            checksum=None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    def finish(self, tp: TP, batch: Batch) -> None:
        """Mark a batch as finished: its results are durable, and its offset may be committed.

        Raises RuntimeError if the batch before is not finished, because the commit would lose it.
        """
        self._positions.finish(tp, batch)

    def ack(self, message: Message) -> bool:
        """Note that a message was processed or dropped. Only ``finish`` determines the offset to commit."""
        message.acked = True
        self._unacked_messages.discard(message)
        if isinstance(message.value, Batch) and message.generation_id == self.app.consumer_generation_id:
            self._waiting -= 1
            if self._waiting < _BATCHES_AHEAD:
                self._room.set()
        if self._waiting_for_ack is not None and not self._waiting_for_ack.done():
            self._waiting_for_ack.set_result(None)
        return True

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002
        owned = self.assignment()
        ends = self._positions.to_commit(owned, self._committed_offset)
        if not ends or not await self._commit(ends):
            return False
        # Faust notes an offset as committed even when the broker refused it, and so never commits it again.
        self._committed_offset.update(ends)
        self.commits += 1
        return True

    def input_of(self, tp: TP, end: int) -> tuple[bool, object]:
        """Whether a partition whose input ends at ``end`` has unprocessed input, and a value that changes with progress."""
        positions = self._positions
        reached, delivered, finished = self._thread.reached(tp), positions.delivered.get(tp), positions.finished.get(tp)
        return (reached or 0) < end or delivered != finished, (reached, delivered, finished)

    def committed(self, tp: TP) -> int:
        """The committed offset of a partition, or 0 if there is none."""
        return self._committed_offset.get(tp) or 0

    def uncommitted(self) -> bool:
        """Whether a finished batch is not committed."""
        return bool(self._positions.to_commit(self._positions.finished, self._committed_offset))

    async def prove(self, tp: TP) -> None:
        """Commit again, to prove that we own the partition: only live members may. Raises ``aiokafka.errors.KafkaError``."""
        # Nothing finished and nothing committed is committed as 0, which perform_seek takes for nothing.
        await self._thread.commit_or_raise({tp: self._positions.finished.get(tp) or self.committed(tp)})

    async def is_member(self) -> bool:
        """Whether the group confirms that its current generation is the one that Faust knows, and that this is a member.

        After a refusal aiokafka joins the group again. A take-over cannot use ``prove``: it does not know what is committed,
        and aiokafka repeats a commit, perhaps in a later generation, in which another worker has committed more.
        """
        accepted: bool = await self._thread.heartbeat(self.app.consumer_generation_id)
        return accepted

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        async with self._fetching:
            await super().seek_wait(partitions)

    async def perform_seek(self) -> None:
        """Set each input position after every rebalance and before any input.

        To the committed offset; where there is none, to where the tickets stand; where there are none, to the beginning. Kafka
        forgets the offsets of a group without members after ``offsets.retention.minutes``, a week by default.
        """
        async with self._fetching:
            await super().perform_seek()
            # Where nothing is committed Faust leaves the position where it happens to be.
            owned = [tp for tp in self.assignment() if not self._is_changelog_tp(tp)]
            unset = {
                driver.ensure_aiokafka_TP(tp): self.app.read_up_to(tp.partition)
                for tp in owned
                if not self._committed_offset[tp]
            }
            if from_the_beginning := [tp for tp, offset in unset.items() if not offset]:
                await self._thread.seek_to_beginning(*from_the_beginning)
            if stood := {TP(*tp): offset for tp, offset in unset.items() if offset}:
                await self._thread.seek_wait(stood)
            self._forget_positions()
            self._positioned = True

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        # Nothing may flow before the tickets are restored. Faust sees to that on revocation, but only if there was
        # something to revoke.
        self.stop_flow()
        self._positioned = False
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        # Faust drops its books first and commits after that: whatever was done since the last commit is done again.
        await self._on_partitions_revoked(revoked)
        self._positioned = False
        self._forget_positions()
        self._active_partitions.difference_update(revoked)
        self._paused_partitions.difference_update(revoked)
        for tp in revoked:
            self._read_offset.pop(tp, None)
            self._committed_offset.pop(tp, None)

    def _forget_positions(self) -> None:
        self._positions.forget()
        self._waiting = 0
        self._room.set()

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: each batch knows the offset that it follows."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust's check uses offsets that this class does not track."""
