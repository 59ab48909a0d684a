"""Which tickets a deployment touches. That no others need it is a property: ``tests/properties/test_deployments.py``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stream.sla.calendar.duration import Duration
from stream.sla.policy.change import Change
from stream.sla.policy.conditions import FieldIn
from stream.sla.policy.policy import Choice
from tests.unit.sla.given import HOUR, Life, changed, commitment, created, ladder, policy_set, share

if TYPE_CHECKING:
    from stream.sla.policy.policy import Ladder
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.ticket.state import Ticket

MONITORED = ladder(("lead", share(10)), on="resolution", monitoring=Duration.parse("2d"))


def ticket(policies: PolicySet, *, solved: bool = False) -> Ticket:
    """A ticket of priority p1, an hour old. ``solved``: an hour ago."""
    life = Life(policies).event(created(HOUR)).wake(2 * HOUR)
    if solved:
        life.event(changed(2 * HOUR, status="solved")).wake(3 * HOUR)
    assert life.state is not None
    return life.state.head


def level_at(p1: int, p2: int) -> Ladder:
    """A ladder of one level, at so many per cent of the target."""
    one = ladder(("lead", share(10)), on="resolution")
    at = Choice(((FieldIn("priority", frozenset({"p1"})), share(p1)), (FieldIn("priority", frozenset({"p2"})), share(p2))))
    return replace(one, levels=(replace(one.levels[0], at=at),))


def test_the_target_of_another_priority_touches_no_ticket() -> None:
    old, new = policy_set(commitment(p1="4h", p2="8h")), policy_set(commitment(p1="4h", p2="9h"))

    assert not Change(old, new).touches(ticket(old))


def test_the_target_of_its_own_priority_touches_a_ticket() -> None:
    old, new = policy_set(commitment(p1="4h", p2="8h")), policy_set(commitment(p1="5h", p2="8h"))

    assert Change(old, new).touches(ticket(old))


def test_the_level_of_another_priority_touches_no_ticket() -> None:
    old = policy_set(commitment(), ladders=(level_at(50, 60),))
    new = policy_set(commitment(), ladders=(level_at(50, 70),))

    assert not Change(old, new).touches(ticket(old))


def test_the_level_of_its_own_priority_touches_a_ticket() -> None:
    old = policy_set(commitment(), ladders=(level_at(50, 60),))
    new = policy_set(commitment(), ladders=(level_at(40, 60),))

    assert Change(old, new).touches(ticket(old))


def test_another_role_to_notify_touches_a_ticket() -> None:
    old = policy_set(commitment(), ladders=(MONITORED,))
    level = replace(MONITORED.levels[0], notify=("somebody-else",))
    new = policy_set(commitment(), ladders=(replace(MONITORED, levels=(level,)),))

    assert Change(old, new).touches(ticket(old))


def test_a_commitment_whose_stopwatch_is_off_touches_no_ticket() -> None:
    old, new = policy_set(commitment(p1="4h")), policy_set(commitment(p1="5h"))

    assert not Change(old, new).touches(ticket(old, solved=True))


def test_a_ladder_that_is_gone_touches_a_ticket_that_is_monitored() -> None:
    old = policy_set(commitment(), ladders=(MONITORED,))
    new, longer = policy_set(commitment()), replace(MONITORED, monitoring=Duration.parse("3d"))

    assert Change(old, new).touches(ticket(old, solved=True))
    assert not Change(old, policy_set(commitment(), ladders=(longer,))).touches(ticket(old, solved=True))
