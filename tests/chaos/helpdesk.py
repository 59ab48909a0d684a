"""The source of a run's events: publishes each when its time has come, and again when it does not know what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.chaos.workload import BAD, Planned

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.chaos.pace import Pace

_TRY_SECONDS: Final = 5.0
_MOST: Final = 500


class Helpdesk:
    """``published``: for each partition, when the broker took the newest record (epoch microseconds), and its offset."""

    def __init__(self, bootstrap: str, topic: str, pace: Pace) -> None:
        self._bootstrap: Final = bootstrap
        self._topic: Final = topic
        self._pace: Final = pace
        self._feed: deque[Planned] = deque()
        self._at_once: deque[Planned] = deque()
        self._records: list[Planned] = []
        self._busy = False
        self.published: dict[int, tuple[int, int]] = {}
        self.again = 0
        """Records that were published once more because the broker had not answered."""

    @property
    def done(self) -> bool:
        return not self._feed and not self._at_once and not self._busy

    @property
    def records(self) -> list[Planned]:
        """What was published until now, repetitions included."""
        return self._records

    def feed(self, records: Iterable[Planned]) -> None:
        """Publish these when their time comes. They are in its order."""
        self._feed.extend(records)

    def publish_now(self, records: Iterable[Planned]) -> None:
        """Publish these as soon as possible."""
        self._at_once.extend(records)

    async def publish(self) -> None:
        """For ever: what is due, in its order, as long as the broker answers; otherwise all that was not answered, again."""
        waiting: list[Planned] = []
        while True:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                enable_idempotence=True,
                max_request_size=2_000_000,
                request_timeout_ms=int(_TRY_SECONDS * 1_000),
            )
            try:
                async with asyncio.timeout(_TRY_SECONDS):
                    await producer.start()
                while True:
                    waiting = waiting or self._due()
                    self._busy = bool(waiting)
                    await self._send(producer, waiting)
                    waiting, self._busy = [], False
                    await asyncio.sleep(0.05)
            except (KafkaError, TimeoutError, OSError):
                self.again += len(waiting)
                await asyncio.sleep(0.5)
            finally:
                with contextlib.suppress(KafkaError):
                    await producer.stop()

    def _due(self) -> list[Planned]:
        now = self._pace.now()
        due: list[Planned] = []
        while self._at_once and len(due) < _MOST:
            due.append(self._at_once.popleft())
        while self._feed and self._feed[0].when <= now and len(due) < _MOST:
            due.append(self._feed.popleft())
        return due

    async def _send(self, producer: Any, records: list[Planned]) -> None:
        deliveries = []
        async with asyncio.timeout(3 * _TRY_SECONDS):
            for one in records:
                headers = [(BAD, one.bad.encode())] if one.bad else []
                sending = producer.send(self._topic, one.value, key=one.key, partition=one.partition, headers=headers)
                deliveries.append(await sending)
            places = await asyncio.gather(*deliveries, return_exceptions=True)
        for one, place in zip(records, places, strict=True):
            if isinstance(place, BaseException):
                raise place
            self.published[one.partition] = time.time_ns() // 1_000, place.offset
        self._records += records
