"""Breaches of which a single one pages."""

from __future__ import annotations

from dataclasses import replace

from stream.sla.effects import Kind
from stream.sla.policy.conditions import ALWAYS, FieldIn
from stream.sla.policy.policy import Choice
from tests.unit.sla.given import HOUR, changed, commented, commitment, created, policy_set, run

P1 = FieldIn("priority", frozenset({"p1"}))


def paging(pages: Choice[str]) -> list[tuple[str, bool]]:
    policies = policy_set(replace(commitment("resolution", p1="4h", p2="8h"), page=pages))
    life = run(policies, created(0, priority="p2"), changed(HOUR, priority="p1"), until=10 * HOUR)
    return [(effect.kind, effect.page) for effect in life.effects if effect.kind != Kind.STARTED]


def test_only_the_breach_pages_and_the_fields_at_its_instant_decide() -> None:
    assert paging(Choice(((P1, "yes"),))) == [(Kind.RETARGETED, False), (Kind.BREACHED, True)]
    assert paging(Choice.fixed("yes"))[-1] == (Kind.BREACHED, True)


def test_no_is_as_good_as_nothing() -> None:
    assert paging(Choice(((P1, "no"), (ALWAYS, "yes"))))[-1] == (Kind.BREACHED, False)
    assert paging(Choice(()))[-1] == (Kind.BREACHED, False)


def test_the_retraction_of_a_breach_that_pages_pages() -> None:
    policies = policy_set(replace(commitment("first_response"), page=Choice.fixed("yes")))
    life = run(policies, created(0), until=5 * HOUR).event(commented(HOUR))

    retraction = next(effect for effect in life.effects if effect.kind is Kind.BREACH_RETRACTED)
    assert retraction.page
