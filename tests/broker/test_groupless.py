"""Consumers without a group, on a real broker."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer

from stream.runtime.kafka.groupless import started


def test_a_consumer_that_has_nothing_to_do_is_stopped_at_once(broker: str) -> None:
    async def run() -> None:
        async with started(AIOKafkaConsumer(bootstrap_servers=broker)) as consumer:
            assert consumer.assignment() == frozenset()

    asyncio.run(run())


def test_a_consumer_whose_caller_fails_at_once_is_stopped_and_the_failure_is_what_is_raised(broker: str) -> None:
    async def run() -> None:
        async with started(AIOKafkaConsumer(bootstrap_servers=broker)):
            raise LookupError("no such partition")

    with pytest.raises(LookupError, match="no such partition"):
        asyncio.run(run())
