"""The lists that a ticket is in."""

from __future__ import annotations

import pytest

from stream.sla.codec import codec
from stream.sla.policy.resolve import PolicySet
from stream.sla.ticket.listing import BREACHED, PAUSED, UNMATCHED, lists_of, lists_of_summary
from tests.unit.sla.given import HOUR, MINUTE, Life, changed, commented, commitment, created, policy_set

POLICIES = policy_set(commitment("first_response"), commitment("resolution", p1="8h"))
NOBODY: PolicySet = PolicySet((), {})


def lists(life: Life) -> int:
    assert life.state is not None
    found = lists_of(life.state)
    seen = codec.peek(codec.encode(life.state))
    assert lists_of_summary(seen.open_commitments, unmatched=seen.unmatched) == found
    return found


def test_a_ticket_whose_clocks_run_is_in_no_list() -> None:
    assert lists(Life(POLICIES).event(created(0))) == 0


def test_a_ticket_is_breached_until_what_is_breached_is_met() -> None:
    life = Life(POLICIES).event(created(0)).wake(4 * HOUR + 1)

    assert lists(life) == BREACHED
    assert lists(life.event(commented(5 * HOUR))) == 0
    assert lists(life.wake(9 * HOUR)) == BREACHED
    assert lists(life.event(changed(10 * HOUR, status="solved"))) == 0


def test_a_ticket_that_waits_for_its_customer_is_paused_and_may_be_breached_too() -> None:
    life = Life(POLICIES).event(created(0)).event(changed(HOUR, status="pending"))

    assert lists(life) == PAUSED
    assert lists(life.wake(5 * HOUR)) == PAUSED | BREACHED
    assert lists(life.event(changed(6 * HOUR, status="open"))) == BREACHED


@pytest.mark.parametrize("status", ["solved", "closed"])
def test_a_ticket_without_a_target_is_unmatched_while_it_is_open(status: str) -> None:
    life = Life(NOBODY).event(created(0))

    assert lists(life) == UNMATCHED
    assert lists(life.event(changed(MINUTE, status=status))) == 0
