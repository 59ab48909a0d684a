"""What a puller keeps on the topic feed-state of a real broker, and who may write there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer

from stream.pull.api import Cursor
from stream.pull.cursor_log import CursorLog, TakenOverError
from tests.broker.running import START

if TYPE_CHECKING:
    from stream.runtime.kafka.topics import Topics


def _log(broker: str, topics: Topics, feed: str = "desk") -> CursorLog:
    return CursorLog({"bootstrap_servers": broker}, topics, feed)


def test_the_next_puller_of_a_feed_goes_on_where_the_last_one_was(broker: str, topics: Topics) -> None:
    async def story() -> None:
        first, other = _log(broker, topics), _log(broker, topics, "second")
        await first.start()
        await other.start()
        await first.save("issues", Cursor(START, "7"), None)
        await other.save("issues", Cursor(START + 5, "1"), START)
        await first.save("issues", Cursor(START + 1, "8"), START)
        await first.save("issues", Cursor(START + 2, "9"), None)
        await first.stop()
        await other.stop()

        next_one = _log(broker, topics)
        await next_one.start()
        await next_one.stop()

        assert {name: position.cursor for name, position in next_one.positions.items()} == {"issues": Cursor(START + 2, "9")}
        assert next_one.positions["issues"].complete_to is not None, "a cursor that moves does not make a feed incomplete"

    asyncio.run(story())


def test_a_puller_that_was_replaced_cannot_write_and_does_not_come_back(broker: str, topics: Topics) -> None:
    async def story() -> None:
        first, second = _log(broker, topics), _log(broker, topics)
        await first.start()
        await first.save("issues", Cursor(START, "7"), None)
        await second.start()
        await second.save("issues", Cursor(START + 9, "9"), None)

        with pytest.raises(TakenOverError, match="feed desk"):
            await first.save("issues", Cursor(START + 1, "8"), None)
        with pytest.raises(TakenOverError):
            await first.start()
        await first.stop()
        await second.stop()

        third = _log(broker, topics)
        await third.start()
        await third.stop()
        assert third.positions["issues"].cursor == Cursor(START + 9, "9")

    asyncio.run(story())


def test_a_tombstone_forgets_a_resource(broker: str, topics: Topics) -> None:
    async def story() -> None:
        log = _log(broker, topics)
        await log.start()
        await log.save("issues", Cursor(START, "7"), None)
        await log.stop()
        async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
            await producer.send_and_wait(topics.feed_state, None, key=b"desk/issues", partition=0)

        again = _log(broker, topics)
        await again.start()
        await again.stop()

        assert again.positions == {}

    asyncio.run(story())
