"""Finds the permissions that the account of a worker lacks, before its first event.

Kafka refuses an operation only when it is tried: a worker without the permission to write escalations runs until the first one,
and without the permission to read its outputs it starts once and never again. But a broker also reports what an account may do.
aiokafka does not have that form of the metadata request (version 8, Kafka 2.3), so it is defined here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    TopicAuthorizationFailedError,
)
from aiokafka.protocol.admin import DescribeGroupsRequest_v3, DescribeGroupsResponse_v3
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from stream.runtime.kafka.denied import DeniedError, Operation, ResourceKind
from stream.runtime.kafka.topic_admin import admin_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.runtime.kafka.topics import Topics

_NO_ERROR: Final = 0
_NOT_ASKED: Final = -(2**31)
"""Kafka's value for permissions that it was not asked for."""


_READS: Final = (Operation.READ, Operation.DESCRIBE_CONFIGS)
_READS_AND_WRITES: Final = (Operation.READ, Operation.WRITE, Operation.DESCRIBE_CONFIGS)


class _MetadataResponse(Response):  # type: ignore[misc]  # aiokafka ships no types mypy could follow
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", Array(("node_id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8")))),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("topic_authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _GroupStruct(DescribeGroupsRequest_v3):  # type: ignore[misc]
    RESPONSE_TYPE = DescribeGroupsResponse_v3  # aiokafka has that of version 2, which lacks the permissions


class _GroupRequest(Request[_GroupStruct]):  # type: ignore[misc]
    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[_GroupStruct]) -> _GroupStruct:
        return request_struct_class([self._group], True)


class _MetadataRequest(Request[_MetadataStruct]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataStruct]) -> _MetadataStruct:
        return request_struct_class(self._topics, False, False, True)


def needed(topics: Topics) -> dict[str, tuple[Operation, ...]]:
    """The operations of a worker on each topic. It writes to the log of deployments only where nothing was ever deployed."""
    ours = (topics.breaches, topics.escalations, topics.rejected, topics.changelog)
    return {topics.events: _READS, **dict.fromkeys(ours, _READS_AND_WRITES), topics.policies: _READS}


async def missing_permissions(bootstrap: str, topics: Topics, client: Mapping[str, Any]) -> list[str]:
    """The permissions on topics and the group that the account lacks, each with what grants it.

    Empty if it lacks none, or if the broker is too old to report it. Topics that are missing are left out. Raises
    ``aiokafka.errors.KafkaError`` if the cluster does not answer.
    """
    async with admin_client(bootstrap, client) as admin:
        try:
            lacking = await _lacking(admin, needed(topics))
        except NotImplementedError:
            return []
        if not await _may_join(admin, topics.group):
            lacking.append(DeniedError(Operation.READ, ResourceKind.GROUP, topics.group))
    return [str(each) for each in lacking]


async def missing_on_topics(
    bootstrap: str, wanted: Mapping[str, tuple[Operation, ...]], client: Mapping[str, Any]
) -> list[str]:
    """As ``missing_permissions``, for these operations on these topics alone: for commands that join no group."""
    async with admin_client(bootstrap, client) as admin:
        try:
            return [str(each) for each in await _lacking(admin, wanted)]
        except NotImplementedError:
            return []


async def _lacking(admin: Any, wanted: Mapping[str, tuple[Operation, ...]]) -> list[DeniedError]:
    """The operations on each topic that the account may not perform. Raises NotImplementedError if the broker is too old to
    report it."""
    lacking = []
    for topic in (await admin._send_request(_MetadataRequest(list(wanted)))).to_object()["topics"]:
        name = topic["topic"]
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            # It may not even see the topic, so the broker does not report what else it may do.
            lacking.append(DeniedError(wanted[name][0], ResourceKind.TOPIC, name))
        elif topic["error_code"] == _NO_ERROR:
            granted = topic["topic_authorized_operations"]
            lacking += [DeniedError(each, ResourceKind.TOPIC, name) for each in wanted[name] if not _may(granted, each)]
    return lacking


async def _may_join(admin: Any, group: str) -> bool:
    try:
        coordinator = await admin.find_coordinator(group)
        answer = await admin._send_request(_GroupRequest(group), coordinator)
    except GroupAuthorizationFailedError:
        return False
    except GroupCoordinatorNotAvailableError:
        return True  # nobody knows: a cluster that has not had a group yet makes the topic of the groups now
    (code, *_, granted), *_ = answer.groups
    if code == GroupAuthorizationFailedError.errno:
        return False
    # With another error nobody knows: a coordinator that has just started still loads its groups.
    return code != _NO_ERROR or _may(granted, Operation.READ)


def _may(granted: int, operation: Operation) -> bool:
    return granted == _NOT_ASKED or bool(granted >> operation & 1)
