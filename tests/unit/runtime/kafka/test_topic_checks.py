"""What is advised for the topics of an installation: one thing, and never something that contradicts it."""

from __future__ import annotations

import pytest

from stream.runtime.kafka.topic_checks import ClusterTopics, TopicFacts
from stream.runtime.kafka.topics import Topics

TOPICS = Topics("desk", "eu.")


def cluster(empty: bool = False, **partitions: int) -> ClusterTopics:
    """Topics with four partitions and the right settings, unless stated otherwise."""
    counts = {spec.name: spec.partitions or 4 for spec in TOPICS.specs()}
    counts |= {f"eu.{name.replace('_', '-')}": count for name, count in partitions.items()}
    found = {spec.name: TopicFacts(counts[spec.name], empty, dict(spec.settings)) for spec in TOPICS.specs()}
    return ClusterTopics("kafka:9092", TOPICS, found)


@pytest.mark.parametrize("configured", [None, 4, 6, 8])
def test_the_only_advice_for_more_partitions_of_the_input_is_to_move_the_tickets(configured: int | None) -> None:
    found = cluster(ticket_events=8)

    assert found.problems(configured) == []
    assert found.tickets_in == 4
    advice = found.growth(configured)
    assert advice.startswith("topic eu.ticket-events has 8 partitions, and the tickets are in 4: nobody reads the events")
    assert "breachwatch topics repartition" in advice
    assert advice.endswith("; then start workers with --partitions 8") is (configured == 8)


def test_topics_that_a_move_has_given_more_partitions_already_change_nothing_about_it() -> None:
    found = cluster(ticket_events=8, sla_breaches=8, sla_escalations=8)

    assert found.problems(8) == []
    assert found.growth(8)


def test_topics_without_a_record_are_created_anew_instead() -> None:
    found = cluster(empty=True, ticket_events=8)

    assert found.growth(4) == ""
    assert "topics create" in found.problems(4)[0]


def test_missing_topics_and_wrong_settings_are_listed_beside_it() -> None:
    found = cluster(ticket_events=8)
    facts = dict(found.found)
    del facts[TOPICS.breaches]
    facts[TOPICS.changelog] = TopicFacts(4, False, {"cleanup.policy": "delete"})
    found = ClusterTopics("kafka:9092", TOPICS, facts)

    missing, deleted = found.problems(8)

    assert missing.startswith("topic eu.sla-breaches is missing: run `breachwatch topics create")
    assert missing.endswith("--partitions 4`")
    assert "cleanup.policy=delete, not compact" in deleted


@pytest.mark.parametrize(
    ("topic", "name", "value", "most"),
    [
        (TOPICS.rejected, "retention.ms", "-1", "604800000"),
        (TOPICS.rejected, "retention.ms", "604800001", "604800000"),
        (TOPICS.rejected, "segment.ms", "604800000", "86400000"),
        (TOPICS.changelog, "max.compaction.lag.ms", str(2**63 - 1), "86400000"),
        (TOPICS.changelog, "delete.retention.ms", "604800001", "604800000"),
    ],
)
def test_what_is_about_people_and_stays_for_longer_is_a_problem_that_stops_no_worker(
    topic: str, name: str, value: str, most: str
) -> None:
    right = cluster()
    facts = {**right.found, topic: TopicFacts(4, False, {**right.found[topic].settings, name: value})}
    found = ClusterTopics("kafka:9092", TOPICS, facts)

    (problem,) = found.retention_problems(TOPICS.specs())
    assert problem.startswith(f"topic {topic} has {name}={value}, so")
    assert problem.endswith(f"--alter --topic {topic} --add-config {name}={most}`")
    assert found.problems(4) == []
    assert right.retention_problems(TOPICS.specs()) == []
