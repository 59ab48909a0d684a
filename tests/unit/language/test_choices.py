from collections.abc import Callable
from typing import Any

import pytest

from stream.documents.document import Where
from stream.language.choices import read_choice, total
from stream.language.thresholds import read_duration, read_warnings


def read(data: Any, reader: Callable[..., Any] = read_duration, **options: Any) -> Any:
    problems = []
    choice = read_choice(data, lambda where, message: problems.append((where, message)), reader, **options)
    assert (choice is None) == bool(problems)
    return problems or choice


def chosen(choice: Any, **fields: Any) -> str | None:
    value = choice.of(fields)
    return None if value is None else value.text


def test_a_scalar_is_the_same_for_all() -> None:
    choice = read("1h")
    assert chosen(choice, priority="p1") == chosen(choice) == "1h"


def test_a_map_chooses_by_priority() -> None:
    choice = read({"p1": "1h", "p2": "2h"})
    assert [chosen(choice, priority=p) for p in ("p1", "p2", "p3")] == ["1h", "2h", None]


def test_the_default_is_asked_last_wherever_it_is_written() -> None:
    choice = read({"default": "9h", "p1": "1h"})
    assert [chosen(choice, priority=p) for p in ("p1", "p2")] == ["1h", "9h"]


def test_a_map_may_choose_by_another_field() -> None:
    choice = read({"by": "category", "critical": "1h", "default": "4h"})
    assert chosen(choice, category="critical", priority="p9") == "1h"
    assert chosen(choice, category="") == "4h"


def test_cases_are_asked_in_order() -> None:
    choice = read([{"when": {"channel": "chat"}, "is": "1m"}, {"when": {"priority": "p1"}, "is": "1h"}, {"is": "4h"}])
    assert chosen(choice, channel="chat", priority="p1") == "1m"
    assert chosen(choice, channel="mail", priority="p1") == "1h"
    assert chosen(choice, channel="mail", priority="p2") == "4h"


def test_none_sets_no_target_and_no_later_case_does() -> None:
    by_priority = read({"p4": "none", "default": "1h"})
    assert [chosen(by_priority, priority=p) for p in ("p1", "p4")] == ["1h", None]
    by_case = read([{"when": {"vip": "no"}, "is": "none"}, {"when": {"priority": "p1"}, "is": "1h"}, {"is": "2h"}])
    assert [chosen(by_case, vip=v, priority=p) for v, p in (("no", "p1"), ("yes", "p1"), ("yes", "p2"))] == [None, "1h", "2h"]
    assert read("none").cases == ()


def test_a_list_of_warnings_is_no_list_of_cases() -> None:
    ((_, thresholds),) = read(["50%", "75%"], read_warnings).cases
    assert [threshold.text for threshold in thresholds] == ["50%", "75%"]


def test_only_a_choice_with_a_default_is_total() -> None:
    assert total(read("1h"))
    assert total(read({"p1": "1h", "default": "2h"}))
    assert not total(read({"p1": "1h"}))
    assert not total(read({"p4": "none", "default": "1h"}))


@pytest.mark.parametrize(
    ("data", "where", "message"),
    [
        ({"when": {"a": "b"}, "is": "1h"}, (), "cases are written as a list"),
        ({"by": "category"}, (), "names no value"),
        ({"by": "@answered", "yes": "1h"}, ("by",), "must name a ticket field"),
        ({"by": "status", "solvd": "1h"}, ("solvd",), "is not one of"),
        ({"p1": "1x"}, ("p1",), "unknown unit"),
        ([{"is": "1h"}, {"is": "2h"}], (1,), "never reached"),
        ([{"when": {"a": "b"}}], (0,), "`is` is missing"),
        ([{"when": {"event": "comment.added"}, "is": "1h"}], (0, "when", "event"), "only ticket fields"),
    ],
)
def test_a_mistake_is_reported_at_its_place(data: Any, where: Where, message: str) -> None:
    ((place, problem),) = read(data)
    assert (place, message in problem) == (where, True), problem


def test_where_something_must_be_chosen_none_is_just_a_word() -> None:
    ((_, message),) = read({"p1": "none"}, may_be_none=False)
    assert "'none'" in message
