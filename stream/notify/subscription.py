"""The topics that a destination reads, and the offsets at which it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from aiokafka.structs import TopicPartition


class Subscription:
    """The input of a pipeline: topics, group, and the start of a group that has never committed."""

    def __init__(self, client: Mapping[str, Any], topics: Collection[str], group: str, begin: int | None) -> None:
        """``begin``: an instant (epoch microseconds); ``None``: the end of the topics."""
        self.topics: Final = tuple(topics)
        self.group: Final = group
        self.begin: Final = begin
        self._client: Final = dict(client)

    def consumer(self) -> Any:
        return AIOKafkaConsumer(
            **self._client,
            client_id="breachwatch-notify",
            group_id=self.group,
            enable_auto_commit=False,
            # The shortest that brokers allow by default: nothing here blocks the event loop.
            session_timeout_ms=6_000,
            heartbeat_interval_ms=2_000,
            isolation_level="read_committed",
            # Only where what was committed is not there any more: what is left is read.
            auto_offset_reset="earliest",
            metadata_max_age_ms=60_000,
        )

    async def begins(self, consumer: Any, missing: Sequence[TopicPartition], *, new: bool) -> dict[TopicPartition, int]:
        """The offsets at which to begin in partitions without a commit.

        ``new``: the group has committed nothing at all. Otherwise the partitions were added later, and are read from their
        beginning.
        """
        if not new:
            return dict(await consumer.beginning_offsets(missing))
        ends = dict(await consumer.end_offsets(missing))
        if self.begin is None:
            return ends
        found = await consumer.offsets_for_times(dict.fromkeys(missing, self.begin // 1_000))
        return {tp: ends[tp] if found.get(tp) is None else found[tp].offset for tp in missing}
