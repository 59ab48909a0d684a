"""Business days of random calendars in awkward zones: their hours as a slow calendar finds them, and the algebra of delays."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.sla.calendar.delay import Delay
from stream.sla.calendar.duration import NEVER, Clock, Duration
from stream.sla.ticket.stopwatch import Signal, Stopwatch
from tests.examples import examples
from tests.properties.slow_calendar import DAY, SlowCalendar
from tests.properties.test_business_time import MINUTE, cases, fast

quick = settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
TIMES = ["", " at close", " at 00:00", " at 02:30", " at 09:00", " at 24:00"]
texts = st.builds(
    lambda days, time, cutoff: f"+{days} business days{time or ('' if days else ' at close')}{cutoff}",
    st.integers(0, 5),
    st.sampled_from(TIMES),
    st.sampled_from(["", "", " cutoff 02:00", " cutoff 15:00"]),
)
starts = st.integers(-4 * DAY * MINUTE, 4 * DAY * MINUTE) | st.integers(-4 * DAY, 4 * DAY).map(lambda minute: minute * MINUTE)


def own_minutes(slow: SlowCalendar, day: date) -> list[int]:
    """The minutes that belong to a date: of its windows, and of exceptions with times while the clocks show it."""
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a local reading
    near = int(midnight.replace(tzinfo=UTC).timestamp()) // 60
    found = []
    for minute in range(near - 2 * DAY, near + 4 * DAY):
        local = datetime.fromtimestamp(minute * 60, UTC).astimezone(slow.zone).replace(tzinfo=None)
        of_day = (local - midnight) // timedelta(minutes=1)
        if not 0 <= of_day < 2 * DAY:
            continue
        stated = [opened for start, end, opened in reversed(slow.readings) if start <= local < end]
        if (stated[0] and of_day < DAY) if stated else slow.in_window_of(day, of_day):
            found.append(minute)
    return found


@settings(quick, max_examples=examples(15))
@given(cases())
def test_a_business_day_opens_and_closes_with_the_minutes_that_belong_to_its_date(case: tuple[SlowCalendar, int]) -> None:
    slow, minute = case
    days = fast(slow).business_days
    near = datetime.fromtimestamp(minute * 60, UTC).date()
    for shift in range(-2, 3):
        day = near + timedelta(days=shift)
        own = own_minutes(slow, day)
        found = days.on((day - date(1970, 1, 1)).days)
        assert (None if found is None else (found.opens // MINUTE, found.closes // MINUTE - 1)) == (
            (own[0], own[-1]) if own else None
        )


@quick
@given(cases(), st.lists(st.tuples(starts, texts), min_size=1, max_size=10))
def test_a_delay_ends_after_its_start_and_its_business_time_lies_between(
    case: tuple[SlowCalendar, int], questions: list[tuple[int, str]]
) -> None:
    calendar = fast(case[0])
    for shift, text in questions:
        start = case[1] * MINUTE + shift
        amount = Duration.parse_any(text).resolve(calendar, start)
        assert amount.clock is Clock.BUSINESS
        delay = Delay.parse(text)
        end = delay.end(calendar, start)
        if end is None:
            assert amount.micros == NEVER
            continue
        assert end > start
        assert amount.micros == calendar.measure(start, end)
        watch = Stopwatch()
        watch.take(Signal.START, start)
        assert watch.reaches(amount.micros, Clock.BUSINESS, calendar, amount.not_before) == end


@quick
@given(cases(), starts, texts, st.integers(0, 3 * DAY), st.integers(1, 2 * DAY))
def test_a_pause_moves_the_end_to_where_as_much_business_time_has_passed_and_never_forwards(
    case: tuple[SlowCalendar, int], shift: int, text: str, before: int, length: int
) -> None:
    calendar = fast(case[0])
    start = case[1] * MINUTE + shift
    amount = Duration.parse_any(text).resolve(calendar, start)
    delay = Delay.parse(text)
    end = delay.end(calendar, start)
    pause, resume = start + before * MINUTE, start + (before + length) * MINUTE
    watch = Stopwatch()
    watch.take(Signal.START, start)
    watch.take(Signal.PAUSE, pause)
    watch.take(Signal.RESUME, resume)
    due = watch.reaches(amount.micros, Clock.BUSINESS, calendar, amount.not_before)
    if end is None:
        assert due is None
    elif pause > end:
        assert due == end
    else:
        assert due is not None
        assert due >= end
        assert calendar.measure(end, due) == calendar.measure(pause, min(resume, due))


@quick
@given(cases(), st.lists(starts, min_size=2, max_size=10), texts.filter(lambda text: " at " in text))
def test_what_starts_later_is_not_due_earlier(case: tuple[SlowCalendar, int], shifts: list[int], text: str) -> None:
    calendar, delay = fast(case[0]), Delay.parse(text)
    ends = [delay.end(calendar, case[1] * MINUTE + shift) for shift in sorted(shifts)]
    known = [end for end in ends if end is not None]
    assert known == sorted(known)
