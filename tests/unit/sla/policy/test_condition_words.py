"""Conditions in words, as pages and the comparison of policies show them."""

from __future__ import annotations

import pytest

from stream.sla.policy.condition_words import condition_words
from stream.sla.policy.conditions import ALWAYS, All, AnyOf, Changed, Condition, EventIs, FieldIn, Not

P1 = FieldIn("priority", frozenset({"p1"}))
GOLD = FieldIn("contract", frozenset({"gold", "silver", ""}))


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (ALWAYS, "always"),
        (Not(ALWAYS), "never"),
        (P1, "priority p1"),
        (GOLD, "contract gold, not set or silver"),
        (Not(GOLD), "contract not gold, not set or silver"),
        (FieldIn("@begun", frozenset({"yes"})), "begun yes"),
        (Changed(frozenset({"team", "owner"})), "owner or team changed"),
        (EventIs(), "event"),
        (EventIs(frozenset({"x"}), frozenset({"agent", ""}), True), "event x by agent or nobody, public"),
        (EventIs(public=False, roles=frozenset({"requester", ""})), "event as no role or requester, not public"),
        (Not(Changed(frozenset({"team"}))), "not (team changed)"),
        (All((P1, AnyOf((GOLD, ALWAYS)))), "priority p1 and (contract gold, not set or silver or always)"),
        (AnyOf((All((P1, GOLD)), ALWAYS)), "(priority p1 and contract gold, not set or silver) or always"),
    ],
)
def test_a_condition_reads_as_a_phrase(condition: Condition, words: str) -> None:
    assert condition_words(condition) == words
