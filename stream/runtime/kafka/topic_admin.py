"""Creates the topics on a Kafka cluster, and checks their partitions and settings.

Longer than 250 lines because creating and checking share the requests for metadata and settings.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaTimeoutError, TopicAlreadyExistsError, for_code
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.structs import TopicPartition

from stream.runtime.kafka.denied import DeniedError, Operation, ResourceKind, needing
from stream.runtime.kafka.groupless import started
from stream.runtime.kafka.topic_checks import ClusterTopics, TopicFacts
from stream.runtime.kafka.topics import EFFECTS_RETENTION_MS

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
    """Create missing topics, also those that no worker needs, add missing partitions to the others, and return a line for each
    change.

    An existing input topic never gets more partitions, because its keys would move away from their state. The other topics
    get as many partitions as it has, even if ``partitions`` differs, except the log of deployments. If there are tickets, their
    partitions count instead: when the input has got more, more of the changelog would separate tickets from their events.
    Existing topics keep their settings. ``replication`` -1 and ``retention_ms`` ``None`` are the cluster's defaults; compacted
    topics and the log of deployments never get a retention. ``client`` has the arguments of aiokafka clients other than the
    address (``stream.runtime.kafka.connection``).
    Raises ``aiokafka.errors.KafkaError`` if the cluster does not answer or refuses.
    """
    done, specs = [], (*topics.specs(), *topics.optional_specs())
    async with admin_client(bootstrap, client) as admin:
        existing = await _partition_counts(admin, specs)
        partitions = existing.get(topics.events, partitions)
        if topics.changelog in existing and await _used(bootstrap, {topics.changelog: existing[topics.changelog]}, client):
            partitions = existing[topics.changelog]
        for spec in specs:
            count = existing.get(spec.name)
            wanted = spec.partitions or partitions
            if count is None:
                if await _create_one(admin, spec, wanted, replication, _retention(spec, retention_ms)):
                    done.append(f"created {spec.name} with {wanted} partition{'s' if wanted > 1 else ''}")
            elif count < wanted:
                await _add_partitions(admin, spec.name, wanted)
                done.append(f"increased {spec.name} from {count} to {wanted} partitions")
        if done:
            await _wait_until_visible(admin, specs, partitions)
    return done


async def verify(
    bootstrap: str, topics: Topics, *, partitions: int | None = None, client: Mapping[str, Any] | None = None
) -> list[str]:
    """All problems of the topics, each with its remedy. Empty if the topics are right.

    ``partitions`` is the configured number for the input topic, or ``None`` to accept any. The other topics with tickets must
    have as many as the input topic. ``client`` is as for ``create``. Raises ``aiokafka.errors.KafkaError`` if the cluster does
    not answer.
    """
    found = await found_topics(bootstrap, topics, topics.specs(), client=client)
    growth = filter(None, [found.growth(partitions)])
    return [*growth, *found.problems(partitions), *found.retention_problems(topics.specs())]


async def verify_optional(
    bootstrap: str, topics: Topics, *, client: Mapping[str, Any] | None = None
) -> tuple[list[str], list[str]]:
    """The problems of the topics that no worker needs, and the names of those that are missing.

    One that the account may not see is neither. Raises ``aiokafka.errors.KafkaError`` if the cluster does not answer.
    """
    problems, missing = list[str](), list[str]()
    for spec in topics.optional_specs():
        try:
            found = await found_topics(bootstrap, topics, [spec], client=client)
        except DeniedError:  # nothing is known of it
            continue
        if spec.name in found.found:
            problems += [*found.problems_of([spec], None), *found.retention_problems([spec])]
        else:
            missing.append(spec.name)
    return problems, missing


async def verify_policies(bootstrap: str, topics: Topics, *, client: Mapping[str, Any] | None = None) -> list[str]:
    """As ``verify``, for the log of deployments alone: an account that only deploys sees no other topic."""
    (spec,) = (spec for spec in topics.specs() if spec.name == topics.policies)
    return (await found_topics(bootstrap, topics, [spec], client=client)).problems_of([spec], None)


async def missing_input(bootstrap: str, topics: Topics, *, client: Mapping[str, Any] | None = None) -> list[str]:
    """The problem that there is no input topic, for an account that only publishes. Empty: there is one."""
    async with admin_client(bootstrap, client) as admin:
        found = (await metadata(admin, [topics.events])).partitions
    return [] if found else [ClusterTopics(bootstrap, topics, {}).missing(topics.events, None)]


async def exists(bootstrap: str, topic: str, *, client: Mapping[str, Any] | None = None) -> bool:
    """Whether there is a topic of this name. Raises ``aiokafka.errors.KafkaError``."""
    async with admin_client(bootstrap, client) as admin:
        return bool((await metadata(admin, [topic])).partitions)


async def found_topics(
    bootstrap: str, topics: Topics, specs: Sequence[TopicSpec], *, client: Mapping[str, Any] | None = None
) -> ClusterTopics:
    """These topics as they are on the cluster. Raises as ``verify`` does."""
    async with admin_client(bootstrap, client) as admin:
        described = (await metadata(admin, [spec.name for spec in specs])).partitions
        settings = await settings_of(admin, [spec for spec in specs if spec.name in described])
    used = await _used(bootstrap, {name: len(replicas) for name, replicas in described.items()}, client)
    facts = {
        name: TopicFacts(len(replicas), empty=name not in used, settings=settings[name]) for name, replicas in described.items()
    }
    return ClusterTopics(bootstrap, topics, facts)


async def grow(bootstrap: str, topics: Topics, partitions: int, *, client: Mapping[str, Any] | None = None) -> None:
    """Give all topics with tickets so many partitions. Raises ``aiokafka.errors.KafkaError``."""
    async with admin_client(bootstrap, client) as admin:
        existing = await _partition_counts(admin, topics.specs())
        for spec in topics.specs():
            if spec.partitions is None and existing.get(spec.name, partitions) < partitions:
                await _add_partitions(admin, spec.name, partitions)
        await _wait_until_visible(admin, topics.specs(), partitions)


def _retention(spec: TopicSpec, retention_ms: int | None) -> dict[str, str]:
    """``retention_ms``: of events. Effects are kept for at least as long."""
    if retention_ms is None or spec.settings.get("cleanup.policy") == "compact":
        return {}
    if "retention.ms" in spec.settings and not (spec.of_effects and not 0 <= retention_ms <= EFFECTS_RETENTION_MS):
        return {}
    return {"retention.ms": str(retention_ms)}


async def _create_one(
    admin: AIOKafkaAdminClient, spec: TopicSpec, partitions: int, replication: int, retention: Mapping[str, str]
) -> bool:
    topic = NewTopic(
        name=spec.name,
        num_partitions=partitions,
        replication_factor=replication,
        # aiokafka wants one of the two: a number of replicas, or an assignment, which may be empty.
        replica_assignments={} if replication == -1 else None,
        topic_configs={**spec.settings, **retention},
    )
    answer = await admin.create_topics([topic])
    for name, code, *message in answer.topic_errors:
        if code == TopicAlreadyExistsError.errno:
            return False  # another process has created it in the meantime
        if code != _NO_ERROR:
            with needing(Operation.CREATE, ResourceKind.TOPIC, name):
                raise for_code(code)(f"topic {name} could not be created: {message[0] if message else ''}")
    return True


async def _add_partitions(admin: AIOKafkaAdminClient, name: str, partitions: int) -> None:
    with needing(Operation.ALTER, ResourceKind.TOPIC, name):
        await admin.create_partitions({name: NewPartitions(partitions)})


async def _wait_until_visible(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], partitions: int) -> None:
    """Wait until the brokers know the topics that the controller has created. Before that, clients get the error that a topic
    is missing."""
    wanted = {spec.name: spec.partitions or partitions for spec in specs}
    await admin._client.force_metadata_update()
    for _ in range(200):
        # Each of them, because the next request may go to any.
        answers = [await metadata(admin, list(wanted), broker.nodeId) for broker in admin._client.cluster.brokers()]
        if all(len(answer.partitions.get(name, ())) >= count for answer in answers for name, count in wanted.items()):
            return
        await asyncio.sleep(0.1)
    raise KafkaTimeoutError("the topics were created, but the brokers do not show them yet; check again later")


async def _partition_counts(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> dict[str, int]:
    """The number of partitions of each existing topic."""
    return {name: len(replicas) for name, replicas in (await metadata(admin, [spec.name for spec in specs])).partitions.items()}


class Metadata(NamedTuple):
    """The facts that a broker reports about the cluster and some topics."""

    cluster: str
    """The id of the cluster."""
    partitions: Mapping[str, list[int]]
    """The number of replicas of each partition, for each existing topic."""


async def metadata(admin: AIOKafkaAdminClient, names: Sequence[str], node: int | None = None) -> Metadata:
    """Ask a broker: that with this id, or any. Raises ``aiokafka.errors.KafkaError``."""
    request = MetadataRequest(list(names), allow_auto_topic_creation=False)
    answer = (await admin._send_request(request, node)).to_object()
    found = {}
    for topic in answer["topics"]:
        if topic["error_code"] == _NO_ERROR:
            found[topic["topic"]] = [len(partition["replicas"]) for partition in topic["partitions"]]
        elif topic["error_code"] != _UNKNOWN_TOPIC:
            with needing(Operation.DESCRIBE, ResourceKind.TOPIC, topic["topic"]):
                raise for_code(topic["error_code"])(f"topic {topic['topic']} cannot be described")
    return Metadata(answer["cluster_id"], found)


async def _used(bootstrap: str, partitions: Mapping[str, int], client: Mapping[str, Any] | None) -> set[str]:
    """The topics that ever had a record."""
    tps = [TopicPartition(name, number) for name, count in partitions.items() for number in range(count)]
    if not tps:
        return set()
    options = {"bootstrap_servers": bootstrap, **(client or {})}
    async with started(AIOKafkaConsumer(**options, client_id="breachwatch")) as consumer:
        return {tp.topic for tp, end in (await consumer.end_offsets(tps)).items() if end}


async def settings_of(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> dict[str, dict[str, str]]:
    """The current values of the settings that each topic's definition names. Raises ``aiokafka.errors.KafkaError``."""
    return await values_of(admin, {spec.name: [*spec.at_least, *spec.exactly, *spec.at_most] for spec in specs})


async def values_of(admin: AIOKafkaAdminClient, asked: Mapping[str, Sequence[str]]) -> dict[str, dict[str, str]]:
    """The current values of settings of topics, by the name of the topic. Raises ``aiokafka.errors.KafkaError``."""
    if not asked:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(keys, "")) for name, keys in asked.items()]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources):
        for code, message, _, name, entries in answer.resources:
            if code != _NO_ERROR:
                with needing(Operation.DESCRIBE_CONFIGS, ResourceKind.TOPIC, name):
                    raise for_code(code)(f"the settings of topic {name} cannot be read: {message}")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


@asynccontextmanager
async def admin_client(bootstrap: str, client: Mapping[str, Any] | None) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client."""
    options = {"bootstrap_servers": bootstrap, **(client or {})}
    admin = AIOKafkaAdminClient(**options, client_id="breachwatch", request_timeout_ms=20_000)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()
