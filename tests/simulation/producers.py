"""Producers over the log in memory: they ask again, give up and fail as aiokafka's producers do."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka.errors import (
    ConcurrentTransactions,
    InvalidProducerEpoch,
    KafkaError,
    NotLeaderForPartitionError,
    ProducerFenced,
    RequestTimedOutError,
)

from stream.runtime.kafka import transport
from stream.runtime.kafka.clients import IndefiniteEndError
from stream.runtime.kafka.transport import Record
from tests.simulation.log import Append, Producer, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.simulation.brokers import Brokers

BACKOFF: Final = 0.03
WAIT: Final = 0.1
WAITS: Final = 50
"""So often a client waits for a partition to have a leader again, and for so many seconds each time."""
_TRIES: Final = 4
"""After so many requests without an answer a batch fails: whether it is written is not known."""


class Metadata(NamedTuple):
    """Where a batch was written; ``offset``: of its first record."""

    topic: str
    partition: int
    offset: int


class Batch:
    """Records that are written together."""

    def __init__(self, most: int) -> None:
        self.records: list[Record] = []
        self._most: Final = most
        self._relative_offset = 0

    @property
    def _builder(self) -> Batch:
        return self

    def append(
        self, number: int, _timestamp: int, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
    ) -> Batch | None:
        """``None``: it is full."""
        if len(self.records) == self._most:
            return None
        if number != len(self.records):
            raise ValueError(f"record {number} comes after {len(self.records)} records")
        self.records.append(Record(key, value, headers))
        return self

    def close(self) -> None:
        """Nothing is appended any more."""
        if self._relative_offset != len(self.records):
            raise ValueError(f"the batch counts {self._relative_offset} records and has {len(self.records)}")


class PlainProducer:
    """An idempotent producer: a batch that is sent again is written once."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers: Final = brokers
        self._ask: Final = brokers.network.ask
        self._me = Producer(-1, -1)
        self._failed: KafkaError | None = None
        self._sequences: dict[tuple[str, int], int] = {}
        self._queues: dict[tuple[str, int], deque[tuple[Batch, Any]]] = {}

    async def start(self) -> None:
        self._me = Producer(await self._until_answered("init", self._brokers.transactions.new_id), 0)

    async def stop(self) -> None:
        """Let go of the connections."""

    async def write(self, topic: str, partition: int, records: Iterable[Record]) -> int | None:
        """As ``stream.runtime.kafka.transport.Producer.write``."""
        return await transport.write(self, topic, partition, records)

    def create_batch(self) -> Batch:
        return Batch(self._brokers.records_of_a_batch)

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> Any:
        """A future of the batch's ``Metadata``. Batches for one partition are sent one after the other."""
        if self._failed is not None:
            raise self._failed
        delivery = asyncio.get_running_loop().create_future()
        queue = self._queues.setdefault((topic, partition), deque())
        queue.append((batch, delivery))
        if len(queue) == 1:
            asyncio.get_running_loop().create_task(self._send(topic, partition, queue))
        return delivery

    async def _send(self, topic: str, partition: int, queue: deque[tuple[Batch, Any]]) -> None:
        while queue:
            batch, delivery = queue[0]
            try:
                if self._failed is not None:
                    raise self._failed
                written = await self._send_one(topic, partition, batch.records)
            except KafkaError as error:
                self._failed = error
                delivery.set_exception(error)
            else:
                delivery.set_result(Metadata(topic, partition, written.offset))
            queue.popleft()

    async def _send_one(self, topic: str, partition: int, records: list[Record]) -> Written:
        sequence = self._sequences.get((topic, partition), 0)
        batch = Append(self._me, sequence, self._transactional, records)
        log, network = self._brokers.log.of(topic, partition), self._brokers.network
        written: Written = await self._until_answered("append", lambda: log.lead().append(batch, network.now_ms))
        self._sequences[topic, partition] = sequence + len(records)
        return written

    _transactional = False

    async def _until_answered(self, kind: str, request: Callable[[], Any]) -> Any:
        """Ask again as long as the brokers are busy or do not answer. Raises KafkaError."""
        tries = waits = 0
        while True:
            try:
                return await self._ask(kind, request)
            except ConcurrentTransactions:
                await asyncio.sleep(BACKOFF)
            except NotLeaderForPartitionError:
                waits += 1
                if waits == WAITS:
                    raise
                await asyncio.sleep(WAIT)
            except RequestTimedOutError:
                tries += 1
                if tries == _TRIES:
                    raise
            except InvalidProducerEpoch as error:
                raise ProducerFenced from error


class TransactionalProducer(PlainProducer):
    """As aiokafka's, with an end of the transaction that is asked for once."""

    _transactional = True

    def __init__(self, brokers: Brokers, transactional_id: str) -> None:
        super().__init__(brokers)
        self._id: Final = transactional_id
        self._added: set[tuple[str, int]] = set()
        self._deliveries: list[Any] = []

    async def start(self) -> None:
        transactions = self._brokers.transactions
        self._me = await self._until_answered("init", lambda: transactions.init(self._id))

    async def begin_transaction(self) -> None:
        if self._failed is not None:
            raise self._failed
        assert not self._added, "a transaction is open"

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> Any:
        delivery = await super().send_batch(batch, topic, partition=partition)
        self._deliveries.append(delivery)
        return delivery

    async def _send_one(self, topic: str, partition: int, records: list[Record]) -> Written:
        if (topic, partition) not in self._added:
            transactions = self._brokers.transactions
            await self._until_answered("add", lambda: transactions.add(self._id, self._me, (topic, partition)))
            self._added.add((topic, partition))
        return await super()._send_one(topic, partition, records)

    async def commit_transaction(self) -> None:
        for delivery in self._deliveries:
            await delivery
        self._deliveries.clear()
        if self._added:
            await self._end(commit=True)
            self._added.clear()

    async def abort_transaction(self) -> None:
        self._deliveries.clear()
        await self._end(commit=False)
        self._added.clear()

    async def _end(self, *, commit: bool) -> None:
        transactions = self._brokers.transactions
        while True:
            try:
                await self._ask("end", lambda: transactions.end(self._id, self._me, commit=commit))
            except ConcurrentTransactions:
                await asyncio.sleep(BACKOFF)
            except InvalidProducerEpoch as error:
                raise ProducerFenced from error
            except RequestTimedOutError as error:
                raise IndefiniteEndError("no answer to the end of a transaction") from error
            else:
                return
