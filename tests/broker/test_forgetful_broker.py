"""A broker that forgets producers which are silent for a while, as Kafka does after a day and after a week."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from aiokafka.errors import KafkaError

from stream.runtime.kafka.clients import AiokafkaClients
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.runtime.kafka.transport import Record
from stream.runtime.recovery import outputs as module
from stream.runtime.recovery.outputs import fence
from stream.runtime.settings_sources import load
from stream.sla.effects import Kind
from stream.wire.effect import encode_effect
from tests.broker.configured_broker import ConfiguredBroker
from tests.broker.running import read
from tests.effects import effect_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FORGETS: dict[str, object | None] = {
    "transactional.id.expiration.ms": 2_000,
    "transaction.remove.expired.transaction.cleanup.interval.ms": 500,
    "producer.id.expiration.ms": 2_000,
    "producer.id.expiration.check.interval.ms": 500,
}


@pytest.fixture(scope="module")
def forgetful() -> Iterator[str]:
    with ConfiguredBroker(FORGETS) as running:
        yield running.bootstrap


def record(name: str) -> Record:
    return Record(b"desk/1", encode_effect(effect_of(Kind.BREACHED, id=name)), [])


def test_outputs_are_written_after_a_silence_in_which_the_broker_has_forgotten_their_producer(
    forgetful: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topics = Topics("desk", "silent.")
    asyncio.run(create(forgetful, topics, partitions=1))
    clients = AiokafkaClients(load({"policies": "starter", "broker": forgetful}, {}))

    async def story() -> list[bool]:
        kept, renewed = (await fence(clients, topics, [0]))[0], (await fence(clients, Topics("other", "silent."), [0]))[0]
        needed = [renewed.may_be_forgotten()]
        for each in (kept, renewed):
            await each.write({topics.breaches: [record("before")]})
        await asyncio.sleep(8)
        with pytest.raises(KafkaError):
            await kept.write({topics.breaches: [record("lost")]})
        with suppress(KafkaError):
            await kept.close()
        monkeypatch.setattr(module, "RENEW_AFTER", 5.0)
        needed.append(renewed.may_be_forgotten())
        await renewed.renew(clients, Topics("other", "silent."))
        needed.append(renewed.may_be_forgotten())
        await renewed.write({topics.breaches: [record("after")]})
        await renewed.close()
        return needed

    assert asyncio.run(story()) == [False, True, False]
    assert len(read(forgetful, topics.breaches)) == 3
