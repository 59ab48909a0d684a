"""Creates the topics on a Kafka cluster, and checks their partitions and settings."""

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
    """Create missing topics, add missing partitions to the others, and return a line for each change.

    An existing input topic never gets more partitions, because its keys would move away from their state. The other topics
    get as many partitions as it has, even if ``partitions`` differs, except the log of deployments. Existing topics keep their
    settings. ``replication`` -1 and ``retention_ms`` ``None`` are the cluster's defaults; the changelog and the log of
    deployments never get a retention. ``client`` has the arguments of aiokafka clients other than the address
    (``stream.runtime.kafka.connection``).
    Raises ``aiokafka.errors.KafkaError`` if the cluster does not answer or refuses.
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
                done.append(f"increased {spec.name} from {count} to {wanted} partitions")
        if done:
            await _wait_until_visible(admin, topics, partitions)
    return done


async def verify(
    bootstrap: str, topics: Topics, *, partitions: int | None = None, client: Mapping[str, Any] | None = None
) -> list[str]:
    """All problems of the topics, each with its remedy. Empty if the topics are right.

    ``partitions`` is the configured number for the input topic, or ``None`` to accept any. The other topics with tickets must
    have as many as the input topic. ``client`` is as for ``create``. Raises ``aiokafka.errors.KafkaError`` if the cluster does
    not answer.
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
    problem = f"topic {name} has {count} partitions, not {wanted} like {topics.events}"
    create_command = _create_command(bootstrap, topics, wanted)
    if count < wanted:
        return f"{problem}: run `{create_command}`"
    if name == topics.changelog:
        # Deleting it would delete the state of every ticket.
        return f"{problem}: Kafka cannot remove partitions; start with a new --app-id, which builds new state"
    delete = f"kafka-topics.sh --bootstrap-server {bootstrap} --delete --topic {name}"
    return f"{problem}: Kafka cannot remove partitions; if you can lose its records, run `{delete}` and then `{create_command}`"


def _wrong_settings(bootstrap: str, spec: TopicSpec, actual: Mapping[str, str]) -> list[str]:
    wrong = [(name, str(least)) for name, least in spec.at_least.items() if name in actual and -1 < int(actual[name]) < least]
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
        replica_assignments={},  # without it, aiokafka refuses the replication factor -1, the cluster's default
        topic_configs={**spec.settings, **retention},
    )
    answer = await admin.create_topics([topic])
    for name, code, *message in answer.topic_errors:
        if code == TopicAlreadyExistsError.errno:
            return False  # another process has created it in the meantime
        if code != _NO_ERROR:
            raise for_code(code)(f"topic {name} could not be created: {message[0] if message else ''}")
    return True


async def _wait_until_visible(admin: AIOKafkaAdminClient, topics: Topics, partitions: int) -> None:
    """Wait until the brokers know the topics that the controller has created. Before that, clients get the error that a topic
    is missing."""
    for _ in range(200):
        counts = await _partition_counts(admin, topics.specs())
        if all(counts.get(spec.name, 0) >= (spec.partitions or partitions) for spec in topics.specs()):
            return
        await asyncio.sleep(0.1)
    raise KafkaTimeoutError("the topics were created, but the brokers do not show them yet; check again later")


async def _partition_counts(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> dict[str, int]:
    """The number of partitions of each existing topic."""
    counts = {}
    for topic in await admin.describe_topics([spec.name for spec in specs]):
        if topic["error_code"] == _NO_ERROR:
            counts[topic["topic"]] = len(topic["partitions"])
        elif topic["error_code"] != _UNKNOWN_TOPIC:
            raise for_code(topic["error_code"])(f"topic {topic['topic']} cannot be described")
    return counts


async def _settings(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> dict[str, dict[str, str]]:
    """The current settings of each topic."""
    if not specs:
        return {}
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, spec.name, dict.fromkeys([*spec.at_least, *spec.exactly], ""))
        for spec in specs
    ]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
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
