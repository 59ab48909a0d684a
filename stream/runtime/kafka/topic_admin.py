"""Creates the topics on a Kafka cluster, and checks whether the cluster has them as they must be."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaTimeoutError, TopicAlreadyExistsError, for_code

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from stream.runtime.kafka.topics import Topics, TopicSpec

_NO_ERROR: Final = 0
_UNKNOWN_TOPIC: Final = 3


async def create(
    bootstrap: str,
    topics: Topics,
    *,
    partitions: int,
    replication: int = -1,
    retention_ms: int | None = None,
    client: Mapping[str, Any] | None = None,
) -> list[str]:
    """Create what is missing and give the others the partitions they lack; one line for each thing that was done.

    The input topic, once there, never gets more partitions, because its keys would move away from their state: the
    others follow its count, whatever ``partitions`` says, but for the log of deployments. What exists keeps its settings.
    ``replication`` -1 and ``retention_ms`` ``None`` leave it to the cluster's defaults; the changelog and the log of
    deployments are never given a retention. ``client``: arguments of aiokafka clients beyond the address
    (``stream.runtime.kafka.connection``).
    Raises ``aiokafka.errors.KafkaError`` when the cluster is away or refuses.
    """
    done = []
    async with _admin(bootstrap, client) as admin:
        existing = await _partition_counts(admin, topics.specs())
        partitions = existing.get(topics.events, partitions)
        for spec in topics.specs():
            count = existing.get(spec.name)
            wanted = spec.partitions or partitions
            if count is None:
                if await _create_one(admin, spec, wanted, replication, _retention(spec, topics, retention_ms)):
                    done.append(f"created {spec.name} with {wanted} partition{'s' if wanted > 1 else ''}")
            elif count < wanted:
                await admin.create_partitions({spec.name: NewPartitions(wanted)})
                done.append(f"gave {spec.name} {wanted} partitions, it had {count}")
        if done:
            await _settled(admin, topics, partitions)
    return done


async def verify(
    bootstrap: str, topics: Topics, *, partitions: int | None = None, client: Mapping[str, Any] | None = None
) -> list[str]:
    """Every problem with the topics, each with what mends it; empty when all is well.

    ``partitions`` is the count that is configured, ``None`` when there is none to hold the input topic against; the
    other topics with tickets must have the input topic's. ``client`` as for ``create``.
    Raises ``aiokafka.errors.KafkaError`` when the cluster is away.
    """
    async with _admin(bootstrap, client) as admin:
        existing = await _partition_counts(admin, topics.specs())
        present = [spec for spec in topics.specs() if spec.name in existing]
        settings = await _settings(admin, [spec for spec in present if spec.at_least or spec.exactly])
    wanted = existing.get(topics.events, partitions)
    problems = []
    for spec in topics.specs():
        count = existing.get(spec.name)
        if count is None:
            problems.append(_missing(bootstrap, topics, spec, wanted))
        elif spec.partitions is not None and count != spec.partitions:
            problems.append(_too_many_for_a_log(bootstrap, topics, spec, count))
        elif spec.partitions is None and wanted is not None and count != wanted:
            problems.append(_wrong_count(bootstrap, topics, spec.name, count, wanted))
    if partitions is not None and wanted != partitions:
        problems.append(
            f"topic {topics.events} has {wanted} partitions, not {partitions}: "
            f"set BREACHWATCH_PARTITIONS={wanted} (or --partitions {wanted})"
        )
    for spec in present:
        problems += _wrong_settings(bootstrap, spec, settings.get(spec.name, {}))
    return problems


async def verify_policies(bootstrap: str, topics: Topics, *, client: Mapping[str, Any] | None = None) -> list[str]:
    """As ``verify``, for the log of deployments alone: an account that only deploys sees no other topic."""
    (spec,) = (spec for spec in topics.specs() if spec.name == topics.policies)
    async with _admin(bootstrap, client) as admin:
        existing = await _partition_counts(admin, [spec])
        if spec.name not in existing:
            return [_missing(bootstrap, topics, spec, None)]
        settings = await _settings(admin, [spec])
    problems = [] if existing[spec.name] == 1 else [_too_many_for_a_log(bootstrap, topics, spec, existing[spec.name])]
    return problems + _wrong_settings(bootstrap, spec, settings[spec.name])


def _missing(bootstrap: str, topics: Topics, spec: TopicSpec, partitions: int | None) -> str:
    return f"topic {spec.name} is missing: run `{_create_command(bootstrap, topics, partitions)}`"


def _too_many_for_a_log(bootstrap: str, topics: Topics, spec: TopicSpec, count: int) -> str:
    delete = f"kafka-topics.sh --bootstrap-server {bootstrap} --delete --topic {spec.name}"
    create_it = _create_command(bootstrap, topics, None)
    return (
        f"topic {spec.name} has {count} partitions, not {spec.partitions}: Kafka cannot take partitions away; "
        f"if nothing was deployed yet, run `{delete}` and then `{create_it}`; otherwise start under a new --app-id"
    )


def _wrong_count(bootstrap: str, topics: Topics, name: str, count: int, wanted: int) -> str:
    said = f"topic {name} has {count} partitions, not {wanted} as {topics.events} has"
    create_it = _create_command(bootstrap, topics, wanted)
    if count < wanted:
        return f"{said}: run `{create_it}`"
    if name == topics.changelog:
        # Deleting it would delete the state of every ticket.
        return f"{said}: Kafka cannot take partitions away; start under a new --app-id, which builds its state afresh"
    delete = f"kafka-topics.sh --bootstrap-server {bootstrap} --delete --topic {name}"
    return f"{said}: Kafka cannot take partitions away; if its records may go, run `{delete}` and then `{create_it}`"


def _wrong_settings(bootstrap: str, spec: TopicSpec, actual: Mapping[str, str]) -> list[str]:
    wrong = [(name, str(least)) for name, least in spec.at_least.items() if name in actual and int(actual[name]) < least]
    wrong += [(name, value) for name, value in spec.exactly.items() if name in actual and actual[name] != value]
    return [
        f"topic {spec.name} has {name}={actual[name]}, not {value}: run `kafka-configs.sh "
        f"--bootstrap-server {bootstrap} --alter --topic {spec.name} --add-config {name}={value}`"
        for name, value in wrong
    ]


def _create_command(bootstrap: str, topics: Topics, partitions: int | None) -> str:
    prefix = f" --topic-prefix {topics.prefix}" if topics.prefix else ""
    count = f" --partitions {partitions}" if partitions else ""
    return f"breachwatch topics create --broker {bootstrap} --app-id {topics.app_id}{prefix}{count}"


def _retention(spec: TopicSpec, topics: Topics, retention_ms: int | None) -> dict[str, str]:
    if retention_ms is None or spec.name in (topics.changelog, topics.policies):
        return {}
    return {"retention.ms": str(retention_ms)}


async def _create_one(
    admin: AIOKafkaAdminClient, spec: TopicSpec, partitions: int, replication: int, retention: Mapping[str, str]
) -> bool:
    topic = NewTopic(
        name=spec.name,
        num_partitions=partitions,
        replication_factor=replication,
        replica_assignments={},  # given, though empty: otherwise aiokafka refuses -1, the cluster's default
        topic_configs={**spec.settings, **retention},
    )
    answer = await admin.create_topics([topic])
    for name, code, *message in answer.topic_errors:
        if code == TopicAlreadyExistsError.errno:
            return False  # someone else was quicker: what counts is that it is there
        if code != _NO_ERROR:
            raise for_code(code)(f"topic {name} could not be created: {message[0] if message else ''}")
    return True


async def _settled(admin: AIOKafkaAdminClient, topics: Topics, partitions: int) -> None:
    """Wait until brokers know what the controller has agreed to: until then clients are told that a topic is missing."""
    for _ in range(200):
        counts = await _partition_counts(admin, topics.specs())
        if all(counts.get(spec.name, 0) >= (spec.partitions or partitions) for spec in topics.specs()):
            return
        await asyncio.sleep(0.1)
    raise KafkaTimeoutError("the topics were created, but the brokers still do not show them; check again later")


async def _partition_counts(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> dict[str, int]:
    """Partitions by topic, without those that do not exist."""
    counts = {}
    for topic in await admin.describe_topics([spec.name for spec in specs]):
        if topic["error_code"] == _NO_ERROR:
            counts[topic["topic"]] = len(topic["partitions"])
        elif topic["error_code"] != _UNKNOWN_TOPIC:
            raise for_code(topic["error_code"])(f"topic {topic['topic']} cannot be described")
    return counts


async def _settings(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> dict[str, dict[str, str]]:
    """Settings in force, by topic."""
    if not specs:
        return {}
    asked = [
        ConfigResource(ConfigResourceType.TOPIC, spec.name, dict.fromkeys([*spec.at_least, *spec.exactly], ""))
        for spec in specs
    ]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(asked):
        for code, message, _, name, entries in answer.resources:
            if code != _NO_ERROR:
                raise for_code(code)(f"the settings of topic {name} cannot be read: {message}")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


@asynccontextmanager
async def _admin(bootstrap: str, client: Mapping[str, Any] | None) -> AsyncIterator[AIOKafkaAdminClient]:
    options = {"bootstrap_servers": bootstrap, **(client or {})}
    admin = AIOKafkaAdminClient(**options, client_id="breachwatch", request_timeout_ms=20_000)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()
