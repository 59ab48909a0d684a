"""Business time: adding, measuring, asking, explaining. Zones and their changes are in ``test_calendar_zones.py``."""

from collections.abc import Mapping
from datetime import date, datetime

import pytest

from stream.language.zones import read_zone
from stream.sla.calendar.calendar import Calendar, CalendarRangeError, Stretch, always
from stream.sla.calendar.week import (
    CLOSED_WEEK,
    NO_HOLIDAYS,
    OPEN_WEEK,
    Content,
    DateException,
    Holiday,
    Holidays,
    ReadingException,
    StretchKind,
    Version,
    Week,
    Window,
    Windows,
)
from stream.sla.calendar.zone import UTC_ZONE

HOUR = 3_600_000_000
DAY = 24 * HOUR
NINE_TO_FIVE = (Window(9 * HOUR, 17 * HOUR),)
MORNING = (Window(9 * HOUR, 12 * HOUR),)
OFFICE: Week = (NINE_TO_FIVE,) * 5 + ((), ())
NIGHTS: Week = ((Window(22 * HOUR, 30 * HOUR),),) * 5 + ((), ())
LUNCH: Week = ((Window(12 * HOUR, 13 * HOUR),),) * 7


def at(text: str) -> int:
    """An instant; without an offset it is a reading in India, where no clock has changed since 1945."""
    return round(datetime.fromisoformat(text if text[-6:-5] in "+-" else f"{text}+05:30").timestamp()) * 1_000_000


def reading(text: str) -> int:
    return at(f"{text}+00:00")


def holidays(year: int) -> Mapping[date, Holiday]:
    return {
        date(year, 11, 24): Holiday("Gurpurab"),
        date(year, 12, 24): Holiday("Christmas Eve", MORNING),
    }


def calendar(
    week: Week = OFFICE,
    breaks: Week = CLOSED_WEEK,
    dates: tuple[DateException, ...] = (),
    readings: tuple[ReadingException, ...] = (),
    day: int | None = None,
) -> Calendar:
    version = Version(date.min, week, breaks, Holidays(holidays))
    return Calendar("batoi", Content(read_zone("Asia/Kolkata"), (version,), dates, readings, day))


def closed_on(day: date, windows: Windows = (), note: str = "") -> tuple[DateException, ...]:
    return (DateException(day, day, windows, note),)


def test_a_duration_that_fits_before_closing_ends_the_same_day() -> None:
    assert calendar().add(at("2026-11-20T10:00"), 4 * HOUR) == at("2026-11-20T14:00")


def test_a_duration_used_up_at_closing_time_ends_at_the_closing_instant() -> None:
    assert calendar().add(at("2026-11-20T16:00"), HOUR) == at("2026-11-20T17:00")


def test_one_microsecond_more_ends_after_the_next_opening() -> None:
    assert calendar().add(at("2026-11-20T16:00"), HOUR + 1) == at("2026-11-23T09:00") + 1


def test_a_clock_that_starts_on_a_closed_day_starts_counting_at_the_opening() -> None:
    assert calendar().add(at("2026-11-21T12:00"), HOUR) == at("2026-11-23T10:00")


def test_backwards_a_duration_used_up_at_opening_time_ends_at_the_opening_instant() -> None:
    assert calendar().add(at("2026-11-23T10:00"), -HOUR) == at("2026-11-23T09:00")
    assert calendar().add(at("2026-11-23T10:00"), -HOUR - 1) == at("2026-11-20T17:00") - 1


def test_nothing_to_spend_leaves_the_instant_alone() -> None:
    closed = at("2026-11-22T12:00")
    assert calendar().add(closed, 0) == closed


def test_measuring_counts_open_time_only() -> None:
    assert calendar().measure(at("2026-11-20T16:00"), at("2026-11-23T10:00")) == 2 * HOUR
    assert calendar().measure(at("2026-11-21T00:00"), at("2026-11-22T23:00")) == 0


def test_measuring_backwards_is_negative() -> None:
    assert calendar().measure(at("2026-11-23T10:00"), at("2026-11-20T16:00")) == -2 * HOUR


def test_a_pause_over_a_weekend_costs_no_business_time() -> None:
    paused, resumed = at("2026-11-20T17:00"), at("2026-11-23T09:00")
    assert calendar().measure(paused, resumed) == 0
    assert resumed - paused == 64 * HOUR


def test_three_business_days_are_three_working_days_not_72_hours() -> None:
    batoi = calendar()
    assert batoi.add(at("2026-11-16T09:00"), 3 * batoi.day) == at("2026-11-18T17:00")


def test_the_opening_instant_is_open_and_the_closing_instant_is_closed() -> None:
    batoi = calendar()
    assert batoi.is_open(at("2026-11-20T09:00"))
    assert not batoi.is_open(at("2026-11-20T09:00") - 1)
    assert batoi.is_open(at("2026-11-20T17:00") - 1)
    assert not batoi.is_open(at("2026-11-20T17:00"))


def test_a_holiday_is_closed_and_named() -> None:
    batoi = calendar()
    assert batoi.add(at("2026-11-23T16:00"), 2 * HOUR) == at("2026-11-25T10:00")
    assert Stretch(at("2026-11-24T00:00"), at("2026-11-25T00:00"), StretchKind.HOLIDAY, "Gurpurab") in batoi.stretches(
        at("2026-11-23T00:00"), at("2026-11-26T00:00")
    )


def test_a_half_holiday_is_open_in_its_own_hours() -> None:
    assert calendar().measure(at("2026-12-24T00:00"), at("2026-12-25T00:00")) == 3 * HOUR


def test_an_extra_working_saturday_is_open() -> None:
    extra = calendar(dates=closed_on(date(2026, 11, 14), NINE_TO_FIVE, "extra working Saturday"))
    assert extra.add(at("2026-11-13T16:00"), 2 * HOUR) == at("2026-11-14T10:00")


def test_a_half_day_explains_itself() -> None:
    half = calendar(dates=closed_on(date(2026, 11, 20), MORNING, "half day"))
    assert half.stretches(at("2026-11-20T08:00"), at("2026-11-20T18:00")) == [
        Stretch(at("2026-11-20T08:00"), at("2026-11-20T09:00"), StretchKind.CLOSED, "half day"),
        Stretch(at("2026-11-20T09:00"), at("2026-11-20T12:00"), StretchKind.OPEN, "half day"),
        Stretch(at("2026-11-20T12:00"), at("2026-11-20T18:00"), StretchKind.CLOSED, "half day"),
    ]


def test_a_break_is_cut_out_and_named() -> None:
    batoi = calendar(breaks=LUNCH)
    assert batoi.add(at("2026-11-20T11:30"), HOUR) == at("2026-11-20T13:30")
    assert batoi.day == 7 * HOUR
    assert [stretch[2:] for stretch in batoi.stretches(at("2026-11-20T09:00"), at("2026-11-20T17:00"))] == [
        (StretchKind.OPEN, ""),
        (StretchKind.CLOSED, "break"),
        (StretchKind.OPEN, ""),
    ]


def test_a_break_of_a_night_shift_falls_after_midnight_and_with_the_shift() -> None:
    at_three: Week = ((Window(3 * HOUR, 4 * HOUR),),) * 5 + ((), ())
    nights = calendar(NIGHTS, at_three)
    assert not nights.is_open(at("2026-11-21T03:30"))  # a Saturday morning, the Friday shift's break
    assert nights.measure(at("2026-11-20T12:00"), at("2026-11-21T12:00")) == 7 * HOUR


def test_breaks_do_not_cut_the_hours_that_an_exception_gives() -> None:
    batoi = calendar(breaks=LUNCH, dates=closed_on(date(2026, 11, 20), NINE_TO_FIVE))
    assert batoi.measure(at("2026-11-20T00:00"), at("2026-11-21T00:00")) == 8 * HOUR


def test_a_window_past_midnight_belongs_to_the_day_it_starts_on() -> None:
    nights = calendar(NIGHTS)
    assert nights.is_open(at("2026-11-21T05:59"))  # Saturday, of Friday's window
    assert not nights.is_open(at("2026-11-23T05:59"))  # Monday, for Sunday has none


def test_a_window_past_midnight_goes_on_into_a_holiday() -> None:
    nights = calendar(NIGHTS)
    assert nights.is_open(at("2026-11-24T05:00"))
    assert not nights.is_open(at("2026-11-24T22:30"))
    assert not nights.is_open(at("2026-11-25T05:00"))


def test_an_exception_by_date_beats_a_holiday() -> None:
    assert calendar(dates=closed_on(date(2026, 11, 24), MORNING)).is_open(at("2026-11-24T10:00"))


def test_an_exception_by_reading_beats_all() -> None:
    span = reading("2026-11-24T08:00"), reading("2026-11-24T10:00")
    batoi = calendar(
        dates=closed_on(date(2026, 11, 23), NINE_TO_FIVE),
        readings=(
            ReadingException(*span, True, "launch day"),
            ReadingException(reading("2026-11-23T16:00"), reading("2026-11-23T20:00"), False, "maintenance"),
        ),
    )
    assert batoi.is_open(at("2026-11-24T08:00"))
    assert batoi.stretches(at("2026-11-23T15:00"), at("2026-11-23T21:00")) == [
        Stretch(at("2026-11-23T15:00"), at("2026-11-23T16:00"), StretchKind.OPEN, ""),
        Stretch(at("2026-11-23T16:00"), at("2026-11-23T20:00"), StretchKind.CLOSED, "maintenance"),
        Stretch(at("2026-11-23T20:00"), at("2026-11-23T21:00"), StretchKind.CLOSED, ""),
    ]


def test_a_range_of_dates_is_closed_as_a_whole() -> None:
    shut = calendar(dates=(DateException(date(2026, 12, 28), date(2026, 12, 31), ()),))
    assert shut.measure(at("2026-12-28T00:00"), at("2027-01-01T00:00")) == 0
    assert shut.add(at("2026-12-25T16:00"), 2 * HOUR) == at("2027-01-01T10:00")


def test_a_new_version_changes_nothing_before_its_date() -> None:
    long_days: Week = ((Window(8 * HOUR, 20 * HOUR),),) * 5 + ((), ())
    old = Version(date.min, OFFICE)
    both = Calendar("batoi", Content(read_zone("Asia/Kolkata"), (old, Version(date(2025, 4, 1), long_days))))
    alone = Calendar("batoi", Content(read_zone("Asia/Kolkata"), (old,)))
    before, change = at("2025-03-01T00:00"), at("2025-04-01T00:00")
    assert both.stretches(before, change) == alone.stretches(before, change)
    assert both.measure(at("2025-03-31T00:00"), change) == 8 * HOUR
    assert both.measure(change, at("2025-04-02T00:00")) == 12 * HOUR
    assert both.add(at("2025-03-31T16:00"), 2 * HOUR) == at("2025-04-01T09:00")
    assert both.day == 12 * HOUR


@pytest.mark.parametrize(
    ("hours", "day"),
    [([8, 8, 8, 8, 6, 0, 0], 8), ([8, 8, 6, 6, 0, 0, 0], 8), ([4, 0, 0, 0, 0, 10, 10], 10), ([5] * 7, 5)],
)
def test_a_working_day_is_the_commonest_opening_and_of_equally_common_the_longest(hours: list[int], day: int) -> None:
    mon, tue, wed, thu, fri, sat, sun = ((Window(0, length * HOUR),) if length else () for length in hours)
    week: Week = (mon, tue, wed, thu, fri, sat, sun)
    assert calendar(week).day == day * HOUR


def test_a_working_day_that_is_stated_is_believed() -> None:
    assert calendar(day=6 * HOUR).day == 6 * HOUR


def test_a_calendar_that_never_opens_needs_a_stated_working_day() -> None:
    with pytest.raises(ValueError, match="must be stated"):
        Calendar("shut", Content(UTC_ZONE, (Version(date.min, CLOSED_WEEK),)))


def test_a_calendar_that_never_closes_counts_every_microsecond() -> None:
    whole = always("critical", read_zone("Asia/Kolkata"))
    start = at("2026-11-20T10:00")
    assert whole.add(start, 5) == start + 5
    assert whole.add(start, -5) == start - 5
    assert whole.measure(start, start - 7) == -7
    assert whole.is_open(start)
    assert whole.next_change(start) is None
    assert whole.stretches(start, start + DAY) == [Stretch(start, start + DAY, StretchKind.OPEN, "")]
    assert (whole.name, whole.timezone, whole.day) == ("critical", "Asia/Kolkata", DAY)


def test_a_whole_week_with_a_holiday_is_one_stretch_around_it() -> None:
    whole = calendar(OPEN_WEEK)
    assert [stretch[2:] for stretch in whole.stretches(at("2026-11-01T00:00"), at("2026-12-01T00:00"))] == [
        (StretchKind.OPEN, ""),
        (StretchKind.HOLIDAY, "Gurpurab"),
        (StretchKind.OPEN, ""),
    ]
    assert whole.next_change(at("2026-11-30T00:00")) == at("2026-12-24T00:00")


def test_the_next_change_is_the_closing_when_open_and_the_opening_when_closed() -> None:
    batoi = calendar()
    assert batoi.next_change(at("2026-11-20T16:59")) == at("2026-11-20T17:00")
    assert batoi.next_change(at("2026-11-20T17:00")) == at("2026-11-23T09:00")


def test_the_end_of_a_year_is_no_change() -> None:
    # UTC's year ends at 05:30 in India, in the middle of this window.
    nights = calendar(((Window(22 * HOUR, 30 * HOUR),),) * 7)
    assert nights.next_change(at("2026-12-31T23:00")) == at("2027-01-01T06:00")
    assert nights.add(at("2027-01-01T05:00"), HOUR) == at("2027-01-01T06:00")


def test_the_order_of_questions_does_not_matter() -> None:
    questions = [at("2026-11-20T10:00"), at("2019-12-31T10:00"), at("2031-03-01T10:00"), at("2023-06-01T10:00")]
    fresh = [calendar().add(start, 40 * HOUR) for start in questions]
    shared = calendar()
    assert [shared.add(start, 40 * HOUR) for start in questions] == fresh
    lengths = [calendar().measure(questions[1], end) for end in questions]
    assert [shared.measure(questions[1], end) for end in questions] == lengths


def test_instants_outside_1970_to_2199_are_refused_by_name() -> None:
    batoi = calendar()
    first, end = reading("1970-01-01T00:00"), reading("2200-01-01T00:00")
    for question in (batoi.is_open, batoi.next_change, lambda instant: batoi.add(instant, 1)):
        with pytest.raises(CalendarRangeError):
            question(end)
        with pytest.raises(CalendarRangeError):
            question(first - 1)
    with pytest.raises(CalendarRangeError):
        batoi.measure(first - 1, first)
    with pytest.raises(CalendarRangeError):
        always().add(end - 1, 2)
    assert batoi.measure(end, end) == 0


def test_an_amount_that_is_never_used_up_is_refused_by_name() -> None:
    once = calendar(CLOSED_WEEK, dates=closed_on(date(2026, 11, 20), NINE_TO_FIVE), day=8 * HOUR)
    bare = Calendar("bare", Content(UTC_ZONE, (Version(date.min, CLOSED_WEEK),), closed_on(date(2026, 11, 20), MORNING), day=1))
    assert once.add(at("2026-11-20T09:00"), 8 * HOUR) == at("2026-11-20T17:00")
    with pytest.raises(CalendarRangeError):
        bare.add(reading("2026-11-20T09:00"), 3 * HOUR + 1)
    with pytest.raises(CalendarRangeError):
        bare.add(reading("2026-11-20T12:00"), -3 * HOUR - 1)
    assert bare.next_change(reading("2026-11-20T12:00")) is None


def test_holidays_are_equal_if_they_have_the_same_dates_whatever_they_come_from() -> None:
    listed = Holidays.listed({day: holiday for year in range(1969, 2201) for day, holiday in holidays(year).items()})
    later = Holidays.listed({**listed.days(), date(2199, 12, 25): Holiday("Christmas Day")})
    assert Holidays(holidays) == listed
    assert Holidays(holidays) != later
    assert Holidays.listed(dict(reversed(list(listed.days().items())))).days() == Holidays(holidays).days()


def test_contents_are_equal_by_their_values() -> None:
    def content(holidays: Holidays) -> Content:
        return Content(UTC_ZONE, (Version(date.min, OFFICE, holidays=holidays),))

    assert content(Holidays(holidays)) == content(Holidays(holidays))
    assert content(Holidays(holidays)) != content(NO_HOLIDAYS)


def test_a_year_of_holidays_is_worked_out_once_and_only_when_asked_for() -> None:
    asked = []

    def of_year(year: int) -> Mapping[date, Holiday]:
        asked.append(year)
        return holidays(year)

    once = Calendar("once", Content(UTC_ZONE, (Version(date.min, OFFICE, holidays=Holidays(of_year)),)))
    assert asked == []
    once.stretches(at("2026-11-24T09:00"), at("2026-11-28T17:00"))
    assert asked == [2026]


def test_an_open_week_with_holidays_is_not_taken_for_one_that_never_closes() -> None:
    open_week = (Window(0, DAY),)
    closed = Calendar("most", Content(UTC_ZONE, (Version(date.min, (open_week,) * 7, holidays=Holidays(holidays)),)))
    assert not closed.is_open(at("2026-11-24T12:00"))
    assert closed.is_open(at("2026-11-25T12:00"))
