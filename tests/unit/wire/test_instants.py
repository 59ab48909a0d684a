"""Instants as RFC 3339 text and as epoch microseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.wire.instants import END, FIRST, NO_END, InstantError, epoch_micros, format_instant, parse_instant

HALF_PAST_NINE = 1_772_443_800_000_000


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T09:30:00Z",
        "2026-03-02t09:30:00z",
        "2026-03-02 09:30:00Z",
        "2026-03-02T15:00:00+05:30",
        "2026-03-02T15:00:00+0530",
        "2026-03-02T00:00:00-09:30",
        "2026-03-02T09:30:00.000000Z",
    ],
)
def test_one_instant_may_be_written_in_several_ways(text: str) -> None:
    assert parse_instant(text) == HALF_PAST_NINE


def test_fractions_finer_than_a_microsecond_are_rounded_to_the_nearest() -> None:
    assert parse_instant("2026-03-02T09:30:00.1234564Z") == HALF_PAST_NINE + 123_456
    assert parse_instant("2026-03-02T09:30:00.1234567Z") == HALF_PAST_NINE + 123_457
    assert parse_instant("2026-03-02T09:30:59.9999999Z") == HALF_PAST_NINE + 60_000_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-02",
        "2026-03-02T09:30:00",
        "2026-03-02T09:30Z",
        "2026-03-02T09:30:00+05",
        "2026-03-02T09:30:00+24:00",
        "2026-02-29T09:30:00Z",
        "2026-03-02T24:00:00Z",
        "2026-06-30T23:59:60Z",
        "1969-12-31T23:59:59.999999Z",
        "2200-01-01T00:00:00Z",
        "1970-01-01T00:00:00+05:30",
        "0001-01-01T00:00:00+05:30",
        "20260302T093000Z",
        "1772443800",
    ],
)
def test_text_that_is_not_an_instant_between_1970_and_2199_raises_an_error(text: str) -> None:
    with pytest.raises(InstantError):
        parse_instant(text)


@pytest.mark.parametrize(("end", "last"), [(END, 2199), (NO_END, 9999)])
def test_the_error_names_the_years_that_are_allowed(end: int, last: int) -> None:
    with pytest.raises(InstantError, match=f"'1969-12-31T23:59:59Z' is outside the years 1970 to {last}$"):
        parse_instant("1969-12-31T23:59:59Z", end)


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "2026-03-02T09:30:00Z"),
        (500_000, "2026-03-02T09:30:00.5Z"),
        (1, "2026-03-02T09:30:00.000001Z"),
        (120_300, "2026-03-02T09:30:00.1203Z"),
        (10_000_000, "2026-03-02T09:30:10Z"),
    ],
)
def test_an_instant_is_formatted_with_only_as_many_fractional_digits_as_it_needs(micros: int, text: str) -> None:
    assert format_instant(HALF_PAST_NINE + micros) == text


@given(st.integers(FIRST, END - 1))
def test_parsing_a_formatted_instant_returns_the_instant(instant: int) -> None:
    assert parse_instant(format_instant(instant)) == instant


@given(st.integers(FIRST, END - 1), st.integers(-1439, 1439))
def test_the_offset_changes_the_text_but_not_the_instant(instant: int, minutes: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)

    assert epoch_micros(moment.astimezone(timezone(timedelta(minutes=minutes)))) == instant
