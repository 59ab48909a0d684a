"""Tests with real helpdesks. The broker is that of ``tests/broker``; they run in one process, because desks are heavy."""

from __future__ import annotations

import pytest

from tests.broker.conftest import broker, embedded_broker, topics

__all__ = ["broker", "embedded_broker", "topics"]


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.broker)
    item.add_marker(pytest.mark.xdist_group("heavy"))
