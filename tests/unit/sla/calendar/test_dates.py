"""Dates and times of ticket fields."""

from __future__ import annotations

import pytest

from stream.language.zones import read_zone
from stream.sla.calendar.dates import DateError, instant_of
from stream.sla.calendar.zone import UTC_ZONE
from stream.testing import instant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-03-02", "2026-03-01T23:00+00:00"),
        (" 2026-03-02 ", "2026-03-01T23:00+00:00"),
        ("2026-03-02T09:30", "2026-03-02T08:30+00:00"),
        ("2026-03-02 09:30:15.25", "2026-03-02T08:30:15.250000+00:00"),
        ("2026-03-02T09:30:00+05:30", "2026-03-02T04:00+00:00"),
        ("2026-03-02t09:30:00z", "2026-03-02T09:30+00:00"),
        ("2026-03-29T02:30", "2026-03-29T01:00+00:00"),  # skipped
        ("2026-10-25T02:30", "2026-10-25T00:30+00:00"),  # shown twice
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00+00:00"),  # a leap second
        ("2016-12-31 23:59:60.25z", "2017-01-01T00:00:00.250000+00:00"),
        ("2017-01-01T00:59:60", "2017-01-01T00:00+00:00"),
        ("2017-01-01T05:29:60+05:30", "2017-01-01T00:00+00:00"),
    ],
)
def test_a_date_begins_at_midnight_and_a_time_is_local_unless_it_has_an_offset(text: str, meant: str) -> None:
    assert instant_of(text, read_zone("Europe/Berlin")) == instant(meant)


def test_a_midnight_that_is_skipped_is_the_instant_of_the_change() -> None:
    assert instant_of("2026-09-06", read_zone("America/Santiago")) == instant("2026-09-06T04:00+00:00")


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "02.03.2026",
        "2026-3-2",
        "20260302",
        "2026-W10-1",
        "2026-02-30",
        "2026-03-02T25:00",
        "2016-12-31T22:59:60Z",
        "2016-12-31T23:59:61Z",
        "2016-12-31T23:60:00Z",
        "2200-01-01",
        "1969-12-31",
        "٢٠٢٦-03-02",
    ],
)
def test_anything_else_is_no_date_and_the_reason_does_not_repeat_it(text: str) -> None:
    with pytest.raises(DateError) as caught:
        instant_of(text, UTC_ZONE)
    assert text not in str(caught.value).replace("2026-03-02", "")
