"""Ladders on a stopwatch of their own, and on a commitment."""

from __future__ import annotations

from tests.unit.sla.given import HOUR, after, changed, commitment, created, ladder, left, policy_set, run, share, used

from stream.sla.effects import Reason

OWN = policy_set(ladders=(ladder(("team", used("4h")), ("manager", used("8h"))),))


def test_levels_are_raised_one_after_another() -> None:
    told = run(OWN, created(0))

    assert told.lines("raised") == ["raised team @4h", "raised manager @8h"]
    assert told.effects[0].notify == ("team-desk",)


def test_a_ladder_of_its_own_goes_on_while_the_ticket_is_pending() -> None:
    assert run(OWN, created(0), changed(1 * HOUR, status="pending")).lines("raised")[0] == "raised team @4h"


def test_solving_releases_and_tells_everybody_who_was_told() -> None:
    told = run(OWN, created(0), changed(9 * HOUR, status="solved"))

    release = told.effects[-1]
    assert (release.reason, release.level, release.notify) == (Reason.SOLVED, "manager", ("team-desk", "manager-desk"))


def test_solving_before_the_first_level_says_nothing() -> None:
    assert run(OWN, created(0), changed(3 * HOUR, status="solved")).lines() == []


def test_reopening_brings_the_escalation_back_at_its_level_and_goes_on_from_there() -> None:
    told = run(OWN, created(0), changed(5 * HOUR, status="solved"), changed(20 * HOUR, status="open"))

    assert told.lines() == ["raised team @4h", "released team @5h", "recurred team @20h", "raised manager @23h"]


def test_a_level_is_raised_once_however_often_it_is_reopened() -> None:
    events = [created(0)]
    for round_ in range(1, 4):
        events += [changed(10 * round_ * HOUR, status="solved"), changed((10 * round_ + 5) * HOUR, status="open")]
    told = run(OWN, *events)

    assert told.lines("raised") == ["raised team @4h", "raised manager @8h"]
    assert len({effect.id for effect in told.effects}) == len(told.effects)


def test_a_ladder_on_a_commitment_stands_before_at_and_after_its_deadline() -> None:
    policies = policy_set(
        commitment("resolution"),
        ladders=(ladder(("lead", share(75)), ("manager", left("30m")), ("executive", after("2h")), on="resolution"),),
    )
    told = run(policies, created(0))

    assert told.lines("raised", "breached") == [
        "raised lead @3h",
        "raised manager @3.5h",
        "breached @4h",
        "raised executive @6h",
    ]
    assert told.effects[-1].reason is Reason.AFTER_DEADLINE


def test_a_ladder_on_a_commitment_pauses_with_it() -> None:
    policies = policy_set(commitment("resolution"), ladders=(ladder(("lead", share(75)), on="resolution"),))
    told = run(policies, created(0), changed(1 * HOUR, status="pending"), changed(5 * HOUR, status="open"))

    assert told.lines("raised") == ["raised lead @7h"]


def test_a_change_that_makes_several_levels_due_raises_them_in_order_at_the_change() -> None:
    policies = policy_set(
        commitment("resolution", p1="4h", p2="40h"),
        ladders=(ladder(("lead", share(25)), ("manager", share(75)), on="resolution"),),
    )
    told = run(policies, created(0, "p2"), changed(9 * HOUR, priority="p1"))

    assert told.lines("raised") == ["raised lead @9h", "raised manager @9h"]
