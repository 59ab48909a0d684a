"""Metrics over two small policies, and a way to read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stream.observe.metrics.registry import Metrics
from tests.unit.observe.observed import gold, policy_set, silver

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(policy_set(gold(), silver()), now=lambda: 1_700_000_000_000_000)


@pytest.fixture
def value(metrics: Metrics) -> Callable[..., float | None]:
    """The value of a series of ``metrics`` by name and labels; ``None`` if the series does not exist."""

    def read(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, labels)

    return read
