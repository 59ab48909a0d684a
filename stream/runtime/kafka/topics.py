"""The names and settings of breachwatch's topics.

All topics with tickets have the same number of partitions, and the records of a ticket have the same partition number in each
of them. So one worker owns the input, the state and the output of a ticket together. The log of deployments is not about
tickets. It has one partition, because the order of its records decides what is in force.

Longer than 250 lines because it is one table of topics.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEBIBYTE: Final = 1024 * 1024
_GIBIBYTE: Final = 1024 * _MEBIBYTE
_KAFKA_LIMIT: Final = 1_048_588
"""The largest batch that Kafka accepts by default."""
_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
SHORTEST_RETENTION_MS: Final = _DAY_MS
"""Of the input: so long may all workers be away."""
EFFECTS_RETENTION_MS: Final = 400 * 24 * _HOUR_MS
"""Of the effects, unless another is asked for: a year of a contract and the time to settle it."""
_SAFE: Final = {"unclean.leader.election.enable": "false"}
"""A replica that lacks records must not become the leader: it would delete them from all others. Some providers
allow it. Others refuse a topic that sets this at its creation, so it is only checked."""
_LEGAL: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """The definition of one topic."""

    name: str
    settings: Mapping[str, str]
    at_least: Mapping[str, int] = field(default_factory=dict)
    """Settings with a smallest value, below which the broker would refuse records, or delete them before they are read. -1 is
    without a limit."""
    exactly: Mapping[str, str] = field(default_factory=dict)
    """Settings with a required value, without which state or unread events would be lost."""
    at_most: Mapping[str, int] = field(default_factory=dict)
    """Settings with a largest value, above which what is about people stays for longer than it should. -1 is without a limit.
    A worker runs all the same."""
    partitions: int | None = None
    """``None``: as many as the input topic has."""
    of_effects: bool = False
    """Whether its retention is that of effects."""


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one installation.

    ``prefix`` begins the name of everything that an installation has on the cluster. What it does not share with others that
    read the same input has ``app_id`` in its name as well: the consumer group, the changelog, the log of deployments and the
    transactional ids. Raises ``ValueError`` if a name is not legal in Kafka.

    Two pairs of prefix and app id may give the same names, such as ``a`` and ``bc``, ``ab`` and ``c``. The log of deployments
    states whose it is (``stream.runtime.kafka.policy_log``), so the second of them does not start.
    """

    app_id: str
    prefix: str = ""
    rejected_retention_ms: int = 7 * _DAY_MS
    """The retention of rejected records and payloads: they may have text that people wrote."""

    def __post_init__(self) -> None:
        for spec in (*self.specs(), *self.optional_specs()):
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
    def group(self) -> str:
        """The consumer group, which is also the id of the Faust app."""
        return f"{self.prefix}{self.app_id}"

    @property
    def changelog(self) -> str:
        """Faust names it after the group and the table."""
        return f"{self.group}-tickets-changelog"

    def transactional_id(self, partition: int) -> str:
        return f"{self.group}-p{partition}"

    @property
    def policies(self) -> str:
        """The log of deployments."""
        return f"{self.group}-policies"

    @property
    def feed_rejected(self) -> str:
        """The payloads of feeds that their mappings do not cover."""
        return f"{self.prefix}feed-rejected"

    @property
    def feed_state(self) -> str:
        """The cursor of each feed that is pulled. It is not a worker's, and so has no ``app_id``."""
        return f"{self.prefix}feed-state"

    @property
    def notify_state(self) -> str:
        """The messages that each destination was sent."""
        return f"{self.prefix}notify-state"

    def notify_group(self, destination: str) -> str:
        """The consumer group of a destination of notifications."""
        return f"{self.prefix}notify-{destination}"

    @property
    def writeback_state(self) -> str:
        """The values that the helpdesks were given of each ticket."""
        return f"{self.prefix}writeback-state"

    @property
    def writeback_group(self) -> str:
        """The consumer group of those who write into the helpdesks."""
        return f"{self.prefix}writeback"

    def pull_id(self, feed: str) -> str:
        """The transactional id of whoever pulls a feed."""
        return f"{self.prefix}pull-{feed}"

    @property
    def _kept_rejected(self) -> dict[str, str]:
        # Kafka deletes whole segments, so the newest record of one keeps the oldest.
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.rejected_retention_ms),
            "segment.ms": str(_DAY_MS),
        }

    def optional_specs(self) -> tuple[TopicSpec, ...]:
        """The topics that no worker needs. ``topics create`` creates them; the commands that need one refuse without it."""
        # A payload of 1 MiB in base64, and its headers.
        large_payload = 2 * _MEBIBYTE
        return (
            TopicSpec(
                self.feed_rejected,
                {**self._kept_rejected, "max.message.bytes": str(large_payload)},
                at_least={"max.message.bytes": large_payload},
                exactly={"cleanup.policy": "delete", **_SAFE},
                at_most={"retention.ms": self.rejected_retention_ms, "segment.ms": _DAY_MS},
                partitions=1,
            ),
            _compacted(self.feed_state),
            _compacted(self.writeback_state),
            # A month: what was sent longer ago is not taken back any more.
            TopicSpec(
                self.notify_state,
                {"cleanup.policy": "compact,delete", "retention.ms": str(30 * _DAY_MS), "segment.ms": str(_DAY_MS)},
                at_least={"retention.ms": 7 * _DAY_MS},
                exactly={"cleanup.policy": "compact,delete", **_SAFE},
                partitions=1,
            ),
        )

    def specs(self) -> tuple[TopicSpec, ...]:
        """The six topics of a worker, the input topic first."""
        # More than the 1 MiB of an event, so that events which are too large arrive and get a dead letter.
        large_event = 2 * _MEBIBYTE
        # A dead letter has the original record in base64.
        large_rejected = 4 * _MEBIBYTE
        # A deployment has at most 8 MiB, and its batch a little more.
        large_deployment = 9 * _MEBIBYTE
        kept = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
        changelog = _with_limit(self.changelog, _KAFKA_LIMIT)
        return (
            # The time is by the broker: when an event arrived decides what is late, and adapters set times of their own.
            TopicSpec(
                self.events,
                {
                    "cleanup.policy": "delete",
                    "max.message.bytes": str(large_event),
                    "message.timestamp.type": "LogAppendTime",
                },
                at_least={
                    "max.message.bytes": large_event,
                    "retention.ms": SHORTEST_RETENTION_MS,
                    "retention.bytes": _GIBIBYTE,
                },
                exactly={"cleanup.policy": "delete", **_SAFE},
            ),
            _record_of_effects(self.breaches),
            _record_of_effects(self.escalations),
            TopicSpec(
                self.rejected,
                {**self._kept_rejected, "max.message.bytes": str(large_rejected)},
                at_least={"max.message.bytes": large_rejected},
                exactly=_SAFE,
                at_most={"retention.ms": self.rejected_retention_ms, "segment.ms": _DAY_MS},
            ),
            TopicSpec(
                self.changelog,
                {
                    **changelog.settings,
                    "cleanup.policy": "compact",
                    "min.compaction.lag.ms": str(_HOUR_MS),
                    "max.compaction.lag.ms": str(_DAY_MS),
                    "delete.retention.ms": str(7 * _DAY_MS),
                    "segment.ms": str(_HOUR_MS),
                    "min.cleanable.dirty.ratio": "0.2",
                },
                at_least=changelog.at_least,
                exactly={"cleanup.policy": "compact", **_SAFE},
                # What a ticket was before it was erased is gone a day later.
                at_most={"max.compaction.lag.ms": _DAY_MS, "delete.retention.ms": 7 * _DAY_MS},
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
                exactly={**kept, **_SAFE},
                partitions=1,
            ),
        )


def _compacted(name: str) -> TopicSpec:
    """A topic with the newest record of each key, for what is small and read whole."""
    return TopicSpec(
        name,
        {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.2", "segment.ms": str(_HOUR_MS)},
        exactly={"cleanup.policy": "compact", **_SAFE},
        partitions=1,
    )


def _record_of_effects(name: str) -> TopicSpec:
    """Effects are the record of what was promised and broken, so that of the cluster, often a week, is too short."""
    settings = {
        "cleanup.policy": "delete",
        "retention.ms": str(EFFECTS_RETENTION_MS),
        "retention.bytes": "-1",
        "max.message.bytes": str(_KAFKA_LIMIT),
    }
    return TopicSpec(name, settings, at_least={"max.message.bytes": _KAFKA_LIMIT}, exactly=_SAFE, of_effects=True)


def _with_limit(name: str, max_bytes: int) -> TopicSpec:
    return TopicSpec(name, {"max.message.bytes": str(max_bytes)}, at_least={"max.message.bytes": max_bytes}, exactly=_SAFE)
