"""A broker with Kafka's own authorizer: an account may do only what it is granted."""

from __future__ import annotations

import asyncio
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from stream.devkafka.ports import free_port
from stream.runtime.kafka.denied import Operation
from tests.broker.configured_broker import ConfiguredBroker

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics

PASSWORD: Final = "pass-4711"
_ACCOUNTS: Final = 64
_ALLOW: Final = 3
_LITERAL: Final = 3


class Resource(IntEnum):
    """Kafka's numbers of resource types."""

    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5


class Right(NamedTuple):
    """An operation that an account may do on a resource."""

    operation: Operation
    resource: Resource
    name: str


class GuardedBroker(ConfiguredBroker):
    """``guarded``: the address with login and permissions. ``bootstrap`` has neither, for the test itself."""

    def __init__(self) -> None:
        super().__init__({})
        self.guarded = f"127.0.0.1:{free_port()}"
        self._next = 0

    def _occupy(self) -> Path:
        users = " ".join(f'user_desk{number}="{PASSWORD}"' for number in range(_ACCOUNTS))
        doors = f"CLIENT://{self.bootstrap},GUARDED://{self.guarded}"
        controller = f"CONTROLLER://127.0.0.1:{free_port()}"
        self.changes = {
            "listeners": f"{doors},{controller}",
            "advertised.listeners": doors,
            "controller.quorum.voters": f"1@{controller.partition('//')[2]}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.guarded.plain.sasl.jaas.config": (
                f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        return super()._occupy()

    def account(self, rights: Iterable[Right]) -> dict[str, str]:
        """A new account that has these rights: its settings, as environment variables."""
        name = f"desk{self._next}"
        self._next += 1
        asyncio.run(self._grant(name, rights))
        return {
            "BREACHWATCH_BROKER": self.guarded,
            "BREACHWATCH_SASL_MECHANISM": "PLAIN",
            "BREACHWATCH_SASL_USERNAME": name,
            "BREACHWATCH_SASL_PASSWORD": PASSWORD,
        }

    async def _grant(self, name: str, rights: Iterable[Right]) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        for operation, resource, of in rights:
            request = CreateAclsRequest(resource, of, _LITERAL, f"User:{name}", "*", operation, _ALLOW)
            (granted,) = (await admin._send_to_controller(request)).creation_responses
            assert granted[0] == 0, granted
        await admin.close()


def of_a_worker(topics: Topics, partitions: int) -> list[Right]:
    """All that a worker needs, one by one; ``docs/guides/operate.md`` lists it."""
    ours = (topics.breaches, topics.escalations, topics.rejected, topics.changelog, topics.policies)
    both = (Operation.READ, Operation.WRITE, Operation.DESCRIBE_CONFIGS)
    return [
        Right(Operation.READ, Resource.TOPIC, topics.events),
        Right(Operation.DESCRIBE_CONFIGS, Resource.TOPIC, topics.events),
        *(Right(operation, Resource.TOPIC, name) for name in ours for operation in both),
        Right(Operation.READ, Resource.GROUP, topics.group),
        *(Right(Operation.WRITE, Resource.TRANSACTIONAL_ID, topics.transactional_id(number)) for number in range(partitions)),
    ]
