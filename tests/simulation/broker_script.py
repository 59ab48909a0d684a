"""What two owners of one transactional id and a reader go through: once on the simulated broker, once on a real one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest
from aiokafka.errors import ProducerFenced
from aiokafka.structs import TopicPartition

from stream.runtime.kafka.transport import Record, submit

if TYPE_CHECKING:
    from stream.runtime.kafka.clients import Clients, Reader, TransactionalProducer
    from stream.runtime.kafka.topics import Topics

EXPECTED: Final = [
    "committed: ends at 3, holds a@0 b@1",
    "fenced while it writes: ends at 5, holds a@0 b@1",
    "fenced between two writes",
    "its successor: ends at 7, holds a@0 b@1 d@5",
    "beside another one that is open: ends at 7, holds a@0 b@1 d@5",
    "that is closed: ends at 11, holds a@0 b@1 d@5 e@7 f@8",
    "after nothing was written: ends at 11, holds a@0 b@1 d@5 e@7 f@8",
]


async def play(clients: Clients, topics: Topics) -> list[str]:
    """What can be read after each step, in words. The topic of breaches must be empty."""
    topic, name = topics.breaches, f"{topics.prefix}script"
    tp = TopicPartition(topic, 0)
    noted = []
    reader = clients.reader("script")
    await reader.start()
    reader.assign([tp])

    async def note(what: str, records: int) -> None:
        noted.append(f"{what}: {await _contents(reader, tp, records)}")

    async def send(producer: TransactionalProducer, *values: bytes) -> None:
        for delivery, _ in await submit(producer, topic, 0, [Record(b"key", value, []) for value in values]):
            await delivery

    first = clients.transactional_producer("first", name)
    await first.start()
    await first.begin_transaction()
    await send(first, b"a", b"b")
    await first.commit_transaction()
    await note("committed", 2)

    await first.begin_transaction()
    await send(first, b"c")
    second = clients.transactional_producer("second", name)
    await second.start()
    await note("fenced while it writes", 2)
    with pytest.raises(ProducerFenced):
        await first.commit_transaction()
    await first.stop()

    third = clients.transactional_producer("third", name)
    await third.start()
    await second.begin_transaction()
    with pytest.raises(ProducerFenced):
        await send(second, b"late")
    await second.stop()
    noted.append("fenced between two writes")

    await third.begin_transaction()
    await send(third, b"d")
    await third.commit_transaction()
    await note("its successor", 3)

    other = clients.transactional_producer("other", f"{name}-other")
    await other.start()
    await other.begin_transaction()
    await send(other, b"e")
    await third.begin_transaction()
    await send(third, b"f")
    await third.commit_transaction()
    await note("beside another one that is open", 3)
    await other.commit_transaction()
    await note("that is closed", 5)

    await third.begin_transaction()
    await third.commit_transaction()
    await note("after nothing was written", 5)
    for client in (third, other, reader):
        await client.stop()
    return noted


async def _contents(reader: Reader, tp: TopicPartition, records: int) -> str:
    """Where committed records end, and what they are. Markers come a little later than the answer: so many are waited for."""
    found: list[str] = []
    for _ in range(100):
        found.clear()
        end = (await reader.end_offsets([tp]))[tp]
        reader.seek(tp, 0)
        while await reader.position(tp) < end:
            for fetched in (await reader.getmany(tp, timeout_ms=300)).values():
                found += [f"{record.value.decode()}@{record.offset}" for record in fetched]
        if len(found) >= records and (await reader.end_offsets([tp]))[tp] == end:
            break
        await asyncio.sleep(0.1)
    return f"ends at {end}, holds {' '.join(found)}"
