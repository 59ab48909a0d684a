"""A value that differs from what policies name in spelling alone is found, and nothing else is."""

from __future__ import annotations

import pytest

from stream.sla.policy.conditions import Changed, FieldIn, Not
from stream.sla.policy.spelling import Misspelling, Spellings


def test_a_value_in_another_case_form_or_with_other_spaces_is_misspelt() -> None:
    spellings = Spellings(
        [Not(FieldIn("priority", frozenset({"p1", "H\u00f6chste"}))), FieldIn("team", frozenset({"first line"}))]
    )

    found = list(spellings.misspelt({"priority": "P1", "team": ["First  Line ", "second line"], "contract": "P1"}))

    assert found == [Misspelling("priority", "P1", "p1"), Misspelling("team", "First  Line ", "first line")]
    assert str(found[0]) == "priority is 'P1', and policies name 'p1'"
    assert [one.value for one in spellings.misspelt({"priority": "ho\u0308chste"})] == ["ho\u0308chste"]


@pytest.mark.parametrize("value", ["p1", "P1", "p2", ""])
def test_a_value_that_some_policy_names_or_that_none_resembles_is_not_misspelt(value: str) -> None:
    assert not list(Spellings([FieldIn("priority", frozenset({"p1", "P1"}))]).misspelt({"priority": value}))


def test_words_that_policies_write_in_several_ways_are_listed() -> None:
    spellings = Spellings(
        [
            FieldIn("priority", frozenset({"p1", "P1", "p2"})),
            FieldIn("Priority", frozenset({"p1"})),
            Changed(frozenset({"plan", "Plan"})),
        ]
    )

    assert sorted(map(str, spellings.several())) == [
        "('', ['Plan', 'plan'])",
        "('', ['priority', 'Priority'])",
        "('priority', ['P1', 'p1'])",
    ]
