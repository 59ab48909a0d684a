"""Every reading of a stopwatch is a sum over its stretches, whatever signals it got and whichever calendar is asked."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.sla.calendar.duration import Clock
from stream.sla.ticket.stopwatch import HALTED, PAUSED, RUNNING, STOPPED, TABLE, Phase, Signal, Stopwatch
from tests.examples import examples
from tests.properties.strategies import CALENDARS, START
from tests.unit.sla.given import HOUR, MINUTE

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar

SPANS = st.one_of(st.just(0), st.integers(0, 50 * HOUR), st.integers(0, 300).map(lambda minutes: minutes * MINUTE))


@st.composite
def stopwatches(draw: st.DrawFn) -> tuple[Stopwatch, int]:
    """A stopwatch after signals that its table allows, and the instant of the last of them."""
    watch, at = Stopwatch(), START
    watch.take(Signal.START, at)
    for span in draw(st.lists(SPANS, max_size=9)):
        signals = [signal for signal in TABLE[Phase(watch.phase)] if signal not in (Signal.RESTART, Signal.START)]
        if not signals:
            break
        at += span
        watch.take(draw(st.sampled_from(signals)), at)
    return watch, at


def measured(watch: Stopwatch, phase: int, clock: Clock, calendar: Calendar, until: int) -> int:
    lengths = [(start, end) for start, end, of in watch.stretches(until) if of == phase]
    return sum(end - start if clock is Clock.WALL else calendar.measure(start, end) for start, end in lengths)


@settings(max_examples=examples(300), deadline=None)
@given(stopwatches(), st.sampled_from(CALENDARS), st.sampled_from(Clock), st.integers(-HOUR, 200 * HOUR))
def test_used_and_paused_time_are_the_sums_of_their_stretches(
    given_: tuple[Stopwatch, int], calendar: Calendar, clock: Clock, later: int
) -> None:
    watch, last = given_
    until = max(last + later, START)

    assert watch.elapsed(clock, calendar, until) == measured(watch, RUNNING, clock, calendar, until)
    assert watch.paused_for(clock, calendar, until) == measured(watch, PAUSED, clock, calendar, until)


@settings(max_examples=examples(300), deadline=None)
@given(stopwatches(), st.integers(-HOUR, 200 * HOUR))
def test_the_stretches_of_a_cycle_follow_one_another_without_a_hole(given_: tuple[Stopwatch, int], later: int) -> None:
    watch, last = given_
    until = last + later
    found = list(watch.stretches(until))

    assert all(start < end for start, end, _ in found)
    assert all(before[1] == after[0] for before, after in pairwise(found))
    assert [*(start for start, _, _ in found[:1]), *(end for _, end, _ in found[-1:])] == (
        [START, until] if until > START else []
    )
    assert {phase for *_, phase in found} <= {RUNNING, PAUSED, STOPPED, HALTED}


@settings(max_examples=examples(300), deadline=None)
@given(stopwatches(), st.sampled_from(CALENDARS), st.sampled_from(Clock), SPANS)
def test_an_amount_is_used_up_at_the_first_running_instant_at_which_so_much_is_counted(
    given_: tuple[Stopwatch, int], calendar: Calendar, clock: Clock, amount: int
) -> None:
    watch, last = given_
    instant = watch.reaches(amount, clock, calendar)

    if instant is None:
        assert watch.phase != RUNNING
        assert watch.elapsed(clock, calendar, last) <= amount
        return
    assert watch.elapsed(clock, calendar, instant) == amount
    start, end, phase = list(watch.stretches(instant + 1))[-1]
    assert (phase, end) == (RUNNING, instant + 1)
    assert instant == start or watch.elapsed(clock, calendar, instant - 1) < amount
