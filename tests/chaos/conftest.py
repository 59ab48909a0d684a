"""A run has brokers of its own and wants much of the machine: it is of the group "heavy" of tests/broker/conftest.py."""

from __future__ import annotations

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.nodeid.rpartition("/")[2].startswith("test_chaos_short"):
        item.add_marker(pytest.mark.broker)
        item.add_marker(pytest.mark.xdist_group("heavy"))
