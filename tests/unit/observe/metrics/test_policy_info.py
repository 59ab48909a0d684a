"""The contents of policies as gauges."""

from __future__ import annotations

from importlib.metadata import version

from prometheus_client import CollectorRegistry

from stream import __version__
from stream.observe.metrics.policy_info import PolicyInfo, Target, targets
from stream.sla.calendar.duration import Duration
from stream.sla.policy.conditions import ALWAYS, FieldIn
from stream.sla.policy.policy import Choice
from tests.unit.observe.observed import policy_set, with_target

CRITICAL = FieldIn("category", frozenset({"critical"}))


def test_a_fixed_target_is_exported_with_the_empty_priority() -> None:
    assert list(targets(policy_set(with_target(Choice.fixed(Duration.parse("90m")))))) == [Target("p", "c", "", "wall", 5400)]


def test_a_business_day_has_the_length_that_the_calendar_defines() -> None:
    exported = list(targets(policy_set(with_target(Choice.fixed(Duration.parse("2bd"))))))

    assert exported == [Target("p", "c", "", "business", 172_800)]


def test_a_target_in_calendar_months_is_not_exported() -> None:
    assert list(targets(policy_set(with_target(Choice.fixed(Duration.parse("1mo")))))) == []


def test_a_delay_in_business_days_is_not_a_number_of_seconds() -> None:
    assert list(targets(policy_set(with_target(Choice.fixed(Duration.parse_any("+1 business day at close")))))) == []


def test_a_target_that_depends_on_another_field_is_not_exported() -> None:
    hour, day = Duration.parse("1h"), Duration.parse("1d")
    p1 = FieldIn("priority", frozenset({"p1"}))

    assert list(targets(policy_set(with_target(Choice(((CRITICAL, hour), (p1, day))))))) == []


def test_a_priority_whose_target_does_not_depend_on_another_field_is_exported() -> None:
    hour, day = Duration.parse("1h"), Duration.parse("1d")
    p1 = FieldIn("priority", frozenset({"p1"}))
    choice = Choice(((p1, hour), (CRITICAL, hour), (ALWAYS, day)))

    assert list(targets(policy_set(with_target(choice)))) == [Target("p", "c", "p1", "wall", 3600)]


def test_the_build_information_names_the_installation_the_releases_of_the_data_and_the_hot_path() -> None:
    registry = CollectorRegistry()
    registry.register(PolicyInfo(policy_set(with_target(Choice.fixed(Duration.parse("1h")))), "eu.breachwatch"))
    labels = {"version": __version__, "app_id": "eu.breachwatch", "tzdata": version("tzdata"), "holidays": version("holidays")}
    labels["hot_path"] = "interpreted"  # tests run the source
    assert registry.get_sample_value("sla_detector_build_info", labels) == 1
