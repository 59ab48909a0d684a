"""Checks a worker's configuration before its first event: the problems that a restart does not fix."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from stream.deployments.record import RecordError
from stream.deployments.snapshot import SnapshotError
from stream.documents.document import PolicyError
from stream.language.policies import load
from stream.runtime.kafka.connection import client_options
from stream.runtime.kafka.denied import DeniedError
from stream.runtime.kafka.groupless import started
from stream.runtime.kafka.permissions import missing_permissions
from stream.runtime.kafka.policy_log import PolicyLog, PolicyLogError, deploy_first
from stream.runtime.kafka.topic_admin import found_topics
from stream.runtime.kafka.topics import Topics
from stream.runtime.recovery.start_check import changelog_problems
from stream.runtime.startup import RefusedError, until_answered

if TYPE_CHECKING:
    from stream.runtime.kafka.policy_log import ReadLog
    from stream.runtime.kafka.topic_checks import ClusterTopics
    from stream.runtime.settings import Settings
    from stream.sla.policy.resolve import PolicySet

log = logging.getLogger("stream.worker")

_LOST: Final = (
    "the log was deleted, and what was in force is not known: bring it back with `breachwatch deploy --import`, or start "
    "with a new --app-id"
)


async def prepare(settings: Settings, policies: PolicySet) -> tuple[PolicyLog, ReadLog]:
    """Check topics and changelog, and read the log of deployments, however long the broker is away. Raises RefusedError."""
    await check_topics(settings)
    client = client_of(settings)
    await until_answered(client, "a worker", partial(check_changelog, settings))
    return await until_answered(client, "a worker", partial(read_deployments, settings, policies))


def policies_of(settings: Settings) -> PolicySet:
    """The policies in the files that the settings name. Raises RefusedError."""
    try:
        return load(settings.policies)
    except PolicyError as error:
        raise RefusedError("the policies are wrong", str(error).splitlines()) from error


def client_of(settings: Settings) -> dict[str, Any]:
    """The arguments of an aiokafka client. Raises RefusedError."""
    try:
        return client_options(settings)
    except OSError as error:
        raise RefusedError("the settings are wrong", [f"a certificate or key file cannot be used: {error}"]) from error


async def read_deployments(settings: Settings, policies: PolicySet) -> tuple[PolicyLog, ReadLog]:
    """The log of deployments up to its end; ``policies`` are deployed where nothing was ever deployed. Raises RefusedError."""
    topics = topics_of(settings)
    policy_log = PolicyLog(client_of(settings), topics)
    try:
        found = await policy_log.read()
        if found.log.last is None and await _has_records(settings, topics.changelog):
            what = f"the log of deployments (topic {topics.policies}) is empty, and {topics.changelog} has tickets"
            raise RefusedError(what, [_LOST])
        return policy_log, await deploy_first(policy_log, found, policies, time.time_ns() // 1_000)
    except DeniedError as error:
        hint = "or let an account that may write to it deploy first: `breachwatch deploy`"
        raise RefusedError("nothing was ever deployed, and this account may not", [f"{error}, {hint}"]) from error
    except PolicyLogError as error:
        raise RefusedError("the log of deployments cannot be used", [str(error)]) from error
    except (RecordError, SnapshotError) as error:
        raise RefusedError("the policies cannot be deployed", [str(error)]) from error


async def check_changelog(settings: Settings) -> None:
    """Raises RefusedError if this worker cannot go on with the tickets of those before it."""
    topics = topics_of(settings)
    if problems := await changelog_problems(client_of(settings), topics, settings.partitions):
        raise RefusedError("the changelog cannot be used", problems)


async def _has_records(settings: Settings, topic: str) -> bool:
    async with started(AIOKafkaConsumer(**client_of(settings))) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
        return any((await consumer.end_offsets(partitions)).values())


def topics_of(settings: Settings) -> Topics:
    """The topics of the installation."""
    return Topics(settings.app_id, settings.topic_prefix, settings.rejected_retention // 1_000)


async def check_topics(settings: Settings) -> None:
    """Check the topics, and retry until a broker answers, because it may be starting. Raises RefusedError if they are wrong."""
    client = client_of(settings)
    topics = topics_of(settings)
    bootstrap = ",".join(settings.broker)

    async def find() -> ClusterTopics:
        if lacking := await missing_permissions(bootstrap, topics, client):
            raise RefusedError("the account may not do what a worker does", lacking)
        return await found_topics(bootstrap, topics, topics.specs(), client=client)

    found = await until_answered(client, "a worker", find)
    for problem in found.retention_problems(topics.specs()):
        log.warning("%s", problem)
    growth = found.growth(settings.partitions)
    problems = found.problems(settings.partitions)
    if growth and found.tickets_in != settings.partitions:
        # A worker with the new number has the tickets of other events in its partitions.
        problems.insert(0, growth)
    if problems:
        raise RefusedError("the topics are wrong", problems)
    if growth:
        # Not a reason to leave the tickets without a worker: events that are still in the partitions from before are processed,
        # which `breachwatch topics repartition` needs.
        log.error("%s", growth)
