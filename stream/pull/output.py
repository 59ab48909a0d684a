"""Where events go: a file in the order of their times, or the topic of ticket events."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

import msgspec

from stream.wire.instants import parse_instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.feeds.reading import MappedEvent
    from stream.runtime.kafka.publisher import Publisher


class Output(Protocol):
    """Takes events in the order in which they were pulled."""

    async def write(self, events: Sequence[MappedEvent]) -> None:
        """Return when they are safe."""

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

    async def write(self, events: Sequence[MappedEvent]) -> None:
        for event in events:
            self._events.setdefault(event.value, parse_instant(_at(event.value).at))

    async def finish(self) -> None:
        for value in sorted(self._events, key=self._events.__getitem__):
            self._file.write(value + b"\n")
        self._file.flush()


class TopicOutput:
    """The topic of ticket events. ``write`` returns when Kafka has acknowledged all of them."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher: Final = publisher

    async def write(self, events: Sequence[MappedEvent]) -> None:
        """Raises ``aiokafka.errors.KafkaError``: some of them may be on the topic, and writing them again does no harm."""
        for event in events:
            await self._publisher.event(event.value, event.ticket.encode())
        await self._publisher.delivered()

    async def finish(self) -> None:
        """Everything is safe already."""
