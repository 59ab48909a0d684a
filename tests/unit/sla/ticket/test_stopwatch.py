"""The table of phases, and what of a metric decides which signal an event gives."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from stream.language.calendars import read_calendar
from stream.sla.calendar.duration import Clock
from stream.sla.policy.conditions import ALWAYS as ALWAYS_HOLDS
from stream.sla.policy.conditions import All, AnyOf, Changed, EventIs, FieldIn, Fields, Not
from stream.sla.policy.metric import ANSWER, BEGUN, BUILT_IN, SOLVED, Again, Metric
from stream.sla.policy.triggers import MetricTriggers
from stream.sla.ticket.stopwatch import TABLE, Phase, Signal, Stopwatch
from tests.unit.sla.given import ALWAYS, HOUR, changed, commented, created

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar

RUNNING: Fields = {"status": "open"}
PENDING: Fields = {"status": "pending"}
CLOSED: Fields = {"status": "closed"}


def test_a_signal_the_table_does_not_list_is_our_bug_and_changes_nothing() -> None:
    for phase, signal in itertools.product(Phase, Signal):
        if signal not in TABLE[phase]:
            watch = Stopwatch(phase=phase, since=5)
            before = watch.parts()
            with pytest.raises(KeyError):
                watch.take(signal, 9)
            assert watch.parts() == before


def test_every_signal_of_the_table_leads_to_its_phase() -> None:
    for phase, signals in TABLE.items():
        for signal, after in signals.items():
            watch = Stopwatch(phase=phase)
            watch.take(signal, 1)
            assert watch.phase == after


def test_triggers_give_only_signals_the_table_lists() -> None:
    events = [created(0), changed(1, status="pending"), changed(1, status="solved"), commented(1), commented(1, "customer")]
    fields: list[Fields] = [
        RUNNING,
        PENDING,
        CLOSED,
        {"status": "solved", "@begun": "yes", "team": "a", "@answered": "yes", "@waiting": "yes"},
    ]
    for metric, phase, event, after in itertools.product(BUILT_IN.values(), Phase, events, fields):
        watch = Stopwatch(phase=phase)
        for signal in MetricTriggers(metric).signals(phase, event, after):
            watch.take(signal, 1)


def test_time_is_counted_while_running_and_apart_while_paused() -> None:
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
    watch = Stopwatch(phase=Phase.RUNNING, cycle=1, since=5 * HOUR, ran=((0, 2 * HOUR),), paused=((2 * HOUR, 5 * HOUR),))

    assert watch.reaches(used, Clock.WALL, ALWAYS) == instant


def test_while_paused_no_more_time_is_in_sight_than_was_used() -> None:
    watch = Stopwatch(phase=Phase.PAUSED, cycle=1, since=2 * HOUR, ran=((0, 2 * HOUR),))

    assert watch.reaches(1 * HOUR, Clock.WALL, ALWAYS) == 1 * HOUR
    assert watch.reaches(2 * HOUR, Clock.WALL, ALWAYS) is None


def test_a_stop_beats_a_start() -> None:
    assert MetricTriggers(BUILT_IN["first_response"]).signals(Phase.IDLE, created(0), {"@begun": "yes", **CLOSED}) == (
        Signal.SKIP,
    )


def test_a_cancel_beats_a_stop() -> None:
    metric = Metric("r", starts=BEGUN, stops=SOLVED, cancels=SOLVED)
    assert MetricTriggers(metric).signals(Phase.RUNNING, changed(1, status="solved"), CLOSED) == (Signal.CANCEL,)


def test_a_stop_beats_a_restart() -> None:
    metric = Metric("r", starts=ANSWER, stops=ANSWER, restarts=ANSWER)
    assert MetricTriggers(metric).signals(Phase.RUNNING, commented(1), RUNNING) == (Signal.STOP,)


def test_a_restart_may_begin_the_next_cycle_paused() -> None:
    assert MetricTriggers(BUILT_IN["pausable_update"]).signals(Phase.RUNNING, commented(1), PENDING) == (
        Signal.RESTART,
        Signal.PAUSE,
    )


def test_a_metric_with_a_resume_condition_stays_paused_until_it_holds() -> None:
    metric = Metric(
        "r", starts=BEGUN, stops=SOLVED, pauses=FieldIn("status", frozenset({"pending"})), resumes=Changed(frozenset({"go"}))
    )
    triggers = MetricTriggers(metric)

    assert triggers.signals(Phase.PAUSED, changed(1, status="open"), RUNNING) == ()
    assert triggers.signals(Phase.PAUSED, changed(1, go="now"), RUNNING) == (Signal.RESUME,)


@pytest.mark.parametrize("again", [Again.NEVER, Again.CYCLE, Again.CONTINUE])
def test_a_stopped_metric_goes_on_as_it_is_defined(again: Again) -> None:
    metric = Metric("r", starts=ANSWER, stops=SOLVED, again=again, reopens=FieldIn("status", frozenset({"open"})))
    expected = {Again.NEVER: (), Again.CYCLE: (Signal.START,), Again.CONTINUE: (Signal.REOPEN,)}

    assert MetricTriggers(metric).signals(Phase.STOPPED, commented(1), RUNNING) == expected[again]


OFFICE_DAY = 9 * HOUR
"""The opening of the first day in ``office()``; it closes eight hours later."""


def office() -> Calendar:
    """Open from 09:00 to 17:00 UTC on every day."""
    calendar = read_calendar("office", {"timezone": "UTC", "week": {"mon-sun": ["09:00-17:00"]}}, _no_problem)
    assert calendar is not None
    return calendar


def _no_problem(where: object, message: str) -> None:
    raise AssertionError((where, message))


def test_on_a_calendar_only_open_time_is_counted() -> None:
    watch = Stopwatch()
    for signal, at in [(Signal.START, 16 * HOUR), (Signal.PAUSE, 18 * HOUR), (Signal.RESUME, 34 * HOUR)]:
        watch.take(signal, at)

    assert watch.elapsed(Clock.BUSINESS, office(), 44 * HOUR) == (1 + 7) * HOUR
    assert watch.paused_for(Clock.BUSINESS, office(), 44 * HOUR) == 1 * HOUR
    assert watch.elapsed(Clock.WALL, office(), 44 * HOUR) == (2 + 10) * HOUR
    assert watch.paused_for(Clock.WALL, office(), 44 * HOUR) == 16 * HOUR


def test_a_reading_before_the_last_signal_counts_no_further_than_asked() -> None:
    watch = Stopwatch(
        phase=Phase.RUNNING,
        cycle=1,
        since=8 * HOUR,
        ran=(
            (0, 2 * HOUR),
            (5 * HOUR, 6 * HOUR),
        ),
    )

    assert watch.elapsed(Clock.WALL, ALWAYS, 1 * HOUR) == 1 * HOUR
    assert watch.elapsed(Clock.WALL, ALWAYS, 5 * HOUR) == 2 * HOUR


def test_a_stopwatch_that_is_paused_or_stopped_counts_no_time_as_used() -> None:
    for signal in (Signal.PAUSE, Signal.STOP):
        watch = Stopwatch()
        watch.take(Signal.START, 0)
        watch.take(signal, 2 * HOUR)

        assert watch.elapsed(Clock.WALL, ALWAYS, 9 * HOUR) == 2 * HOUR


def test_a_pause_that_goes_on_is_counted_on_top_of_those_before() -> None:
    watch = Stopwatch()
    for signal, hour in [(Signal.START, 9), (Signal.PAUSE, 10), (Signal.RESUME, 12), (Signal.PAUSE, 16)]:
        watch.take(signal, hour * HOUR)

    assert watch.paused_for(Clock.WALL, ALWAYS, 19 * HOUR) == 5 * HOUR
    assert watch.paused_for(Clock.BUSINESS, office(), 19 * HOUR) == 3 * HOUR


def test_signals_of_one_instant_leave_no_empty_stretch_behind() -> None:
    watch = Stopwatch()
    for signal in (Signal.START, Signal.PAUSE, Signal.RESUME, Signal.PAUSE):
        watch.take(signal, 5)

    assert (watch.ran, watch.paused) == ((), ())


def test_the_instant_at_which_open_time_is_used_up_skips_the_night() -> None:
    watch = Stopwatch(phase=Phase.RUNNING, cycle=1, since=43 * HOUR, ran=((16 * HOUR, 36 * HOUR),))

    assert watch.reaches(2 * HOUR, Clock.BUSINESS, office()) == 34 * HOUR
    assert watch.reaches(6 * HOUR, Clock.BUSINESS, office()) == 59 * HOUR


def test_time_used_up_at_closing_time_before_a_pause_in_the_evening_ends_at_the_closing_instant() -> None:
    watch = Stopwatch(phase=Phase.PAUSED, cycle=1, since=20 * HOUR, ran=((OFFICE_DAY, 20 * HOUR),))

    assert watch.reaches(8 * HOUR, Clock.BUSINESS, office()) == 17 * HOUR
    assert watch.reaches(3 * HOUR, Clock.BUSINESS, office()) == 12 * HOUR
    assert watch.reaches(3 * HOUR, Clock.WALL, office()) == 12 * HOUR
    assert watch.reaches(10 * HOUR, Clock.WALL, office()) == 19 * HOUR


CONDITIONS = ("starts", "stops", "pauses", "resumes", "restarts", "cancels", "reopens")


def metric_of_its_own_fields(again: Again) -> Metric:
    """Each condition names a field of its name, and of an event of a type of its name."""
    conditions = {name: AnyOf((Changed(frozenset({name})), EventIs(frozenset({f"{name}.event"})))) for name in CONDITIONS}
    return Metric("r", again=again, **conditions)  # type: ignore[arg-type]


def is_sensitive(triggers: MetricTriggers, phase: Phase, type_: str, changed: set[str]) -> bool:
    reads = triggers.sensitivity[phase]
    return type_ in reads.types or not reads.fields.isdisjoint(changed)


@pytest.mark.parametrize(
    ("again", "phase", "sensitivity"),
    [
        (Again.NEVER, Phase.IDLE, "starts stops pauses cancels reopens"),
        (Again.CONTINUE, Phase.IDLE, "starts stops pauses cancels reopens"),
        (Again.NEVER, Phase.RUNNING, "stops pauses resumes restarts cancels"),
        (Again.CYCLE, Phase.PAUSED, "stops pauses resumes restarts cancels"),
        (Again.NEVER, Phase.STOPPED, ""),
        (Again.NEVER, Phase.CANCELLED, ""),
        (Again.CYCLE, Phase.STOPPED, "starts stops pauses cancels reopens"),
        (Again.CYCLE, Phase.CANCELLED, "starts stops pauses cancels reopens"),
        (Again.CONTINUE, Phase.STOPPED, "stops pauses cancels reopens"),
    ],
)
def test_a_stopwatch_is_sensitive_to_the_conditions_of_its_phase(again: Again, phase: Phase, sensitivity: str) -> None:
    triggers = MetricTriggers(metric_of_its_own_fields(again))

    assert {name for name in CONDITIONS if is_sensitive(triggers, phase, "other", {name})} == set(sensitivity.split())
    assert {name for name in CONDITIONS if is_sensitive(triggers, phase, f"{name}.event", set())} == set(sensitivity.split())


def test_a_condition_on_whoever_acts_is_asked_at_every_event() -> None:
    by_agent = EventIs(actors=frozenset({"agent"}))
    triggers = MetricTriggers(
        Metric("r", starts=BEGUN, stops=AnyOf((SOLVED, by_agent)), pauses=FieldIn("status", frozenset({"pending"})))
    )

    assert is_sensitive(triggers, Phase.RUNNING, "escalation.requested", set())


def test_a_metric_is_not_asked_again_about_what_an_event_does_not_touch() -> None:
    triggers = MetricTriggers(Metric("r", starts=FieldIn("status", frozenset({"open"})), stops=ANSWER, again=Again.CYCLE))

    assert not is_sensitive(triggers, Phase.STOPPED, "ticket.changed", {"team"})
    assert is_sensitive(triggers, Phase.STOPPED, "ticket.changed", {"status"})


@pytest.mark.parametrize(
    ("asked", "phase", "again", "signals"),
    [
        ("cancels", Phase.IDLE, Again.NEVER, ()),
        ("stops", Phase.IDLE, Again.NEVER, (Signal.SKIP,)),
        ("pauses", Phase.IDLE, Again.NEVER, (Signal.START, Signal.PAUSE)),
        ("cancels", Phase.RUNNING, Again.NEVER, (Signal.CANCEL,)),
        ("stops", Phase.RUNNING, Again.NEVER, (Signal.STOP,)),
        ("restarts", Phase.RUNNING, Again.NEVER, (Signal.RESTART,)),
        ("pauses", Phase.RUNNING, Again.NEVER, (Signal.PAUSE,)),
        ("pauses", Phase.PAUSED, Again.NEVER, ()),
        ("resumes", Phase.PAUSED, Again.NEVER, (Signal.RESUME,)),
        ("restarts pauses", Phase.PAUSED, Again.NEVER, (Signal.RESTART, Signal.PAUSE)),
        ("", Phase.STOPPED, Again.CYCLE, (Signal.START,)),
        ("", Phase.CANCELLED, Again.CYCLE, (Signal.START,)),
        ("stops", Phase.STOPPED, Again.CYCLE, ()),
        ("cancels", Phase.STOPPED, Again.CYCLE, ()),
        ("pauses", Phase.STOPPED, Again.CYCLE, (Signal.START, Signal.PAUSE)),
        ("reopens", Phase.STOPPED, Again.CONTINUE, (Signal.REOPEN,)),
        ("", Phase.STOPPED, Again.CONTINUE, ()),
        ("reopens", Phase.CANCELLED, Again.CONTINUE, ()),
        ("reopens pauses", Phase.STOPPED, Again.CONTINUE, (Signal.REOPEN, Signal.PAUSE)),
        ("reopens cancels", Phase.STOPPED, Again.CONTINUE, ()),
    ],
)
def test_every_condition_may_ask_for_the_event_and_for_the_fields_at_once(
    asked: str, phase: Phase, again: Again, signals: tuple[Signal, ...]
) -> None:
    holds = All((ANSWER, FieldIn("status", frozenset({"open"}))))
    conditions: dict[str, Any] = {"starts": holds, "stops": Not(ALWAYS_HOLDS), **dict.fromkeys(asked.split(), holds)}
    triggers = MetricTriggers(Metric("r", **conditions, again=again))

    assert triggers.signals(phase, commented(1), RUNNING) == signals
