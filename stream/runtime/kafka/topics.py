"""The names and settings of breachwatch's topics.

All topics with tickets have the same number of partitions, and the records of a ticket have the same partition number in each
of them. So one worker owns the input, the state and the output of a ticket together. The log of deployments is not about
tickets. It has one partition, because the order of its records decides what is in force.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEBIBYTE: Final = 1024 * 1024
_HOUR_MS: Final = 3_600_000
_LEGAL: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """The definition of one topic."""

    name: str
    settings: Mapping[str, str]
    at_least: Mapping[str, int] = field(default_factory=dict)
    """Settings with a smallest value, below which the broker would refuse records."""
    exactly: Mapping[str, str] = field(default_factory=dict)
    """Settings with a required value, without which state would be lost."""
    partitions: int | None = None
    """``None``: as many as the input topic has."""


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one installation.

    ``prefix`` is the prefix of the names of input and output topics. Faust names the changelog after ``app_id``. The log of
    deployments has both in its name: of two installations that read the same input under two app ids, each has its own
    policies. Raises ``ValueError`` if a name is not legal in Kafka.
    """

    app_id: str
    prefix: str = ""

    def __post_init__(self) -> None:
        for spec in self.specs():
            if not _LEGAL.fullmatch(spec.name):
                raise ValueError(
                    f"{spec.name!r} is not a legal topic name: use letters, digits, '.', '_' and '-' "
                    f"in the app id and the topic prefix, at most 249 characters"
                )

    @property
    def events(self) -> str:
        return f"{self.prefix}ticket-events"

    @property
    def breaches(self) -> str:
        return f"{self.prefix}sla-breaches"

    @property
    def escalations(self) -> str:
        return f"{self.prefix}sla-escalations"

    @property
    def rejected(self) -> str:
        return f"{self.prefix}ticket-events-rejected"

    @property
    def changelog(self) -> str:
        return f"{self.app_id}-tickets-changelog"

    @property
    def policies(self) -> str:
        """The log of deployments."""
        return f"{self.prefix}{self.app_id}-policies"

    def specs(self) -> tuple[TopicSpec, ...]:
        """All six topics, the input topic first."""
        # More than the 1 MiB of an event, so that events which are too large arrive and get a dead letter.
        large_event = 2 * _MEBIBYTE
        # A dead letter has the original record in base64.
        large_rejected = 4 * _MEBIBYTE
        # A deployment has at most 8 MiB, and its batch a little more.
        large_deployment = 9 * _MEBIBYTE
        kept = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
        return (
            # By the broker: when an event arrived decides what is late, and adapters set times of their own.
            TopicSpec(
                self.events,
                {"max.message.bytes": str(large_event), "message.timestamp.type": "LogAppendTime"},
                at_least={"max.message.bytes": large_event},
            ),
            TopicSpec(self.breaches, {}),
            TopicSpec(self.escalations, {}),
            _with_limit(self.rejected, large_rejected),
            TopicSpec(
                self.changelog,
                {
                    "cleanup.policy": "compact",
                    "min.compaction.lag.ms": str(_HOUR_MS),
                    "delete.retention.ms": str(7 * 24 * _HOUR_MS),
                    "segment.ms": str(_HOUR_MS),
                    "min.cleanable.dirty.ratio": "0.2",
                },
                exactly={"cleanup.policy": "compact"},
            ),
            TopicSpec(
                self.policies,
                {
                    **kept,
                    "max.message.bytes": str(large_deployment),
                    # By the broker: a deployer's clock may be wrong.
                    "message.timestamp.type": "LogAppendTime",
                    # Records are compressed already, and nobody may write one in a codec that workers do not have.
                    "compression.type": "uncompressed",
                },
                at_least={"max.message.bytes": large_deployment},
                exactly=kept,
                partitions=1,
            ),
        )


def _with_limit(name: str, max_bytes: int) -> TopicSpec:
    return TopicSpec(name, {"max.message.bytes": str(max_bytes)}, at_least={"max.message.bytes": max_bytes})
