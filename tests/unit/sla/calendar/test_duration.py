"""Durations: what is accepted, what it is worth, what is refused and with which words."""

from datetime import date, datetime

import pytest

from stream.language.zones import read_zone
from stream.sla.calendar.calendar import Calendar, always
from stream.sla.calendar.duration import Amount, Clock, Duration, DurationError
from stream.sla.calendar.week import Content, Version, Window

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
UTC_CALENDAR = always()


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp()) * SECOND


def office(day: int | None = None, timezone: str = "Asia/Kolkata") -> Calendar:
    nine_to_five = (Window(9 * HOUR, 17 * HOUR),)
    week = (nine_to_five,) * 5 + ((), ())
    return Calendar("office", Content(read_zone(timezone), (Version(date.min, week),), day=day))


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("30m", 30 * MINUTE),
        ("1h30m", 90 * MINUTE),
        ("30m1h", 90 * MINUTE),
        ("1.5h", 90 * MINUTE),
        ("0.1s", 100_000),
        ("0.000001s", 1),
        ("90s", 90 * SECOND),
        ("1d", DAY),
        ("1w", 7 * DAY),
        ("2w3d4h5m6s", 17 * DAY + 4 * HOUR + 5 * MINUTE + 6 * SECOND),
    ],
)
def test_wall_units_run_on_the_wall(text: str, micros: int) -> None:
    assert Duration.parse(text).resolve(office(), 0) == Amount(Clock.WALL, micros)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("10bm", 10 * MINUTE),
        ("30bs", 30 * SECOND),
        ("0.5bm", 30 * SECOND),
        ("0.000001bs", 1),
        ("1bm30bs", 90 * SECOND),
        ("30bs1bm", 90 * SECOND),
        ("1bd2bh3bm4bs", 10 * HOUR + 3 * MINUTE + 4 * SECOND),
        ("90bm", HOUR + 30 * MINUTE),
        ("4bh", 4 * HOUR),
        ("0.5bh", HOUR // 2),
        ("1bd", 8 * HOUR),
        ("2bd4bh", 20 * HOUR),
        ("0.25bd", 2 * HOUR),
    ],
)
def test_business_units_run_on_the_calendar(text: str, micros: int) -> None:
    assert Duration.parse(text).resolve(office(), 0) == Amount(Clock.BUSINESS, micros)


def test_a_business_day_is_as_long_as_the_calendar_has_it() -> None:
    assert Duration.parse("1bd").resolve(office(day=7 * HOUR + HOUR // 2), 0).micros == 27_000 * SECOND
    assert Duration.parse("1bd").resolve(UTC_CALENDAR, 0).micros == DAY


def test_the_smallest_share_of_a_business_day_is_still_exact() -> None:
    assert Duration.parse("0.000001bd").resolve(office(day=SECOND), 0).micros == 1


@pytest.mark.parametrize(
    ("start", "text", "end"),
    [
        ("2026-01-31T10:00Z", "1mo", "2026-02-28T10:00Z"),
        ("2028-01-31T10:00Z", "1mo", "2028-02-29T10:00Z"),
        ("2026-01-31T10:00Z", "2mo", "2026-03-31T10:00Z"),
        ("2026-12-15T00:00Z", "1mo", "2027-01-15T00:00Z"),
        ("2026-11-30T23:59:59Z", "15mo", "2028-02-29T23:59:59Z"),
        ("2026-01-31T10:00Z", "1mo1d", "2026-03-01T10:00Z"),
    ],
)
def test_a_month_leads_to_the_same_day_of_a_later_month_or_to_its_last(start: str, text: str, end: str) -> None:
    assert Duration.parse(text).resolve(UTC_CALENDAR, at(start)) == Amount(Clock.WALL, at(end) - at(start))


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        ("2026-02-15T12:00-05:00", "2026-03-15T12:00-04:00", "the same reading, an hour sooner"),
        ("2026-02-08T02:30-05:00", "2026-03-08T03:00-04:00", "02:30 was skipped: the instant of the change"),
        ("2026-10-01T01:30-04:00", "2026-11-01T01:30-05:00", "01:30 came twice: the second"),
    ],
)
def test_a_month_is_counted_on_the_clocks_of_the_calendars_zone(start: str, end: str, why: str) -> None:
    calendar = office(timezone="America/New_York")
    assert Duration.parse("1mo").resolve(calendar, at(start)).micros == at(end) - at(start), why


def test_the_local_date_decides_which_month_it_is() -> None:
    # 20:00 UTC on 31 January is 1 February in India.
    start = at("2026-01-31T20:00Z")
    assert Duration.parse("1mo").resolve(office(), start).micros == 28 * DAY


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0 characters"),
        ("0h", "not a length of time"),
        ("0bd", "not a length of time"),
        ("-30m", "negative"),
        ("30", "not understood from '30'"),
        ("h", "not understood from 'h'"),
        ("1h 30m", "not understood from ' 30m' on: write it without spaces"),
        ("1bd 2bh", "not understood from ' 2bh' on: write it without spaces"),
        ("10 bm", "write it without spaces"),
        ("0bm", "not a length of time"),
        ("0bs", "not a length of time"),
        ("0.0000001bs", "whole microseconds"),
        ("10BM", "unknown unit 'BM': write `bm`"),
        ("10Bs", "unknown unit 'Bs': write `bs`"),
        ("10b", "unknown unit 'b'"),
        ("1bw", "unknown unit 'bw'"),
        ("1bmo", "unknown unit 'bmo'"),
        ("1bm1bm", "gives 'bm' twice"),
        ("1m1bm", "mixes wall time"),
        ("1s1bs", "mixes wall time"),
        ("-10bm", "negative"),
        ("1.h", "not understood from"),
        (".5h", "not understood from"),
        ("1e3s", "unknown unit 'e'"),
        ("5x", "unknown unit 'x'"),
        ("1H", "unknown unit 'H'"),
        ("1h2h", "gives 'h' twice"),
        ("1d4bh", "mixes wall time"),
        ("1mo1bd", "mixes wall time"),
        ("0.5mo", "whole months"),
        ("0.0000001s", "whole microseconds"),
        ("0.0000001bd", "at most six decimals"),
        ("99999w", "hundred years"),
        ("99999bd", "hundred years"),
        ("9999mo", "hundred years"),
        ("1" * 70 + "s", "71 characters"),
        ("٣h", "not understood"),
    ],
)
def test_what_is_no_duration_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(DurationError, match=words):
        Duration.parse(text)


def test_a_duration_keeps_its_text() -> None:
    assert Duration.parse("2bd4bh").text == "2bd4bh"
    assert Duration.parse("1h").clock is Clock.WALL
    assert Duration.parse("1bd").clock is Clock.BUSINESS
