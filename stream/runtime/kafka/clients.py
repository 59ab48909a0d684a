"""The Kafka clients that take-over and recovery make for themselves.

``Clients`` states what they need, and ``AiokafkaClients`` is what a worker uses. Tests put their own broker behind it. Faust
makes the clients for the input and the changelog (``stream.runtime.kafka.transport``).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import CoordinationType
from aiokafka.errors import KafkaError, NodeNotReadyError
from aiokafka.producer.sender import EndTxnHandler, Sender

from stream.runtime.kafka.connection import client_options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Mapping

    from faust.types import TP

    from stream.runtime.settings import Settings


class IndefiniteEndError(KafkaError):  # type: ignore[misc]  # aiokafka ships no types mypy could follow
    """The broker did not answer the end of a transaction: nobody here knows whether it is committed."""


class Reader(Protocol):
    """Reads committed records of partitions that are assigned by hand. The methods are those of aiokafka's consumer."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def beginning_offsets(self, partitions: Collection[TP]) -> Mapping[TP, int]: ...

    async def end_offsets(self, partitions: Collection[TP]) -> Mapping[TP, int]: ...

    def assign(self, partitions: Collection[TP]) -> None: ...

    def seek(self, partition: TP, offset: int) -> None: ...

    async def position(self, partition: TP) -> int: ...

    async def getmany(self, *partitions: TP, timeout_ms: int) -> Mapping[TP, list[Any]]: ...


class TransactionalProducer(Protocol):
    """Writes whole batches in transactions. The methods are those of aiokafka's producer.

    ``start`` ends what another producer has begun under the same id and excludes it from then on. ``commit_transaction`` asks
    once: without an answer it raises IndefiniteEndError.
    """

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def create_batch(self) -> Any: ...

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Awaitable[Any]: ...

    async def begin_transaction(self) -> None: ...

    async def commit_transaction(self) -> None: ...


class Clients(Protocol):
    """Makes clients that are not yet started."""

    def reader(self, name: str) -> Reader:
        """``name``: for the broker's logs."""

    def transactional_producer(self, name: str, transactional_id: str) -> TransactionalProducer:
        """``name``: for the broker's logs."""


class AiokafkaClients:
    """Clients of a real broker. Making one raises OSError when a certificate file cannot be used."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings

    def reader(self, name: str) -> Reader:
        reader: Reader = AIOKafkaConsumer(
            **client_options(self._settings),
            client_id=name,
            enable_auto_commit=False,
            isolation_level="read_committed",
            fetch_max_wait_ms=50,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        return reader

    def transactional_producer(self, name: str, transactional_id: str) -> TransactionalProducer:
        return _Producer(
            **client_options(self._settings),
            client_id=name,
            transactional_id=transactional_id,
            max_batch_size=512 * 1024,
        )


class _Producer(AIOKafkaProducer):  # type: ignore[misc]
    """Ends a transaction once: when it gets no answer, it does not ask again."""

    _sender: Any

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        theirs = self._sender
        self._sender = _Sender(
            theirs.client,
            acks=theirs._acks,
            txn_manager=theirs._txn_manager,
            message_accumulator=theirs._message_accumulator,
            retry_backoff_ms=theirs._retry_backoff * 1_000,
            request_timeout_ms=theirs._request_timeout_ms,
        )


class _Sender(Sender):  # type: ignore[misc]
    async def _do_txn_commit(self, commit_result: Any) -> Any:
        await self._message_accumulator.flush_for_commit()
        manager = self._txn_manager
        if manager.is_empty_transaction():
            manager.complete_transaction()
            return None
        coordinator = await self._find_coordinator(CoordinationType.TRANSACTION, manager.transactional_id)
        return await _EndOnce(self, commit_result).do(coordinator)


class _EndOnce(EndTxnHandler):  # type: ignore[misc]
    async def do(self, node_id: int) -> bool:
        try:
            answer = await self._sender.client.send(node_id, self.create_request(), group=self.group)
        except NodeNotReadyError:
            backoff = self.handle_error()  # it was never sent
        except KafkaError as error:
            # The first request may yet arrive behind the second, when the next transaction has begun, and end that one.
            raise IndefiniteEndError(f"no answer to the end of a transaction: {error!r}") from error
        else:
            backoff = self.handle_response(answer)
        if backoff is not None:
            await asyncio.sleep(backoff)
        return backoff is None
