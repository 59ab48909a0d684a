"""A worker as its own process on a real broker, what goes into it and what comes out of it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.error import HTTPError
from urllib.request import urlopen

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import TopicPartition

from stream.language.policies import load
from stream.runtime.kafka.groupless import started
from stream.runtime.recovery.store import SCHEME, Store
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.playback import Playback
from stream.wire.effect import DeadLetter, decode_effect, decode_rejected, encode_event, encode_tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stream.runtime.kafka.topics import Topics
    from stream.sla.effects import Effect

PATIENCE = 90.0
"""Seconds that a condition may take to come true. Long, because the machine may be busy: nothing waits for it in vain."""
SECOND = 1_000_000
HOUR = 3_600 * SECOND
START = 1_798_794_000 * SECOND
"""An instant for feeds: some morning."""

POLICY = """
policies:
  - policy: shop
    version: 1
    applies_to: always
    calendar: 24x7
    commitments:
      - metric: first_response
        target: {p1: 1h, p2: 4h, quick: 4s, default: 1d}
        warn_at: {p1: 50%, p2: 50%}
      - metric: resolution
        target: {p1: 8h, p2: 1d, default: 3d}
    escalations:
      - ladder: shop-late
        kind: hierarchical
        on: first_response
        levels:
          - {level: lead, notify: [lead], at: "+1h"}
"""
_COMPLETING = 3
"""Seconds within which the markers of a committed transaction are in its partitions."""


class Sent(NamedTuple):
    """A record for the input topic; without a partition, its key decides."""

    key: bytes | None
    value: bytes | None
    partition: int | None = None


class Emitted(NamedTuple):
    """An effect, and the record it came in."""

    effect: Effect
    record: Any


def until(true: Callable[[], Any], what: str, worker: Worker | None = None) -> Any:
    """Wait for a condition; what it gave. AssertionError, with the worker's log, when it does not come true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := true()):
        evidence = f"\n{worker.log.read_text('utf-8')[-4000:]}" if worker is not None else ""
        if worker is not None and worker.process.poll() is not None:
            raise AssertionError(f"the worker ended with {worker.process.returncode} while waiting: {what}{evidence}")
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE} s: {what}{evidence}")
        time.sleep(0.1)
    return found


class Worker:
    """``breachwatch worker`` in a process of its own. Killed when the block ends, if it is still there."""

    def __init__(
        self,
        broker: str,
        topics: Topics,
        folder: Path,
        *flags: str,
        failpoint: str = "",
        code: Path | None = None,
        patch: str = "",
    ) -> None:
        """``code``: the folder of another release; ``None``: this source. ``patch``: Python that its process runs first."""
        folder.mkdir(parents=True, exist_ok=True)
        policy = folder / "policy.yaml"
        if not policy.exists():
            policy.write_text(POLICY, "utf-8")
        self.log = folder / f"worker-{time.monotonic_ns()}.log"
        command = [sys.executable, "-m", "stream", "worker", "--broker", broker, "--policies", str(policy)]
        command += ["--app-id", topics.app_id, "--topic-prefix", topics.prefix, "--metrics-port", "0"]
        command += ["--session-timeout", "6s", "--commit-interval", "200ms", *flags]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BREACHWATCH_")}
        environment["BREACHWATCH_FAILPOINT"] = failpoint
        if patch:
            (folder / "sitecustomize.py").write_text(patch, "utf-8")
            environment["PYTHONPATH"] = os.pathsep.join([str(folder), environment.get("PYTHONPATH", "")])
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=code or Path(__file__).parents[2], env=environment
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def ready(self, partitions: str = "0, 1, 2, 3") -> Self:
        """Wait until it owns these partitions."""
        line = f"partitions {partitions}\n"
        until(lambda: self._owned().endswith(line), f"ready with {line}", self)
        return self

    def owns_some(self) -> bool:
        return bool(re.search(r"partitions \d", self._owned()))

    def readies(self) -> int:
        """How often it has become ready: once at its start and once after each rebalance."""
        return self.log.read_text("utf-8").count("ready: ")

    def live(self) -> Self:
        """Wait until it has caught up on all its partitions."""
        until(lambda: self.page("readyz").startswith("live"), "live", self)
        return self

    def url(self) -> str:
        """The address of its pages; empty while there are none."""
        found = re.search(r"http://127\.0\.0\.1:\d+/", self.log.read_text("utf-8"))
        return found[0] if found else ""

    def page(self, name: str) -> str:
        """One of its pages; empty while there is none."""
        if not (url := self.url()):
            return ""
        try:
            with urlopen(url + name) as answer:
                return str(answer.read().decode())
        except HTTPError as refusal:
            with refusal:
                return str(refusal.read().decode())

    def _owned(self) -> str:
        lines = [line for line in self.log.read_text("utf-8").splitlines(keepends=True) if "ready: " in line]
        return lines[-1] if lines else ""


def event(ticket: str, type_: Any, at: int, **more: Any) -> Event:
    """An event whose id names it."""
    number = more.pop("id", None) or f"{ticket}-{type_}-{at}"
    return Event(at=at, id=number, type=type_, source="desk", **more)


def sent(ticket: str, what: Event) -> Sent:
    return Sent(ticket.encode(), encode_event(ticket, what))


def tick(at: int, partitions: int = 4) -> list[Sent]:
    return [Sent(None, encode_tick("desk", at), number) for number in range(partitions)]


def publish(broker: str, topics: Topics, records: Iterable[Sent]) -> list[Any]:
    """Publish in order; where each record came to stand."""

    async def run() -> list[Any]:
        producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True, max_request_size=2_000_000)
        await producer.start()
        try:
            deliveries = [
                await producer.send(topics.events, value, key=key, partition=partition) for key, value, partition in records
            ]
            return [await delivery for delivery in deliveries]
        finally:
            await producer.stop()

    return asyncio.run(run())


def read(broker: str, *topics: str) -> list[Any]:
    """All records of these topics, as a consumer sees them that reads what is committed."""

    async def run() -> list[Any]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=broker,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        async with started(consumer):
            for topic in topics:
                consumer._client.add_topic(topic)
            since = time.monotonic()
            await consumer._client.force_metadata_update()
            # A broker that has just gone on may not know of any topic.
            while not all(map(consumer.partitions_for_topic, topics)) and time.monotonic() < since + _COMPLETING:
                await asyncio.sleep(0.1)
                await consumer._client.force_metadata_update()
            tps = [TopicPartition(topic, number) for topic in topics for number in consumer.partitions_for_topic(topic) or ()]
            consumer.assign(tps)
            end = await _ends(broker, consumer, tps)
            records: list[Any] = []
            while any([await consumer.position(tp) < end[tp] for tp in tps]):
                for found in (await consumer.getmany(timeout_ms=200)).values():
                    records += found
            return records

    return asyncio.run(run())


async def _ends(broker: str, consumer: Any, tps: list[Any]) -> dict[Any, int]:
    """Up to where the partitions are committed, once no transaction is being completed.

    The broker answers a commit before the markers are in the partitions. A transaction that somebody left open stays so longer.
    """
    async with started(AIOKafkaConsumer(bootstrap_servers=broker)) as plain:
        for topic in {tp.topic for tp in tps}:
            plain._client.add_topic(topic)
        since = time.monotonic()
        while True:
            end: dict[Any, int] = await consumer.end_offsets(tps)
            if end == await plain.end_offsets(tps) or time.monotonic() > since + _COMPLETING:
                return end
            await asyncio.sleep(0.05)


def effects(broker: str, topics: Topics) -> list[Emitted]:
    return [Emitted(decode_effect(record.value), record) for record in read(broker, topics.breaches, topics.escalations)]


def dead_letters(broker: str, topics: Topics) -> list[DeadLetter]:
    return [decode_rejected(record.value) for record in read(broker, topics.rejected)]


def all_committed(broker: str, topics: Topics, partitions: int | None = None) -> bool:
    """Whether the group has committed the end of each partition that has records, or of the first ``partitions``."""

    async def run() -> bool:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        try:
            await admin.start()
            async with started(AIOKafkaConsumer(bootstrap_servers=broker)) as consumer:
                committed = await admin.list_consumer_group_offsets(topics.group)
                consumer._client.add_topic(topics.events)
                await consumer._client.force_metadata_update()
                numbers = consumer.partitions_for_topic(topics.events)
                if not numbers:
                    return False  # nor may it know of any topic
                tps = [TopicPartition(topics.events, number) for number in sorted(numbers)[:partitions]]
                end = await consumer.end_offsets(tps)
                return all(end[tp] == 0 or (tp in committed and committed[tp].offset == end[tp]) for tp in tps)
        except GroupCoordinatorNotAvailableError:
            return False  # a broker that has just started has no groups yet
        finally:
            await admin.close()

    return asyncio.run(run())


def replayed(folder: Path, feed: Iterable[tuple[str, Event]], end: int) -> set[tuple[str, str, int, int | None]]:
    """What the engine emits for the same feed without a broker: ``substance`` of each effect."""
    playback = Playback(Engine(load([folder / "policy.yaml"])))
    emitted = [effect for ticket, what in feed for effect in playback.event(ticket, what)]
    emitted += playback.tick(end)
    return {substance(effect) for effect in emitted}


def restored(broker: str, topics: Topics) -> Store:
    """A store that has read the changelog from its beginning, as a worker does at its start."""
    store = empty_store()
    records = read(broker, topics.changelog)
    for number in range(4):
        store.restore(number, [record for record in records if record.partition == number])
    return store


def empty_store() -> Store:
    app: Any = None
    table: Any = SimpleNamespace(name="tickets", key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    return Store(f"{SCHEME}://", app, table)


def substance(effect: Effect) -> tuple[str, str, int, int | None]:
    return effect.id, effect.kind, effect.at, effect.due_at


def now() -> int:
    """The machine's clock, epoch microseconds."""
    return time.time_ns() // 1_000
