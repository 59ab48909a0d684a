"""The permission that an account lacks, in the words of the tool that grants it."""

from __future__ import annotations

from contextlib import contextmanager
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_REFUSALS: Final = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)


class Operation(IntEnum):
    """Kafka's numbers of operations."""

    READ = 3
    WRITE = 4
    CREATE = 5
    ALTER = 7
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10

    @property
    def named(self) -> str:
        """As ``kafka-acls.sh`` writes it."""
        return "".join(part.capitalize() for part in self.name.split("_"))


class ResourceKind(StrEnum):
    """The kind of resource that a permission is on, as ``kafka-acls.sh`` names it."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactional-id"


class DeniedError(KafkaError):  # type: ignore[misc]  # aiokafka ships no types mypy could follow
    """The account lacks a permission. The text names it, and the command that grants it."""

    def __init__(self, operation: Operation, kind: ResourceKind, name: str) -> None:
        super().__init__(
            f"the account lacks the permission {operation.named} on {kind.replace('-', ' ')} {name}: grant it with "
            f"`kafka-acls.sh --bootstrap-server BROKER --add --allow-principal User:NAME --operation {operation.named} "
            f"--{kind} {name}`"
        )

    def __str__(self) -> str:
        return str(self.args[0])


@contextmanager
def needing(operation: Operation, kind: ResourceKind, name: str) -> Iterator[None]:
    """Turn Kafka's refusal inside the block, which does not name the operation, into a DeniedError."""
    try:
        yield
    except _REFUSALS as error:
        raise DeniedError(operation, kind, name) from error
