"""The table of phases, and what of a row decides which signal an event gives."""

from __future__ import annotations

import itertools

import pytest

from stream.sla.conditions import Changed, FieldIn
from stream.sla.duration import Clock
from stream.sla.metrics import ANSWER, BEGUN, BUILT_IN, SOLVED, Again, Row
from stream.sla.stopwatch import TABLE, Movement, Phase, Signal, Stopwatch
from tests.unit.sla.given import ALWAYS, HOUR, changed, created, says

RUNNING = {"status": "open"}
PENDING = {"status": "pending"}
CLOSED = {"status": "closed"}


def test_a_signal_the_table_does_not_list_is_our_bug_and_changes_nothing() -> None:
    for phase, signal in itertools.product(Phase, Signal):
        if signal not in TABLE[phase]:
            watch = Stopwatch(phase=phase, since=5)
            before = watch.copy()
            with pytest.raises(KeyError):
                watch.take(signal, 9)
            assert watch == before


def test_every_signal_of_the_table_leads_to_its_phase() -> None:
    for phase, signals in TABLE.items():
        for signal, after in signals.items():
            watch = Stopwatch(phase=phase)
            watch.take(signal, 1)
            assert watch.phase == after


def test_turn_gives_only_signals_the_table_lists() -> None:
    events = [created(0), changed(1, status="pending"), changed(1, status="solved"), says(1), says(1, "customer")]
    fields = [
        RUNNING,
        PENDING,
        CLOSED,
        {"status": "solved", "@begun": "yes", "team": "a", "@answered": "yes", "@waiting": "yes"},
    ]
    for row, phase, event, after in itertools.product(BUILT_IN.values(), Phase, events, fields):
        watch = Stopwatch(phase=phase)
        for signal in Movement(row).turn(phase, event, after):
            watch.take(signal, 1)


def test_time_is_counted_while_running_and_told_apart_while_paused() -> None:
    watch = Stopwatch()
    watch.take(Signal.START, 0)
    watch.take(Signal.PAUSE, 2 * HOUR)
    watch.take(Signal.RESUME, 5 * HOUR)

    assert watch.elapsed(Clock.WALL, ALWAYS, 6 * HOUR) == 3 * HOUR
    assert watch.paused_for(Clock.WALL, ALWAYS, 6 * HOUR) == 3 * HOUR


def test_time_between_a_stop_and_a_reopening_is_in_neither() -> None:
    watch = Stopwatch()
    watch.take(Signal.START, 0)
    watch.take(Signal.STOP, 2 * HOUR)
    watch.take(Signal.REOPEN, 5 * HOUR)

    assert watch.elapsed(Clock.WALL, ALWAYS, 6 * HOUR) == 3 * HOUR
    assert watch.paused_for(Clock.WALL, ALWAYS, 6 * HOUR) == 0


def test_a_new_cycle_forgets_the_stretches_of_the_last() -> None:
    watch = Stopwatch()
    watch.take(Signal.START, 0)
    watch.take(Signal.RESTART, 2 * HOUR)

    assert (watch.cycle, watch.began) == (2, 2 * HOUR)
    assert watch.elapsed(Clock.WALL, ALWAYS, 3 * HOUR) == HOUR


@pytest.mark.parametrize(
    ("used", "instant"), [(0, 0), (1 * HOUR, 1 * HOUR), (2 * HOUR, 5 * HOUR), (3 * HOUR, 6 * HOUR), (9 * HOUR, 12 * HOUR)]
)
def test_the_instant_at_which_time_is_used_up_skips_the_pause(used: int, instant: int) -> None:
    watch = Stopwatch(phase=Phase.RUNNING, cycle=1, since=5 * HOUR, ran=[(0, 2 * HOUR)], paused=[(2 * HOUR, 5 * HOUR)])

    assert watch.reaches(used, Clock.WALL, ALWAYS) == instant


def test_while_paused_no_more_time_is_in_sight_than_was_used() -> None:
    watch = Stopwatch(phase=Phase.PAUSED, cycle=1, since=2 * HOUR, ran=[(0, 2 * HOUR)])

    assert watch.reaches(1 * HOUR, Clock.WALL, ALWAYS) == 1 * HOUR
    assert watch.reaches(2 * HOUR, Clock.WALL, ALWAYS) is None


def test_a_stop_beats_a_start() -> None:
    assert Movement(BUILT_IN["first_response"]).turn(Phase.IDLE, created(0), {"@begun": "yes", **CLOSED}) == (Signal.SKIP,)


def test_a_cancel_beats_a_stop() -> None:
    row = Row("r", starts=BEGUN, stops=SOLVED, cancels=SOLVED)
    assert Movement(row).turn(Phase.RUNNING, changed(1, status="solved"), CLOSED) == (Signal.CANCEL,)


def test_a_stop_beats_a_restart() -> None:
    row = Row("r", starts=ANSWER, stops=ANSWER, restarts=ANSWER)
    assert Movement(row).turn(Phase.RUNNING, says(1), RUNNING) == (Signal.STOP,)


def test_a_restart_may_begin_the_next_cycle_paused() -> None:
    assert Movement(BUILT_IN["pausable_update"]).turn(Phase.RUNNING, says(1), PENDING) == (Signal.RESTART, Signal.PAUSE)


def test_a_row_with_a_resume_condition_stays_paused_until_it_holds() -> None:
    row = Row(
        "r", starts=BEGUN, stops=SOLVED, pauses=FieldIn("status", frozenset({"pending"})), resumes=Changed(frozenset({"go"}))
    )
    movement = Movement(row)

    assert movement.turn(Phase.PAUSED, changed(1, status="open"), RUNNING) == ()
    assert movement.turn(Phase.PAUSED, changed(1, go="now"), RUNNING) == (Signal.RESUME,)


@pytest.mark.parametrize("again", [Again.NEVER, Again.CYCLE, Again.CONTINUE])
def test_a_stopped_row_goes_on_as_it_says(again: Again) -> None:
    row = Row("r", starts=ANSWER, stops=SOLVED, again=again, reopens=FieldIn("status", frozenset({"open"})))
    expected = {Again.NEVER: (), Again.CYCLE: (Signal.START,), Again.CONTINUE: (Signal.REOPEN,)}

    assert Movement(row).turn(Phase.STOPPED, says(1), RUNNING) == expected[again]
