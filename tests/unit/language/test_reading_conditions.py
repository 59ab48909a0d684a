from collections.abc import Callable
from typing import Any

import pytest

from stream.documents.document import Where
from stream.language.conditions import read_condition, read_ticket_condition
from stream.sla.policy.conditions import ALWAYS, All, AnyOf, Changed, Condition, EventIs, FieldIn, Not, momentary
from stream.sla.policy.metric import ANSWER, BEGUN, SOLVED


def read(data: Any, reader: Callable[..., Any] = read_condition) -> Any:
    problems = []
    condition = reader(data, lambda where, message: problems.append((where, message)))
    assert (condition is None) == bool(problems)
    return condition if condition is not None else problems


@pytest.mark.parametrize(
    ("word", "condition"),
    [
        ("ticket_created", BEGUN),
        ("answered_by_agent", ANSWER),
        ("solved", SOLVED),
        ("always", ALWAYS),
        ("never", Not(ALWAYS)),
        ("pending", FieldIn("status", frozenset({"pending"}))),
    ],
)
def test_a_word_stands_for_its_condition(word: str, condition: Condition) -> None:
    assert read(word) == condition


def test_solved_means_solved_or_closed_wherever_the_word_stands() -> None:
    assert read("solved") == read(["solved"]) == FieldIn("status", frozenset({"solved", "closed"}))
    assert read({"status": "solved"}) == FieldIn("status", frozenset({"solved"}))


def test_the_entries_of_a_mapping_all_hold() -> None:
    assert read({"contract": "gold", "channel": ["chat", "phone"]}) == All(
        (FieldIn("contract", frozenset({"gold"})), FieldIn("channel", frozenset({"chat", "phone"})))
    )


def test_of_a_list_one_holds() -> None:
    assert read(["pending", {"team": "legal"}]) == AnyOf(
        (FieldIn("status", frozenset({"pending"})), FieldIn("team", frozenset({"legal"})))
    )


def test_event_actor_and_public_are_one_test_of_one_event() -> None:
    assert read({"event": "comment.added", "actor": ["agent", "none"], "public": "yes"}) == EventIs(
        frozenset({"comment.added"}), frozenset({"agent", None}), public=True
    )


def test_changed_names_fields() -> None:
    assert read({"changed": ["team", "assignee"]}) == Changed(frozenset({"team", "assignee"}))


def test_derived_fields_are_written_without_their_sign() -> None:
    assert read({"answered": "yes"}) == FieldIn("@answered", frozenset({"yes"}))
    assert read({"dependency": False}) == Not(FieldIn("@dependency", frozenset({"yes"})))
    assert read({"accepted": "manager"}) == FieldIn("@accepted", frozenset({"manager"}))
    assert read({"accepted": True}) == FieldIn("@accepted", frozenset({"customer", "manager"}))


def test_field_values_become_the_texts_that_events_carry() -> None:
    assert read({"vip": True, "floor": 5, "build": "1.10", "team": ""}) == All(
        (
            FieldIn("vip", frozenset({"yes"})),
            FieldIn("floor", frozenset({"5"})),
            FieldIn("build", frozenset({"1.10"})),
            FieldIn("team", frozenset({""})),
        )
    )


def test_connectives_nest() -> None:
    assert read({"not": {"any": ["open", {"all": ["new", "always"]}]}}) == Not(
        AnyOf(
            (
                FieldIn("status", frozenset({"open"})),
                All((FieldIn("status", frozenset({"new"})), ALWAYS)),
            )
        )
    )


@pytest.mark.parametrize(
    ("data", "where", "message"),
    [
        ({}, (), "an empty condition is ambiguous"),
        ([], (), "at least one item"),
        (None, (), "must be a condition"),
        ("sovled", (), "did you mean `solved`?"),
        (5, (), "must be a condition"),
        ({"event": "comment.add"}, ("event",), "did you mean `comment.added`?"),
        ({"actor": "human"}, ("actor",), "`human` is not one of"),
        ({"public": "maybe"}, ("public",), "must be yes or no"),
        ({"status": "resolved"}, ("status",), "`resolved` is not one of"),
        ({"team": None}, ("team",), 'write "" for a field that is not set'),
        ({"team": {"is": "x"}}, ("team",), "must be a value or a list of values"),
        ({"@answered": "yes"}, ("@answered",), "cannot be called"),
        ({"changed": "@begun"}, ("changed",), "must name ticket fields"),
        ({"any": [{"not": {"answered": "perhaps"}}]}, ("any", 0, "not", "answered"), "must be yes or no"),
    ],
)
def test_a_mistake_is_reported_at_its_place(data: Any, where: Where, message: str) -> None:
    ((place, problem),) = read(data)
    assert (place, message in problem) == (where, True), problem


def test_every_mistake_of_a_condition_is_reported() -> None:
    assert [where for where, _ in read({"status": "x", "public": "y", "any": [{"actor": "z"}]})] == [
        ("public",),
        ("status",),
        ("any", 0, "actor"),
    ]


@pytest.mark.parametrize(
    "data", [{"event": "comment.added"}, {"changed": "team"}, {"answered": "yes"}, {"any": [{"actor": "bot"}]}]
)
def test_what_a_policy_applies_to_asks_ticket_fields_alone(data: Any) -> None:
    ((_, message),) = read(data, read_ticket_condition)
    assert "only ticket fields" in message


@pytest.mark.parametrize("word", ["ticket_created", "answered_by_agent"])
def test_words_about_an_event_are_no_scope(word: str) -> None:
    ((_, message),) = read(word, read_ticket_condition)
    assert "only ticket fields" in message


def test_what_belongs_to_one_event_is_apart_from_what_stays() -> None:
    assert momentary(BEGUN)
    assert momentary(All((SOLVED, Not(ANSWER))))
    assert momentary(Changed(frozenset({"team"})))
    assert not momentary(AnyOf((SOLVED, Not(FieldIn("@answered", frozenset({"yes"}))))))
