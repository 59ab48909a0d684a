"""Emits the effects of a unit of work, all or none: a transactional producer that only the partition's owner can use.

Starting it (InitProducerId) ends what another worker had begun under the same id, and refuses that worker from then on,
however late it wakes up. So what stands in the topics is read back (``output_recovery``) after that, never before.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from stream.runtime.failpoint import failpoint
from stream.runtime.kafka.denied import Operation, ResourceKind, needing
from stream.runtime.kafka.transport import submit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stream.runtime.kafka.clients import Clients, TransactionalProducer
    from stream.runtime.kafka.topics import Topics
    from stream.runtime.kafka.transport import Record
    from stream.sla.ticket.state import Unconfirmed


DEPLOYED: Final = "deployed"
"""Header of an effect: the newest deployment that the worker knew; absent: 0."""
EVENTS: Final = "events"
"""Header of an effect that time or a deployment made true: its ticket had got an event in the same unit of work, which comes
again and must come first; absent: it had not."""
SETTLED: Final = "settled"
"""Header of an effect: time made its ticket settle, at this instant (epoch microseconds); absent: it did not."""
ORIGIN: Final = "origin"
"""Header of a dead letter: which record it is about (``stream.runtime.recovery.output_recovery.origin``)."""


RENEW_AFTER: Final = 3_600.0
"""Seconds without a transaction after which a producer is replaced before the next one."""


class Outputs:
    """Writes effects and dead letters of one partition, and knows which of them its tickets may not know of."""

    def __init__(self, producer: TransactionalProducer, partition: int, dead_letters: str) -> None:
        """``dead_letters``: the topic of dead letters."""
        self.emitted_ids: Final[set[bytes]] = set()
        """Ids of effects and origins of dead letters that need not be written again;
        ``stream.runtime.recovery.output_recovery``."""
        self.unconfirmed: dict[bytes, Unconfirmed] = {}
        """Those of ``emitted_ids`` that were emitted as provisional because a feed was stale."""
        self.woken_until: dict[bytes, int] = {}
        """Record keys of tickets to the newest instant (epoch microseconds) at which time alone made true what was emitted."""
        self.deployed: Final[dict[bytes, int]] = {}
        """Record keys of tickets to the newest deployment that a predecessor knew when it emitted what was read back."""
        self.sending_since: float | None = None
        """Epoch seconds since when a write is under way; ``None``: there is none."""
        self._producer = producer
        self._used = time.monotonic()
        self._partition: Final = partition
        self._dead_letters: Final = dead_letters
        self.recovered = False
        """Whether nothing that a predecessor emitted will arise again."""
        self._from: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        self._finished: deque[tuple[int, int, list[bytes]]] = deque()
        self._origins: list[bytes] = []
        """Of dead letters that are written, from input that is not finished."""
        self._found_origins: list[bytes] = []
        """Of dead letters that the owners before have written."""

    def found_dead_letter(self, origin: bytes) -> None:
        """On taking over: this record needs no dead letter any more."""
        self.emitted_ids.add(origin)
        self._found_origins.append(origin)

    def found(self, topic: str, unknown_from: int, end: int) -> None:
        """On taking over: from which offset on the topic may hold what the tickets do not know of, and where it ends."""
        self._from[topic], self._ends[topic] = unknown_from, end

    def finished(self, end: int, *, live: bool) -> None:
        """The input is processed up to this offset and the tickets are written. ``live``: all that was there at the start."""
        if live:
            # Only events are judged as the predecessor judged them. Deadlines and the sweep meet all deployments.
            self.deployed.clear()
        # After a rebalance, batches may end elsewhere: a bad record of one that was not finished may lie behind this one.
        done, behind, written = list[bytes](), list[bytes](), self._ends[self._dead_letters]
        for origin in self._origins:
            (behind if int(origin.partition(b"@")[0]) >= end else done).append(origin)
        if behind:
            written = self._finished[-1][1] if self._finished else self._from[self._dead_letters]
        self._finished.append((end, written, done))
        self._origins = behind

    def end_recovery(self) -> None:
        """Forget the effects that a predecessor emitted and its tickets did not know: each has arisen again and was not
        written, or never will."""
        self.recovered = True
        # Not so its dead letters and ours: a rebalance brings input that is not committed once more.
        self._origins += self._found_origins
        self._found_origins.clear()
        self.emitted_ids.clear()
        self.emitted_ids.update(self._origins, *(origins for _, _, origins in self._finished))
        self.unconfirmed.clear()

    def unknown_from(self, committed: int) -> dict[str, int]:
        """Output topic to the offset from which on a successor must read: what is before it will not come again.

        ``committed``: the input offset that the group has committed. Effects are known to the tickets; of bad records nothing
        is known but their dead letters, so of those everything counts that comes from input after it.
        """
        dead_letters = self._from[self._dead_letters]
        while self._finished and self._finished[0][0] <= committed:
            _, dead_letters, origins = self._finished.popleft()
            self.emitted_ids.difference_update(origins)
        if self.recovered:
            self._from = {**self._ends, self._dead_letters: dead_letters}
        return self._from

    async def write(self, outputs: Mapping[str, Iterable[Record]]) -> None:
        """Write the records to this partition of each topic; return when all of them, as one, are committed.

        Dead letters are a collection; effects may be an iterator, which then is not empty.

        Raises ``aiokafka.errors.KafkaError``, ``ProducerFenced`` when another worker has the partition. The process
        must end then: only a new producer can find out what became of the transaction.
        """
        if not any(outputs.values()):
            return
        self._used = time.monotonic()
        self.sending_since = time.time()
        await self._producer.begin_transaction()
        deliveries = []
        for topic, records in outputs.items():
            submitted = await submit(self._producer, topic, self._partition, records)
            deliveries += [(topic, delivery, count) for delivery, count in submitted]
        for topic, delivery, count in deliveries:
            with needing(Operation.WRITE, ResourceKind.TOPIC, topic):
                written = await delivery
            self._ends[written.topic] = written.offset + count
        failpoint("in_outputs")
        await self._producer.commit_transaction()
        self.sending_since = None
        failpoint("after_outputs")
        self._origins += [
            value
            for dead_letter in outputs.get(self._dead_letters, ())
            for name, value in dead_letter.headers
            if name == ORIGIN
        ]
        # Input that is finished and not committed comes again when the partition stays here after a rebalance.
        self.emitted_ids.update(self._origins)

    def may_be_forgotten(self) -> bool:
        """Whether so much time has passed without a transaction that the broker may not know the producer any more.

        It forgets a transactional id after ``transactional.id.expiration.ms``, a week by default, and refuses its next
        transaction.
        """
        return time.monotonic() - self._used > RENEW_AFTER

    async def renew(self, clients: Clients, topics: Topics) -> None:
        """Take a new producer. It would fence another owner, so the caller must have proved that the partition is ours."""
        await self._producer.stop()
        self._producer = await _started(clients, topics, self._partition)
        self._used = time.monotonic()

    async def close(self) -> None:
        """Let go of the connections. No unit of work may be under way."""
        await self._producer.stop()


async def fence(clients: Clients, topics: Topics, partitions: Iterable[int]) -> dict[int, Outputs]:
    """Partition number to its outputs, from now on this worker's alone. Raises ``aiokafka.errors.KafkaError``."""

    async def one(partition: int) -> tuple[int, Outputs]:
        return partition, Outputs(await _started(clients, topics, partition), partition, topics.rejected)

    return dict(await asyncio.gather(*map(one, partitions)))


async def _started(clients: Clients, topics: Topics, partition: int) -> TransactionalProducer:
    transactional_id = topics.transactional_id(partition)
    producer = clients.transactional_producer(f"breachwatch-outputs-{partition}", transactional_id)
    with needing(Operation.WRITE, ResourceKind.TRANSACTIONAL_ID, transactional_id):
        await producer.start()
    return producer
