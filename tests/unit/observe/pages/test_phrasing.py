"""The words and numbers of the pages and of ``breachwatch explain``."""

from __future__ import annotations

import pytest

from stream.observe.pages.phrasing import length, when

MICROS = 1_000_000


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0, "Thu 1970-01-01 00:00 UTC"),
        (999, "Thu 1970-01-01 00:00 UTC"),
        (1_000, "Thu 1970-01-01 00:00:00.001 UTC"),
        (500_000, "Thu 1970-01-01 00:00:00.5 UTC"),
        (999_999, "Thu 1970-01-01 00:00:00.999 UTC"),
        (30 * MICROS, "Thu 1970-01-01 00:00:30 UTC"),
    ],
)
def test_an_instant_is_shown_to_the_millisecond(instant: int, text: str) -> None:
    assert when(instant, "UTC") == text


@pytest.mark.parametrize(
    ("micros", "text"),
    [(0, "0:00:00"), (999, "0:00:00"), (123_456, "0:00:00.123"), (95_400 * MICROS + 50_000, "26:30:00.05")],
)
def test_a_length_is_shown_to_the_millisecond(micros: int, text: str) -> None:
    assert length(micros) == text
