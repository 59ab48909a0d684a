"""What a partition says, all of a turn or nothing: a transactional producer that only the partition's owner can use.

Starting it (InitProducerId) ends what another worker had begun under the same id, and refuses that worker from then on,
however late it wakes up. So what stands in the topics is read back (``ledger``) after that, never before.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.client import CoordinationType
from aiokafka.errors import KafkaError, NodeNotReadyError
from aiokafka.producer.sender import EndTxnHandler, Sender

from stream.runtime.connection import client_options
from stream.runtime.failpoint import failpoint
from stream.runtime.transport import submit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stream.runtime.settings import Settings
    from stream.runtime.transport import Record


class IndefiniteEndError(KafkaError):  # type: ignore[misc]  # aiokafka ships no types mypy could follow
    """The broker did not answer the end of a transaction: nobody here knows whether it is committed."""


class Outputs:
    """Writes effects and dead letters of one partition. ``said``: what its topics held when it was taken over."""

    def __init__(self, producer: AIOKafkaProducer, partition: int) -> None:
        self.said: set[bytes] = set()
        """Ids of effects and origins of dead letters that need not be written again; ``stream.runtime.ledger``."""
        self.sending_since: float | None = None
        """Epoch seconds since when a write is under way; ``None``: there is none."""
        self._producer: Final = producer
        self._partition: Final = partition

    async def write(self, outputs: Mapping[str, Sequence[Record]]) -> None:
        """Write the records to this partition of each topic; return when all of them, as one, are committed.

        Raises ``aiokafka.errors.KafkaError``, ``ProducerFenced`` when another worker has the partition. The process
        must end then: only a new producer can find out what became of the transaction.
        """
        if not any(outputs.values()):
            return
        self.sending_since = time.time()
        await self._producer.begin_transaction()
        deliveries = []
        for topic, records in outputs.items():
            deliveries += await submit(self._producer, topic, self._partition, records)
        for delivery, _ in deliveries:
            await delivery
        failpoint("in_outputs")
        await self._producer.commit_transaction()
        self.sending_since = None

    async def close(self) -> None:
        """Let go of the connections. No turn may be under way."""
        await self._producer.stop()


async def fence(settings: Settings, partitions: Iterable[int]) -> dict[int, Outputs]:
    """Partition number to its outputs, from now on this worker's alone. Raises ``aiokafka.errors.KafkaError``."""

    async def one(partition: int) -> tuple[int, Outputs]:
        name = f"{settings.app_id}-{settings.topic_prefix}-p{partition}"
        producer = _Producer(
            **client_options(settings),
            client_id=f"breachwatch-outputs-{partition}",
            transactional_id=name,
            max_batch_size=512 * 1024,
        )
        await producer.start()
        return partition, Outputs(producer, partition)

    return dict(await asyncio.gather(*map(one, partitions)))


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
