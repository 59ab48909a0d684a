"""Takes effects from Kafka to one destination: reads them, queues them, sends them, and commits their offsets.

Each destination has a consumer group of its own. A destination that is down reads no further when its queue is full, and
delays no other.

When partitions move to another process (``on_partitions_revoked``), in this order:

1. Drop the fetched records that are not in the queue yet: the new owner reads them again.
2. Let the attempt in progress end, within ``_LONGEST_LEAVING`` seconds, and record the messages that it sent.
3. Commit the offsets of finished effects.
4. Remove the effects of these partitions from the queue.

The new owner reads ``notify-state`` to its end first, so that it knows what was sent.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from aiokafka import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import TopicPartition

from stream.runtime.kafka.denied import Operation, ResourceKind, needing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator

    from stream.notify.delivery import Delivery
    from stream.notify.enqueuer import Enqueuer
    from stream.notify.notify_metrics import DestinationMetrics
    from stream.notify.subscription import Subscription

log = logging.getLogger(__name__)

MOST_WAITING: Final = 1_000
"""Effects that wait for a destination before it reads no further."""
_FETCHED: Final = 200
_WAIT_MS: Final = 500
_COMMIT_EVERY: Final = 1.0
_UNREADY: Final = 0.1
_LONGEST_LEAVING: Final = 10.0


class Pipeline(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types mypy could follow
    """The consumer, the queue and the delivery of one destination."""

    def __init__(
        self,
        subscription: Subscription,
        enqueuer: Enqueuer,
        delivery: Delivery,
        metrics: DestinationMetrics,
        catch_up: Callable[[], Awaitable[None]],
    ) -> None:
        """``catch_up``: reads what other processes have sent."""
        self.name: Final = enqueuer.name
        self.ready = False
        self._subscription: Final = subscription
        self._enqueuer: Final = enqueuer
        self._queue: Final = enqueuer.queue
        self._delivery: Final = delivery
        self._metrics: Final = metrics
        self._catch_up: Final = catch_up
        self._consumer: Any = None
        self._fetch: asyncio.Task[Any] | None = None
        self._attempt: asyncio.Task[None] | None = None
        self._committed: dict[TopicPartition, int] = {}
        self._raised: Exception | None = None
        self._first: dict[TopicPartition, int] = {}
        """The start of partitions that were never committed."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until ``stopping`` is set. Raises ``aiokafka.errors.KafkaError``; the caller runs it again."""
        self._consumer, self._raised = self._subscription.consumer(), None
        stop = asyncio.ensure_future(stopping.wait())
        try:
            with needing(Operation.READ, ResourceKind.GROUP, self._subscription.group):
                await self._consumer.start()
                self._consumer.subscribe(self._subscription.topics, listener=self)
            await self._loop(stop)
            await self._leave()
        finally:
            self.ready = False
            stop.cancel()
            await self._end_tasks()
            await self._consumer.stop()
            self._queue.drop(self._queue.finished().keys())

    async def _end_tasks(self) -> None:
        """End the fetch and the attempt. The attempt has time to end by itself: a receiver may act on half of a request."""
        if self._fetch is not None:
            self._fetch.cancel()
        if self._attempt is not None:
            _, unfinished = await asyncio.wait({self._attempt}, timeout=_LONGEST_LEAVING)
            for task in unfinished:
                task.cancel()
            (result,) = await asyncio.gather(self._attempt, return_exceptions=True)
            if isinstance(result, Exception):
                log.error("%s: an attempt failed unforeseen", self.name, exc_info=result)
        self._fetch = self._attempt = None

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self.ready = False
        with self._noted():
            await self._leave()
            self._queue.drop({(tp.topic, tp.partition) for tp in revoked})  # 4

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        with self._noted():
            await self._catch_up()
            self._committed.clear()
            known = {tp: await self._consumer.committed(tp) for tp in assigned}
            if missing := [tp for tp, offset in known.items() if offset is None]:
                begins = await self._subscription.begins(
                    self._consumer, missing, new=all(offset is None for offset in known.values())
                )
                for tp, offset in begins.items():
                    self._consumer.seek(tp, offset)
                # Before the seek, the client may have fetched from where it begins by itself.
                self._first.update(begins)
                # So that a restart begins here too, and not where the topic ends then.
                await self._consumer.commit(begins)
            self.ready = True

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """The client swallows what its listeners raise, so it is raised by the loop."""
        try:
            yield
        except Exception as error:
            self._raised = error
            raise

    async def _loop(self, stop: asyncio.Future[Any]) -> None:
        commit_at = time.monotonic() + _COMMIT_EVERY
        while not stop.done():
            if self._raised is not None:
                raise self._raised
            now = _now()
            ask_at = self._start(now)
            fetch, attempt = self._fetching(), self._attempt
            longest = _COMMIT_EVERY if self.ready else _UNREADY
            until = longest if ask_at is None else min(longest, max(0.0, (ask_at - now) / 1e6))
            await asyncio.wait(set(filter(None, (fetch, attempt, stop))), timeout=until, return_when=asyncio.FIRST_COMPLETED)
            if fetch is not None and fetch.done() and self._fetch is fetch:
                self._fetch = None
                for tp, records in fetch.result().items():
                    first = self._first.get(tp, 0)
                    self._enqueuer.take([record for record in records if record.offset >= first], _now())
            if attempt is not None and attempt.done() and self._attempt is attempt:
                self._attempt = None
                attempt.result()
            if time.monotonic() >= commit_at:
                await self._commit()
                self._state()
                commit_at = time.monotonic() + _COMMIT_EVERY

    def _fetching(self) -> asyncio.Task[Any] | None:
        """The fetch that is under way; ``None`` while partitions come or go.

        If the queue is full, it fetches nothing, so that the group sees that this is alive.
        """
        if self._fetch is None and self.ready:
            room = MOST_WAITING - len(self._queue)
            if room > 0 and (paused := self._consumer.paused()):
                self._consumer.resume(*paused)
            elif room <= 0:
                self._consumer.pause(*self._consumer.assignment())
            fetch = self._consumer.getmany(timeout_ms=_WAIT_MS, max_records=max(1, min(room, _FETCHED)))
            self._fetch = asyncio.ensure_future(fetch)
        return self._fetch

    def _start(self, now: int) -> int | None:
        """Begin an attempt if one is due and none is under way. Returns when to call this again."""
        if self._attempt is not None:
            return None
        count, ask_at = self._delivery.next(now)
        if count:
            self._attempt = asyncio.ensure_future(self._delivery.send(count, _now))
        return ask_at

    async def _leave(self) -> None:
        """Steps 1 to 3 above."""
        if self._fetch is not None:
            self._fetch.cancel()  # 1
            self._fetch = None
        if self._attempt is not None:
            await asyncio.wait({self._attempt}, timeout=_LONGEST_LEAVING)  # 2
        await self._commit()  # 3

    async def _commit(self) -> None:
        owned = self._consumer.assignment()
        wanted = {TopicPartition(*partition): offset for partition, offset in self._queue.finished().items()}
        wanted = {tp: offset for tp, offset in wanted.items() if tp in owned and self._committed.get(tp) != offset}
        if not wanted:
            return
        try:
            await self._consumer.commit(wanted)
        except (CommitFailedError, IllegalStateError) as error:
            # Another process has the partitions now; it knows what was sent from the topic.
            log.warning("%s: offsets were not committed: %s", self.name, error)
        else:
            self._committed.update(wanted)

    def _state(self) -> None:
        lag, taken = 0, self._queue.finished()
        for tp in self._consumer.assignment():
            end, reached = self._consumer.highwater(tp), taken.get((tp.topic, tp.partition))
            lag += max(0, end - reached) if end is not None and reached is not None else 0
        queue, delivery = self._queue, self._delivery
        self._metrics.state(len(queue), queue.oldest, delivery.failing_since, lag)


def _now() -> int:
    return time.time_ns() // 1_000


async def keep_running(pipeline: Pipeline, stopping: asyncio.Event) -> None:
    """Run a pipeline until ``stopping`` is set, and again after each failure of Kafka. Other errors are raised."""
    wait = 1.0
    while not stopping.is_set():
        began = time.monotonic()
        try:
            await pipeline.run(stopping)
        except (KafkaError, OSError) as error:
            wait = 1.0 if time.monotonic() - began > 60 else min(2 * wait, 30.0)
            log.warning("%s: Kafka: %s; next attempt in %g s", pipeline.name, error, wait)
            try:
                async with asyncio.timeout(wait):
                    await stopping.wait()
            except TimeoutError:
                continue
