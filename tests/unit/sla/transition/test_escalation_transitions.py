"""The effects of an escalation: to whom, why, because of which event, and which round it belongs to."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from stream.sla.calendar.duration import Duration
from stream.sla.effect_ids import stem
from stream.sla.effects import Effect, Kind, Reason
from stream.sla.events import Event
from stream.sla.policy.conditions import ALWAYS, FieldIn
from stream.sla.policy.policy import Choice, LadderKind
from tests.unit.sla.given import HOUR, changed, commented, commitment, created, ladder, policy_set, run, share, used

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet

TWO = (("team", used("4h")), ("manager", used("40h")))
REPEATED = {"repeat_every": Duration.parse("1h"), "max_repeats": 2}


def hours(count: int) -> Duration:
    return Duration.parse(f"{count}h")


def about(at: int, what: str, **more: str) -> Event:
    return Event(at, f"{what}{at}", f"escalation.{what}", "test", **more)  # type: ignore[arg-type]


def round_of(effect: Effect, *, per_event: bool = False) -> int | None:
    """The instant at which the round began that the id names (0: with the cycle); ``None`` where it names something else."""
    metric, cause = effect.commitment or "p/ladder", effect.cause if per_event else ""
    for instant in [hour * HOUR + micros for hour in range(48) for micros in (-1, 0, 1)]:
        for count in range(10):
            text = f"{effect.level}#{count}"
            if effect.id == stem("T", effect.ladder, (metric, effect.cycle, instant), effect.kind, text, cause):
                return instant
    return None


def test_every_step_of_an_escalation_has_a_reason_and_the_event_that_caused_it() -> None:
    policies = policy_set(ladders=(ladder(*TWO, of_level=REPEATED, raise_again_after=hours(3), monitoring=hours(5)),))
    life = run(
        policies,
        created(0),
        taken := about(6 * HOUR - 1, "acknowledged"),
        solved := changed(10 * HOUR, status="solved"),
        opened := changed(12 * HOUR, status="open"),
        again := about(13 * HOUR - 1, "acknowledged"),
        solved_again := changed(13 * HOUR, status="solved"),
    )

    timer = "timer"
    assert [(effect.kind, effect.reason, effect.cause, round_of(effect)) for effect in life.effects] == [
        (Kind.RAISED, Reason.TIME_USED, timer, 0),
        (Kind.REPEATED, Reason.NOT_ACKNOWLEDGED, timer, 0),
        (Kind.ACKNOWLEDGED, Reason.ACKNOWLEDGED, taken.id, taken.at),
        (Kind.REPEATED, Reason.STILL_OPEN, timer, taken.at + 3 * HOUR),
        (Kind.REPEATED, Reason.NOT_ACKNOWLEDGED, timer, taken.at + 3 * HOUR),
        (Kind.MONITORING, Reason.SOLVED, solved.id, solved.at),
        (Kind.RECURRED, Reason.RECURRENCE, opened.id, opened.at),
        (Kind.ACKNOWLEDGED, Reason.ACKNOWLEDGED, again.id, again.at),
        (Kind.MONITORING, Reason.SOLVED, solved_again.id, solved_again.at),
        (Kind.RELEASED, Reason.QUIET, timer, solved_again.at + 5 * HOUR),
    ]


def test_a_release_and_a_recurrence_without_monitoring_are_rounds_of_their_own() -> None:
    life = run(
        policy_set(ladders=(ladder(*TWO),)), created(0), changed(5 * HOUR, status="solved"), changed(6 * HOUR, status="open")
    )

    assert [(effect.kind, round_of(effect)) for effect in life.effects[1:3]] == [
        (Kind.RELEASED, 5 * HOUR),
        (Kind.RECURRED, 6 * HOUR),
    ]
    assert life.effects[1].cause == changed(5 * HOUR, status="solved").id


def test_a_recurrence_may_be_repeated_as_often_as_the_first_time() -> None:
    policies = policy_set(ladders=(ladder(*TWO, of_level=REPEATED),))
    life = run(policies, created(0), changed(6 * HOUR, status="solved"), changed(8 * HOUR, status="open"), until=20 * HOUR)

    assert life.lines("recurred", "repeated") == [
        "repeated team @5h",
        "recurred team @8h",
        "repeated team @9h",
        "repeated team @10h",
    ]


def gold_only(**more: Any) -> PolicySet:
    gold = FieldIn("contract", frozenset({"gold"}))
    return policy_set(ladders=(dataclasses.replace(ladder(*TWO, **more), when=gold),))


def test_a_ladder_that_applies_again_recurs_in_a_round_of_its_own_and_is_repeated_from_there() -> None:
    back = changed(9 * HOUR, contract="gold")
    life = run(gold_only(of_level=REPEATED), created(0, contract="gold"), changed(6 * HOUR, contract=""), back, until=20 * HOUR)

    assert life.lines() == [
        "raised team @4h",
        "repeated team @5h",
        "released team @6h",
        "recurred team @9h",
        "repeated team @10h",
        "repeated team @11h",
    ]
    recurred = life.effects[3]
    assert (recurred.reason, recurred.cause, round_of(recurred)) == (Reason.FIELD_CHANGED, back.id, back.at)
    assert life.effects[2].reason is Reason.NO_LONGER_APPLIES


def test_a_monitored_ladder_that_ceases_to_apply_is_released_and_recurs_with_the_reopening() -> None:
    lost = changed(6 * HOUR, contract="")
    reopened = changed(8 * HOUR, status="open")
    life = run(
        gold_only(monitoring=hours(5)),
        created(0, contract="gold"),
        changed(5 * HOUR, status="solved"),
        lost,
        changed(7 * HOUR, contract="gold"),
        reopened,
        until=20 * HOUR,
    )

    assert life.lines() == ["raised team @4h", "monitoring team @5h", "released team @6h", "recurred team @8h"]
    released, recurred = life.effects[2:]
    assert (released.reason, released.cause, round_of(released)) == (Reason.NO_LONGER_APPLIES, lost.id, lost.at)
    assert released.notify == ("team-desk",)
    assert (recurred.reason, recurred.cause, round_of(recurred)) == (Reason.RECURRENCE, reopened.id, reopened.at)


def test_a_monitored_ladder_that_goes_on_to_apply_is_released_at_its_quiet_end() -> None:
    policies = policy_set(commitment("agent_work"), ladders=(ladder(*TWO, monitoring=hours(5)),))
    life = run(policies, created(0), changed(5 * HOUR, status="solved"), changed(6 * HOUR, priority="p2"))

    assert life.lines("released") == ["released team @10h"]
    assert life.effects[-1].reason is Reason.QUIET


def test_an_acknowledged_level_that_is_emitted_again_is_repeated_as_often_as_the_first_time() -> None:
    policies = policy_set(ladders=(ladder(*TWO, of_level=REPEATED, raise_again_after=hours(3)),))
    life = run(policies, created(0), about(6 * HOUR, "acknowledged"), until=30 * HOUR)

    assert life.lines("repeated") == [f"repeated team @{hour}h" for hour in (5, 9, 10, 11)]


@pytest.mark.parametrize("what", ["acknowledged", "released"])
def test_an_acknowledgement_or_release_may_name_a_level_that_was_raised_and_no_other(what: str) -> None:
    policies = policy_set(ladders=(ladder(*TWO),))

    meant = run(policies, created(0), about(5 * HOUR, what, level="team"), until=6 * HOUR)
    assert meant.lines(what) == [f"{what} team @5h"]
    assert meant.effects[-1].cause == about(5 * HOUR, what).id
    assert run(policies, created(0), about(5 * HOUR, what, level="manager"), until=6 * HOUR).lines(what) == []


def test_a_release_of_what_was_not_raised_does_not_keep_it_from_being_raised() -> None:
    life = run(policy_set(ladders=(ladder(*TWO),)), created(0), about(1 * HOUR, "released"), until=5 * HOUR)

    assert life.lines() == ["raised team @4h"]


def asked(**more: Any) -> PolicySet:
    return policy_set(ladders=(ladder(*TWO, **{"on_request": "team", **more}),))


def test_a_refused_request_notifies_the_customer_of_the_refused_level_once_a_request() -> None:
    policies = policy_set(
        commitment("first_response", p1="9h"),
        ladders=(ladder(*TWO, on_request="team", request_after="first_response"),),
    )
    life = run(
        policies, created(0), about(1 * HOUR, "requested"), about(2 * HOUR, "requested", level="manager"), until=3 * HOUR
    )

    refusals = [effect for effect in life.effects if effect.kind is Kind.REFUSED]
    assert [(effect.level, effect.notify) for effect in refusals] == [("team", ("customer",)), ("manager", ("customer",))]
    assert [round_of(effect, per_event=True) for effect in refusals] == [0, 0]


def test_a_request_for_a_level_the_ladder_does_not_have_is_refused() -> None:
    life = run(asked(), created(0), about(1 * HOUR, "requested", level="president"), until=2 * HOUR)

    assert [(effect.kind, effect.reason) for effect in life.effects] == [(Kind.REFUSED, Reason.NOT_OFFERED)]


def test_a_request_that_names_a_level_of_a_ladder_without_requests_is_refused() -> None:
    life = run(asked(on_request=""), created(0), about(1 * HOUR, "requested", level="team"), until=2 * HOUR)

    assert [(effect.kind, effect.reason) for effect in life.effects] == [(Kind.REFUSED, Reason.NOT_OFFERED)]


def test_a_request_for_what_is_solved_is_refused_as_solved() -> None:
    life = run(asked(), created(0), changed(1 * HOUR, status="solved"), about(2 * HOUR, "requested"), until=3 * HOUR)

    assert [(effect.kind, effect.reason, effect.allowed_from) for effect in life.effects] == [
        (Kind.REFUSED, Reason.SOLVED, None)
    ]


def test_a_request_is_answered_by_the_ladder_that_takes_it() -> None:
    silent = dataclasses.replace(ladder(("desk", used("90h"))), name="silent")
    other = dataclasses.replace(ladder(("skill", used("90h")), on_request="skill"), name="other")
    policies = policy_set(ladders=(silent, other, ladder(*TWO, on_request="team")))

    def answers(**named: str) -> list[tuple[str, str, str]]:
        life = run(policies, created(0), about(1 * HOUR, "requested", **named), until=2 * HOUR)
        return [(effect.kind, effect.ladder, effect.level) for effect in life.effects]

    assert answers() == [("escalation.raised", "other", "skill")]
    assert answers(level="manager") == [("escalation.raised", "ladder", "manager")]
    assert answers(level="desk") == [("escalation.refused", "other", "desk")]


def test_a_level_that_was_asked_for_is_repeated_from_the_request_on_and_asking_again_begins_the_count_anew() -> None:
    life = run(
        asked(of_level=REPEATED), created(0), about(1 * HOUR, "requested"), about(4 * HOUR + 1, "requested"), until=20 * HOUR
    )

    assert life.lines("raised", "repeated")[:4] == [
        "raised team @1h",
        "repeated team @2h",
        "repeated team @3h",
        f"repeated team @{(4 * HOUR + 1) / HOUR:g}h",
    ]
    assert [effect.at - 1 for effect in life.effects[4:]] == [5 * HOUR, 6 * HOUR]


def test_asking_for_what_was_acknowledged_opens_a_new_round() -> None:
    life = run(
        asked(),
        created(0),
        about(1 * HOUR, "requested"),
        about(2 * HOUR, "acknowledged"),
        about(3 * HOUR, "requested"),
        until=4 * HOUR,
    )

    raised, taken, again = life.effects
    assert (round_of(raised, per_event=True), round_of(taken), round_of(again, per_event=True)) == (
        1 * HOUR,
        2 * HOUR,
        3 * HOUR,
    )
    assert life.lines("repeated") == ["repeated team @3h"]


def test_two_rounds_of_one_instant_are_a_microsecond_apart() -> None:
    at = 2 * HOUR
    life = run(asked(), created(0), about(1 * HOUR, "requested"), about(at, "acknowledged"), about(at, "requested"), until=at)

    taken, again = life.effects[1:]
    assert (round_of(taken), round_of(again, per_event=True)) == (at, at + 1)


def test_each_request_opens_a_round_of_its_own() -> None:
    life = run(asked(), created(0), about(1 * HOUR, "requested"), about(3 * HOUR, "requested"), until=4 * HOUR)

    assert [round_of(effect, per_event=True) for effect in life.effects] == [1 * HOUR, 3 * HOUR]


def test_an_escalation_on_a_commitment_shows_the_deadline_it_stands_on() -> None:
    commitment_status = ladder(("lead", share(25)), of_level=REPEATED, on="resolution", on_request="lead")
    life = run(
        policy_set(commitment("resolution"), ladders=(commitment_status,)),
        created(0),
        about(3 * HOUR, "requested"),
        until=4 * HOUR,
    )

    emitted = [effect for effect in life.effects if effect.ladder]
    assert [(effect.kind, effect.due_at) for effect in emitted] == [
        (Kind.RAISED, 4 * HOUR),
        (Kind.REPEATED, 4 * HOUR),
        (Kind.REPEATED, 4 * HOUR),
    ]
    assert emitted[-1].cause == about(3 * HOUR, "requested").id


def test_a_higher_level_that_comes_as_the_lower_would_be_repeated_is_emitted_instead() -> None:
    levels = ladder(("team", used("4h")), ("manager", used("6h")), of_level=REPEATED)
    life = run(policy_set(ladders=(levels,)), created(0), until=7 * HOUR)

    assert life.lines() == ["raised team @4h", "repeated team @5h", "raised manager @6h"]


def test_a_role_that_stands_on_two_levels_is_notified_once() -> None:
    levels = ladder(("team", used("1h")), ("manager", used("2h")))
    both = tuple(dataclasses.replace(level, notify=("desk", level.name)) for level in levels.levels)
    life = run(policy_set(ladders=(dataclasses.replace(levels, levels=both),)), created(0), changed(3 * HOUR, status="solved"))

    assert life.effects[-1].notify == ("desk", "team", "manager")


def test_an_escalation_shows_its_kind_and_a_functional_one_the_team_that_takes_over() -> None:
    by_product = Choice(
        ((FieldIn("product", frozenset({"core"})), "Core team"), (FieldIn("product", frozenset({"app"})), "App team"))
    )
    functional = dataclasses.replace(
        ladder(("team", used("4h")), of_level={**REPEATED, "assign_to": by_product}, monitoring=hours(5)),
        kind=LadderKind.FUNCTIONAL,
    )
    life = run(
        policy_set(ladders=(functional,)),
        created(0, product="core"),
        changed(5 * HOUR - 1, product="app"),
        changed(6 * HOUR - 1, status="solved"),
        changed(7 * HOUR, status="open"),
        changed(7 * HOUR + 1, status="solved"),
    )

    assert {effect.escalation_kind for effect in life.effects} == {LadderKind.FUNCTIONAL}
    assert [(effect.kind, effect.assign_to) for effect in life.effects] == [
        (Kind.RAISED, "Core team"),
        (Kind.REPEATED, "App team"),
        (Kind.MONITORING, ""),
        (Kind.RECURRED, "App team"),
        (Kind.MONITORING, ""),
        (Kind.RELEASED, ""),
    ]


def test_a_late_event_that_changes_the_team_takes_the_hand_over_back_and_names_the_right_team() -> None:
    by_product = Choice(((FieldIn("product", frozenset({"core"})), "Core team"), (ALWAYS, "Second line")))
    functional = dataclasses.replace(
        ladder(("team", used("4h")), of_level={"assign_to": by_product}), kind=LadderKind.FUNCTIONAL
    )
    life = run(policy_set(ladders=(functional,)), created(0), commented(5 * HOUR), changed(HOUR, product="core"))

    assert [(effect.kind, effect.assign_to) for effect in life.effects] == [
        (Kind.RAISED, "Second line"),
        (Kind.ESCALATION_RETRACTED, "Second line"),
        (Kind.RAISED, "Core team"),
    ]
