"""Counts of things, as people write them."""

from __future__ import annotations

import pytest

from stream.wire.counting import many


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 events"), (1, "1 event"), (2, "2 events"), (999, "999 events"), (1_000, "1,000 events")]
)
def test_one_thing_is_singular_and_thousands_are_separated(count: int, text: str) -> None:
    assert many(count, "event") == text


def test_a_plural_of_its_own_is_given() -> None:
    assert (many(1, "policy", "policies"), many(2, "policy", "policies")) == ("1 policy", "2 policies")
