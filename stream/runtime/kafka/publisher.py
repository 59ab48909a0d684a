"""Publishes ticket events: what ``publish``, the demo and any other source of events share.

``Publisher`` is the way onto the topic. ``PacedFeed`` plays a recorded feed through it, at the pace of its events or at once.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from aiokafka import AIOKafkaProducer

from stream.wire.decode import Rejected, Tick, decode
from stream.wire.effect import encode_tick
from stream.wire.lines import key_of
from stream.wire.ticket_event import Incoming

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNDER_WAY: Final = 5_000
"""Records that may be under way before we wait for the broker."""
_LONGEST_NAP: Final = 0.5
_TICKER: Final = "publish"
"""Source of the ticks that a paced feed adds."""


class InvalidEventError(ValueError):
    """A line is not a valid event."""


class Publisher:
    """Writes to the topic of ticket events, in the order of the calls. As a context manager it starts and stops by itself.

    Deliveries are awaited in groups, so that an error is found soon. Every method raises ``aiokafka.errors.KafkaError``.
    """

    def __init__(self, client: Mapping[str, Any], topic: str) -> None:
        """``client``: arguments of an aiokafka client, the address among them (``stream.runtime.kafka.connection``)."""
        self._topic: Final = topic
        self._client: Final = client
        self._producer: Any = None
        self._partitions: list[int] = []
        self._under_way: list[Any] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Connect, and learn which partitions the topic has."""
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
        """Let go of the connections. What is not delivered yet is sent first."""
        await self._producer.stop()

    async def event(self, value: bytes, key: bytes | None, partition: int | None = None) -> None:
        """Publish an event under its key, the ticket. ``partition``: ``None`` for that of the key."""
        await self._send(value, key, partition)

    async def tick(self, value: bytes) -> None:
        """Publish a ``feed.tick`` to every partition."""
        for partition in self._partitions:
            await self._send(value, None, partition)

    async def delivered(self) -> None:
        """Wait until everything that was published is acknowledged."""
        under_way, self._under_way = self._under_way, []
        for delivery in under_way:
            await delivery

    async def _send(self, value: bytes, key: bytes | None, partition: int | None) -> None:
        self._under_way.append(await self._producer.send(self._topic, value, key=key, partition=partition))
        if len(self._under_way) >= _UNDER_WAY:
            await self.delivered()


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast event time passes."""

    speed: float | None
    """Seconds of event time a second; ``None``: as fast as the broker takes it."""
    tick_every: int | None
    """Microseconds of event time between two ticks; ``None``: no ticks between events."""
    last_tick: bool
    """Whether a tick at the end announces that the feed is complete up to its last event."""


@dataclass(slots=True)
class Published:
    """What was published."""

    events: int = 0
    ticks: int = 0
    invalid: int = 0
    """Lines among the events that are not valid."""


class PacedFeed:
    """Publishes the lines of a feed in their order."""

    def __init__(self, publisher: Publisher, pace: Pace) -> None:
        self.published: Final = Published()
        self._publisher: Final = publisher
        self._pace: Final = pace
        self._began: tuple[float, int] | None = None
        self._newest: int | None = None
        self._ticked: int | None = None
        self._tick_at: int | None = None

    async def line(self, line: bytes, *, refuse: bool) -> None:
        """Publish one line. ``refuse``: whether a line that is not a valid event is an error.

        Raises InvalidEventError for a line that is refused.
        """
        key = key_of(line)
        heard = decode(key, line, now=None)
        if isinstance(heard, Rejected):
            self.published.invalid += 1
            if refuse:
                raise InvalidEventError(f"{heard.reason}: {heard.message} {heard.path}".rstrip())
            # The worker judges it: that is what the topic of rejected events is for.
            await self._publisher.event(line, key or b"")
            self.published.events += 1
            return
        at = heard.event.at if isinstance(heard, Incoming) else heard.at
        await self._pass_to(at)
        if isinstance(heard, Tick):
            await self._tick(line)
            self._ticked = max(self._ticked or at, at)
        else:
            await self._publisher.event(line, key)
            self.published.events += 1

    async def finish(self) -> None:
        """Announce that the feed is complete up to its last event, and wait until everything is delivered."""
        if self._pace.last_tick and self._newest is not None and self._newest != self._ticked:
            await self._tick(encode_tick(_TICKER, self._newest))
        await self._publisher.delivered()

    async def _pass_to(self, at: int) -> None:
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
            await asyncio.sleep(min(left, _LONGEST_NAP))

    async def _tick(self, line: bytes) -> None:
        await self._publisher.tick(line)
        self.published.ticks += 1
