"""The output of a pull: a file in the order of the events' times, or the topic of ticket events."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

import msgspec

from stream.feeds.rejected_payload import MAX_BODY, encode_record
from stream.runtime.kafka.publisher import Publisher
from stream.wire.instants import parse_instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream.feeds.reading import MappedEvent
    from stream.feeds.rejected_payload import RejectedPayload
    from stream.runtime.kafka.topics import Topics

_log: Final = logging.getLogger(__name__)


class Output(Protocol):
    """Takes events in the order in which they were pulled."""

    async def write(self, events: Sequence[MappedEvent], dead_letters: Sequence[RejectedPayload]) -> None:
        """Return when they are safe. ``dead_letters``: documents that the mapping does not cover."""

    async def finish(self) -> None:
        """Nothing more comes."""


class _At(msgspec.Struct):
    at: str


_at: Final = msgspec.json.Decoder(_At).decode


class FileOutput:
    """JSON lines in the order of their times, as ``replay`` wants them. They are written when all have come."""

    def __init__(self, file: BinaryIO) -> None:
        self._file: Final = file
        self._events = dict[bytes, int]()

    async def write(self, events: Sequence[MappedEvent], dead_letters: Sequence[RejectedPayload]) -> None:  # noqa: ARG002  reported
        for event in events:
            self._events.setdefault(event.value, parse_instant(_at(event.value).at))

    async def finish(self) -> None:
        for value in sorted(self._events, key=self._events.__getitem__):
            self._file.write(value + b"\n")
        self._file.flush()


class TopicOutput:
    """The topic of ticket events, and that of the dead letters of feeds.

    ``write`` returns when Kafka has acknowledged everything. Every method but ``finish`` raises ``aiokafka.errors.KafkaError``:
    a part may then be on the topics, and writing it again does no harm.
    """

    def __init__(self, client: Mapping[str, Any], topics: Topics) -> None:
        self._events: Final = Publisher(client, topics.events)
        self._dead_letters: Final = Publisher(client, topics.feed_rejected)
        self._started = False

    async def start(self) -> None:
        """Connect; again after a KafkaError."""
        await self.stop()
        await self._events.start()
        await self._dead_letters.start()
        self._started = True

    async def stop(self) -> None:
        """Deliver the rest, and close the connections."""
        if self._started:
            self._started = False
            await self._events.stop()
            await self._dead_letters.stop()

    async def write(self, events: Sequence[MappedEvent], dead_letters: Sequence[RejectedPayload]) -> None:
        for event in events:
            await self._events.event(event.value, event.ticket.encode())
        for dead_letter in dead_letters:
            if len(dead_letter.body) <= MAX_BODY:
                await self._dead_letters.event(encode_record(dead_letter), dead_letter.feed.encode())
            else:
                _log.error("%s: a document of %d bytes is not kept as a dead letter", dead_letter.feed, len(dead_letter.body))
        await self._events.delivered()
        await self._dead_letters.delivered()

    async def tick(self, value: bytes) -> None:
        """Write a tick to every partition of the topic of ticket events, and wait until it is there."""
        await self._events.tick(value)
        await self._events.delivered()

    async def finish(self) -> None:
        """Everything is safe already."""
