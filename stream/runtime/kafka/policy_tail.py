"""Follows the topic of deployments: every record from an offset on, as it comes."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from stream.runtime.kafka.outage import plain
from stream.runtime.kafka.policy_log import WAIT_MS, LogCutError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from stream.runtime.kafka.policy_log import LogRecord, PolicyLog

_PAUSE: Final = 1.0
"""Seconds between two attempts to reach a broker."""

log = logging.getLogger("stream.policies")


class Tail:
    """All records from an offset on, the present and the coming ones: ``async for record in tail.records()``.

    It outlives brokers: while none answers it waits, and it never gives a record twice or leaves one out.
    """

    def __init__(self, policy_log: PolicyLog, offset: int) -> None:
        """``offset``: of the first record that is wanted (``ReadLog.end``)."""
        self.offset = offset
        """Of the record that comes next."""
        self.behind = 0
        """The number of offsets between that and the end of the log, as far as it is known."""
        self._policy_log: Final = policy_log
        self._answered = time.monotonic()

    @property
    def silent_for(self) -> float:
        """Seconds since a broker last answered. While one does, at most a second or so."""
        return time.monotonic() - self._answered

    async def records(self) -> AsyncGenerator[LogRecord, None]:
        """Never ends by itself. Raises ForeignLogError, and LogCutError when the log is shorter than what was read of it."""
        while True:
            try:
                async with self._policy_log.consumer() as consumer:
                    consumer.seek(self._policy_log.partition, self.offset)
                    while True:
                        async for record in self._next(consumer):
                            yield record
            except OffsetOutOfRangeError as error:
                raise LogCutError(self._policy_log.cut(f"does not have offset {self.offset} any more")) from error
            except KafkaError as error:
                log.warning("the log of deployments cannot be read now, trying again: %s", plain(error))
                await asyncio.sleep(_PAUSE)

    async def _next(self, consumer: Any) -> AsyncIterator[LogRecord]:
        partition, answered = self._policy_log.partition, consumer.last_poll_timestamp(self._policy_log.partition)
        found = await consumer.getmany(partition, timeout_ms=WAIT_MS)
        if consumer.last_poll_timestamp(partition) != answered:
            self._answered = time.monotonic()
        for record in found.get(partition, ()):
            self.offset = record.offset + 1
            self._measure(consumer.highwater(partition))
            yield self._policy_log.taken(record)
        self.offset = await consumer.position(partition)
        self._measure(consumer.highwater(partition))

    def _measure(self, end: int | None) -> None:
        if end is not None:
            self.behind = max(0, end - self.offset)
