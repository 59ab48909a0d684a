"""The compacted topic with the record of each ticket: one partition, which every instance reads whole.

Records are kept as bytes and decoded one at a time, because most tickets rest.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from stream.runtime.kafka.groupless import records_between, started
from stream.wire.forms import check_form
from stream.writeback.record import FORM, TicketRecord, decode, encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CLIENT: Final = "breachwatch-writeback"

log = logging.getLogger(__name__)


class States:
    """The records of all tickets, as of the last ``load`` and ``save``."""

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        """``client``: arguments of an aiokafka client."""
        self._client: Final = dict(client)
        self._topic: Final = topic
        self._partition: Final = TopicPartition(topic, 0)
        self._records: Final[dict[str, bytes]] = {}
        self._position = 0
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Be ready to save. Raises ``aiokafka.errors.KafkaError``."""
        self._producer = AIOKafkaProducer(**self._client, client_id=_CLIENT, enable_idempotence=True, acks="all")
        await self._producer.start()

    async def stop(self) -> None:
        if self._producer is not None:
            await self._producer.stop()

    async def load(self) -> None:
        """Read what was appended since the last time. Raises NewerReleaseError, ``aiokafka.errors.KafkaError``."""
        consumer = AIOKafkaConsumer(**self._client, client_id=_CLIENT, enable_auto_commit=False, auto_offset_reset="earliest")
        async with started(consumer):
            begin = (await consumer.beginning_offsets([self._partition]))[self._partition]
            end = (await consumer.end_offsets([self._partition]))[self._partition]
            async for record in records_between(consumer, {self._partition: (max(begin, self._position), end)}):
                self._take(record.key.decode(), record.value)
            self._position = max(end, self._position)

    def get(self, ticket: str) -> TicketRecord:
        """The record of a ticket, new if there is none. One that cannot be read counts as none, and is logged."""
        value = self._records.get(ticket)
        if value is None:
            return TicketRecord()
        try:
            return decode(value)
        except (ValueError, RecursionError):
            log.exception("the record of ticket %s in %s cannot be read; it begins anew", ticket, self._topic)
            return TicketRecord()

    async def save(self, ticket: str, record: TicketRecord) -> None:
        """Raises ``aiokafka.errors.KafkaError``."""
        value = encode(record)
        await self._send(ticket, value)
        self._records[ticket] = value

    def put(self, ticket: str, record: TicketRecord) -> None:
        """Keep a record in memory, for a ticket whose effects are still being read."""
        self._records[ticket] = encode(record)

    async def forget(self, ticket: str) -> None:
        """Raises ``aiokafka.errors.KafkaError``."""
        await self._send(ticket, None)
        self._records.pop(ticket, None)

    def all(self) -> Iterator[tuple[str, TicketRecord]]:
        """Every ticket with its record."""
        for ticket in [*self._records]:
            yield ticket, self.get(ticket)

    def __len__(self) -> int:
        return len(self._records)

    def _take(self, ticket: str, value: bytes | None) -> None:
        if value is None:
            self._records.pop(ticket, None)
        else:
            # A record that begins anew would be written into the helpdesk once more.
            check_form(value, FORM, f"the record of ticket {ticket} in {self._topic}")
            self._records[ticket] = value

    async def _send(self, ticket: str, value: bytes | None) -> None:
        if self._producer is None:
            raise RuntimeError("the topic of states is not open for writing")
        await self._producer.send_and_wait(self._topic, value, key=ticket.encode(), partition=0)


class MemoryStates(States):
    """Records that are changed in memory alone: for a dry run."""

    async def start(self) -> None:
        """Do nothing."""

    async def _send(self, ticket: str, value: bytes | None) -> None:
        """Do nothing."""
