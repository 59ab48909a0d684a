"""The raised level that a list shows beside a commitment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stream.sla.events import Event
from stream.sla.explain.escalated import Escalated, escalated
from tests.unit.sla.given import HOUR, MINUTE, changed, commitment, created, ladder, policy_set, run, share, used

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.ticket.state import Ticket

LATE = ladder(("lead", share(25)), ("head", share(75)), on="resolution")
SUPPORT = policy_set(commitment("resolution"), commitment("first_response"), ladders=(LATE,))


def after(policies: PolicySet, until: int, *events: Event) -> Ticket:
    state = run(policies, created(0), *events, until=until).state
    assert state is not None
    return state.head


def about(kind: str, at: int) -> Event:
    return Event(at, f"a{at}", f"escalation.{kind}", "test")  # type: ignore[arg-type]


def test_the_highest_raised_level_is_shown_with_its_roles() -> None:
    assert escalated(after(SUPPORT, HOUR), SUPPORT, "resolution") is None
    assert escalated(after(SUPPORT, 2 * HOUR), SUPPORT, "resolution") == Escalated("lead", ("lead-desk",), None)
    assert escalated(after(SUPPORT, 4 * HOUR), SUPPORT, "resolution") == Escalated("head", ("head-desk",), None)


def test_an_acknowledgement_is_shown_and_a_release_ends_it() -> None:
    acknowledged = after(SUPPORT, 3 * HOUR, about("acknowledged", 2 * HOUR))
    released = after(SUPPORT, 3 * HOUR, about("released", 2 * HOUR))
    solved = after(SUPPORT, 3 * HOUR, changed(2 * HOUR, status="solved"))

    assert escalated(acknowledged, SUPPORT, "resolution") == Escalated("lead", ("lead-desk",), 2 * HOUR)
    assert escalated(released, SUPPORT, "resolution") is None
    assert escalated(solved, SUPPORT, "resolution") is None


def test_an_escalation_belongs_to_its_own_commitment() -> None:
    assert escalated(after(SUPPORT, 2 * HOUR), SUPPORT, "first_response") is None


def test_one_that_depends_on_no_commitment_is_shown_beside_all_after_those_that_do() -> None:
    alone = replace(ladder(("desk", used("1h"))), name="alone")
    both = policy_set(commitment("resolution"), commitment("first_response"), ladders=(alone, LATE))
    head = after(both, 2 * HOUR)

    assert escalated(head, both, "first_response") == Escalated("desk", ("desk-desk",), None)
    assert escalated(head, both, "resolution") == Escalated("lead", ("lead-desk",), None)


def test_of_several_the_first_that_is_not_acknowledged_is_shown() -> None:
    second = replace(ladder(("other", share(50)), on="resolution"), name="second")
    both = policy_set(commitment("resolution"), ladders=(LATE, second))
    head = after(both, 2 * HOUR + 2 * MINUTE, about("acknowledged", HOUR + MINUTE))

    assert escalated(head, both, "resolution") == Escalated("other", ("other-desk",), None)
