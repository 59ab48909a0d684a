"""What a step has beside its effects: the outcome, when to wake, what was noticed when, and how names go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stream.sla.effect_ids import stem
from stream.sla.effects import Kind
from stream.sla.policy.resolve import PolicySet
from stream.sla.step import Outcome
from tests.unit.sla.given import HOUR, Life, changed, commented, commitment, created, ladder, policy_set, used

if TYPE_CHECKING:
    from stream.sla.events import Event

RESOLUTION = policy_set(commitment("resolution", p1="4h", p2="8h"))
BREACH = stem("T", "resolution", ("resolution", 1, 0), Kind.BREACHED, "")


def test_what_an_event_or_a_wake_up_emits_was_noticed_at_the_clock_reading_it_came_with() -> None:
    life = Life(RESOLUTION).event(created(0), now=7).event(changed(1, status="solved"), now=9)
    assert [effect.detected_at for effect in life.effects] == [7, 9]

    woken = Life(RESOLUTION).event(created(0)).wake(5 * HOUR)
    assert woken.effects[-1].detected_at == 5 * HOUR


def test_a_wake_up_returns_when_the_next_one_is_due() -> None:
    policies = policy_set(commitment("resolution", p1="4h"), commitment("first_response", p1="1h"))
    life = Life(policies).event(created(0)).wake(30).wake(2 * HOUR).wake(5 * HOUR)

    assert [step.wake_at for step in life.steps] == [1 * HOUR + 1, 1 * HOUR + 1, 4 * HOUR + 1, None]
    assert [step.outcome for step in life.steps] == [Outcome.APPLIED, *[Outcome.WOKEN] * 3]


def test_what_is_refused_or_repeated_leaves_the_next_wake_up_as_it_was() -> None:
    life = Life(RESOLUTION, history=2).event(created(0))
    for minute in range(1, 6):
        life.event(changed(minute, team=f"t{minute}"))
    life.event(changed(5, team="t5")).event(changed(1, channel="chat"))

    assert [(step.outcome, step.wake_at) for step in life.steps[-2:]] == [
        (Outcome.DUPLICATE, 4 * HOUR + 1),
        (Outcome.TOO_LATE, 4 * HOUR + 1),
    ]


def test_what_is_done_at_the_very_deadline_is_in_time_though_the_breach_was_emitted_before_it_arrived() -> None:
    life = Life(RESOLUTION).event(created(0)).wake(4 * HOUR + 1).event(changed(4 * HOUR, status="solved"), now=5 * HOUR)

    assert life.steps[-1].outcome is Outcome.LATE
    assert life.lines("breached", "breach_retracted", "met") == ["breached @4h", "breach_retracted @4h", "met @4h"]


def corrected(**more: int) -> Life:
    """A breach was emitted at four hours and retracted: the ticket was pending from the first hour on."""
    life = Life(RESOLUTION, **more).event(created(0)).wake(5 * HOUR)
    return life.event(changed(1 * HOUR, status="pending"), now=5 * HOUR)


@pytest.mark.parametrize("history", [2, 200])
def test_a_fact_emitted_anew_in_order_has_its_revision_whatever_was_forgotten_since(history: int) -> None:
    life = corrected(history=history).event(changed(6 * HOUR, status="open"))
    for hour in range(1, 4):
        life.event(changed(6 * HOUR + hour, team=f"t{hour}"))
    life.event(changed(20 * HOUR, status="solved"))

    assert [effect.id for effect in life.effects if effect.kind is Kind.BREACHED] == [BREACH, f"{BREACH}.1"]


def test_a_history_that_a_late_event_just_fills_is_kept_whole() -> None:
    life = Life(RESOLUTION, history=4).event(created(0))
    for minute in (2, 3, 1):
        life.event(changed(minute, team=f"t{minute}"))

    assert life.state is not None
    assert (len(life.state.history), life.state.base) == (4, None)


def test_a_history_that_is_just_full_is_kept_whole() -> None:
    life = Life(RESOLUTION, history=4).event(created(0))
    for minute in range(1, 4):
        life.event(changed(minute, team=f"t{minute}"))

    assert life.state is not None
    assert (len(life.state.history), life.state.base) == (4, None)


def test_a_ticket_is_unmatched_when_it_has_no_target_by_the_version_in_force_when_it_began() -> None:
    import dataclasses

    (policy,) = RESOLUTION.policies
    later = PolicySet((dataclasses.replace(policy, since=5 * HOUR),), RESOLUTION.calendars)
    ladders_only = policy_set(ladders=(ladder(("team", used("4h"))),))

    def unmatched(policies: object, event: Event) -> bool:
        return Life(policies).event(event).steps[-1].unmatched  # type: ignore[arg-type]

    assert unmatched(later, created(4 * HOUR))
    assert not unmatched(later, created(5 * HOUR))
    assert not unmatched(ladders_only, created(0))
    assert unmatched(RESOLUTION, created(0, "p9"))
    assert unmatched(RESOLUTION, commented(0))
