"""What a partition says: all of a turn or nothing, by its owner alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.errors import KafkaError, ProducerFenced, RequestTimedOutError
from running import read

from stream.runtime.ledger import read_back
from stream.runtime.outputs import fence
from stream.runtime.settings import Settings, load
from stream.runtime.transport import Record, submit

if TYPE_CHECKING:
    from stream.runtime.topics import Topics


def _settings(broker: str, topics: Topics) -> Settings:
    return load({"policies": "batoi", "broker": broker, "app_id": topics.app_id, "topic_prefix": topics.prefix}, {})


def _effect(name: bytes) -> Record:
    return Record(b"desk/1", name, [("ce_id", name)])


def test_who_was_replaced_can_say_nothing_more_and_what_it_had_begun_is_never_seen(broker: str, topics: Topics) -> None:
    settings = _settings(broker, topics)

    async def run() -> set[bytes]:
        before = (await fence(settings, [0]))[0]
        await before.write({topics.breaches: [_effect(b"1")], topics.rejected: [_effect(b"2")]})
        await before._producer.begin_transaction()
        for delivery, _ in await submit(before._producer, topics.breaches, 0, [_effect(b"begun")]):
            await delivery
        after = await fence(settings, [0])
        await read_back(settings, topics, after)
        with pytest.raises(ProducerFenced):
            await before._producer.commit_transaction()
        await after[0].write({topics.breaches: [_effect(b"3")], topics.escalations: []})
        await before.close()
        await after[0].close()
        return after[0].said

    said = asyncio.run(run())

    assert said == {b"1", b"2"}
    assert [record.value for record in read(broker, topics.breaches)] == [b"1", b"3"]


def test_the_end_of_a_transaction_is_not_asked_for_twice(broker: str, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def run() -> None:
        outputs = (await fence(_settings(broker, topics), [0]))[0]
        send = outputs._producer.client.send

        async def broken(node: int, request: Any, **more: Any) -> Any:
            if type(request).__name__.startswith("EndTxn"):
                asked.append(request)
                raise RequestTimedOutError
            return await send(node, request, **more)

        monkeypatch.setattr(outputs._producer.client, "send", broken)
        with pytest.raises(KafkaError):
            await outputs.write({topics.breaches: [_effect(b"1")]})
        await outputs.close()

    asyncio.run(run())

    assert len(asked) == 1
