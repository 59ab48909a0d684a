"""What a running worker notices of its topics and of its cluster."""

from __future__ import annotations

import logging

import pytest

from stream.runtime.kafka.topic_admin import Metadata
from stream.runtime.kafka.topic_watch import OtherClusterError, TopicWatch
from stream.runtime.kafka.topics import Topics

TOPICS = Topics("desk", "eu.")


def answer(cluster: str = "one", **partitions: int) -> Metadata:
    found = {spec.name: [1] * (spec.partitions or 4) for spec in TOPICS.specs()}
    for name, count in partitions.items():
        topic = f"eu.{name.replace('_', '-')}"
        if count:
            found[topic] = [1] * count
        else:
            del found[topic]
    return Metadata(cluster, found)


def test_topics_as_they_were_are_not_a_problem() -> None:
    watch = TopicWatch(TOPICS, 4)
    watch.found(answer())

    assert (watch.problem, watch.unread, watch.missing) == ("", 0, 0)


def test_more_partitions_of_the_input_are_a_problem_until_they_are_read(caplog: pytest.LogCaptureFixture) -> None:
    watch = TopicWatch(TOPICS, 4)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            watch.found(answer(ticket_events=6))
        assert watch.problem.startswith("topic eu.ticket-events has 6 partitions, and workers read 4: stop all workers and run")
        assert watch.unread == 2
        watch.found(answer())

    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert (watch.problem, watch.unread) == ("", 0)


def test_a_topic_that_is_gone_is_named() -> None:
    watch = TopicWatch(TOPICS, 4)
    watch.found(answer(sla_breaches=0))

    assert watch.problem == "topic eu.sla-breaches is missing: find out who deleted it"
    assert watch.missing == 1


def test_another_cluster_behind_the_address_is_an_error_with_both_ids() -> None:
    watch = TopicWatch(TOPICS, 4)
    watch.found(answer("one"))

    with pytest.raises(OtherClusterError, match="those of cluster two, and this worker has the tickets of cluster one"):
        watch.found(answer("two"))


def settings(**changed: str) -> dict[str, dict[str, str]]:
    """Of all topics, as they are created; ``changed`` is of the input topic."""
    found = {spec.name: dict(spec.settings) for spec in TOPICS.specs()}
    found[TOPICS.events] |= {name.replace("_", "."): value for name, value in changed.items()}
    return found


@pytest.mark.parametrize(("setting", "value"), [("cleanup_policy", "compact"), ("retention_ms", "3600000")])
def test_a_setting_that_deletes_unread_events_is_reported_once_until_it_is_put_back(
    setting: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    watch = TopicWatch(TOPICS, 4)
    with caplog.at_level(logging.INFO):
        watch.found_settings("kafka:9092", settings())
        assert not watch.unsafe
        for _ in range(3):
            watch.found_settings("kafka:9092", settings(**{setting: value}))
        (problem,) = watch.unsafe
        watch.found_settings("kafka:9092", settings())

    assert problem.startswith(f"topic eu.ticket-events has {setting.replace('_', '.')}={value}, not ")
    assert "kafka-configs.sh --bootstrap-server kafka:9092 --alter --topic eu.ticket-events" in problem
    assert not watch.unsafe
    assert [record.getMessage() for record in caplog.records] == [
        f"records may be deleted or refused: {problem}",
        "the settings of the topics are right again",
    ]


def test_a_topic_whose_settings_are_not_known_is_not_judged() -> None:
    watch = TopicWatch(TOPICS, 4)
    watch.found_settings("kafka:9092", {})

    assert not watch.unsafe
