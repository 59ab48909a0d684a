"""Calendars from YAML: what is accepted and what it means, and every problem with its place."""

from datetime import datetime

import pytest

from stream.documents.document import parse_document
from stream.language.calendar_holidays import warn_of_local_days
from stream.language.calendars import read_calendar
from stream.sla.calendar.calendar import Calendar
from stream.sla.calendar.week import StretchKind

HOUR = 3_600_000_000
OFFICE = "timezone: Asia/Kolkata\nweek: {mon-fri: ['09:00-17:00']}\n"


def at(text: str) -> int:
    return round(datetime.fromisoformat(f"{text}+05:30").timestamp()) * 1_000_000


def parsed(text: str) -> object:
    document = parse_document(text, "calendar.yaml")
    assert document.problems == []
    return document.data


def problems(text: str) -> list[str]:
    """Every problem as ``path: message``."""
    found: list[str] = []
    calendar = read_calendar(
        "batoi",
        parsed(text),
        lambda path, message: found.append(f"{'.'.join(map(str, path))}: {message}"),
    )
    assert (calendar is None) == bool(found)
    return found


def read(text: str) -> Calendar:
    found: list[str] = []
    calendar = read_calendar("batoi", parsed(text), lambda path, message: found.append(f"{path}: {message}"))
    assert calendar is not None, found
    return calendar


def open_hours(calendar: Calendar, day: str) -> float:
    return calendar.measure(at(f"{day}T00:00"), at(f"{day}T00:00") + 24 * HOUR) / HOUR


def notes(calendar: Calendar, day: str) -> set[tuple[StretchKind, str]]:
    return {stretch[2:] for stretch in calendar.stretches(at(f"{day}T00:00"), at(f"{day}T00:00") + 24 * HOUR)}


def test_an_office_week() -> None:
    batoi = read(OFFICE)
    assert (batoi.name, batoi.timezone, batoi.day) == ("batoi", "Asia/Kolkata", 8 * HOUR)
    assert [open_hours(batoi, f"2026-11-{day}") for day in range(16, 23)] == [8, 8, 8, 8, 8, 0, 0]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("mon", [8, 0, 0, 0, 0, 0, 0]),
        ("sat-sun", [0, 0, 0, 0, 0, 8, 8]),
        ("fri-mon", [8, 0, 0, 0, 8, 8, 8]),
        ("mon,wed,sat-sun", [8, 0, 8, 0, 0, 8, 8]),
        ("Mon - Tue, fri", [8, 8, 0, 0, 8, 0, 0]),
    ],
)
def test_days_are_names_ranges_and_lists(days: str, expected: list[int]) -> None:
    calendar = read(f"timezone: Asia/Kolkata\nweek: {{'{days}': ['09:00-17:00']}}")
    assert [open_hours(calendar, f"2026-11-{day}") for day in range(16, 23)] == expected


def test_24x7_is_always_open() -> None:
    whole = read("timezone: Asia/Kolkata\nweek: 24x7")
    assert whole.day == 24 * HOUR
    assert whole.next_change(at("2026-11-20T00:00")) is None


def test_windows_past_midnight_whole_days_and_closed_days() -> None:
    calendar = read("timezone: Asia/Kolkata\nweek: {mon: ['22:00-06:00'], wed: ['00:00-24:00'], thu: [], fri: ['18:00-24:00']}")
    assert [open_hours(calendar, f"2026-11-{day}") for day in range(16, 23)] == [2, 6, 24, 0, 6, 0, 0]


def test_breaks_shorten_the_day() -> None:
    calendar = read(OFFICE + "breaks: {mon-fri: ['12:00-13:00']}")
    assert calendar.day == 7 * HOUR
    assert open_hours(calendar, "2026-11-20") == 7


def test_a_stated_working_day_is_believed() -> None:
    assert read(OFFICE + "day: 7h30m").day == 7.5 * HOUR


def test_the_public_holidays_of_india_by_name_and_year() -> None:
    calendar = read(OFFICE + "holidays: [{country: IN}]")
    assert notes(calendar, "2026-01-26") == {(StretchKind.HOLIDAY, "Republic Day")}
    assert notes(calendar, "2027-01-26") == {(StretchKind.HOLIDAY, "Republic Day")}
    assert notes(calendar, "2026-10-02") == {(StretchKind.HOLIDAY, "Mahatma Gandhi's Birthday")}
    assert notes(calendar, "2026-10-05") == {(StretchKind.CLOSED, ""), (StretchKind.OPEN, "")}


def test_the_country_no_needs_no_quotes() -> None:
    assert notes(read(OFFICE + "holidays: [{country: NO}]"), "2026-05-17") == {(StretchKind.HOLIDAY, "Constitution Day")}


def test_holidays_of_a_region_count_there_only() -> None:
    everywhere, maharashtra = "holidays: [{country: IN}]", "holidays: [{country: IN, subdivision: MH}]"
    assert open_hours(read(OFFICE + everywhere), "2026-05-01") == open_hours(read(OFFICE + maharashtra), "2026-05-01") == 0
    assert notes(read(OFFICE + maharashtra), "2025-05-01") == {(StretchKind.HOLIDAY, "Maharashtra Day")}
    assert open_hours(read(OFFICE + everywhere), "2025-05-01") == 8


def test_a_region_whose_code_is_a_number_needs_no_quotes() -> None:
    for vienna in ("9", "'9'"):
        calendar = read(OFFICE + f"holidays: [{{country: AT, subdivision: {vienna}}}]")
        assert notes(calendar, "2026-12-25") == {(StretchKind.HOLIDAY, "Christmas Day")}


def test_categories_choose_which_holidays_count() -> None:
    entry = "holidays: [{country: DE, subdivision: BY, categories: %s}]"
    assert open_hours(read(OFFICE + entry % "[public]"), "2025-08-15") == 8
    assert open_hours(read(OFFICE + entry % "[public, catholic]"), "2025-08-15") == 0
    assert open_hours(read(OFFICE + entry % "catholic"), "2025-10-03") == 8


def test_a_countrys_half_holidays_take_the_hours_given_for_them() -> None:
    calendar = read(OFFICE + "holidays: [{country: IS, categories: [half_day], open: ['09:00-13:00']}]")
    assert open_hours(calendar, "2026-12-24") == 4
    assert (StretchKind.OPEN, "Christmas Eve (from 1pm)") in notes(calendar, "2026-12-24")


def test_holidays_that_do_not_count_are_left_out_by_name_or_date() -> None:
    calendar = read(OFFICE + "holidays: [{country: IN, except: [Holi, 2026-01-26]}]")
    assert open_hours(calendar, "2026-03-04") == 8
    assert open_hours(calendar, "2026-01-26") == 8
    assert open_hours(calendar, "2027-01-26") == 0


@pytest.mark.parametrize("tongue", ["de", "en_US", "C"])
def test_holidays_are_called_by_their_english_names_whatever_the_machine_speaks(
    tongue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", tongue)
    calendar = read(OFFICE + "holidays: [{country: DE, subdivision: BY, except: [Epiphany]}]")
    assert open_hours(calendar, "2026-01-06") == 8
    assert (StretchKind.HOLIDAY, "New Year's Day") in notes(calendar, "2026-01-01")


@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        ("{country: de}", "DE"),
        ("{country: Germany}", "DE"),
        ("{country: Deutschland}", "DE"),
        ("{country: United Kingdom}", "GB"),
        ("{country: DE, subdivision: Bayern}", "BY"),
        ("{country: DE, except: [Tag der Deutschen Einheit]}", "German Unity Day"),
        ("{country: DE, except: [Weihnachten]}", "Christmas Day"),
        ("{country: DE, except: [Neujahr]}", "New Year's Day"),
        ("{country: DE, except: [Christmas]}", "Christmas Day"),
    ],
)
def test_a_country_region_or_holiday_by_another_name_gets_a_suggestion(entry: str, meant: str) -> None:
    (problem,) = problems(OFFICE + f"holidays: [{entry}]")

    assert f"did you mean `{meant}`?" in problem


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({"country": "DE", "subdivision": "BY"}, "Assumption Day (08-15)"),
        ({"country": "DE", "subdivision": "SN"}, "Corpus Christi (06-04)"),
        ({"country": "DE", "subdivision": "BY", "categories": ["public"]}, ""),
        ({"country": "DE", "subdivision": "BE"}, ""),
        ({"country": "DE"}, ""),
        ({"country": "IN", "subdivision": "MH"}, ""),
        ("2026-11-10", ""),
    ],
)
def test_holidays_of_a_part_of_a_region_are_warned_of_unless_categories_are_stated(entry: object, named: str) -> None:
    warnings: list[str] = []
    warn_of_local_days({"holidays": [entry]}, lambda _, text: warnings.append(text))

    assert len(warnings) == bool(named)
    assert all(named in warning for warning in warnings)


def test_holidays_of_one_year_of_every_year_half_and_bare() -> None:
    calendar = read(
        OFFICE
        + """
holidays:
  - {date: 2026-11-09, name: Diwali}
  - {date: 12-24, name: Christmas Eve, open: ["09:00-12:00"]}
  - 2026-11-10
  - 12-31
"""
    )
    assert notes(calendar, "2026-11-09") == {(StretchKind.HOLIDAY, "Diwali")}
    assert open_hours(calendar, "2027-11-09") == 8
    assert [open_hours(calendar, f"{year}-12-24") for year in (2025, 2026)] == [3, 3]
    assert notes(calendar, "2026-11-10") == {(StretchKind.HOLIDAY, "holiday")}
    assert open_hours(calendar, "2026-12-31") == 0


def test_29_february_is_a_holiday_of_leap_years() -> None:
    calendar = read(OFFICE + "holidays: [02-29]")
    assert open_hours(calendar, "2028-02-29") == 0
    assert open_hours(calendar, "2027-03-01") == 8


def test_a_later_entry_for_the_same_date_holds() -> None:
    calendar = read(OFFICE + "holidays: [{country: IN}, {date: 2026-01-26, name: parade, open: ['14:00-17:00']}]")
    assert open_hours(calendar, "2026-01-26") == 3


def test_exceptions_of_every_form() -> None:
    calendar = read(
        OFFICE
        + """
exceptions:
  - {date: 2026-12-24, open: ["09:00-12:00"], note: half day}
  - {from: 2026-12-28, to: "2026-12-31", closed: true, note: year end}
  - {date: 2026-11-14, open: ["09:00-17:00"], note: extra working Saturday}
  - {from: "2026-11-16 16:00", to: "2026-11-17 10:00", closed: true, note: announced maintenance}
  - {from: 2026-11-15 10:00:00, to: 2026-11-15 11:30:00, open: true}
"""
    )
    assert open_hours(calendar, "2026-12-24") == 3
    assert [open_hours(calendar, f"2026-12-{day}") for day in (25, 28, 29, 30, 31)] == [8, 0, 0, 0, 0]
    assert open_hours(calendar, "2026-11-14") == 8
    assert [open_hours(calendar, f"2026-11-{day}") for day in (16, 17)] == [7, 7]
    assert open_hours(calendar, "2026-11-15") == 1.5
    assert (StretchKind.CLOSED, "announced maintenance") in notes(calendar, "2026-11-16")


def test_a_version_states_what_is_new_and_keeps_the_rest() -> None:
    calendar = read(
        OFFICE
        + """
holidays: [2025-04-02]
breaks: {mon-fri: ["12:00-13:00"]}
versions:
  - {since: 2025-04-01, week: {mon-fri: ["08:00-18:00"]}}
  - {since: 2026-01-01, breaks: {}, holidays: []}
"""
    )
    assert open_hours(calendar, "2025-03-31") == 7
    assert open_hours(calendar, "2025-04-01") == 9
    assert open_hours(calendar, "2025-04-02") == 0
    assert open_hours(calendar, "2026-01-01") == 10
    assert calendar.day == 10 * HOUR


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", ": a calendar is a mapping"),
        (OFFICE + "hours: 1", "hours: unknown key; known keys"),
        ("week: 24x7", "timezone: give the IANA name"),
        (
            "timezone: Asia/Kolkatta\nweek: 24x7",
            "timezone: there is no time zone `Asia/Kolkatta`, did you mean `Asia/K",
        ),
        ("timezone: Asia\nweek: 24x7", "timezone: there is no time zone `Asia`: give"),
        ("timezone: ../UTC\nweek: 24x7", "timezone: there is no time zone `../UTC`"),
        ("timezone: UTC", "week: the week is missing, and no date is open: give 24x7, closed, or windows by day"),
        ("timezone: UTC\nexceptions: [{date: 2026-11-03, closed: true}]", "week: the week is missing"),
        ("timezone: UTC\nexceptions: [{date: 2026-11-03, open: []}]", "week: the week is missing"),
        ("timezone: UTC\nholidays: [2026-11-03]", "week: the week is missing"),
        ("timezone: UTC\nweek: closed", "week: the calendar is never open"),
        ("timezone: UTC\nweek: closed\nversions: [{since: 2026-01-01, holidays: []}]", "week: the calendar is never open"),
        ("timezone: UTC\nweek: {mon: ['09:00:60-17:00']}", "week.mon.0: `09:00:60-17:00` has a time that does not exist"),
        ("timezone: UTC\nweek: {mon: ['09:00-24:00:01']}", "week.mon.0: `09:00-24:00:01` has a time that does not exist"),
        ("timezone: UTC\nweek: {mon: ['23:59:60-24:00']}", "week.mon.0: `23:59:60-24:00` has a time that does not exist"),
        ("timezone: UTC\nweek: {mon: ['09:00:30.5-17:00']}", "week.mon.0: `09:00:30.5-17:00` is not a window"),
        ("timezone: UTC\nweek: {mon: ['09:00:5-17:00']}", "week.mon.0: `09:00:5-17:00` is not a window"),
        ("timezone: UTC\nweek: {mon: ['09:00:30-09:00:30']}", "week.mon.0: `09:00:30-09:00:30` ends when it starts"),
        (
            "timezone: UTC\nweek: {mon: ['09:00-13:00:01', '13:00-17:00']}",
            "week.mon: the windows 09:00-13:00:01 and 13:00-17:00 overlap",
        ),
        ("timezone: UTC\nweek: 24/7", "week: give 24x7"),
        ("timezone: UTC\nweek: {monday: ['09:00-17:00']}", "week.monday: `monday` is not a day"),
        ("timezone: UTC\nweek: {1: ['09:00-17:00']}", "week.1: `1` is not a day"),
        ("timezone: UTC\nweek: {mon-wed: ['09:00-17:00'], tue: []}", "week.tue: tue is given twice"),
        ("timezone: UTC\nweek: {mon: '09:00-17:00'}", "week.mon: give a list of windows"),
        ("timezone: UTC\nweek: {mon: [22:00]}", "week.mon.0: `22:00` is not a window: write quoted"),
        ("timezone: UTC\nweek: {mon: ['9-17']}", "week.mon.0: `9-17` is not a window"),
        ("timezone: UTC\nweek: {mon: ['09:00-24:30']}", "week.mon.0: `09:00-24:30` has a time that does not exist"),
        ("timezone: UTC\nweek: {mon: ['24:00-09:00']}", "week.mon.0: `24:00-09:00` has a time that does not exist"),
        ("timezone: UTC\nweek: {mon: ['09:60-17:00']}", "week.mon.0: `09:60-17:00` has a time that does not exist"),
        ("timezone: UTC\nweek: {mon: ['09:00-09:00']}", "week.mon.0: `09:00-09:00` ends when it starts"),
        ("timezone: UTC\nweek: {mon: ['09:00-13:00', '12:00-17:00']}", "week.mon: the windows 09:00-13:00 and 12:00-17:00"),
        ("timezone: UTC\nweek: {mon-tue: ['05:00-06:00', '22:00-05:30']}", "week: 22:00-05:30 of mon runs past midnight into"),
        ("timezone: UTC\nweek: {mon-fri: []}", "week: the calendar is never open"),
        (OFFICE + "breaks: {mon-fri: ['08:00-18:00']}", "week: the calendar is never open"),
        (OFFICE + "breaks: {mon: ['18:00-19:00']}", "breaks.mon: no window is open at that time"),
        (OFFICE + "breaks: []", "breaks: give breaks by day"),
        (OFFICE + "day: 8", "day: `8` is not the length of a working day"),
        (OFFICE + "day: 8bh", "day: `8bh` is not the length of a working day"),
        (OFFICE + "day: 25h", "day: `25h` is not the length"),
        (OFFICE + "day: 8 hours", "day: '8 hours' is not understood"),
        (OFFICE + "holidays:", "holidays: give a list"),
        (OFFICE + "holidays: [{name: x}]", "holidays.0: this is not a holiday"),
        (OFFICE + "holidays: [{country: XX}]", "holidays.0.country: the holidays of `XX` are not known"),
        (OFFICE + "holidays: [{country: DE, subdivision: XX}]", "holidays.0.subdivision: DE has no subdivision `XX`"),
        (OFFICE + "holidays: [{country: IN, categories: [bank]}]", "holidays.0.categories.0: IN has no category `bank`"),
        (
            OFFICE + "holidays: [{country: IN, except: [Holly]}]",
            "holidays.0.except.0: no holiday there is called `Holly`: did you mean",
        ),
        (OFFICE + "holidays: [{country: IN, except: [2026-01-27]}]", "holidays.0.except.0: 2026-01-27 is not a holiday"),
        (OFFICE + "holidays: [{country: IN, state: MH}]", "holidays.0.state: unknown key"),
        (OFFICE + "holidays: [02-30]", "holidays.0: `02-30` is not a day of any year"),
        (OFFICE + "holidays: ['2026-02-30']", "holidays.0: `2026-02-30` is not in any calendar"),
        (OFFICE + "holidays: [{date: 1969-12-31}]", "holidays.0.date: 1969-12-31 is outside"),
        (OFFICE + "holidays: [{date: 12-24, name: 7}]", "holidays.0.name: `7` is not a name"),
        (OFFICE + "exceptions: {}", "exceptions: give a list"),
        (OFFICE + "exceptions: [{closed: true}]", "exceptions.0: this is not an exception"),
        (OFFICE + "exceptions: [{date: 2026-01-01, to: 2026-01-02, closed: true}]", "exceptions.0: this is not an exception"),
        (OFFICE + "exceptions: [{date: 2026-01-01}]", "exceptions.0: give either open or closed: true"),
        (OFFICE + "exceptions: [{date: 2026-01-01, closed: false}]", "exceptions.0: give either open or closed: true"),
        (OFFICE + "exceptions: [{date: 2026-01-01, open: true}]", "exceptions.0.open: give a list of windows"),
        (OFFICE + "exceptions: [{from: 2026-01-02, to: 2026-01-01, closed: true}]", "exceptions.0.to: 2026-01-01 is before"),
        (OFFICE + "exceptions: [{from: 2026-01-02, closed: true}]", "exceptions.0.to: nothing is not a date"),
        (
            OFFICE + "exceptions: [{from: '2026-01-02 10:00', to: '2026-01-02 09:00', closed: true}]",
            "exceptions.0.to: ends before it begins",
        ),
        (
            OFFICE + "exceptions: [{from: 2026-01-02, to: '2026-01-03 09:00', closed: true}]",
            "exceptions.0.from: `2026-01-02` is not a date and time",
        ),
        (
            OFFICE + "exceptions: [{from: '2026-01-02T10:00Z', to: '2026-01-03 09:00', closed: true}]",
            "exceptions.0.from: `2026-01-02T10:00Z` has an offset",
        ),
        (
            OFFICE + "exceptions: [{from: '2026-01-02 10:00', to: '2026-01-03 09:00', open: ['09:00-10:00']}]",
            "exceptions.0.open: from and to already give the hours",
        ),
        (
            OFFICE + "exceptions: [{date: 2026-01-01, closed: true}, {from: 2025-12-31, to: 2026-01-02, closed: true}]",
            "exceptions.1: covers the same time as entry 1",
        ),
        (OFFICE + "versions: {}", "versions: give a list"),
        (OFFICE + "versions: [{week: 24x7}]", "versions.0.since: nothing is not a date"),
        (OFFICE + "versions: [{since: 2026-01-01, timezone: UTC}]", "versions.0.timezone: unknown key"),
        (
            OFFICE + "versions: [{since: 2026-01-01}, {since: 2025-01-01}]",
            "versions.1.since: 2025-01-01 is not after the version before it",
        ),
        (OFFICE + "versions: [{since: 2026-01-01, week: {mon: []}}]", "versions.0.week: the calendar is never open"),
    ],
)
def test_a_problem_is_reported_with_its_place(text: str, expected: str) -> None:
    found = problems(text)
    assert any(problem.startswith(expected) for problem in found), found
    assert len(found) == 1


@pytest.mark.parametrize(
    ("window", "seconds", "open_at", "closed_at"),
    [
        ("09:00:30-17:59:59", 32_369, ("16T09:00:30", "16T17:59:58"), ("16T09:00:29", "16T17:59:59")),
        ("09:00:30-24:00", 53_970, ("16T09:00:30", "16T23:59:59"), ("16T09:00:29", "17T00:00:00")),
        ("09:00:30-24:00:00", 53_970, ("16T23:59:59",), ("17T00:00:00",)),
        ("23:59:59-00:00:01", 2, ("16T23:59:59", "17T00:00:00"), ("16T23:59:58", "17T00:00:01")),
        ("22:00:10-05:59:50", 28_780, ("16T22:00:10", "17T05:59:49"), ("16T22:00:09", "17T05:59:50")),
        ("00:00:01-00:00", 86_399, ("16T00:00:01", "16T23:59:59"), ("16T00:00:00",)),
    ],
)
def test_a_window_may_have_seconds(window: str, seconds: int, open_at: tuple[str, ...], closed_at: tuple[str, ...]) -> None:
    batoi = read(f"timezone: Asia/Kolkata\nweek: {{mon: ['{window}']}}\n")
    assert batoi.day == seconds * 1_000_000
    assert [batoi.is_open(at(f"2026-11-{text}")) for text in open_at] == [True] * len(open_at)
    assert [batoi.is_open(at(f"2026-11-{text}")) for text in closed_at] == [False] * len(closed_at)


def test_breaks_and_exceptions_may_have_seconds_too() -> None:
    batoi = read(
        OFFICE + "breaks: {mon: ['12:00:30-12:01']}\nexceptions: [{date: 2026-11-17, open: ['09:00:59-10:00']}]\n"
        "holidays: [{date: 2026-11-18, open: ['09:00-09:00:01']}]\n"
    )
    assert [open_hours(batoi, f"2026-11-{day}") * 3600 for day in (16, 17, 18)] == [28_770, 3_541, 1]


def test_without_a_week_only_stated_dates_are_open() -> None:
    hotline = read(
        "timezone: Asia/Kolkata\nexceptions: [{from: 2026-11-07, to: 2026-11-09, open: ['08:00-12:00']}, "
        "{date: 2026-11-10, open: ['06:00-24:00']}, {from: '2026-11-12 22:00', to: '2026-11-13 02:00', open: true}]\n"
        "holidays: [{date: 11-20, name: Remembrance, open: ['10:00-11:00']}, 2026-11-08]\n"
    )
    assert [open_hours(hotline, f"2026-11-{day:02}") for day in range(6, 15)] == [0, 4, 4, 4, 18, 0, 2, 2, 0]
    assert (open_hours(hotline, "2026-11-20"), open_hours(hotline, "2099-11-20")) == (1, 1)
    assert hotline.day == 1 * HOUR


def test_a_working_day_without_a_week_is_the_commonest_opening_of_the_dates() -> None:
    dates = "exceptions: [{from: 2026-11-07, to: 2026-11-09, open: ['08:00-12:00']}, {date: 2026-11-10, open: ['06:00-24:00']}]"
    assert read(f"timezone: UTC\n{dates}").day == 4 * HOUR
    assert read(f"timezone: UTC\nday: 6h\n{dates}").day == 6 * HOUR
    assert read("timezone: UTC\nexceptions: [{from: '2026-11-07 10:00', to: '2026-11-09 10:00', open: true}]").day == 24 * HOUR


def test_a_seasonal_desk_has_its_weeks_in_versions_and_is_closed_between_them() -> None:
    desk = read(
        "timezone: Asia/Kolkata\nweek: closed\nholidays: [2026-11-18]\nversions:\n"
        "  - {since: 2026-11-16, week: {mon-fri: ['09:00-17:00']}}\n"
        "  - {since: 2026-11-20, week: closed}\n"
        "  - {since: 2027-11-15, week: {mon-sun: ['09:00-15:00']}}\n"
        "  - {since: 2027-11-17, week: closed}\n"
    )
    assert [open_hours(desk, f"2026-11-{day}") for day in range(13, 21)] == [0, 0, 0, 8, 8, 0, 8, 0]
    assert [open_hours(desk, f"2027-11-{day}") for day in range(14, 18)] == [0, 6, 6, 0]
    assert desk.day == 6 * HOUR


def test_every_problem_is_reported_not_just_the_first() -> None:
    found = problems(
        """
timezone: Mars/Base
week: {mon: ["09:00-25:00"], tue: ["x"]}
day: 9bh
holidays: [{country: ZZ}, 13-01]
exceptions: [{date: never, closed: true}]
versions: [{since: 2026-01-01, colour: red}]
"""
    )
    places = [problem.split(":")[0] for problem in found]
    assert places == [
        "timezone",
        "week.mon.0",
        "week.tue.0",
        "holidays.0.country",
        "holidays.1",
        "versions.0.colour",
        "exceptions.0.date",
        "day",
    ]


def test_years_that_the_holiday_library_does_not_know_make_no_noise() -> None:
    calendar = read(OFFICE + "holidays: [{country: IN}]")
    assert open_hours(calendar, "2090-01-26") == 0
    assert open_hours(calendar, "2150-01-26") == 8
    assert open_hours(calendar, "1975-01-28") == 8


def test_a_name_left_out_covers_its_estimated_and_observed_forms() -> None:
    entry = "holidays: [{country: US, except: [%s]}]"
    assert notes(read(OFFICE + entry % ""), "2027-07-05") == {(StretchKind.HOLIDAY, "Independence Day (observed)")}
    assert open_hours(read(OFFICE + entry % "Independence Day"), "2027-07-05") == 8
