"""The messages that each destination was sent, in memory and on the topic ``notify-state``.

The topic is compacted and keeps a month. Of the memory, the oldest gives way, so that it is bounded: a retraction of something
that old is not sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream.notify.decision import Sent
from stream.runtime.kafka.denied import Operation, ResourceKind, needing
from stream.runtime.kafka.topic_reader import Place, open_topics
from stream.wire.forms import check_form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

FORM: Final = 1
"""Of a record of the topic: ``stream.wire.forms``."""
MOST: Final = 200_000
"""Messages that are remembered."""
_LONGEST_WAIT: Final = 30.0


class _State(msgspec.Struct, omit_defaults=True):
    """The value of a record of the topic. Its key is the destination, a slash, and the id of the effect."""

    digest: str
    withdrawn: bool = False
    provisional: bool = False


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_State).decode


class Memory:
    """The messages that each destination was sent, newest last."""

    def __init__(self, most: int = MOST) -> None:
        self._most: Final = most
        self._sent: Final[OrderedDict[str, Sent]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sent)

    def get(self, destination: str, effect_id: str) -> Sent | None:
        return self._sent.get(f"{destination}/{effect_id}")

    def put(self, destination: str, effect_id: str, sent: Sent) -> None:
        self.put_record(f"{destination}/{effect_id}", sent)

    def put_record(self, key: str, sent: Sent) -> None:
        """Keep the newest record of an effect, but never forget a withdrawal: the record of an earlier state may come later."""
        before = self._sent.get(key)
        self._sent[key] = sent if before is None or not before.withdrawn else sent._replace(withdrawn=True)
        self._sent.move_to_end(key)
        if len(self._sent) > self._most:
            self._sent.popitem(last=False)


class SentRecorder(Protocol):
    """Remembers durably what a destination was sent."""

    async def record(self, destination: str, sent: Sequence[tuple[str, Sent]]) -> None:
        """Pairs of the id of an effect and what is known of it now. Returns when they are durable."""


class StateTopic:
    """The topic behind a memory. Another instance may write to it, so it is read again whenever partitions come here."""

    def __init__(self, bootstrap: str, client: Mapping[str, Any], topic: str, memory: Memory) -> None:
        self._bootstrap: Final = bootstrap
        self._client: Final = dict(client)
        self._topic: Final = topic
        self._memory: Final = memory
        self._open: Final = AsyncExitStack()
        self._reader: Any = None
        self._producer: Any = None
        self._reading: Final = asyncio.Lock()

    async def start(self) -> None:
        """Read the topic, and be ready to write to it. May be called again after a KafkaError.

        Raises MissingTopicError, NewerReleaseError, ``aiokafka.errors.KafkaError``.
        """
        await self.stop()
        self._reader = await self._open.enter_async_context(open_topics(self._bootstrap, self._client, [self._topic]))
        await self._reader.seek(Place.BEGIN)
        await self.catch_up()
        # A record that is written twice does no harm.
        self._producer = AIOKafkaProducer(**self._client, client_id="breachwatch-notify", acks="all")
        self._open.push_async_callback(self._producer.stop)
        await self._producer.start()

    async def stop(self) -> None:
        await self._open.aclose()

    async def catch_up(self) -> None:
        """Read the topic on to its present end."""
        async with self._reading:
            async for records in self._reader.to_end():
                self._apply(records)

    async def record(self, destination: str, sent: Sequence[tuple[str, Sent]]) -> None:
        """As ``SentRecorder.record``: tries until Kafka has them, since the messages are sent already."""
        wait = 0.5
        while True:
            try:
                with needing(Operation.WRITE, ResourceKind.TOPIC, self._topic):
                    deliveries = [
                        await self._producer.send(
                            self._topic, _encode(_State(*each)), key=f"{destination}/{effect_id}".encode()
                        )
                        for effect_id, each in sent
                    ]
                    for delivery in deliveries:
                        await delivery
            except KafkaError as error:
                text = "%s: what was sent cannot be recorded on %s, next attempt in %g s: %s"
                log.warning(text, destination, self._topic, wait, error)
            else:
                return
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    def _apply(self, records: list[Any]) -> None:
        for record in records:
            # What was sent counts: without it, messages would be sent again.
            check_form(record.value or b"", FORM, f"what was sent, in {record.topic},")
            try:
                state = _decode(record.value or b"")
                key = (record.key or b"").decode()
            except (ValueError, RecursionError):  # not JSON, or not UTF-8
                log.warning(
                    "%s[%d]@%d is not a record of notify, and is ignored", record.topic, record.partition, record.offset
                )
            else:
                self._memory.put_record(key, Sent(state.digest, state.withdrawn, state.provisional))
