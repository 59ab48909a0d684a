"""One real Kafka broker for all tests of this folder; each test has topics of its own on it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from stream.devkafka.broker import Broker
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.broker)
    # With pytest-xdist and --dist loadgroup: one broker, in one of its processes.
    item.add_marker(pytest.mark.xdist_group("broker"))


@pytest.fixture(scope="session")
def broker() -> Iterator[str]:
    """Bootstrap address of a running broker."""
    with Broker() as running:
        yield running.bootstrap


@pytest.fixture
def topics(broker: str) -> Topics:
    """Topics that no other test uses, created with four partitions: app id and prefix are new."""
    unique = uuid4().hex[:8]
    made = Topics(app_id=f"test-{unique}", prefix=f"{unique}.")
    asyncio.run(create(broker, made, partitions=4))
    return made
