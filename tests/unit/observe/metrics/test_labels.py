"""The bounds of label values, and the values that policies name."""

from __future__ import annotations

from stream.observe.metrics.labels import REFUSED, BoundedLabel, BoundedLabels, LabelBounds, priorities
from stream.sla.calendar.duration import Duration
from stream.sla.policy.conditions import All, FieldIn, Not
from stream.sla.policy.policy import Choice, Policy
from tests.unit.observe.observed import by_priority, gold, policy_set, with_target

CRITICAL = FieldIn("category", frozenset({"critical"}))


def test_a_bounded_label_keeps_known_values_and_the_first_others_and_counts_the_rest_as_other() -> None:
    label = BoundedLabel({"p1"}, extra=2)

    assert [label.label(word) for word in ("a", "b", "c", "p1", "a")] == ["a", "b", "other", "p1", "a"]


def test_a_bounded_label_learns_names_beside_the_others_but_never_changes_an_answer() -> None:
    label = BoundedLabel({"p1"}, extra=1)
    assert [label.label(word) for word in ("a", "b")] == ["a", "other"]

    label.learn(["b", "p2", "p3"])

    assert [label.label(word) for word in ("a", "b", "p2", "p3", "c")] == ["a", "other", "p2", "p3", "other"]


def test_a_bounded_label_learns_nothing_more_once_it_cannot_remember_every_other_value() -> None:
    label = BoundedLabel({"p1"}, extra=0)
    for number in range(REFUSED + 1):
        assert label.label(f"x{number}") == "other"

    label.learn([f"x{REFUSED}", "p2"])

    assert [label.label(word) for word in (f"x{REFUSED}", "p2", "p1")] == ["other", "other", "p1"]


def test_the_teams_that_policies_name_keep_their_names_besides_the_first_others() -> None:
    of_platform = Policy("p", 1, Choice.fixed("24x7"), applies_to=FieldIn("team", frozenset({"platform"})))
    labels = BoundedLabels(policy_set(of_platform), LabelBounds(teams=1))

    assert [labels.team.label(team) for team in ("", "junk", "cloud", "platform")] == ["", "junk", "other", "platform"]


def test_only_the_customers_that_are_named_are_values_of_the_label() -> None:
    customer = BoundedLabels(policy_set(gold()), LabelBounds(customers=frozenset({"acme"}))).customer

    assert customer is not None
    assert [customer.label(name) for name in ("globex", "acme", "", "initech")] == ["other", "acme", "", "other"]
    assert BoundedLabels(policy_set(gold())).customer is None


def test_the_priorities_of_a_policy_are_those_of_its_targets_in_order() -> None:
    assert priorities(with_target(by_priority(p2="1h", p1="1h"))) == ["p2", "p1"]


def test_priorities_are_found_inside_connected_conditions() -> None:
    condition = All((CRITICAL, Not(FieldIn("priority", frozenset({"p4"})))))

    assert priorities(with_target(Choice(((condition, Duration.parse("1h")),)))) == ["p4"]


def test_a_policy_whose_targets_name_no_priority_has_the_empty_one() -> None:
    assert priorities(with_target(Choice.fixed(Duration.parse("1h")))) == [""]
