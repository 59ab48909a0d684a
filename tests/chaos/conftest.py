"""Runs have brokers of their own: beside those of the other tests, in one process of pytest-xdist."""

from __future__ import annotations

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.nodeid.rpartition("/")[2].startswith("test_chaos_short"):
        item.add_marker(pytest.mark.broker)
        item.add_marker(pytest.mark.xdist_group("chaos"))
