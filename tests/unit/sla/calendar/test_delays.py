"""Delays in business days: which business day, at which time of it, in which words refused."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from stream.language.calendars import read_calendar
from stream.sla.calendar.calendar import Calendar, always
from stream.sla.calendar.delay import Delay
from stream.sla.calendar.duration import NEVER, Amount, Clock, Duration, DurationError

HOUR = 3_600_000_000
DAY = 24 * HOUR


def calendar(timezone: str = "Asia/Kolkata", **data: Any) -> Calendar:
    found: list[str] = []
    read = read_calendar("c", {"timezone": timezone, **data}, lambda _, message: found.append(message))
    assert read is not None, found
    return read


OFFICE = calendar(
    week={"mon-thu": ["09:00-12:30", "13:30-17:00"], "fri": ["09:00-15:00"]},
    holidays=["2026-11-18", {"date": "2026-11-24", "open": ["09:00-12:00"]}],
    exceptions=[
        {"date": "2026-11-28", "open": ["10:00-14:00"], "note": "a Saturday"},
        {"from": "2026-12-01 11:00", "to": "2026-12-02 20:00", "closed": True},
        {"from": "2026-12-05 20:00", "to": "2026-12-06 02:00", "open": True},
    ],
)
NIGHTS = calendar(week={"mon-fri": ["22:00-06:00"]}, day="8h")
"""16 November 2026 is a Monday."""


def at(text: str, timezone: str = "Asia/Kolkata", second: int = 0) -> int:
    local = datetime.fromisoformat(f"2026-{text}" if text[2:3] == "-" else text).replace(tzinfo=ZoneInfo(timezone), fold=second)
    return round(local.timestamp() * 1_000_000)


def end(text: str, start: int, of: Calendar = OFFICE) -> int | None:
    return Delay.parse(text).end(of, start)


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        # The same time of day.
        ("+1 business day", "11-16T10:20:30", "11-17T10:20:30"),
        ("+2 business days", "11-16T10:00", "11-19T10:00"),  # Wednesday is a holiday
        ("+5 business days", "11-19T10:00", "11-26T10:00"),  # a half holiday is a business day
        ("+1 business day", "11-16T22:00", "11-17T22:00"),  # closed then, but promised
        ("+1 business day", "11-14T10:00", "11-16T10:00"),  # from a Saturday
        ("+1 business day", "11-18T10:00", "11-19T10:00"),  # from a holiday
        # A time on the n-th.
        ("+1 business day at 16:00", "11-16T09:00", "11-17T16:00"),
        ("+1 business day at 16:00", "11-16T23:59:59", "11-17T16:00"),
        ("+3 business days at 16:00", "11-16T09:00", "11-20T16:00"),
        ("+1 business day at 24:00", "11-16T09:00", "11-18T00:00"),
        ("+1 business day at 08:00:30", "11-16T09:00", "11-17T08:00:30"),
        # The end of the hours.
        ("+1 business day at close", "11-16T09:00", "11-17T17:00"),
        ("+1 business day at close", "11-19T09:00", "11-20T15:00"),
        ("+1 business day at close", "11-23T09:00", "11-24T12:00"),
        ("+1 business day at close", "11-27T09:00", "11-28T14:00"),
        ("+1 business day at close", "11-30T09:00", "12-01T11:00"),  # closed from then on
        ("+2 business days at close", "11-30T09:00", "12-03T17:00"),  # all of Wednesday is closed
        ("+1 business day at close", "12-04T09:00", "12-06T00:00"),  # opened until after midnight: both dates
        ("+2 business days at close", "12-04T09:00", "12-06T02:00"),
        # The same business day, or the next where that is over.
        ("+0 business days at close", "11-16T09:00", "11-16T17:00"),
        ("+0 business days at close", "11-16T03:00", "11-16T17:00"),
        ("+0 business days at close", "11-16T16:59:59.999999", "11-16T17:00"),
        ("+0 business days at close", "11-16T17:00", "11-17T17:00"),
        ("+0 business days at 16:00", "11-16T16:00", "11-17T16:00"),
        ("+0 business days at 16:00", "11-14T10:00", "11-16T16:00"),
        # Cut-offs.
        ("+1 business day at close cutoff 15:00", "11-16T15:00", "11-17T17:00"),
        ("+1 business day at close cutoff 15:00", "11-16T15:00:00.000001", "11-19T17:00"),
        ("+1 business day at close cutoff 15:00", "11-14T10:00", "11-17T17:00"),  # a Saturday counts as Monday
        ("+0 business days at close cutoff 15:00", "11-16T15:01", "11-17T17:00"),
        ("+1 business day cutoff 15:00", "11-16T15:30", "11-19T15:30"),
        ("+1 business day at 16:00 cutoff 10:00:30", "11-16T10:00:31", "11-19T16:00"),
    ],
)
def test_a_delay_ends_on_its_business_day(text: str, start: str, expected: str) -> None:
    assert end(text, at(start)) == at(expected)


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("+0 business days at close", "11-17T02:00", "11-17T06:00"),  # still Monday's night
        ("+1 business day at close", "11-17T02:00", "11-18T06:00"),
        ("+1 business day at close", "11-17T07:00", "11-19T06:00"),  # between the nights: Tuesday
        ("+1 business day at close", "11-21T03:00", "11-24T06:00"),  # Friday's night, on Saturday
        ("+1 business day", "11-21T03:00", "11-24T03:00"),
        ("+1 business day", "11-16T23:00", "11-17T23:00"),
        ("+1 business day at 04:00", "11-16T23:00", "11-18T04:00"),  # after the midnight of Tuesday's night
        ("+1 business day at 23:00", "11-17T02:00", "11-17T23:00"),
        ("+1 business day at 12:00", "11-17T02:00", "11-17T12:00"),
        ("+0 business days at 04:00", "11-17T05:00", "11-18T04:00"),
        ("+1 business day at close cutoff 02:00", "11-17T02:00", "11-18T06:00"),
        ("+1 business day at close cutoff 02:00", "11-17T02:30", "11-19T06:00"),
    ],
)
def test_a_night_belongs_to_the_date_on_which_it_begins(text: str, start: str, expected: str) -> None:
    assert end(text, at(start), NIGHTS) == at(expected)


def test_every_date_of_a_calendar_that_never_closes_is_a_business_day_until_midnight() -> None:
    assert end("+1 business day at close", at("11-14T10:00", "UTC"), always()) == at("11-16T00:00", "UTC")
    assert end("+3 business days", at("11-14T10:00", "UTC"), always()) == at("11-17T10:00", "UTC")


def test_times_are_those_of_the_clocks_in_the_calendars_zone() -> None:
    berlin = calendar("Europe/Berlin", week={"mon-sun": ["00:00-24:00"]})
    there = "Europe/Berlin"
    assert end("+1 business day", at("03-28T10:00", there), berlin) == at("03-28T10:00", there) + 23 * HOUR
    assert end("+1 business day at 02:30", at("03-28T10:00", there), berlin) == at("03-29T03:00", there)  # skipped
    assert end("+1 business day at 02:30", at("10-24T10:00", there), berlin) == at("10-25T02:30", there, second=1)
    half = calendar("Europe/Berlin", week={"mon-sun": ["01:00-02:30"]})
    assert end("+1 business day at close", at("10-24T10:00", there), half) == at("10-25T02:30", there, second=1)
    assert end("+1 business day at close", at("03-28T10:00", there), half) == at("03-29T03:00", there)


def test_a_date_that_a_zone_skipped_is_no_business_day() -> None:
    apia = calendar("Pacific/Apia", week={"mon-fri": ["09:00-17:00"]})
    there = "Pacific/Apia"
    start = at("2011-12-29T10:00", there)
    assert end("+1 business day at close", start, apia) == at("2012-01-02T17:00", there)  # the 30th, a Friday, never was


def test_a_business_day_that_does_not_come_is_never() -> None:
    hotline = calendar(exceptions=[{"from": "2026-11-16", "to": "2026-11-18", "open": ["09:00-17:00"]}])
    start = at("11-16T10:00")
    assert end("+2 business days", start, hotline) == at("11-18T10:00")
    assert end("+3 business days", start, hotline) is None
    assert end("+0 business days at close", at("11-18T17:00"), hotline) is None
    assert end("+0 business days at close cutoff 10:00", at("11-18T11:00"), hotline) is None
    assert Duration.parse_any("+3 business days").resolve(hotline, start) == Amount(Clock.BUSINESS, NEVER)


def test_a_delay_is_the_business_time_up_to_its_end_and_not_over_before_it() -> None:
    def amount(text: str, start: str) -> Amount:
        return Duration.parse_any(text).resolve(OFFICE, at(start))

    assert amount("+1 business day at 16:00", "11-16T16:00") == Amount(Clock.BUSINESS, 7 * HOUR)
    assert amount("+1 business day at close", "11-16T16:00") == Amount(Clock.BUSINESS, 8 * HOUR)
    assert amount("+1 business day at 20:00", "11-16T16:00") == Amount(Clock.BUSINESS, 8 * HOUR, at("11-17T20:00"))
    assert amount("+1 business day at 08:00", "11-16T20:00") == Amount(Clock.BUSINESS, 0, at("11-17T08:00"))
    assert amount("+1 business day at 13:00", "11-16T16:00") == Amount(Clock.BUSINESS, int(4.5 * HOUR), at("11-17T13:00"))


def test_years_are_worked_out_once_and_in_any_order() -> None:
    questions = ["2026-11-16T10:00", "1999-12-30T10:00", "2026-12-31T10:00", "2051-03-01T10:00", "2010-06-01T10:00"]
    fresh = [end("+3 business days at close", at(start), calendar(week={"mon-fri": ["09:00-17:00"]})) for start in questions]
    shared = calendar(week={"mon-fri": ["09:00-17:00"]})
    assert [end("+3 business days at close", at(start), shared) for start in questions] == fresh
    assert fresh[2] == at("2027-01-05T17:00")
    assert end("+1 business day", at("2199-12-31T10:00"), shared) is None


def test_a_delay_keeps_its_text_and_runs_on_business_time() -> None:
    delay = Duration.parse_any("+1 business day at 16:00")
    assert (delay.text, delay.clock, delay.delay) == ("+1 business day at 16:00", Clock.BUSINESS, Delay(1, time=16 * HOUR))
    assert Duration.parse_any("4bh") == Duration.parse("4bh")
    with pytest.raises(DurationError, match="is not a length"):
        Duration.parse("+1 business day")


@pytest.mark.parametrize(
    "text", ["+1 business days", "+5 business day", "+1 business day at close", "+12 business days at 24:00"]
)
def test_the_word_may_be_day_or_days(text: str) -> None:
    assert Delay.parse(text).days > 0


def test_a_delay_may_have_999_business_days_and_zeros_in_front() -> None:
    assert Delay.parse("+00999 business days").days == 999


def test_only_the_years_between_the_questions_are_worked_out() -> None:
    days = calendar(week={"mon-fri": ["09:00-17:00"]}).business_days
    assert days.after(at("2026-11-16T10:00") // DAY, 1) is not None
    assert days.after(at("2024-11-18T10:00") // DAY, 1) is not None

    assert (days._start, days._end) == (2024, 2027)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("+1000 business days", "is too long: a delay has at most 999 business days"),
        ("+100000 business days", "is too long: a delay has at most 999 business days"),
        ("+" + "9" * 5_000 + " business days", "is too long: a delay has at most 999 business days"),
        ("+1 business day at 25:00", ": 25:00 is not a time of day: use 00:00 to 24:00"),
        ("+1 business day at 9:00", ": 9:00 is not a time of day: use 00:00 to 24:00"),
        ("+1 business day at 12:60", ": 12:60 is not a time of day: use 00:00 to 24:00"),
        ("+1 business day at 24:00:01", ": 24:00:01 is not a time of day: use 00:00 to 24:00"),
        ("+1 business day cutoff 24:00", ": 24:00 is not a time of day: use 00:00 to 23:59:59"),
        ("+0 business days", "ends when it starts: write `+0 business days at 16:00` or `+0 business days at close`"),
        ("+1 business day at noon", "is not a delay in business days: write `+5 business days`"),
    ],
)
def test_what_is_wrong_with_a_delay_is_named(text: str, problem: str) -> None:
    with pytest.raises(DurationError) as caught:
        Duration.parse_any(text)
    assert problem in str(caught.value)
