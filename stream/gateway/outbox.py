"""Writes records to Kafka and waits a bounded time for the acknowledgements.

Whatever Kafka does, ``deliver`` returns within ``WAIT``, and the memory that waiting records use is bounded: aiokafka holds two
batches for each partition, and a record that finds no room waits, as long as its request.

A record may be written although ``deliver`` returned False: aiokafka goes on trying. That does no harm, because the sender
repeats the request, and an event with a known id changes nothing.

aiokafka has two traps here, and both end with another producer (``_replace``):

- An idempotent producer numbers its batches. If the broker refuses one for good, it also refuses all later ones of that
  partition.
- When its sending task has failed, it refuses every record from then on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WAIT: Final = 2.0
"""The most seconds that ``deliver`` takes."""
_REQUEST_MS: Final = 1_500
"""So long a broker may take for a request. Below ``WAIT``, so that a broker that hangs is given up while requests wait."""
_BATCH: Final = 256 * 1024
_LARGEST: Final = 2 * 1024 * 1024
"""The most bytes of a record; the limit of the topics."""
_LINGER_MS: Final = 2
_METADATA_EVERY: Final = 3.0
FRESH: Final = 10.0
"""The most seconds since the last answer of a broker for the outbox to count as connected."""
_STOPPING: Final = 3.0
"""The most seconds that the last records may take on stopping."""

log = logging.getLogger(__name__)


class Outgoing(NamedTuple):
    """A record to write."""

    topic: str
    key: bytes | None
    value: bytes
    everywhere: bool = False
    """Whether each partition gets it: a ``feed.tick``."""


class Outbox:
    """Writes records. ``start`` connects, and ``stop`` writes the records that wait and closes."""

    def __init__(self, client: Mapping[str, Any], topics: Iterable[str], wait: float = WAIT) -> None:
        """``client`` has the arguments of an aiokafka client with the address (``stream.runtime.kafka.connection``)."""
        self._client: Final = client
        self._topics: Final = tuple(topics)
        self._wait: Final = wait
        self._producer: Any = None
        self._replacing: asyncio.Task[None] | None = None
        self._refresher: asyncio.Task[None] | None = None
        self._answered = float("-inf")

    async def start(self) -> None:
        """Connect, and read the partitions of the topics. Raises ``aiokafka.errors.KafkaError``."""
        self._producer = await self._started()
        self._refresher = asyncio.create_task(self._refresh())

    async def stop(self) -> None:
        """Write the records that wait, within a bounded time, and close the connections."""
        for task in (self._refresher, self._replacing):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._producer is not None:
            await _closed(self._producer)

    def fresh(self) -> bool:
        """Whether a broker has answered lately and records can be written."""
        return self._replacing is None and time.monotonic() - self._answered <= FRESH

    async def deliver(self, records: Iterable[Outgoing]) -> bool:
        """Write the records. Returns whether all of them were acknowledged in time."""
        producer, until = self._producer, asyncio.get_running_loop().time() + self._wait
        acknowledgements: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout_at(until):
                for record in records:
                    acknowledgements += await _send(producer, record)
        except (TimeoutError, KafkaError) as error:
            self._not_written(producer, error)
            _abandon(acknowledgements)
            return False
        if not acknowledgements:
            return True
        left = max(0.0, until - asyncio.get_running_loop().time())
        done, waiting = await asyncio.wait(acknowledgements, timeout=left)
        _abandon(waiting)
        failures = [failure for each in done if (failure := each.exception()) is not None]
        for failure in failures:
            self._not_written(producer, failure)
        return not failures and not waiting

    def _not_written(self, producer: Any, error: BaseException) -> None:
        log.warning("a record was not written: %s", error if str(error) else type(error).__name__)
        # Without room for the record, or without an answer, the producer goes on trying.
        final = isinstance(error, KafkaError) and not error.retriable and not isinstance(error, KafkaTimeoutError)
        if (final or producer._sender.sender_task.done()) and producer is self._producer and self._replacing is None:
            self._replacing = asyncio.create_task(self._replace())

    async def _started(self) -> Any:
        producer = AIOKafkaProducer(
            **self._client,
            client_id="breachwatch-gateway",
            acks="all",
            enable_idempotence=True,
            linger_ms=_LINGER_MS,
            max_batch_size=_BATCH,
            max_request_size=_LARGEST,
            request_timeout_ms=_REQUEST_MS,
        )
        try:
            await producer.start()
            for topic in self._topics:
                await producer.partitions_for(topic)
        except BaseException:
            await _closed(producer)
            raise
        self._answered = time.monotonic()
        return producer

    async def _replace(self) -> None:
        """Take another producer, however long the broker refuses one."""
        old = self._producer
        while True:
            try:
                self._producer = await self._started()
                break
            except KafkaError as error:
                log.warning("the producer could not be replaced: %s", error)
                await asyncio.sleep(1)
        self._replacing = None
        log.warning("the producer was replaced")
        await _closed(old)

    async def _refresh(self) -> None:
        """Ask for the metadata now and then: the answer shows that a broker can be reached."""
        while True:
            asked = time.monotonic()
            if await self._producer.client.force_metadata_update():
                self._answered = asked
            await asyncio.sleep(_METADATA_EVERY)


async def _send(producer: Any, record: Outgoing) -> list[asyncio.Future[Any]]:
    """Pass a record to the producer. Returns the acknowledgements to wait for."""
    if not record.everywhere:
        return [await producer.send(record.topic, record.value, key=record.key)]
    partitions = sorted(await producer.partitions_for(record.topic))
    return [await producer.send(record.topic, record.value, key=record.key, partition=number) for number in partitions]


async def _closed(producer: Any) -> None:
    """Close a producer. Its last records are abandoned if the broker does not take them in time."""
    try:
        async with asyncio.timeout(_STOPPING):
            await producer.stop()
    except (TimeoutError, KafkaError) as error:
        log.warning("the last records were not written: %s", error if str(error) else type(error).__name__)


def _abandon(acknowledgements: Iterable[asyncio.Future[Any]]) -> None:
    """Nobody waits for these any more; asyncio would report their errors as never retrieved."""
    for each in acknowledgements:
        each.add_done_callback(lambda done: done.cancelled() or done.exception())
