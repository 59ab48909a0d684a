"""Old events: what is late, what waits, and for how long."""

from __future__ import annotations

import pytest

from stream.sla.effects import Kind, Reason
from stream.sla.engine import Engine
from stream.sla.policy.timeline import Origin
from stream.sla.settling import Lateness
from stream.sla.step import Outcome
from tests.unit.sla.given import HOUR, MINUTE, Life, changed, commented, commitment, created, ladder, policy_set, share, used

SECOND = 1_000_000
DAY = 24 * HOUR
SETTLING = 10 * SECOND
LATENESS = Lateness(late_after=1 * MINUTE, settling=SETTLING)
RESPONSE = policy_set(commitment("first_response", p1="1h"), commitment("resolution", p1="48h"))
YEAR = 365 * DAY


def life_of(**more: int) -> Life:
    return Life(RESPONSE, lateness=LATENESS, **more)


def test_what_an_old_event_makes_true_is_published_late_once_the_ticket_has_settled() -> None:
    one = life_of().event(created(0), arrived=YEAR)
    assert (one.steps[-1].effects, one.steps[-1].wake_at) == ((), 1 * HOUR + 1)

    one.wake(YEAR).wake(YEAR + SETTLING - 1)
    assert (one.effects, one.steps[-1].wake_at) == ([], YEAR + SETTLING)

    one.wake(YEAR + SETTLING)
    assert one.lines() == ["started @0h", "started @0h", "breached @1h", "breached @48h"]
    assert {effect.late for effect in one.effects} == {True}
    assert one.steps[-1].settled == YEAR + SETTLING
    assert one.steps[-1].wake_at is None


def test_a_history_that_arrives_step_by_step_takes_nothing_back() -> None:
    one = life_of()
    events = [created(0), commented(10 * MINUTE), changed(DAY, status="solved"), changed(8 * DAY, status="closed")]
    for number, event in enumerate(events):
        arrived = YEAR + number * (SETTLING - SECOND)
        one.event(event, arrived=arrived).wake(arrived + SECOND)

    one.wake(YEAR + 4 * SETTLING)

    assert one.lines("met", "breached") == ["met @0.166667h", "met @24h"]
    assert not any(effect.retracts for effect in one.effects)


def test_an_old_event_after_the_ticket_has_settled_takes_back_what_is_not_true_and_waits_as_well() -> None:
    one = life_of().event(created(0), arrived=YEAR).wake(YEAR + SETTLING)

    one.event(commented(10 * MINUTE), arrived=YEAR + HOUR)
    assert not one.steps[-1].effects
    assert one.steps[-1].outcome is Outcome.LATE
    one.wake(YEAR + HOUR + SETTLING)

    assert [(effect.kind, effect.commitment, effect.late) for effect in one.steps[-1].effects] == [
        (Kind.BREACH_RETRACTED, "first_response", True),
        (Kind.MET, "first_response", True),
    ]
    assert one.steps[-1].effects[0].reason is Reason.CORRECTED
    assert one.steps[-1].effects[0].cause == commented(10 * MINUTE).id


def test_a_deadline_that_has_not_passed_is_not_delayed_and_is_news() -> None:
    arrived = 2 * DAY - 3 * SECOND
    one = life_of().event(created(0), arrived=arrived)
    one.wake(arrived)
    assert one.effects == []
    assert one.steps[-1].wake_at == 2 * DAY + 1

    one.wake(2 * DAY + 1)

    assert [(effect.commitment, effect.at, effect.late) for effect in one.effects if effect.kind is Kind.BREACHED] == [
        ("first_response", 1 * HOUR, True),
        ("resolution", 2 * DAY, False),
    ]
    assert one.steps[-1].settled == 0


def test_an_event_that_is_not_old_is_not_delayed_and_brings_what_waits() -> None:
    one = life_of().event(created(0), arrived=DAY).event(commented(DAY + SECOND), arrived=DAY + 2 * SECOND)

    assert [(effect.kind, effect.late) for effect in one.effects] == [
        (Kind.STARTED, True),
        (Kind.STARTED, True),
        (Kind.BREACHED, True),
        (Kind.MET_LATE, False),
    ]


@pytest.mark.parametrize(("after", "late"), [(MINUTE, False), (MINUTE + 1, True)])
def test_an_event_is_old_if_it_arrives_more_than_late_after_it_happened(after: int, late: bool) -> None:
    one = life_of().event(created(0), arrived=after).wake(after + SETTLING)

    assert {effect.late for effect in one.effects} == {late}


def test_a_deadline_within_late_after_before_the_arrival_is_news() -> None:
    one = life_of().event(created(0), arrived=1 * HOUR + 30 * SECOND).wake(1 * HOUR + 30 * SECOND)

    assert [(effect.kind, effect.late) for effect in one.effects] == [
        (Kind.STARTED, True),
        (Kind.STARTED, True),
        (Kind.BREACHED, False),
    ]


def test_an_event_whose_arrival_is_not_known_is_never_old() -> None:
    one = life_of().event(created(0), now=YEAR).wake(YEAR)

    assert {effect.late for effect in one.effects} == {False}


def test_the_same_old_event_again_neither_changes_nor_delays_anything() -> None:
    one = life_of().event(created(0), arrived=YEAR).event(created(0), arrived=YEAR + 5 * SECOND)

    assert one.steps[-1].outcome is Outcome.DUPLICATE
    assert one.state is not None
    assert one.state.settling is not None
    assert one.state.settling.settles_at == YEAR + SETTLING


def test_a_history_longer_than_what_is_kept_is_published_in_parts_and_no_fact_is_lost_or_repeated() -> None:
    events = [created(0), *[changed(hour * HOUR, team=f"t{hour}") for hour in range(1, 12)], commented(12 * HOUR)]
    one, whole = life_of(history=4), Life(RESPONSE, history=4)
    for number, event in enumerate(events):
        one.event(event, arrived=YEAR + number)
        whole.event(event)
    one.wake(YEAR + 2 * SETTLING)
    whole.wake(YEAR + 2 * SETTLING)

    assert one.lines() == whole.lines()
    assert [effect.fields for effect in one.effects] == [effect.fields for effect in whole.effects]
    assert {effect.late for effect in one.effects} == {True}


def test_an_old_event_older_than_the_history_is_refused() -> None:
    one = life_of(history=4)
    for hour in range(8):
        one.event(changed(hour * HOUR, team=f"t{hour}"))

    assert one.event(commented(1), arrived=YEAR).steps[-1].outcome is Outcome.TOO_LATE


def test_a_settling_ticket_has_not_ended_so_that_it_is_not_forgotten() -> None:
    one = life_of().event(created(0), arrived=YEAR).event(changed(1, status="closed"), arrived=YEAR + 1)
    assert one.state is not None
    assert one.state.ended is None

    one.wake(YEAR + 1 + SETTLING)
    assert one.state.ended == 1


def test_a_ladder_of_last_year_is_late_and_its_repetitions_too() -> None:
    policies = policy_set(
        commitment("resolution", share(50), p1="4h"),
        ladders=(ladder(("team", used("1h")), ("boss", used("2h")), on="resolution"),),
    )
    one = Life(policies, lateness=LATENESS).event(created(0), arrived=YEAR).wake(YEAR + SETTLING)

    assert one.lines("raised") == ["raised team @1h", "raised boss @2h"]
    assert {effect.late for effect in one.effects} == {True}


def test_an_engine_of_an_earlier_deployment_has_the_same_lateness() -> None:
    engine = Engine(RESPONSE, lateness=Lateness(0, 7))

    for other in (engine.snapshot(), engine.as_of(0)):
        assert other.apply(None, "T", created(0), 1, 1).wake_at == 1 + 7


def test_what_events_alone_take_back_is_theirs_and_what_a_deployment_takes_back_is_its_own() -> None:
    longer = policy_set(commitment("first_response", p1="1h"), commitment("resolution", p1="96h"))
    one = life_of().event(created(0), arrived=2 * DAY + HOUR).wake(2 * DAY + HOUR + SETTLING)
    answered = commented(10 * MINUTE)

    one.event(answered, arrived=2 * DAY + 2 * HOUR)
    one.engine.deployments = one.engine.deployments.add(1, DAY, longer)
    one.wake(2 * DAY + 2 * HOUR + SETTLING)

    taken_back = {effect.commitment: (effect.cause, effect.reason) for effect in one.effects if effect.retracts}
    assert taken_back == {
        "first_response": (answered.id, Reason.CORRECTED),
        "resolution": ("deployment:1", Reason.REJUDGED),
    }


def test_what_events_alone_restate_is_theirs_though_a_deployment_publishes_it() -> None:
    """The deployment lets the ticket settle, and changes nothing about what the events state of the time before it."""
    shorter = policy_set(commitment("first_response", p1="1h"), commitment("resolution", p1="24h"))
    one = life_of().event(changed(0, priority="p1")).event(changed(2 * MINUTE, team="t"))
    creation = created(0)

    one.event(creation, arrived=5 * MINUTE)
    one.engine.deployments = one.engine.deployments.add(1, MINUTE, shorter)
    one.wake(5 * MINUTE)

    found = [(effect.kind, effect.cause, effect.reason, effect.deployment) for effect in one.steps[-1].effects]
    assert found == [
        (Kind.RETRACTED, creation.id, Reason.RESTATED, None),
        (Kind.RETRACTED, creation.id, Reason.RESTATED, None),
        (Kind.STARTED, creation.id, Reason.CLOCK_STARTED, None),
        (Kind.STARTED, creation.id, Reason.CLOCK_STARTED, None),
        (Kind.RETARGETED, "deployment:1", Reason.POLICY_CHANGED, 1),
    ]


@pytest.mark.parametrize("newest_is_old", [False, True])
def test_a_deployment_at_the_instant_of_an_event_is_published_though_it_becomes_known_while_the_ticket_settles(
    newest_is_old: bool,
) -> None:
    """It comes before that event, and what was published of the event knows nothing of it."""
    longer = policy_set(commitment("first_response", p1="1h"), commitment("resolution", p1="96h"))
    one = life_of().event(created(0)).event(changed(2 * MINUTE, team="t"))
    arrived = 5 * MINUTE
    one.event(changed(MINUTE, team="s"), arrived=arrived)
    if newest_is_old:
        one.event(changed(3 * MINUTE, team="u"), arrived=arrived)

    one.engine.deployments = one.engine.deployments.add(1, 2 * MINUTE, longer)
    one.wake(arrived + SETTLING)
    found = one.steps[-1].effects
    one.engine.deployments = one.engine.deployments.add(2, 2 * MINUTE, RESPONSE, Origin(rejudges=True))
    one.wake(arrived + 2 * SETTLING)

    assert [(effect.kind, effect.commitment, effect.at) for effect in found] == [(Kind.RETARGETED, "resolution", 2 * MINUTE)]
    assert [effect.retracts for effect in one.steps[-1].effects] == [found[0].id]
