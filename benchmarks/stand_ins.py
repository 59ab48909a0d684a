"""Stand-ins for what a partition reads from and writes to, for benchmarks without a broker.

Each extends what it stands for, so that mypy compares the two, and a method that is new there exists here, too. What would ask
a broker is replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.runtime.kafka.consumer import Consumer
from stream.runtime.recovery.changelog import Changelog
from stream.runtime.recovery.outputs import Outputs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import NoReturn

    from faust.types import TP

    from stream.runtime.kafka.clients import Clients
    from stream.runtime.kafka.positions import Batch
    from stream.runtime.kafka.topics import Topics
    from stream.runtime.kafka.transport import Record
    from stream.runtime.recovery.checkpoint import Checkpoint


class NoClients:
    """Stands for clients of Kafka where none may be made."""

    def reader(self, name: str) -> NoReturn:
        raise AssertionError(f"{name} would ask a broker")

    def transactional_producer(self, name: str, transactional_id: str) -> NoReturn:
        raise AssertionError(f"{name} would ask a broker")


class NoProducer:
    """Stands for a producer where none may be used."""

    async def start(self) -> None:
        raise AssertionError("a producer would start")

    async def stop(self) -> None:
        raise AssertionError("a producer would stop")

    def create_batch(self) -> NoReturn:
        raise AssertionError("a batch would be made")

    async def send_batch(self, batch: object, topic: str, *, partition: int) -> NoReturn:
        raise AssertionError(f"a batch would be sent to {topic}")

    async def begin_transaction(self) -> None:
        raise AssertionError("a transaction would begin")

    async def commit_transaction(self) -> None:
        raise AssertionError("a transaction would be committed")


class TakingOutputs(Outputs):
    """Outputs that take what they are given. Nothing was in the topics, so recovery is over."""

    def __init__(self, topics: Topics, partition: int) -> None:
        super().__init__(NoProducer(), partition, topics.rejected)
        for topic in (topics.breaches, topics.escalations, topics.rejected):
            self.found(topic, 0, 0)
        self.recovered = True

    async def write(self, outputs: Mapping[str, Iterable[Record]]) -> None:
        pass

    async def renew(self, clients: Clients, topics: Topics) -> None:
        pass

    async def close(self) -> None:
        pass


class TakingChangelog(Changelog):
    """A changelog that takes what it is given."""

    def __init__(self) -> None:
        pass

    async def begin(self, generation: int, checkpoint: Checkpoint) -> None:
        pass

    async def write(self, changes: Mapping[bytes, bytes | None], checkpoint: Checkpoint) -> None:
        pass


class IdleConsumer(Consumer):
    """A consumer that commits nothing, and owns all partitions."""

    def __init__(self) -> None:
        pass

    def finish(self, tp: TP, batch: Batch) -> None:
        pass

    def committed(self, tp: TP) -> int:
        return 0

    async def prove(self, tp: TP) -> None:
        pass
