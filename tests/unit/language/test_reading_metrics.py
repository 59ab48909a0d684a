from dataclasses import replace
from typing import Any

import pytest

from stream.documents.document import Where
from stream.language.metrics import Written, read_metric_keys, read_metrics
from stream.sla.policy.conditions import ALWAYS, All, EventIs, FieldIn, Not
from stream.sla.policy.metric import ANSWER, BEGUN, BUILT_IN, SOLVED, Again, Metric


def metrics_of(**data: Any) -> Any:
    problems = []

    def written(name: str, metric: Any) -> Written:
        return Written(metric, lambda where, problem: problems.append((name, where, problem)))

    metrics = read_metrics({name: written(name, metric) for name, metric in data.items()})
    return problems or metrics


def parts(data: Any, base: Metric | None = None, **options: Any) -> Any:
    problems = []
    metric = read_metric_keys(data, lambda where, message: problems.append((where, message)), base, **options)
    assert (metric is None) == bool(problems)
    return problems or metric


def test_the_built_in_metrics_are_always_there() -> None:
    assert metrics_of() == BUILT_IN


def test_a_metric_of_ones_own_has_the_parts_it_states() -> None:
    metric = metrics_of(approval={"starts": {"approval": "asked"}, "stops": {"approval": "given"}, "again": "cycle"})[
        "approval"
    ]
    assert metric == Metric(
        "approval#e17e5e",
        FieldIn("approval", frozenset({"asked"})),
        FieldIn("approval", frozenset({"given"})),
        again=Again.CYCLE,
    )


def test_a_metric_like_another_changes_only_what_it_states() -> None:
    metric = metrics_of(mine={"like": "resolution", "pauses": {"dependency": "yes"}})["mine"]
    assert metric == replace(BUILT_IN["resolution"], name="mine#167a9e", pauses=FieldIn("@dependency", frozenset({"yes"})))


def test_metrics_build_on_metrics_in_any_order() -> None:
    metrics = metrics_of(a={"like": "b", "pauses": "open"}, b={"like": "c", "cancels": "closed"}, c={"like": "resolution"})
    assert metrics["a"] == replace(metrics["b"], name="a#2e9dd9", pauses=FieldIn("status", frozenset({"open"})))
    assert metrics["c"] == replace(BUILT_IN["resolution"], name="c#75ca71")


def test_a_metric_with_the_name_of_a_built_in_one_replaces_it_and_may_start_from_it() -> None:
    metrics = metrics_of(resolution={"like": "resolution", "pauses": "never"})
    assert metrics["resolution"] == replace(BUILT_IN["resolution"], name="resolution#565aa1", pauses=None)


def test_a_part_that_never_holds_is_taken_away() -> None:
    assert parts({"pauses": "never"}, BUILT_IN["agent_work"]).pauses is None


def test_a_metric_may_never_stop_only_explicitly() -> None:
    assert parts({"starts": "always", "stops": "never"}).stops == Not(ALWAYS)


def test_a_metric_that_continues_reopens_when_its_stop_holds_no_more() -> None:
    metric = parts({"starts": "ticket_created", "stops": "solved"}, again=Again.CONTINUE)
    assert (metric.starts, metric.reopens) == (BEGUN, Not(SOLVED))


def test_a_changed_stop_changes_the_reopening_that_came_from_it() -> None:
    metric = parts({"stops": {"accepted": "yes"}}, BUILT_IN["resolution"])
    assert metric.reopens == Not(metric.stops)


def test_a_stated_reopening_stays() -> None:
    metric = parts(
        {"stops": "solved", "again": "continue", "reopens": {"event": "comment.added", "actor": "customer"}},
        BUILT_IN["resolution"],
    )
    assert metric.reopens == EventIs(frozenset({"comment.added"}), frozenset({"customer"}))


def test_a_metric_that_no_longer_continues_has_no_reopening() -> None:
    assert parts({"again": "never"}, BUILT_IN["resolution"]).reopens is None


def test_starts_of_any_shape_are_taken() -> None:
    metric = parts({"starts": {"begun": True, "vip": True}}, BUILT_IN["first_response"])
    assert metric.starts == All((BEGUN, FieldIn("vip", frozenset({"yes"}))))
    assert metric.stops.parts[0] == ANSWER


@pytest.mark.parametrize(
    ("data", "base", "where", "message"),
    [
        ({"starts": "always"}, None, (), "`stops` is missing"),
        ({"again": "sometimes"}, BUILT_IN["resolution"], ("again",), "must be one of never, continue, cycle"),
        ({"reopens": "open"}, BUILT_IN["first_response"], ("reopens",), "has no effect with `again: never`"),
        ({"resumes": "open"}, BUILT_IN["first_response"], ("resumes",), "nothing to resume from"),
        (
            {"starts": "always", "stops": "answered_by_agent", "again": "continue"},
            None,
            (),
            "`again: continue` needs `reopens`",
        ),
        ({"stops": "answered"}, BUILT_IN["resolution"], ("stops",), "must be a condition"),
    ],
)
def test_a_mistake_is_reported_at_its_place(data: Any, base: Metric | None, where: Where, message: str) -> None:
    ((place, problem),) = parts(data, base)
    assert (place, message in problem) == (where, True), problem


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"one": {"like": "none_such"}}, "there is no metric `none_such`"),
        ({"one": {"like": "resolutoin"}}, "did you mean `resolution`?"),
        ({"one": {"like": "one"}}, "is like itself: one -> one"),
        ({"one": {"like": 5}}, "must name a metric"),
        ({"a metric": {"like": "resolution"}}, "must be a name"),
        ({"one": []}, "must be a mapping"),
    ],
)
def test_a_metric_that_cannot_be_read_is_one_problem(data: Any, message: str) -> None:
    ((_, _, problem),) = metrics_of(**data)
    assert message in problem


def test_metrics_that_are_like_each_other_in_a_ring_are_reported_once() -> None:
    ((_, where, problem),) = metrics_of(a={"like": "b"}, b={"like": "c"}, c={"like": "a"})
    assert (where, problem) == (("like",), "`c` is like itself: a -> b -> c -> a")


def test_a_timer_is_a_metric_that_states_it() -> None:
    assert metrics_of(quiet={"starts": "pending", "stops": "solved", "timer": "yes"})["quiet"].timer
    assert not metrics_of(quiet={"starts": "pending", "stops": "solved"})["quiet"].timer


def test_a_metric_like_a_timer_is_one_unless_it_states_that_it_is_not() -> None:
    assert metrics_of(mine={"like": "customer_silence"})["mine"].timer
    assert not metrics_of(mine={"like": "customer_silence", "timer": "no"})["mine"].timer


def test_a_timer_is_yes_or_no() -> None:
    ((_, where, problem),) = metrics_of(mine={"like": "customer_silence", "timer": "perhaps"})
    assert (where, problem) == (("timer",), "must be yes or no, not `perhaps`")
