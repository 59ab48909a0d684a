"""Topics are created with the right settings, and each problem with a topic has its remedy."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from click.testing import CliRunner

from stream.cli.main import main
from stream.runtime.kafka.topic_admin import create, verify, verify_policies
from stream.runtime.kafka.topics import Topics
from tests.broker.configured_broker import ApacheBroker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

YEAR_LONG = str(400 * 86_400_000)


@pytest.fixture(scope="module")
def apache_broker() -> Iterator[str]:
    """Bootstrap address of a broker with Apache Kafka's own defaults."""
    with ApacheBroker() as running:
        yield running.bootstrap


@pytest.fixture(params=["embedded", "apache"])
def broker(request: pytest.FixtureRequest) -> str:  # every test here runs on both
    """Bootstrap address of a running broker."""
    address: str = request.getfixturevalue({"embedded": "embedded_broker", "apache": "apache_broker"}[request.param])
    return address


def make(broker: str, name: str, partitions: int, **settings: str) -> None:
    async def story() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        # Above the broker's default, which is below what the input and the dead letters need.
        configs = {"max.message.bytes": "4194304", **{key.replace("_", "."): value for key, value in settings.items()}}
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])
        while name not in await admin.list_topics():  # noqa: ASYNC110  the broker does not announce it
            await asyncio.sleep(0.05)
        await admin.close()

    asyncio.run(story())


def fill(broker: str, name: str) -> None:
    """Let a topic have a record."""

    async def story() -> None:
        async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
            await producer.send_and_wait(name, b"record", key=b"key", partition=0)

    asyncio.run(story())


def existing(broker: str) -> set[str]:
    async def story() -> set[str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        names = await admin.list_topics()
        await admin.close()
        return set(names)

    return asyncio.run(story())


def settings(broker: str, name: str) -> dict[str, str]:
    async def story() -> dict[str, str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        await admin.close()
        return {entry[0]: entry[1] for entry in answer.resources[0][4]}

    return asyncio.run(story())


def problems(broker: str, topics: Topics, partitions: int | None) -> list[str]:
    return asyncio.run(verify(broker, topics, partitions=partitions))


def test_created_topics_are_right_and_creating_them_again_does_nothing(broker: str, topics: Topics) -> None:
    assert problems(broker, topics, 4) == []
    assert asyncio.run(create(broker, topics, partitions=4)) == []


def test_the_changelog_is_compacted_with_time_for_readers_that_were_down(broker: str, topics: Topics) -> None:
    changelog = settings(broker, topics.changelog)

    assert changelog["cleanup.policy"] == "compact"
    assert changelog["min.compaction.lag.ms"] == "3600000"
    assert changelog["max.compaction.lag.ms"] == "86400000"
    assert changelog["delete.retention.ms"] == "604800000"
    assert settings(broker, topics.rejected)["max.message.bytes"] == "4194304"


def test_retention_applies_to_the_input_and_to_no_other_topic(broker: str) -> None:
    topics = Topics("retained", prefix="retained.")

    asyncio.run(create(broker, topics, partitions=1, retention_ms=86_400_000))

    kept = {name: settings(broker, name)["retention.ms"] for name in (topics.events, topics.rejected)}
    assert kept == {topics.events: "86400000", topics.rejected: "604800000"}
    assert (
        settings(broker, topics.breaches)["retention.ms"] == settings(broker, topics.escalations)["retention.ms"] == YEAR_LONG
    )
    assert settings(broker, topics.changelog)["retention.ms"] != "86400000"
    assert settings(broker, topics.policies)["retention.ms"] == "-1"


@pytest.mark.parametrize("longer", ["-1", "86400000000"])
def test_effects_are_kept_for_more_than_a_year_and_for_as_long_as_events(broker: str, topics: Topics, longer: str) -> None:
    others = Topics("retained", prefix=f"longer{longer}.")

    asyncio.run(create(broker, others, partitions=1, retention_ms=int(longer)))

    assert settings(broker, topics.breaches)["retention.ms"] == YEAR_LONG
    assert settings(broker, topics.breaches)["cleanup.policy"] == "delete"
    assert settings(broker, others.breaches)["retention.ms"] == longer


def test_the_log_of_deployments_has_one_partition_and_is_kept_for_ever(broker: str, topics: Topics) -> None:
    kept = settings(broker, topics.policies)

    assert (kept["cleanup.policy"], kept["retention.ms"], kept["retention.bytes"]) == ("delete", "-1", "-1")
    assert (kept["max.message.bytes"], kept["message.timestamp.type"]) == ("9437184", "LogAppendTime")
    assert asyncio.run(verify_policies(broker, topics)) == []


def test_a_log_of_deployments_that_would_lose_records_or_their_order_is_a_problem(broker: str) -> None:
    topics = Topics("lossy", prefix="lossy.")
    make(broker, topics.policies, 2, cleanup_policy="compact", retention_ms="1000")
    fill(broker, topics.policies)
    asyncio.run(create(broker, topics, partitions=1))

    found = problems(broker, topics, 1)

    partitions, size, cleanup, retention = found
    assert "has 2 partitions, not 1" in partitions
    assert "start under a new --app-id" in partitions
    assert "not 9437184: run" in size
    assert "cleanup.policy=compact, not delete: run" in cleanup
    assert "retention.ms=1000, not -1: run" in retention
    assert asyncio.run(verify_policies(broker, topics)) == found


def test_a_missing_log_of_deployments_is_named_to_who_only_deploys(broker: str) -> None:
    (problem,) = asyncio.run(verify_policies(broker, Topics("undeployed", prefix="eu.")))

    assert problem.startswith("topic eu.undeployed-policies is missing: run `breachwatch topics create")


def test_every_missing_topic_is_a_problem_with_the_command_that_creates_it(broker: str) -> None:
    found = problems(broker, Topics("absent", prefix="eu."), 8)

    assert [line.split(" is missing")[0] for line in found] == [
        "topic eu.ticket-events",
        "topic eu.sla-breaches",
        "topic eu.sla-escalations",
        "topic eu.ticket-events-rejected",
        "topic eu.absent-tickets-changelog",
        "topic eu.absent-policies",
    ]
    command = f"breachwatch topics create --broker {broker} --app-id absent --topic-prefix eu. --partitions 8"
    assert all(f"run `{command}`" in line for line in found)


def test_a_count_that_differs_from_the_setting_is_fixed_in_the_settings(broker: str, topics: Topics) -> None:
    fill(broker, topics.events)

    assert problems(broker, topics, 6) == [
        f"topic {topics.events} has 4 partitions, not 6: set BREACHWATCH_PARTITIONS=4 (or --partitions 4)"
    ]


def test_what_is_wrong_with_a_topic_without_records_ends_when_it_is_deleted_and_created(broker: str) -> None:
    topics = Topics("blank", prefix="blank.")
    for name in (topics.events, topics.breaches, topics.changelog, topics.policies):
        make(broker, name, 1, retention_ms="1000", max_message_bytes="1000000")
    make(broker, topics.escalations, 3)
    asyncio.run(create(broker, topics, partitions=1))

    found = problems(broker, topics, 4)

    again = f"`breachwatch topics create --broker {broker} --app-id blank --topic-prefix blank. --partitions"
    for name in (topics.events, topics.breaches, topics.escalations, topics.changelog, topics.policies):
        delete = f"`kafka-topics.sh --bootstrap-server {broker} --delete --topic {name}`"
        assert any(f"topic {name} " in line and f"run {delete} and then {again}" in line for line in found), (name, found)
    (input_count,) = (line for line in found if "has 1 partitions, not 4" in line)
    assert input_count.endswith("or, if 1 is right, set BREACHWATCH_PARTITIONS=1 (or --partitions 1)")


def test_no_command_creates_a_topic_by_asking_for_it(broker: str, tmp_path: Path) -> None:
    before = existing(broker)
    where = ["--broker", broker, "--app-id", "asked", "--topic-prefix", "asked."]
    feed = tmp_path / "feed.jsonl"
    feed.write_text('{"type": "feed.tick", "source": "desk", "at": "2026-01-01T00:00:00Z"}\n', "utf-8")
    stream = [sys.executable, "-m", "stream"]
    for command, missing in (
        (["topics", "check", *where], "ticket-events"),
        (["worker", "--policies", "starter", "--metrics-port", "0", *where], "ticket-events"),
        (["deploy", "--dry-run", "starter", *where], "asked-policies"),
        (["deploy", "--list", *where], "asked-policies"),
        (["publish", *where[:2], *where[4:], str(feed)], "ticket-events"),
    ):
        done = subprocess.run([*stream, *command], capture_output=True, text=True, check=False, timeout=90)
        assert done.returncode in (1, 2), (command, done.stderr)
        assert f"topic asked.{missing} is missing: run `breachwatch topics create --broker {broker}" in done.stderr

    assert existing(broker) - {"__consumer_offsets"} == before - {"__consumer_offsets"}


def test_no_client_of_ours_creates_a_topic_by_asking_for_it(broker: str) -> None:
    before = existing(broker)

    async def story() -> None:
        async with (
            AIOKafkaProducer(bootstrap_servers=broker) as producer,
            AIOKafkaConsumer(bootstrap_servers=broker) as consumer,
        ):
            for client, name in ((producer.client, "asked-by-a-producer"), (consumer._client, "asked-by-a-consumer")):
                client.add_topic(name)
                await client.force_metadata_update()

    asyncio.run(story())

    assert existing(broker) == before


def test_topics_follow_the_input_topic_and_create_adds_missing_partitions(broker: str) -> None:
    topics = Topics("few", prefix="few.")
    make(broker, topics.events, 3)
    make(broker, topics.breaches, 2)
    fill(broker, topics.breaches)
    few = next(line for line in problems(broker, topics, None) if topics.breaches in line)
    assert "has 2 partitions, not 3 like few.ticket-events: run `breachwatch topics create" in few

    done = asyncio.run(create(broker, topics, partitions=9))

    assert f"increased {topics.breaches} from 2 to 3 partitions" in done
    assert f"created {topics.changelog} with 3 partitions" in done


def test_too_many_partitions_cannot_be_fixed_without_loss_and_the_changelog_must_not_be_deleted(broker: str) -> None:
    topics = Topics("many", prefix="many.")
    make(broker, topics.events, 2, max_message_bytes="2097152")
    make(broker, topics.escalations, 3)
    make(broker, topics.changelog, 3, cleanup_policy="compact", max_compaction_lag_ms="86400000")
    asyncio.run(create(broker, topics, partitions=2))
    fill(broker, topics.escalations)
    fill(broker, topics.changelog)

    escalations, changelog = problems(broker, topics, 2)

    assert f"run `kafka-topics.sh --bootstrap-server {broker} --delete --topic {topics.escalations}`" in escalations
    assert "with a new --app-id" in changelog
    assert "--delete" not in changelog


def test_settings_that_would_lose_state_or_refuse_records_are_problems(broker: str) -> None:
    topics = Topics("odd", prefix="odd.")
    make(broker, topics.changelog, 1, cleanup_policy="delete", max_compaction_lag_ms="86400000")
    make(broker, topics.rejected, 1, max_message_bytes="1000000", retention_ms="604800000", segment_ms="86400000")
    make(broker, topics.breaches, 1, max_message_bytes="500000", unclean_leader_election_enable="true")
    make(broker, topics.escalations, 1, unclean_leader_election_enable="true")
    asyncio.run(create(broker, topics, partitions=1))
    fill(broker, topics.changelog)
    fill(broker, topics.rejected)

    found = problems(broker, topics, 1)
    assert len(found) == 5, found
    breaches, unclean, escalations, rejected, changelog = found

    assert "max.message.bytes=500000 instead of 1048588, and no record: run `kafka-topics.sh" in breaches
    for name, line in ((topics.breaches, unclean), (topics.escalations, escalations)):
        assert f"--alter --topic {name} --add-config unclean.leader.election.enable=false`" in line
    assert "max.message.bytes=1000000, not 4194304" in rejected
    assert f"--alter --topic {topics.rejected} --add-config max.message.bytes=4194304" in rejected
    assert "cleanup.policy=delete, not compact" in changelog


def test_the_commands_create_and_check_print_their_results_and_set_the_exit_code(broker: str) -> None:
    where = ["--broker", broker, "--app-id", "cli", "--topic-prefix", "cli.", "--partitions", "2"]
    run = CliRunner().invoke

    before = run(main, ["topics", "check", *where])
    made = run(main, ["topics", "create", *where, "--replication", "1"])
    after = run(main, ["topics", "check"], env={
        "BREACHWATCH_BROKER": broker,
        "BREACHWATCH_APP_ID": "cli",
        "BREACHWATCH_TOPIC_PREFIX": "cli.",
        "BREACHWATCH_PARTITIONS": "2",
    })  # fmt: skip

    assert (before.exit_code, before.output.count("is missing")) == (1, 6)
    optional = Topics("cli", prefix="cli.").optional_specs()
    assert before.output.count("no worker needs") == len(optional)
    assert (made.exit_code, made.output.count("created ")) == (0, 6 + len(optional))
    assert (after.exit_code, after.output) == (
        0,
        f"all 6 topics of workers on {broker} are correct, with 2 partitions each, and one of cli.cli-policies\n",
    )


def test_a_topic_that_no_worker_needs_may_be_missing_but_not_be_wrong(broker: str) -> None:
    topics = Topics("feeds", prefix="feeds.")
    where = ["--broker", broker, "--app-id", "feeds", "--topic-prefix", "feeds.", "--partitions", "1"]
    for spec in topics.specs():
        make(broker, spec.name, 1, **{key.replace(".", "_"): value for key, value in spec.settings.items()})

    without = CliRunner().invoke(main, ["topics", "check", *where])
    make(broker, topics.feed_state, 1, cleanup_policy="delete")
    wrong = CliRunner().invoke(main, ["topics", "check", *where])

    assert without.exit_code == 0, without.output
    assert "note: there is no topic feeds.feed-state" in without.output
    assert wrong.exit_code == 1
    assert "cleanup.policy=delete, not compact" in wrong.output or "cleanup.policy=delete instead of compact" in wrong.output


def test_rejected_records_have_a_retention_of_their_own_whatever_that_of_the_others(broker: str) -> None:
    topics = Topics("payloads", prefix="payloads.", rejected_retention_ms=3 * 86_400_000)

    made = asyncio.run(create(broker, topics, partitions=2, retention_ms=86_400_000))

    assert f"created {topics.feed_rejected} with 1 partition" in made
    for name, most in ((topics.feed_rejected, "2097152"), (topics.rejected, "4194304")):
        kept = settings(broker, name)
        assert (kept["retention.ms"], kept["segment.ms"], kept["cleanup.policy"]) == ("259200000", "86400000", "delete")
        assert kept["max.message.bytes"] == most
    assert settings(broker, topics.events)["retention.ms"] == "86400000"


def test_records_about_people_that_would_be_kept_for_longer_are_a_problem_with_its_remedy(broker: str) -> None:
    topics = Topics("longer", prefix="longer.")
    where = ["--broker", broker, "--app-id", "longer", "--topic-prefix", "longer.", "--partitions", "1"]
    made = CliRunner().invoke(main, ["topics", "create", *where, "--replication", "1"])
    shorter = CliRunner().invoke(main, ["topics", "check", *where, "--rejected-retention", "2d"])

    assert made.exit_code == 0, made.output
    assert shorter.exit_code == 1
    remedies = [line for line in shorter.output.splitlines() if "stays longer than 172800000 ms" in line]
    assert [line.split()[1] for line in remedies] == [topics.rejected, topics.feed_rejected]
    assert all(f"--topic {name} --add-config retention.ms=172800000" in line for name, line in zip(
        (topics.rejected, topics.feed_rejected), remedies, strict=True
    ))  # fmt: skip


def test_a_name_that_kafka_would_refuse_raises_an_error_before_any_request() -> None:
    with pytest.raises(ValueError, match="'umlaute-ü-tickets-changelog' is not a legal topic name"):
        Topics("umlaute-ü")
