"""The expressions of a mapping."""

from __future__ import annotations

from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.feeds import path
from stream.feeds.expression import PathError
from stream.feeds.path import EvaluationError, bounded, compile_condition, compile_path

KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x", "y", 0.0, 1.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
PATHS = st.lists(KEYS, min_size=1, max_size=4).map(".".join)
OPERANDS = PATHS | st.sampled_from(
    ["'x'", "`1`", "`0`", "`true`", "`null`", "a[0]", "a[-1].b", "a[0].b.c", "a[*].b", "a[?b == 'x'].c", "@"]
)


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    compared = st.tuples(OPERANDS, st.sampled_from(["==", "!=", "<", ">="]), inner)
    both = st.tuples(inner, st.sampled_from(["&&", "||"]), inner)
    return (compared | both).map(lambda parts: f"({parts[0]}) {parts[1]} ({parts[2]})") | inner.map(lambda text: f"!({text})")


@settings(deadline=None)
@given(st.recursive(OPERANDS, combined, max_leaves=5), st.dictionaries(KEYS, VALUES))
def test_a_compiled_expression_has_the_value_that_jmespath_computes(text: str, payload: dict[str, Any]) -> None:
    try:
        expected = jmespath.search(text, payload)
    except TypeError:
        return  # jmespath cannot order a text and a number; here the order is unknown, as for other types

    assert repr(compile_path(text)(payload)) == repr(expected)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("!a.b", "write `!(a.b)`"),
        ("!a == 'x'", "write `!(a.b)`"),
        ("a == 1", "write a number in backticks"),
        ("a = 'x'", "compare with =="),
        ("a == 'x' and b", "use && for and"),
        ('type == "Create"', "double quotes name a key"),
        ("doc.first-key", "write a key that is not a plain word in double quotes"),
        ("start_with(a, 'x')", "did you mean `starts_with`?"),
        ("starts_with(a)", "`starts_with` takes 2 values"),
        ("a[?b == doc.c]", "a filter sees only the element that it filters"),
        ("a[?item.b]", "use `each`"),
        ("", "it is empty"),
        ("a.", "is not a JMESPath expression"),
        ("a" * 1001, "longer than 1000 characters"),
        ("(" * 900, "nested too deeply"),
    ],
)
def test_an_expression_that_is_likely_wrong_is_refused_with_a_remedy(text: str, hint: str) -> None:
    with pytest.raises(PathError) as caught:
        compile_path(text)

    assert hint in str(caught.value)


@pytest.mark.parametrize("text", ['doc."first-key"', "!(a.b)", "a[?@.item == 'x']", "a == `1`", "length(a)", "merge(a, b, c)"])
def test_the_remedies_are_accepted(text: str) -> None:
    compile_path(text)


def test_headers_are_read_without_case_and_hyphens_need_no_quotes() -> None:
    get = compile_path("header.X-HelpScout-Event")

    assert get({"header": {"x-helpscout-event": "convo.merged"}}) == "convo.merged"


def test_a_text_that_looks_like_a_header_is_left_alone() -> None:
    assert compile_path("a == 'header.X-Event'")({"a": "header.X-Event"}) is True


def test_a_missing_value_does_not_start_end_or_contain_anything() -> None:
    for name in ("starts_with", "ends_with", "contains"):
        assert compile_condition(f"{name}(a.b, 'x')")({"a": 1}) is False


def test_a_value_of_a_wrong_type_is_an_evaluation_error() -> None:
    with pytest.raises(EvaluationError):
        compile_path("starts_with(a, 'x')")({"a": 5})


def test_zero_is_true_and_an_empty_text_is_not() -> None:
    holds = compile_condition("a")

    true: list[object] = [0, 0.0, "x", [0]]
    false: list[object] = [None, False, "", [], {}]
    assert all(holds({"a": value}) for value in true)
    assert not any(holds({"a": value}) for value in false)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lower(a)", "waiting for straße"),
        ("lower(b)", None),
        ("instant(at)", "2026-03-02T09:00:00.12Z"),
        ("instant(b)", None),
    ],
)
def test_two_functions_bring_values_of_two_places_to_one_form(text: str, value: str | None) -> None:
    payload = {"a": "Waiting for STRAßE", "at": "2026-03-02T14:30:00.120+0530"}

    assert compile_path(text)(payload) == value


@pytest.mark.parametrize("text", ["lower(a)", "instant(a)", "instant(b)"])
def test_a_function_refuses_what_it_cannot_read(text: str) -> None:
    with pytest.raises(EvaluationError):
        compile_path(text)({"a": 5, "b": "yesterday"})


def test_a_function_of_two_arguments_is_reported() -> None:
    with pytest.raises(PathError, match="`lower` takes 1 value"):
        compile_path("lower(a, b)")


def test_the_steps_of_expressions_are_bounded_for_a_payload_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path, "MAX_STEPS", 1_000)
    bomb = compile_path("doc[].[doc[].[doc[].a]]")
    modest = compile_path("doc[].a")

    with bounded():
        assert modest({"doc": [{"a": 1}] * 10}) == [1] * 10
        with pytest.raises(EvaluationError, match="more than 1,000 steps"):
            bomb({"doc": [{"doc": [{"doc": [{"a": 1}] * 20}] * 20}] * 20})
        with pytest.raises(EvaluationError):
            modest({"doc": [{"a": 1}]})
    with bounded():
        assert modest({"doc": [{"a": 1}]}) == [1]
    assert modest({"doc": [{"a": 1}]}) == [1]
