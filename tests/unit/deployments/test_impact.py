"""What a deployment would do to open tickets, counted by the engine itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from stream.deployments.impact import EXAMPLES, TOUCHES, Impact, Touch, impact_on
from stream.sla.effects import Kind
from stream.sla.engine import Engine
from stream.sla.policy.timeline import Deployments
from stream.testing import event
from tests.unit.deployments.sets import HOUR, START, with_target

if TYPE_CHECKING:
    from stream.sla.ticket.state import State


def opened(*tickets: tuple[str, int], target: str = "8h") -> list[State]:
    """Tickets, each created at its instant and open since."""
    engine = Engine(with_target(target))
    return [engine.apply(None, name, event(1, at, "ticket.created"), at).state for name, at in tickets]


def changed(before: str, after: str, at: int) -> Deployments:
    return Deployments.fixed(with_target(before), 0).add(1, at, with_target(after))


def test_every_kind_of_effect_is_counted() -> None:
    assert set(TOUCHES) == set(Kind)


def test_a_deadline_that_lies_in_the_past_now_breaches_and_others_move() -> None:
    tickets = opened(("old", START), ("new", START + 5 * HOUR))

    impact = impact_on(tickets, changed("8h", "4h", START + 6 * HOUR), START + 6 * HOUR)

    assert (impact.open, impact.affected, impact.breaches) == (2, 2, 1)
    (breach,) = impact.examples[Touch.BREACHES]
    assert (breach.ticket, breach.commitment, breach.reason) == ("old", "resolution", "retargeted_past_due")
    assert {example.ticket: example.due_at for example in impact.examples[Touch.MOVES]}["new"] == START + 9 * HOUR


def test_a_deployment_that_changes_nothing_affects_no_ticket() -> None:
    impact = impact_on(opened(("a", START)), changed("8h", "8h", START + HOUR), START + HOUR)

    assert impact == Impact(open=1)


def test_what_time_alone_makes_true_is_not_of_the_deployment() -> None:
    late = impact_on(opened(("a", START)), changed("8h", "8h", START + 9 * HOUR), START + 9 * HOUR)

    assert (late.affected, late.breaches) == (0, 0)


def test_states_are_not_changed() -> None:
    (state,) = opened(("a", START))
    before = state.parts()

    impact_on([state], changed("8h", "4h", START + 6 * HOUR), START + 6 * HOUR)

    assert state.parts() == before


def test_tickets_that_ended_are_not_asked() -> None:
    (state,) = opened(("a", START))
    deleted = Engine(with_target("8h")).apply(state, "a", event(2, START + HOUR, "ticket.deleted"), START + HOUR).state

    assert impact_on([deleted], changed("8h", "4h", START + 6 * HOUR), START + 6 * HOUR) == Impact()


def test_judging_anew_takes_back_what_is_true_no_more() -> None:
    mistaken = changed("8h", "4m", START + HOUR)
    (state,) = opened(("a", START))
    breached = Engine(mistaken).wake(state, START + 2 * HOUR).state
    undone = mistaken.add(2, START + HOUR, with_target("8h"))

    impact = impact_on([breached], undone, START + 2 * HOUR)

    assert impact.breaches == 0
    assert {example.kind for example in impact.examples[Touch.TAKES_BACK]} >= {Kind.BREACH_RETRACTED}


def test_a_deadline_that_judging_anew_finds_to_have_passed_breaches() -> None:
    """It lies between the last that is known of the ticket and now: no deployment is in its effect."""
    rejudged = changed("8h", "4h", START)

    impact = impact_on(opened(("a", START)), rejudged, START + 6 * HOUR)

    assert (impact.affected, impact.breaches) == (1, 1)
    assert [example.ticket for example in impact.examples[Touch.BREACHES]] == ["a"]


def test_a_deadline_that_passes_by_the_policies_before_too_is_not_of_the_deployment() -> None:
    impact = impact_on(opened(("a", START)), changed("8h", "8h", START), START + 9 * HOUR)

    assert (impact.affected, impact.breaches) == (0, 0)


def test_ten_examples_are_kept_and_impacts_add_up() -> None:
    tickets = opened(*((f"t-{number}", START) for number in range(15)))
    deployments = changed("8h", "4h", START + 6 * HOUR)

    whole = impact_on(tickets, deployments, START + 6 * HOUR)
    halves = impact_on(tickets[:4], deployments, START + 6 * HOUR) + impact_on(tickets[4:], deployments, START + 6 * HOUR)

    assert (whole.breaches, len(whole.examples[Touch.BREACHES])) == (15, EXAMPLES)
    assert halves == whole


def test_an_impact_comes_back_from_json() -> None:
    impact = impact_on(opened(("a", START)), changed("8h", "4h", START + 6 * HOUR), START + 6 * HOUR)

    assert msgspec.json.decode(msgspec.json.encode(impact), type=Impact) == impact
