"""The log of deployments of one installation, as commands reach it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import click
from aiokafka.errors import KafkaError

from stream.cli.topics import client_of, no_answer, topics_of
from stream.deployments.log import Reason, Void
from stream.runtime.kafka.policy_log import PolicyLog, PolicyLogError
from stream.runtime.kafka.topic_admin import verify_policies

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from stream.deployments.log import Entry
    from stream.deployments.record import DeploymentRecord
    from stream.runtime.kafka.policy_log import ReadLog

T = TypeVar("T")

_UNSURE: Final = (
    "the deployment may be in the log all the same: run the command again, which reports that nothing changes if it is"
)


@dataclass(frozen=True, slots=True)
class Installation:
    """The log of deployments of one installation."""

    broker: str
    app_id: str
    topic_prefix: str

    def read(self) -> ReadLog:
        """Raises click.ClickException."""
        topics = topics_of(self.app_id, self.topic_prefix)
        problems = self._run(verify_policies(self.broker, topics, client=client_of(self.broker)))
        if problems:
            raise click.ClickException("\n".join(problems))
        found = self._run(self._log().read())
        for void in found.void:
            if void.reason is Reason.UNREADABLE:
                click.echo(f"warning: {void.text}; it is void", err=True)
        return found

    def restore(self, values: Sequence[bytes]) -> ReadLog:
        """Append the records of an export to an empty log. Raises click.ClickException."""
        return self._run(self._log().restore(values))

    def append(self, record: DeploymentRecord) -> Entry:
        """Append a record, and read it back. Raises click.ClickException."""
        entry, _ = self._run(self._log().deploy(record), _UNSURE)
        if isinstance(entry, Void):
            raise click.ClickException(
                f"nothing was deployed, because another deployment came first: {entry.text}; "
                "run the command again to see the difference from that one"
            )
        return entry

    def _run(self, work: Coroutine[object, object, T], otherwise: str = "") -> T:
        """``otherwise``: what to report as well if Kafka fails. Raises click.ClickException."""
        try:
            return asyncio.run(work)
        except PolicyLogError as error:
            raise click.ClickException(str(error)) from error
        except KafkaError as error:
            refusal = no_answer(self.broker, error)
            raise click.ClickException("\n".join(filter(None, (refusal.message, otherwise)))) from error

    def _log(self) -> PolicyLog:
        return PolicyLog(client_of(self.broker), topics_of(self.app_id, self.topic_prefix))
