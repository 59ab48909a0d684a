"""What ends, moves, retargets and extends a commitment, and how each of these facts is named."""

from __future__ import annotations

import dataclasses

import pytest

from stream.language.calendars import read_calendar
from stream.sla.calendar.duration import Duration
from stream.sla.effect_ids import stem
from stream.sla.effects import Effect, Kind, Reason
from stream.sla.events import Event
from stream.sla.policy.conditions import FieldIn
from stream.sla.policy.policy import Choice, Commitment, OnChange, Policy, Threshold
from stream.sla.policy.resolve import PolicySet
from tests.unit.sla.given import ALWAYS, HOUR, Life, changed, commented, commitment, created, left, policy_set, run, share, used

PLAIN = policy_set(commitment("resolution"))
OFFICE = read_calendar("office", {"timezone": "UTC", "week": {"mon-sun": ["09:00-17:00"]}}, lambda *_: None)


def extension(at: int, by: str) -> Event:
    return Event(at, f"x{at}", "extension.granted", "test", commitment="resolution", by=by)


def extensible(cap: str, *thresholds: Threshold, **targets: str) -> Commitment:
    return dataclasses.replace(
        commitment("resolution", *thresholds, on_change=OnChange.CARRY, **targets), extension_cap=Duration.parse(cap)
    )


def since(effect: Effect, instant: int, cause: str = "") -> str:
    """The id of the fact, if it is about the target set, or the cycle reopened, at that instant (0: when it began)."""
    return stem("T", effect.commitment, (effect.commitment, effect.cycle, instant), effect.kind, effect.level, cause)


def test_what_ends_a_commitment_names_the_event_that_did() -> None:
    merged = Event(1 * HOUR, "m", "ticket.merged", "test", into="U")
    assert run(PLAIN, created(0), merged).effects[-1].cause == "m"

    word = commented(2 * HOUR, "customer")
    ended = run(policy_set(commitment("customer_silence", p1="24h")), created(0), commented(1 * HOUR), word).effects[-1]
    assert (ended.kind, ended.reason, ended.cause) == (Kind.CANCELLED, Reason.FULFILLED, word.id)


SILENCE = dataclasses.replace(commitment("customer_silence", p1="24h"), when=FieldIn("priority", frozenset({"p1"})))


def again(at: int, priority: str) -> Event:
    """Another comment of an agent, which restarts the timer."""
    return Event(at, f"again{at}", "comment.added", "test", actor="agent", public=True, fields={"priority": priority})


def test_of_a_restart_of_a_timer_only_the_new_start_is_emitted() -> None:
    effects = run(policy_set(SILENCE), created(0), commented(1 * HOUR), again(2 * HOUR, "p1")).effects

    assert [(effect.kind, effect.cycle) for effect in effects] == [
        (Kind.STARTED, 1),
        (Kind.STARTED, 2),
        (Kind.ELAPSED, 2),
    ]


def test_a_timer_that_does_not_apply_after_its_restart_is_cancelled_and_may_come_back() -> None:
    events = [created(0), commented(1 * HOUR), again(2 * HOUR, "p2"), changed(3 * HOUR, priority="p1")]
    effects = run(policy_set(SILENCE), *events).effects

    assert [(effect.kind, effect.cycle, effect.reason, effect.at) for effect in effects] == [
        (Kind.STARTED, 1, Reason.CLOCK_STARTED, 1 * HOUR),
        (Kind.CANCELLED, 1, Reason.NO_LONGER_APPLIES, 2 * HOUR),
        (Kind.STARTED, 2, Reason.FIELD_CHANGED, 3 * HOUR),
        (Kind.ELAPSED, 2, Reason.TARGET_PASSED, 26 * HOUR),
    ]
    assert effects[1].cause == events[2].id


def test_a_breach_by_a_target_of_the_same_instant_names_the_event_that_ended_it_and_not_the_timer() -> None:
    solved = changed(6 * HOUR, status="solved")
    life = run(PLAIN, created(0, "p2"), changed(6 * HOUR, priority="p1"), solved)

    assert [(effect.kind, effect.cause) for effect in life.effects[-2:]] == [
        (Kind.BREACHED, solved.id),
        (Kind.MET_LATE, solved.id),
    ]


def test_every_new_target_of_a_cycle_has_its_own_facts() -> None:
    swaps = [changed(hour * HOUR, priority=priority) for hour, priority in [(1, "p1"), (2, "p2"), (3, "p1")]]
    life = run(policy_set(commitment("resolution", share(50))), created(0, "p2"), *swaps)

    retargeted = [effect for effect in life.effects if effect.kind is Kind.RETARGETED]
    assert [effect.id for effect in retargeted] == [since(retargeted[n], swaps[n].at, swaps[n].id) for n in range(3)]
    breach = life.effects[-1]
    assert breach.id == since(breach, swaps[2].at)


def test_every_extension_makes_a_new_target() -> None:
    grants = [extension(1 * HOUR, "1h"), extension(2 * HOUR, "1h"), extension(3 * HOUR, "9h")]
    life = run(policy_set(extensible("2h")), created(0), *grants)

    *_, first, second, refused, breach = life.effects
    assert first.id == since(first, grants[0].at, grants[0].id)
    assert second.id == since(second, grants[1].at, grants[1].id)
    assert (refused.kind, refused.id) == (Kind.EXTENSION_REFUSED, since(refused, grants[1].at, grants[2].id))
    assert (breach.at, breach.id) == (6 * HOUR, since(breach, grants[1].at))


def test_two_new_targets_of_one_instant_have_each_their_own_facts() -> None:
    grants = [extension(1 * HOUR, "1h"), extension(1 * HOUR, "1h").replace(id="y")]
    life = run(policy_set(extensible("2h")), created(0), *grants)

    *_, first, second, breach = life.effects
    assert first.id == since(first, 1 * HOUR, grants[0].id)
    assert second.id == since(second, 1 * HOUR + 1, grants[1].id)
    assert (breach.at, breach.id) == (6 * HOUR, since(breach, 1 * HOUR + 1))


def test_an_extension_stays_with_a_new_target_that_carries_on() -> None:
    life = run(policy_set(extensible("2h")), created(0, "p2"), extension(1 * HOUR, "2h"), changed(2 * HOUR, priority="p1"))

    assert (life.lines("breached"), life.effects[-1].target) == (["breached @6h"], 6 * HOUR)


def test_an_extension_and_what_was_warned_of_are_gone_when_the_count_begins_anew() -> None:
    anew = dataclasses.replace(extensible("2h", share(25)), on_change=OnChange.RESET)
    life = run(policy_set(anew), created(0, "p2"), extension(1 * HOUR, "2h"), changed(3 * HOUR, priority="p1"))

    assert life.lines("warned", "breached") == ["warned 25% @2.5h", "warned 25% @4h", "breached @7h"]
    assert life.effects[-1].target == 4 * HOUR


def test_an_extension_in_wall_time_stays_as_the_business_time_by_which_it_moved_the_deadline() -> None:
    assert OFFICE is not None
    policies = policy_set(extensible("9h", p1="4h", p2="8bh"), calendar=OFFICE)
    life = run(policies, created(9 * HOUR), extension(10 * HOUR, "6h"), changed(11 * HOUR, priority="p2"), until=100 * HOUR)

    # From 13:00 to 19:00 the office is open for four hours: eight hours from 9:00 on, and four.
    assert (life.lines("breached"), life.effects[-1].target) == (["breached @37h"], 12 * HOUR)


def test_an_extension_of_what_does_not_apply_any_more_emits_nothing() -> None:
    gold = FieldIn("contract", frozenset({"gold"}))
    policies = policy_set(extensible("2h"), applies_to=gold)
    life = run(policies, created(0, contract="gold"), changed(1 * HOUR, contract="tin"), extension(2 * HOUR, "1h"))

    assert life.lines() == ["started @0h", "cancelled @1h"]


def test_an_extension_may_be_given_in_months() -> None:
    life = run(policy_set(extensible("2mo", p1="4h")), created(0), extension(1 * HOUR, "1mo"))

    assert life.lines("breached") == [f"breached @{31 * 24 + 4}h"]


def test_what_is_only_measured_cannot_be_extended() -> None:
    for cap, by in [("2h", "1h"), ("2bh", "1bh")]:
        life = run(policy_set(extensible(cap)), created(0, "p4"), extension(1 * HOUR, by))

        assert life.lines() == ["started @0h", "extension_refused @1h"]


def test_an_extension_of_the_other_clock_than_the_target_is_refused() -> None:
    life = run(policy_set(extensible("2h")), created(0), extension(1 * HOUR, "1bh"))

    assert life.lines("retargeted", "extension_refused") == ["extension_refused @1h"]


def test_a_new_target_does_not_warn_again_of_what_was_warned_of_and_is_past_all_the_same() -> None:
    life = run(policy_set(commitment("resolution", share(25))), created(0, "p2"), changed(3 * HOUR, priority="p1"))

    assert life.lines("warned") == ["warned 25% @2h"]


@pytest.mark.parametrize(
    ("mode", "due", "elapsed", "paused"), [(OnChange.FORWARD, 37, 6, 1), (OnChange.RESET, 37, 4, 0), (OnChange.CARRY, 35, 4, 1)]
)
def test_a_new_target_in_business_hours_counts_open_time_by_its_policy(
    mode: OnChange, due: int, elapsed: int, paused: int
) -> None:
    assert OFFICE is not None
    life = run(
        policy_set(commitment("resolution", left("1bh"), on_change=mode, p1="4bh", p2="8bh"), calendar=OFFICE),
        created(14 * HOUR, "p2"),
        changed(16 * HOUR, status="pending"),
        changed(18 * HOUR, status="open"),
        changed(20 * HOUR, priority="p1"),
    )

    assert life.lines("warned", "breached") == [f"warned -1bh @{due - 1}h", f"breached @{due}h"]
    assert (life.effects[-1].elapsed, life.effects[-1].paused) == (elapsed * HOUR, paused * HOUR)


def by_contract(gold: OnChange, tin: OnChange) -> PolicySet:
    """Two policies with the same commitment that swap its target each in its own way."""
    policies = tuple(
        Policy(
            name,
            1,
            Choice.fixed(ALWAYS.name),
            applies_to=FieldIn("contract", frozenset({name})),
            commitments=(commitment("resolution", used("1h"), on_change=mode, p1=target),),
        )
        for name, mode, target in (("gold", gold, "4h"), ("tin", tin, "8h"))
    )
    return PolicySet(policies, {ALWAYS.name: ALWAYS})


@pytest.mark.parametrize(
    ("gold", "tin", "breached", "elapsed"),
    [
        (OnChange.FORWARD, OnChange.CARRY, 10, 10),
        (OnChange.RESET, OnChange.CARRY, 10, 8),
        (OnChange.RESET, OnChange.FORWARD, 11, 9),
        (OnChange.FORWARD, OnChange.RESET, 11, 8),
    ],
)
def test_a_policy_that_takes_over_goes_on_from_where_the_last_one_began_to_count(
    gold: OnChange, tin: OnChange, breached: int, elapsed: int
) -> None:
    life = run(
        by_contract(gold, tin),
        created(0, contract="tin"),
        changed(2 * HOUR, contract="gold"),
        changed(3 * HOUR, contract="tin"),
    )

    assert life.lines("breached") == [f"breached @{breached}h"]
    assert life.effects[-1].elapsed == elapsed * HOUR


def test_a_commitment_that_applies_again_is_another_fact_than_the_one_that_was_withdrawn() -> None:
    policies = policy_set(commitment("resolution"), applies_to=FieldIn("contract", frozenset({"gold"})))
    life = run(policies, created(0, contract="gold"), changed(1 * HOUR, contract=""), changed(2 * HOUR, contract="gold"))

    first, _, again, breach = life.effects
    assert [first.id, again.id, breach.id] == [since(first, 0), since(again, 2 * HOUR), since(breach, 2 * HOUR)]


def test_a_late_fulfilment_that_is_undone_is_a_breach_still_and_is_emitted_once() -> None:
    life = run(PLAIN, created(0), changed(5 * HOUR, status="solved"), changed(6 * HOUR, status="open"))
    assert life.lines("breached", "met_late", "resumed") == ["breached @4h", "met_late @5h"]

    solved_again = Life(PLAIN)
    for event in (created(0), changed(5 * HOUR, status="solved"), changed(6 * HOUR, status="open")):
        solved_again.event(event)
    solved_again.event(changed(7 * HOUR, status="solved"))
    late = [effect for effect in solved_again.effects if effect.kind is Kind.MET_LATE]
    assert [effect.id for effect in late] == [since(late[0], 0), since(late[1], 6 * HOUR)]


def test_every_pause_every_resumption_and_every_reopening_is_a_fact_of_its_own() -> None:
    statuses = ["pending", "open", "pending", "open", "solved", "open", "solved", "open"]
    moves = [changed((n + 1) * 60_000_000, status=status) for n, status in enumerate(statuses)]
    life = run(policy_set(commitment("resolution", share(25))), created(0), *moves)

    assert len({effect.id for effect in life.effects}) == len(life.effects)
    assert [(effect.kind, effect.id) for effect in life.effects if effect.kind in (Kind.PAUSED, Kind.RESUMED)] == [
        (kind, stem("T", "resolution", ("resolution", 1, reopened), kind, "", moves[n].id))
        for n, kind, reopened in [
            (0, Kind.PAUSED, 0),
            (1, Kind.RESUMED, 0),
            (2, Kind.PAUSED, 0),
            (3, Kind.RESUMED, 0),
            (5, Kind.RESUMED, moves[5].at),
            (7, Kind.RESUMED, moves[7].at),
        ]
    ]
    met = [effect for effect in life.effects if effect.kind is Kind.MET]
    assert [effect.id for effect in met] == [since(met[0], 0), since(met[1], moves[5].at)]


def test_a_pause_names_its_condition_and_a_resumption_whether_it_is_a_reopening() -> None:
    moves = [changed(n * HOUR, status=status) for n, status in [(1, "open"), (2, "solved"), (3, "open")]]
    life = run(PLAIN, created(0, status="pending"), *moves)

    assert [effect.reason for effect in life.effects if effect.kind in (Kind.PAUSED, Kind.RESUMED)] == [
        Reason.PAUSE_CONDITION,
        Reason.RESUME_CONDITION,
        Reason.REOPENED,
    ]
    paused = life.effects[1]
    assert paused.id == since(paused, 0, paused.cause)


def test_the_targets_of_every_cycle_are_counted_from_the_first() -> None:
    words = [commented(1), commented(2, "customer"), commented(3), commented(4, "customer")]
    life = run(policy_set(commitment("next_response", p1="1h")), created(0), *words)

    assert [(effect.kind, effect.cycle) for effect in life.effects] == [
        (Kind.STARTED, 1),
        (Kind.MET, 1),
        (Kind.STARTED, 2),
        (Kind.BREACHED, 2),
    ]
    assert [effect.id for effect in life.effects] == [since(effect, 0) for effect in life.effects]


def test_a_target_of_a_month_ends_a_month_after_the_start_whatever_happens_to_the_fields() -> None:
    life = run(
        policy_set(commitment("resolution", p1="1mo", p2="2mo")), created(0, "p2"), changed(40 * 24 * HOUR, priority="p1")
    )

    assert [(effect.kind, effect.due_at) for effect in life.effects] == [
        (Kind.STARTED, (31 + 28) * 24 * HOUR),
        (Kind.RETARGETED, 31 * 24 * HOUR),
        (Kind.BREACHED, 31 * 24 * HOUR),
    ]


def test_the_same_target_by_another_policy_is_another_commitment() -> None:
    gold, tin = by_contract(OnChange.CARRY, OnChange.CARRY).policies
    tin = dataclasses.replace(tin, commitments=gold.commitments)
    life = run(PolicySet((gold, tin), {ALWAYS.name: ALWAYS}), created(0, contract="tin"), changed(30, contract="gold"))

    assert [(effect.kind, effect.policy) for effect in life.effects] == [
        (Kind.STARTED, "tin"),
        (Kind.RETARGETED, "gold"),
        (Kind.WARNED, "gold"),
        (Kind.BREACHED, "gold"),
    ]
