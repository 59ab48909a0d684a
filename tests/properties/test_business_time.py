"""Business time over random calendars in awkward zones: its algebra, and its agreement with a minute-by-minute oracle."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stream.language.calendars import read_calendar
from stream.language.zones import read_zone
from stream.sla.calendar.calendar import Calendar
from stream.sla.calendar.week import (
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
from tests.examples import examples
from tests.properties.slow_calendar import Hours, SlowCalendar, SlowVersion

MINUTE = 60_000_000
DAY = 1440

CHANGES = [
    ("Pacific/Apia", "2011-12-30T10:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("America/Sao_Paulo", "2018-02-18T02:00"),
    ("America/Sao_Paulo", "2018-11-04T03:00"),
    ("Asia/Beirut", "2026-03-28T22:00"),
    ("Asia/Beirut", "2026-10-24T21:00"),
    ("Africa/Cairo", "2026-04-23T22:00"),
    ("Africa/Cairo", "2026-10-29T21:00"),
    ("Africa/Casablanca", "2026-02-15T02:00"),
    ("America/New_York", "2026-03-08T07:00"),
    ("America/New_York", "2026-11-01T06:00"),
    ("America/St_Johns", "2011-03-13T03:31"),
    ("Europe/Berlin", "2026-12-31T23:00"),
    ("Asia/Kathmandu", "1985-12-31T18:30"),
    ("Asia/Pyongyang", "2018-05-04T15:00"),
    ("Asia/Kolkata", "2026-11-20T11:00"),
    ("Antarctica/Troll", "2026-03-29T01:00"),
]
"""Zones, and an instant (UTC) near which something is odd about them; a plain one and a turn of the year among them."""

quick = settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
minutes_of_day = st.integers(0, DAY - 1) | st.sampled_from([0, 60, 90, 120, 150, 180, 540, 1020, 1320])


@st.composite
def hours(draw: st.DrawFn, most: int = 2) -> Hours:
    found = []
    for _ in range(draw(st.integers(0, most))):
        start = draw(minutes_of_day)
        found.append((start, start + draw(st.integers(1, DAY) | st.sampled_from([90, 480, DAY]))))
    return tuple(sorted(found))


@st.composite
def versions(draw: st.DrawFn, since: date, near: date) -> SlowVersion:
    week = [draw(hours()) for _ in range(7)]
    # One weekday is open for longer than any break, so that every amount is used up some day.
    week[draw(st.integers(0, 6))] = ((draw(minutes_of_day), DAY + 480),)
    breaks = [((start, start + draw(st.integers(1, 120))),) for start in draw(st.lists(minutes_of_day, max_size=2))]
    days = draw(st.lists(st.integers(-3, 3), max_size=2))
    return SlowVersion(
        since,
        tuple(week),
        (*breaks, *[()] * (7 - len(breaks))),
        {near + timedelta(days=day): draw(hours(1)) for day in days},
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[SlowCalendar, int]:
    """A calendar and a minute (since 1970, UTC) around which it is worth asking."""
    timezone, text = draw(st.sampled_from(CHANGES))
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    near = moment.date()
    both = [draw(versions(date.min, near))]
    if draw(st.booleans()):
        both.append(draw(versions(near + timedelta(days=draw(st.integers(-2, 2))), near)))
    dates = []
    for _ in range(draw(st.integers(0, 2))):
        first = near + timedelta(days=draw(st.integers(-2, 2)))
        dates.append((first, first + timedelta(days=draw(st.integers(0, 1))), draw(hours())))
    readings = []
    for _ in range(draw(st.integers(0, 2))):
        start = moment.replace(tzinfo=None) + timedelta(minutes=draw(st.integers(-2 * DAY, 2 * DAY)))
        readings.append((start, start + timedelta(minutes=draw(st.integers(1, DAY))), draw(st.booleans())))
    slow = SlowCalendar(timezone, tuple(both), tuple(dates), tuple(readings))
    return slow, int(moment.timestamp()) // 60 + draw(st.integers(-DAY, DAY))


def fast(slow: SlowCalendar) -> Calendar:
    def windows(given: Hours) -> Windows:
        return tuple(Window(start * MINUTE, end * MINUTE) for start, end in given)

    def week(given: tuple[Hours, ...]) -> Week:
        return tuple(map(windows, given))  # type: ignore[return-value]

    def holidays(version: SlowVersion) -> Holidays:
        return Holidays.listed({day: Holiday("feast", windows(given)) for day, given in version.holidays.items()})

    def reading(local: datetime) -> int:
        return int(local.replace(tzinfo=UTC).timestamp()) * 1_000_000

    content = Content(
        read_zone(slow.timezone),
        tuple(Version(one.since, week(one.week), week(one.breaks), holidays(one)) for one in slow.versions),
        tuple(DateException(first, last, windows(given)) for first, last, given in slow.dates),
        tuple(ReadingException(reading(start), reading(end), opened) for start, end, opened in slow.readings),
        8 * 60 * MINUTE,
    )
    return Calendar("random", content)


@quick
@given(cases(), st.integers(0, 3 * DAY))
def test_every_minute_is_open_or_closed_as_in_the_oracle(case: tuple[SlowCalendar, int], length: int) -> None:
    slow, start = case
    calendar = fast(slow)
    expected = [slow.is_open(minute) for minute in range(start, start + length)]
    assert [calendar.is_open(minute * MINUTE) for minute in range(start, start + length)] == expected
    assert calendar.measure(start * MINUTE, (start + length) * MINUTE) == sum(expected) * MINUTE


@quick
@given(cases(), st.integers(1, 2 * DAY))
def test_adding_agrees_with_the_oracle_in_both_directions(case: tuple[SlowCalendar, int], amount: int) -> None:
    slow, start = case
    calendar = fast(slow)
    later, earlier = slow.add(start, amount, start + 4 * DAY), slow.subtract(start, amount, start - 4 * DAY)
    if later is not None:
        assert calendar.add(start * MINUTE, amount * MINUTE) == later * MINUTE
    if earlier is not None:
        assert calendar.add(start * MINUTE, -amount * MINUTE) == earlier * MINUTE


SECOND_OF_DAY = st.integers(0, 86_399) | st.sampled_from([0, 1, 86_399, 32_430, 7_199, 7_200, 10_799])


def clock(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


@quick
@given(st.sampled_from(CHANGES), SECOND_OF_DAY, SECOND_OF_DAY, st.lists(st.integers(-2 * 86_400, 2 * 86_400), min_size=1))
def test_a_window_to_the_second_is_open_exactly_while_the_local_clocks_show_its_times(
    change: tuple[str, str], start: int, end: int, shifts: list[int]
) -> None:
    assume(start != end)
    timezone, text = change
    found: list[str] = []
    data = {"timezone": timezone, "week": {"mon-sun": [f"{clock(start)}-{clock(end)}"]}}
    calendar = read_calendar("c", data, lambda _, message: found.append(message))
    assert calendar is not None, found
    zone = SlowCalendar(timezone, ()).zone
    near = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    for second in [near + shift for shift in shifts]:
        local = datetime.fromtimestamp(second, UTC).astimezone(zone)
        now = local.hour * 3600 + local.minute * 60 + local.second
        expected = start <= now < end if start < end else now >= start or now < end
        # What a skipped or repeated date leaves of the night before it is tried minute by minute above.
        if start < end or timezone != "Pacific/Apia":
            assert calendar.is_open(second * 1_000_000) == expected


amounts = st.integers(-40 * DAY * MINUTE, 40 * DAY * MINUTE) | st.integers(-600, 600).map(lambda n: n * MINUTE)
shifts = st.integers(-20 * DAY * MINUTE, 20 * DAY * MINUTE)


@quick
@given(cases(), st.lists(st.tuples(shifts, amounts), min_size=1, max_size=20))
def test_measuring_undoes_adding(case: tuple[SlowCalendar, int], questions: list[tuple[int, int]]) -> None:
    calendar = fast(case[0])
    for shift, amount in questions:
        start = case[1] * MINUTE + shift
        assert calendar.measure(start, calendar.add(start, amount)) == amount


@quick
@given(cases(), st.lists(st.tuples(shifts, shifts), min_size=1, max_size=20))
def test_adding_what_was_measured_comes_back_within_the_same_closed_time(
    case: tuple[SlowCalendar, int], questions: list[tuple[int, int]]
) -> None:
    calendar = fast(case[0])
    for one, other in questions:
        start, end = sorted((case[1] * MINUTE + one, case[1] * MINUTE + other))
        length = calendar.measure(start, end)
        earliest, latest = calendar.add(start, length), calendar.add(end, -length)
        assert earliest <= end
        assert calendar.measure(earliest, end) == 0
        assert start <= latest
        assert calendar.measure(start, latest) == 0


@quick
@given(cases(), shifts, st.lists(amounts, min_size=2, max_size=20))
def test_amounts_are_the_earliest_instants_forwards_and_the_latest_backwards(
    case: tuple[SlowCalendar, int], shift: int, given_amounts: list[int]
) -> None:
    calendar = fast(case[0])
    start = case[1] * MINUTE + shift
    for amount in given_amounts:
        end = calendar.add(start, amount)
        if amount > 0:
            assert calendar.measure(start, end - 1) == amount - 1
        elif amount < 0:
            assert calendar.measure(start, end + 1) == amount + 1


@quick
@given(cases(), st.lists(shifts, min_size=3, max_size=12))
def test_the_parts_of_an_interval_add_up_to_the_whole(case: tuple[SlowCalendar, int], given_shifts: list[int]) -> None:
    calendar = fast(case[0])
    edges = [case[1] * MINUTE + shift for shift in given_shifts]
    assert sum(map(calendar.measure, edges, edges[1:])) == calendar.measure(edges[0], edges[-1])


@quick
@given(cases(), shifts, st.lists(amounts, min_size=2, max_size=12))
def test_more_time_never_ends_sooner_and_spending_in_parts_ends_where_the_whole_does(
    case: tuple[SlowCalendar, int], shift: int, given_amounts: list[int]
) -> None:
    calendar = fast(case[0])
    start = case[1] * MINUTE + shift
    ends = [calendar.add(start, amount) for amount in sorted(given_amounts)]
    assert ends == sorted(ends)
    first, second = abs(given_amounts[0]), abs(given_amounts[1])
    assume(second)
    assert calendar.add(calendar.add(start, first), second) == calendar.add(start, first + second)


@quick
@given(cases(), st.integers(0, 5 * DAY * MINUTE))
def test_stretches_cover_the_interval_and_their_open_parts_are_what_is_measured(
    case: tuple[SlowCalendar, int], length: int
) -> None:
    slow, minute = case
    calendar = fast(slow)
    start, end = minute * MINUTE, minute * MINUTE + length
    found = calendar.stretches(start, end)
    edges = [start, *(stretch.end for stretch in found)]
    assert [stretch.start for stretch in found] == edges[:-1]
    assert edges[-1] == end
    assert all(stretch.start < stretch.end for stretch in found)
    opened = sum(stretch.end - stretch.start for stretch in found if stretch.kind is StretchKind.OPEN)
    assert opened == calendar.measure(start, end)


@quick
@given(cases())
def test_the_next_change_is_the_first_one(case: tuple[SlowCalendar, int]) -> None:
    slow, minute = case
    calendar = fast(slow)
    change = calendar.next_change(minute * MINUTE)
    now = slow.is_open(minute)
    first = next((later for later in range(minute, minute + 4 * DAY) if slow.is_open(later) != now), None)
    if first is not None:
        assert change == first * MINUTE
    elif change is not None:
        assert change >= (minute + 4 * DAY) * MINUTE
