"""A real Kafka broker for each process of pytest-xdist; each test has topics of its own on it.

So three processes use three brokers, with ports and data of their own. Each test goes to whichever process is
free, but for the groups below: the tests of a group run one after the other in one process.
"""

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


GROUPS = {
    # A fixture of the module is dear: an image, a broker that asks for passwords.
    "test_image": "image",
    "test_login": "login",
    "test_topics": "topics",
    "test_forgetful_broker": "forgetful",
    "test_permissions": "permissions",
    # They start several processes each, or rest on how fast the machine is: never two of them at once. Chaos is in it, too.
    "test_demo": "heavy",
    "test_watchdog_ends": "heavy",
}


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.broker)
    if group := GROUPS.get(item.path.stem):
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[str]:
    """Bootstrap address of a running embedded broker."""
    with Broker() as running:
        yield running.bootstrap


@pytest.fixture(scope="session")
def broker(embedded_broker: str) -> str:
    """Bootstrap address of the broker of most tests. A module may have another one."""
    return embedded_broker


@pytest.fixture
def topics(broker: str) -> Topics:
    """Topics that no other test uses, created with four partitions: app id and prefix are new."""
    unique = uuid4().hex[:8]
    made = Topics(app_id=f"test-{unique}", prefix=f"{unique}.")
    asyncio.run(create(broker, made, partitions=4))
    return made
