"""Business time where clocks change: every expected instant is written out, in UTC."""

from datetime import date, datetime

import pytest

from stream.language.zones import read_zone
from stream.sla.calendar.calendar import Calendar, Stretch
from stream.sla.calendar.week import Content, ReadingException, StretchKind, Version, Week, Window

HOUR = 3_600_000_000
MINUTE = HOUR // 60


def at(text: str) -> int:
    """An instant; without an offset, UTC. As a reading: the same number."""
    return round(datetime.fromisoformat(text if "+" in text else f"{text}+00:00").timestamp()) * 1_000_000


def daily(timezone: str, start: float, end: float, days: int = 7) -> Calendar:
    """The same window, in hours, on the first ``days`` days of the week."""
    window = (Window(round(start * HOUR), round(end * HOUR)),)
    mon, tue, wed, thu, fri, sat, sun = (window if day < days else () for day in range(7))
    week: Week = (mon, tue, wed, thu, fri, sat, sun)
    return Calendar("daily", Content(read_zone(timezone), (Version(date.min, week),)))


def opened(calendar: Calendar, start: str, end: str) -> list[tuple[int, int]]:
    return [(piece.start, piece.end) for piece in calendar.stretches(at(start), at(end)) if piece.kind is StretchKind.OPEN]


def test_the_day_the_clocks_go_forward_has_23_hours_and_the_day_they_go_back_25() -> None:
    whole = daily("America/New_York", 0, 24, days=6)  # Sundays closed, and both changes are on Sundays
    sunday: Week = ((), (), (), (), (), (), (Window(0, 24 * HOUR),))
    sundays = Calendar("sundays", Content(read_zone("America/New_York"), (Version(date.min, sunday),)))
    assert sundays.measure(at("2026-03-07T12:00"), at("2026-03-10T12:00")) == 23 * HOUR
    assert sundays.measure(at("2026-10-31T12:00"), at("2026-11-03T12:00")) == 25 * HOUR
    assert whole.add(at("2026-03-08T04:00"), 2 * HOUR) == at("2026-03-09T05:00")


def test_a_closing_edge_in_a_skipped_hour_moves_to_the_change() -> None:
    assert opened(daily("America/New_York", 1.5, 2.5), "2026-03-08T05:00", "2026-03-09T05:00") == [
        (at("2026-03-08T06:30"), at("2026-03-08T07:00"))
    ]


def test_an_opening_edge_in_a_skipped_hour_moves_to_the_change() -> None:
    assert opened(daily("America/New_York", 2.5, 9), "2026-03-08T05:00", "2026-03-09T05:00") == [
        (at("2026-03-08T07:00"), at("2026-03-08T13:00"))
    ]


def test_a_window_inside_a_skipped_hour_never_opens() -> None:
    assert opened(daily("America/New_York", 2.25, 2.75), "2026-03-08T05:00", "2026-03-09T04:00") == []


def test_a_window_that_covers_a_repeated_hour_counts_it_twice() -> None:
    assert opened(daily("America/New_York", 0.5, 9), "2026-11-01T04:00", "2026-11-02T05:00") == [
        (at("2026-11-01T04:30"), at("2026-11-01T14:00"))
    ]


def test_a_window_that_opens_within_a_repeated_hour_is_open_in_that_part_of_both_passes() -> None:
    assert opened(daily("America/New_York", 1.5, 9), "2026-11-01T04:00", "2026-11-02T05:00") == [
        (at("2026-11-01T05:30"), at("2026-11-01T06:00")),
        (at("2026-11-01T06:30"), at("2026-11-01T14:00")),
    ]


def test_a_window_that_closes_within_a_repeated_hour_is_open_in_that_part_of_both_passes() -> None:
    assert opened(daily("America/New_York", 0, 1.5), "2026-11-01T04:00", "2026-11-02T05:00") == [
        (at("2026-11-01T04:00"), at("2026-11-01T05:30")),
        (at("2026-11-01T06:00"), at("2026-11-01T06:30")),
    ]


@pytest.mark.parametrize(
    ("timezone", "noon", "hours"),
    [
        ("America/New_York", "2026-03-07T17:00", 7),
        ("America/New_York", "2026-10-31T16:00", 9),
        ("Europe/Berlin", "2026-03-28T11:00", 7),
        ("Europe/Berlin", "2026-10-24T10:00", 9),
        ("Australia/Lord_Howe", "2026-10-03T01:30", 7.5),
        ("Australia/Lord_Howe", "2026-04-04T01:00", 8.5),
        ("America/Sao_Paulo", "2018-11-03T15:00", 7),
        ("America/Sao_Paulo", "2018-02-17T14:00", 9),
        ("Asia/Beirut", "2026-03-28T10:00", 7),
        ("Asia/Beirut", "2026-10-24T09:00", 9),
        ("Africa/Cairo", "2026-04-23T10:00", 7),
        ("Africa/Cairo", "2026-10-29T09:00", 9),
    ],
)
def test_a_night_shift_over_a_change_is_as_long_as_it_really_lasts(timezone: str, noon: str, hours: float) -> None:
    nights = daily(timezone, 22, 30)
    assert nights.measure(at(noon), at(noon) + 23 * HOUR) == hours * HOUR


def test_a_change_of_half_an_hour_moves_an_edge_by_that() -> None:
    # Lord Howe Island jumps from 02:00 to 02:30 on 4 October 2026.
    assert opened(daily("Australia/Lord_Howe", 2.25, 3), "2026-10-03T13:30", "2026-10-04T13:00") == [
        (at("2026-10-03T15:30"), at("2026-10-03T16:00"))
    ]


def test_a_day_that_a_zone_skipped_is_no_working_day() -> None:
    # Samoa went from Thursday, 29 December 2011 (UTC-10) to Saturday, 31 December (UTC+14).
    office = daily("Pacific/Apia", 9, 17, days=5)
    assert office.add(at("2011-12-30T02:00"), 2 * HOUR) == at("2012-01-01T20:00")
    assert opened(office, "2011-12-29T10:00", "2012-01-02T10:00") == [
        (at("2011-12-29T19:00"), at("2011-12-30T03:00")),
        (at("2012-01-01T19:00"), at("2012-01-02T03:00")),
    ]


def test_a_night_goes_on_over_a_skipped_day_as_the_clocks_did() -> None:
    # From Thursday 24:00 the clocks showed Saturday 00:00, which Friday's window covers, or does not if Friday has none.
    every_night = daily("Pacific/Apia", 22, 30)
    assert opened(every_night, "2011-12-30T00:00", "2011-12-31T00:00") == [(at("2011-12-30T08:00"), at("2011-12-30T16:00"))]
    to_thursday = daily("Pacific/Apia", 22, 30, days=4)
    assert opened(to_thursday, "2011-12-30T00:00", "2011-12-31T00:00") == [(at("2011-12-30T08:00"), at("2011-12-30T10:00"))]


def test_a_midnight_that_was_skipped_opens_at_the_change() -> None:
    # Brazil jumped from Saturday 24:00 to Sunday 01:00 on 4 November 2018.
    assert opened(daily("America/Sao_Paulo", 0, 8), "2018-11-03T12:00", "2018-11-04T12:00") == [
        (at("2018-11-04T03:00"), at("2018-11-04T10:00"))
    ]


def test_a_repeated_last_hour_of_a_day_counts_for_that_day_twice() -> None:
    # Brazil went from Sunday 00:00 back to Saturday 23:00 on 18 February 2018.
    assert opened(daily("America/Sao_Paulo", 22, 24), "2018-02-17T12:00", "2018-02-18T12:00") == [
        (at("2018-02-18T00:00"), at("2018-02-18T03:00"))
    ]


def test_an_exception_by_reading_holds_in_both_passes_of_a_repeated_hour() -> None:
    content = Content(
        read_zone("Europe/Berlin"),
        (Version(date.min, ((Window(0, 24 * HOUR),),) * 7),),
        readings=(ReadingException(at("2026-10-25T02:00"), at("2026-10-25T02:30"), False, "works"),),
    )
    closed = [piece for piece in Calendar("x", content).stretches(at("2026-10-25T00:00"), at("2026-10-25T02:00")) if piece.note]
    assert closed == [
        Stretch(at("2026-10-25T00:00"), at("2026-10-25T00:30"), StretchKind.CLOSED, "works"),
        Stretch(at("2026-10-25T01:00"), at("2026-10-25T01:30"), StretchKind.CLOSED, "works"),
    ]


def test_a_reading_belongs_to_no_instant_to_one_or_to_two() -> None:
    zone = daily("America/New_York", 9, 17).zone
    assert zone.instants_of(at("2026-03-08T02:30")) == ()
    assert zone.instants_of(at("2026-03-08T03:00")) == (at("2026-03-08T07:00"),)
    assert zone.instants_of(at("2026-11-01T01:30")) == (at("2026-11-01T05:30"), at("2026-11-01T06:30"))


def test_a_reading_that_was_skipped_lands_at_the_change_whole_days_too() -> None:
    assert daily("America/New_York", 9, 17).zone.landing(at("2026-03-08T02:59")) == at("2026-03-08T07:00")
    assert daily("Pacific/Apia", 9, 17).zone.landing(at("2011-12-30T15:00")) == at("2011-12-30T10:00")


def test_segments_cover_their_range_without_a_hole() -> None:
    zone = daily("Africa/Casablanca", 9, 17).zone
    found = zone.segments(at("2024-01-01T00:00"), at("2027-01-01T00:00"))
    assert [piece.end for piece in found[:-1]] == [piece.start for piece in found[1:]]
    assert (found[0].start, found[-1].end) == (at("2024-01-01T00:00"), at("2027-01-01T00:00"))
    assert {piece.offset for piece in found} == {0, HOUR}
    assert len(found) == 8  # Ramadan three times, and the end of summer time for good in September 2026


def test_a_range_that_ends_at_a_change_has_one_segment() -> None:
    zone = daily("America/New_York", 9, 17).zone
    assert zone.segments(at("2026-03-08T06:00"), at("2026-03-08T07:00")) == [
        (at("2026-03-08T06:00"), at("2026-03-08T07:00"), -5 * HOUR)
    ]


@pytest.mark.parametrize("day", range(1, 9))
def test_changes_that_are_a_week_apart_are_both_found_wherever_the_range_begins(day: int) -> None:
    zone = daily("America/Recife", 9, 17).zone
    found = zone.segments(at(f"2000-10-0{day}T00:00"), at("2000-11-01T00:00"))
    assert [piece.offset for piece in found] == [-3 * HOUR, -2 * HOUR, -3 * HOUR]
    assert found[1].end - found[1].start < 8 * 24 * HOUR
