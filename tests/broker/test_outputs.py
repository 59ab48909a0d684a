"""What a partition publishes: all of a unit of work or nothing, by its owner alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka.errors import KafkaError, ProducerFenced, RequestTimedOutError

from stream.runtime.kafka.clients import AiokafkaClients
from stream.runtime.kafka.transport import Record, submit
from stream.runtime.recovery.checkpoint import Checkpoint
from stream.runtime.recovery.output_recovery import read_back
from stream.runtime.recovery.outputs import ORIGIN, fence
from stream.runtime.settings_sources import load
from stream.sla.effects import Kind
from stream.wire.effect import decode_effect, effect_headers, encode_effect
from tests.broker.running import START, read
from tests.effects import effect_of

if TYPE_CHECKING:
    from stream.runtime.kafka.clients import Clients
    from stream.runtime.kafka.topics import Topics


def _clients(broker: str) -> Clients:
    return AiokafkaClients(load({"policies": "batoi", "broker": broker}, {}))


def _effect(name: str, *, cause: str = "e1", at: int = START) -> Record:
    effect = effect_of(Kind.BREACHED, id=name, at=at, cause=cause)
    return Record(b"desk/1", encode_effect(effect), effect_headers(effect, b"/test"))


def _dead_letter(name: bytes) -> Record:
    return Record(b"desk/1", b"{}", [(ORIGIN, name)])


def _from_the_beginning(topics: Topics) -> dict[int, Checkpoint]:
    return {0: Checkpoint(outputs=dict.fromkeys((topics.breaches, topics.escalations, topics.rejected), 0))}


def test_who_was_replaced_can_emit_nothing_more_and_what_it_had_begun_is_never_seen(broker: str, topics: Topics) -> None:
    clients = _clients(broker)

    async def run() -> set[bytes]:
        before = (await fence(clients, topics, [0]))[0]
        await before.write({topics.breaches: [_effect("1")], topics.rejected: [_dead_letter(b"2")]})
        await before._producer.begin_transaction()
        for delivery, _ in await submit(before._producer, topics.breaches, 0, [_effect("begun")]):
            await delivery
        after = await fence(clients, topics, [0])
        await read_back(clients, topics, after, _from_the_beginning(topics))
        with pytest.raises(ProducerFenced):
            await before._producer.commit_transaction()
        await after[0].write({topics.breaches: [_effect("3")], topics.escalations: []})
        await before.close()
        await after[0].close()
        return after[0].emitted_ids

    emitted = asyncio.run(run())

    assert emitted == {b"1", b"2"}
    assert [decode_effect(record.value).id for record in read(broker, topics.breaches)] == ["1", "3"]


def test_what_was_emitted_is_found_however_much_was_begun_after_it_and_never_ended(broker: str, topics: Topics) -> None:
    clients = _clients(broker)

    async def run() -> tuple[set[bytes], dict[bytes, int]]:
        first = (await fence(clients, topics, [0]))[0]
        await first.write({topics.breaches: [_effect("1"), _effect("2", cause="timer")]})
        await first.close()
        for _ in range(3):
            begun = (await fence(clients, topics, [0]))[0]
            producer: Any = begun._producer
            await producer.begin_transaction()
            for delivery, _ in await submit(producer, topics.breaches, 0, [_effect("begun")] * 4_000):
                await delivery
            await producer.abort_transaction()
            await begun.close()
        after = await fence(clients, topics, [0])
        await read_back(clients, topics, after, _from_the_beginning(topics))
        await after[0].close()
        return after[0].emitted_ids, after[0].woken_until

    emitted, woken_until = asyncio.run(run())

    assert emitted == {b"1", b"2"}
    assert woken_until == {b"desk/1": START}


def test_a_successor_reads_what_the_tickets_do_not_know_of_and_nothing_before(broker: str, topics: Topics) -> None:
    clients = _clients(broker)

    async def run() -> set[bytes]:
        outputs = await fence(clients, topics, [0])
        await read_back(clients, topics, outputs, {0: Checkpoint()})
        await outputs[0].write({topics.breaches: [_effect("1")], topics.rejected: [_dead_letter(b"5@0")]})
        outputs[0].finished(6, live=True)
        outputs[0].end_recovery()
        await outputs[0].write({topics.breaches: [_effect("2")], topics.rejected: [_dead_letter(b"6@0")]})
        outputs[0].finished(7, live=True)
        # The tickets are written with this; the input is committed up to 6 only.
        checkpoint = Checkpoint(outputs=outputs[0].unknown_from(6))
        assert outputs[0].emitted_ids == {b"6@0"}
        await outputs[0].write({topics.breaches: [_effect("3")]})
        await outputs[0].close()
        after = await fence(clients, topics, [0])
        await read_back(clients, topics, after, {0: checkpoint})
        await after[0].close()
        return after[0].emitted_ids

    assert asyncio.run(run()) == {b"3", b"6@0"}


def test_the_end_of_a_transaction_is_not_asked_for_twice(broker: str, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def run() -> None:
        outputs = (await fence(_clients(broker), topics, [0]))[0]
        client = cast("Any", outputs._producer).client
        send = client.send

        async def broken(node: int, request: Any, **more: Any) -> Any:
            if type(request).__name__.startswith("EndTxn"):
                asked.append(request)
                raise RequestTimedOutError
            return await send(node, request, **more)

        monkeypatch.setattr(client, "send", broken)
        with pytest.raises(KafkaError):
            await outputs.write({topics.breaches: [_effect("1")]})
        await outputs.close()

    asyncio.run(run())

    assert len(asked) == 1
