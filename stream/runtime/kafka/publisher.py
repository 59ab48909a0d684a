"""Publishes ticket events, for ``publish``, the demo and any other source of events.

``Publisher`` writes to the topic. ``PacedFeed`` publishes a recorded feed with it, at the pace of its events or at once.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from aiokafka import AIOKafkaProducer

from stream.runtime.kafka.denied import Operation, ResourceKind, needing
from stream.wire.decode import Rejected, Tick, decode
from stream.wire.effect import encode_tick
from stream.wire.incoming import Incoming
from stream.wire.lines import key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_IN_FLIGHT: Final = 5_000
"""The most records in flight; with more, the publisher waits for the broker."""
_LONGEST_WAIT: Final = 0.5
_TICKER: Final = "publish"
"""The source of the ticks that a paced feed adds."""


class InvalidEventError(ValueError):
    """A line is not a valid event."""


class Publisher:
    """Writes to the topic of ticket events in the order of the calls. As a context manager, it starts and stops itself.

    It awaits deliveries in groups, so that errors appear soon. Every method raises ``aiokafka.errors.KafkaError``.
    """

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        """``client`` has the arguments of an aiokafka client with the address (``stream.runtime.kafka.connection``)."""
        self._topic: Final = topic
        self._client: Final = client
        self._producer: Any = None
        self._partitions: list[int] = []
        self._in_flight: list[Any] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Connect, and read the partitions of the topic."""
        self._producer = AIOKafkaProducer(
            **self._client,
            client_id="breachwatch-publish",
            enable_idempotence=True,
            linger_ms=5,
            max_batch_size=256 * 1024,
            max_request_size=2 * 1024 * 1024,
        )
        try:
            await self._producer.start()
            self._partitions = sorted(await self._producer.partitions_for(self._topic))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Deliver the remaining records and close the connections."""
        await self._producer.stop()

    async def event(self, value: bytes, key: bytes | None, partition: int | None = None) -> None:
        """Publish an event under its key, the ticket. ``partition`` is by default that of the key."""
        await self._send(value, key, partition)

    async def placed(self, value: bytes, key: bytes, partition: int | None = None) -> tuple[int, int]:
        """Publish an event, wait until it is acknowledged, and return its partition and offset."""
        with needing(Operation.WRITE, ResourceKind.TOPIC, self._topic):
            placed = await self._producer.send_and_wait(self._topic, value, key=key, partition=partition)
        return placed.partition, placed.offset

    async def tick(self, value: bytes) -> None:
        """Publish a ``feed.tick`` to every partition."""
        for partition in self._partitions:
            await self._send(value, None, partition)

    async def delivered(self) -> None:
        """Wait until all published records are acknowledged."""
        in_flight, self._in_flight = self._in_flight, []
        with needing(Operation.WRITE, ResourceKind.TOPIC, self._topic):
            for delivery in in_flight:
                await delivery

    async def _send(self, value: bytes, key: bytes | None, partition: int | None) -> None:
        self._in_flight.append(await self._producer.send(self._topic, value, key=key, partition=partition))
        if len(self._in_flight) >= _IN_FLIGHT:
            await self.delivered()


@dataclass(frozen=True, slots=True)
class Pace:
    """The speed of event time."""

    speed: float | None
    """Seconds of event time in a second; ``None`` is as fast as the broker accepts them."""
    tick_every: int | None
    """Microseconds of event time between two ticks; ``None``: no ticks between events."""
    last_tick: bool
    """Whether a tick at the end states that the feed is complete up to its last event."""


@dataclass(slots=True)
class Published:
    """The number of published records."""

    events: int = 0
    ticks: int = 0
    invalid: int = 0
    """Lines among the events that are not valid."""


class PacedFeed:
    """Publishes the lines of a feed in order."""

    def __init__(self, publisher: Publisher, pace: Pace) -> None:
        self.published: Final = Published()
        self._publisher: Final = publisher
        self._pace: Final = pace
        self._began: tuple[float, int] | None = None
        self._newest: int | None = None
        self._ticked: int | None = None
        self._tick_at: int | None = None

    async def line(self, line: bytes, *, refuse: bool) -> InvalidEventError | None:
        """Publish one line. If it is not a valid event, the problem is returned, or raised with ``refuse``."""
        key = key_of(line)
        decoded = decode(key, line, now=None)
        if isinstance(decoded, Rejected):
            self.published.invalid += 1
            problem = InvalidEventError(f"{decoded.reason}: {decoded.message} {decoded.path}".rstrip())
            if refuse:
                raise problem
            # The worker rejects the line and writes a dead letter.
            await self._publisher.event(line, key or b"")
            self.published.events += 1
            return problem
        at = decoded.event.at if isinstance(decoded, Incoming) else decoded.at
        await self._advance_to(at)
        if isinstance(decoded, Tick):
            await self._tick(line)
            self._ticked = max(self._ticked or at, at)
        else:
            await self._publisher.event(line, key)
            self.published.events += 1
        return None

    async def finish(self) -> None:
        """Publish the last tick, and wait until all records are delivered."""
        if self._pace.last_tick and self._newest is not None and self._newest != self._ticked:
            await self._tick(encode_tick(_TICKER, self._newest))
        await self._publisher.delivered()

    async def _advance_to(self, at: int) -> None:
        """Publish the ticks before this instant, and wait until the feed has reached it."""
        every, newest = self._pace.tick_every, self._newest
        if newest is None:
            self._began = (time.monotonic(), at)
            self._tick_at = at + every if every is not None else None
        while every is not None and self._tick_at is not None and self._tick_at < at:
            await self._wait_for(self._tick_at)
            await self._tick(encode_tick(_TICKER, self._tick_at))
            self._tick_at += every
        self._newest = at if newest is None else max(newest, at)
        await self._wait_for(at)

    async def _wait_for(self, at: int) -> None:
        if self._pace.speed is None or self._began is None:
            return
        began, first = self._began
        due = began + (at - first) / 1e6 / self._pace.speed
        while (left := due - time.monotonic()) > 0:
            await self._publisher.delivered()
            await asyncio.sleep(min(left, _LONGEST_WAIT))

    async def _tick(self, line: bytes) -> None:
        await self._publisher.tick(line)
        self.published.ticks += 1
