"""Which effects are provisional where events of a partition's tickets may be missing, and when that ends."""

from __future__ import annotations

from typing import Any

import pytest

from stream.sla.codec import codec
from stream.sla.doubt import Doubt
from stream.sla.effects import Effect, Kind, ProvisionalReason
from stream.sla.engine import Engine
from stream.sla.policy.timeline import Deployments
from tests.unit.sla.given import HOUR, Life, after, changed, commented, commitment, created, ladder, policy_set, share

POLICIES = policy_set(
    commitment("first_response"), commitment("resolution", share(50)), ladders=(ladder(("team", after("1h")), on="resolution"),)
)
LOST = ProvisionalReason.INPUT_LOST
LATER = 100 * HOUR


class Partition(Life):
    """A ticket of a partition in which input is lost."""

    def lose(self, since: int) -> Partition:
        self.engine = self.engine.snapshot((*self.engine.deployments.doubts, Doubt(since, LOST)))
        return self

    def provisional(self) -> list[tuple[str, str, float]]:
        """Name and kind of each provisional effect, with its hour."""
        return [
            (name(effect), effect.kind.partition(".")[2], effect.at / HOUR) for effect in self.effects if effect.provisional
        ]


def name(effect: Effect) -> str:
    return effect.ladder or effect.commitment


def whole(at: int, status: str, **fields: str) -> Any:
    return changed(at, status=status, priority="p1", **fields)


def test_what_time_makes_true_after_the_gap_is_provisional_with_its_reason() -> None:
    life = Partition(POLICIES)
    life.event(created(0)).wake(HOUR)
    life.lose(HOUR).wake(LATER)
    assert life.provisional() == [
        ("resolution", "warned", 2), ("first_response", "breached", 4), ("resolution", "breached", 4), ("ladder", "raised", 5)
    ]  # fmt: skip
    assert {effect.provisional_reason for effect in life.effects if effect.provisional} == {LOST}
    assert {effect.provisional_reason for effect in life.effects if not effect.provisional} == {None}


def test_what_became_true_before_the_gap_is_certain_though_it_is_found_afterwards() -> None:
    life = Partition(POLICIES)
    life.event(created(0)).lose(3 * HOUR).wake(LATER)
    assert ("resolution", "warned", 2) not in life.provisional()
    assert ("resolution", "breached", 4) in life.provisional()


def test_a_ticket_that_is_created_after_the_gap_is_certain() -> None:
    life = Partition(POLICIES).lose(HOUR)
    life.event(created(2 * HOUR)).wake(LATER)
    assert life.provisional() == []
    assert life.effects


def test_a_ticket_whose_creation_is_not_known_is_provisional() -> None:
    life = Partition(POLICIES).lose(HOUR)
    life.event(commented(2 * HOUR, "customer")).event(changed(2 * HOUR + 1, priority="p1")).wake(LATER)
    assert ("resolution", "breached") in {one[:2] for one in life.provisional()}


def test_a_cycle_that_runs_over_the_gap_stays_provisional_after_the_whole_ticket_is_known() -> None:
    life = Partition(POLICIES)
    life.event(created(0)).lose(HOUR).event(whole(2 * HOUR, "open")).wake(LATER)
    assert ("first_response", "breached", 4) in life.provisional()


def test_a_cycle_that_begins_when_the_whole_ticket_is_known_is_certain() -> None:
    policies = policy_set(commitment("periodic_update", p1="4h"))
    life = Partition(policies)
    life.event(created(0)).lose(HOUR)
    life.event(whole(2 * HOUR, "open")).event(commented(3 * HOUR)).wake(LATER)
    assert "breached @7h" in life.lines()
    assert life.provisional() == []


@pytest.mark.parametrize("event", [changed(2 * HOUR, status="open"), changed(2 * HOUR, priority="p1"), commented(2 * HOUR)])
def test_an_event_that_gives_a_part_of_the_ticket_leaves_it_provisional(event: Any) -> None:
    life = Partition(policy_set(commitment("periodic_update", p1="4h")))
    life.event(created(0)).lose(HOUR).event(event).event(commented(3 * HOUR)).wake(LATER)
    assert ("periodic_update", "breached", 7) in life.provisional()


def test_the_whole_ticket_before_the_gap_ends_nothing() -> None:
    life = Partition(policy_set(commitment("periodic_update", p1="4h")))
    life.event(created(0)).event(whole(HOUR // 2, "open")).lose(HOUR).event(commented(3 * HOUR)).wake(LATER)
    assert ("periodic_update", "breached", 7) in life.provisional()


def test_a_second_gap_is_a_doubt_of_its_own() -> None:
    life = Partition(policy_set(commitment("periodic_update", p1="4h")))
    life.event(created(0)).lose(HOUR).event(whole(2 * HOUR, "open")).lose(3 * HOUR)
    life.event(commented(4 * HOUR)).wake(LATER)
    assert ("periodic_update", "breached", 8) in life.provisional()


def test_an_event_from_the_gap_that_is_published_again_takes_the_breach_back() -> None:
    life = Partition(POLICIES)
    life.event(created(0)).lose(HOUR).wake(LATER)
    life.event(commented(2 * HOUR), now=LATER)
    taken_back = [effect for effect in life.effects if effect.kind is Kind.BREACH_RETRACTED]
    assert [name(effect) for effect in taken_back] == ["first_response"]


def test_what_is_provisional_is_the_same_after_the_state_was_stored_and_after_the_history_was_cut() -> None:
    straight, stored = Partition(POLICIES, history=2), Partition(POLICIES, history=2)
    for life in (straight, stored):
        life.lose(HOUR)
        life.event(created(2 * HOUR))
        for minute in range(1, 8):
            life.event(changed(2 * HOUR + minute, colour=str(minute)))
            if life is stored and life.state is not None:
                life.state = codec.decode(codec.encode(life.state))
        life.lose(3 * HOUR).wake(LATER)
    assert straight.effects == stored.effects
    assert ("resolution", "breached", 6) in straight.provisional()
    assert straight.state is not None
    assert straight.state.head.whole_at == 2 * HOUR


def test_the_id_of_an_effect_does_not_depend_on_the_doubt() -> None:
    certain, doubted = Life(POLICIES).event(created(0)).wake(LATER), Partition(POLICIES)
    doubted.event(created(0)).lose(HOUR).wake(LATER)
    assert [effect.id for effect in certain.effects] == [effect.id for effect in doubted.effects]


def test_an_engine_of_fewer_deployments_keeps_the_doubts() -> None:
    engine = Engine(Deployments.fixed(POLICIES)).snapshot((Doubt(HOUR, LOST),))
    assert engine.as_of(0).deployments.timeline.doubts == (Doubt(HOUR, LOST),)
