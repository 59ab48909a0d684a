"""Tests with real helpdesks. The broker is that of ``tests/broker``; they run in one process, because desks are heavy."""

from __future__ import annotations

import pytest

from tests.broker.conftest import broker, embedded_broker, topics

__all__ = ["broker", "embedded_broker", "topics"]


PACKAGED = frozenset({"test_packaged_desks", "test_writing_request_tracker"})
"""Tests of helpdesks that Debian has: ``make desks`` runs them, ``make test`` does not."""


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.broker)
    if item.path.stem in PACKAGED:
        item.add_marker(pytest.mark.desk)
    item.add_marker(pytest.mark.xdist_group("heavy"))
