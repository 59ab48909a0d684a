"""Write-back on a real broker: what is written once is not written again, whoever dies or joins."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, Self

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError
from aiokafka.structs import TopicPartition

from stream.runtime.recovery.moves import home
from stream.sla.effects import Effect, Kind
from stream.wire.effect import encode_effect
from stream.writeback.metrics import NO_DESK, WritebackMetrics
from stream.writeback.service import Service
from stream.writeback.settings import WritebackSettings
from stream.writeback.states import MemoryStates
from tests.broker.running import PATIENCE
from tests.effects import effect_of
from tests.unit.writeback.desks import FakeZendesk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics

FILE = """\
desk: zendesk
system: zendesk
url: URL
login: {bearer: env:DESK_SECRET}
tickets: zd/{id}
rate: 6000
write:
  - {field: 1, value: due}
  - {tag: sla-breached, when: breached}
"""
HOUR = 3_600_000_000
YEAR = 365 * 24 * HOUR


def until(true: Callable[[], Any], what: str, process: Writeback) -> None:
    """Wait for a condition. AssertionError, with the log of the process, when it does not come true."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}\n{process.text()[-4000:]}"
        time.sleep(0.1)


def committed(broker: str, group: str) -> dict[TopicPartition, int]:
    """The offsets that a group has committed."""

    async def story() -> dict[TopicPartition, int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(group)
        except GroupCoordinatorNotAvailableError:  # a broker that has just started has no groups yet
            found = {}
        finally:
            await admin.close()
        return {tp: each.offset for tp, each in found.items()}

    return asyncio.run(story())


class Served:
    """A helpdesk of our own in a thread."""

    def __init__(self) -> None:
        self.fake = FakeZendesk()
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> FakeZendesk:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._stack.enter_async_context(self.fake.serving()), self._loop).result(20)
        return self.fake

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stack.aclose(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()


class Writeback:
    """A process of ``breachwatch writeback``."""

    def __init__(self, broker: str, topics: Topics, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "stream", "writeback", "--broker", broker, "--topic-prefix", topics.prefix]
        command += ["--desks", "desk.yaml", "--coalesce", "200ms", "--listen", "127.0.0.1:0", *options]
        self.log = folder / f"writeback-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, stdout=log, stderr=log, env={**os.environ, "DESK_SECRET": "secret"}
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(60)

    def text(self) -> str:
        assert self.process.poll() is None, self.log.read_text("utf-8")
        return self.log.read_text("utf-8")


def emit(broker: str, topics: Topics, *effects: Effect, commit: bool = True) -> None:
    """Publish effects as a worker does: in one transaction, in the partition of the ticket."""

    async def story() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=broker, transactional_id=f"{topics.prefix}test")
        async with producer:
            await producer.begin_transaction()
            for effect in effects:
                key = effect.ticket.encode()
                topic = topics.prefix + effect.kind.topic
                await producer.send_and_wait(topic, encode_effect(effect), key=key, partition=home(key, 4))
            await (producer.commit_transaction() if commit else producer.abort_transaction())

    asyncio.run(story())


def of(ticket: str, kind: Kind, at: int, **fields: Any) -> Effect:
    """Of the commitment ``resolution``, due in an hour from the start of 1970 or another day that ``at`` names."""
    id_ = f"{abs(hash((ticket, kind, at))) % 16**12:024x}"
    return effect_of(kind, ticket=ticket, id=id_, at=at, detected_at=at, commitment="resolution", due_at=at + HOUR, **fields)


def test_nothing_is_written_twice_over_a_kill_a_restart_and_a_second_instance(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    now = time.time_ns() // 1_000
    tickets = [f"zd/{number}" for number in range(1, 9)]
    started = [of(ticket, Kind.STARTED, now) for ticket in tickets]
    breach = of("zd/1", Kind.BREACHED, now + HOUR)
    old = [of("zd/9", Kind.BREACHED, now - YEAR), of("zd/9", Kind.MET_LATE, now - YEAR + HOUR)]
    with Served() as desk:
        found = {ticket: desk.add(ticket.removeprefix("zd/")) for ticket in (*tickets, "zd/9")}
        (tmp_path / "desk.yaml").write_text(FILE.replace("URL", desk.url), "utf-8")
        emit(broker, topics, *started, breach, *old)
        emit(broker, topics, *(of(ticket, Kind.BREACHED, now + HOUR) for ticket in tickets), commit=False)

        def due(ticket: str) -> Any:
            return found[ticket]["custom_fields"][0]["value"]

        with Writeback(broker, topics, tmp_path) as dry:
            until(lambda: dry.text().count("would get") == len(tickets), "what would be written is logged", dry)
            assert dry.end(signal.SIGTERM) == 0
        assert desk.asked == []
        assert sum(committed(broker, topics.writeback_group).values()) == 0

        with Writeback(broker, topics, tmp_path, "--write") as first:
            until(lambda: desk.writes and all(due(ticket) for ticket in tickets[1:]), "all is written", first)
            until(lambda: found["zd/1"]["tags"] == ["sla-breached"], "the breach is written", first)
            first.end(signal.SIGKILL)
        assert (len(desk.writes), found["zd/9"]["tags"]) == (len(tickets), [])

        taken_back = of("zd/1", Kind.BREACH_RETRACTED, now + HOUR, retracts=breach.id, retracts_kind=Kind.BREACHED)
        emit(broker, topics, taken_back)
        with Writeback(broker, topics, tmp_path, "--write") as second:
            until(lambda: found["zd/1"]["tags"] == [], "the retraction is written", second)
            until(lambda: "ready" in second.text(), "it has read everything", second)
            assert len(desk.writes) == len(tickets) + 1
            with Writeback(broker, topics, tmp_path, "--write") as third:
                until(lambda: "ready" in third.text(), "the two share the partitions", third)
                emit(broker, topics, *(of(ticket, Kind.RETARGETED, now + 5_000_000) for ticket in tickets))
                until(lambda: len(desk.writes) == 2 * len(tickets) + 1, "each is written", third)
                ends = committed(broker, topics.writeback_group)
                assert third.end(signal.SIGTERM) == 0
            assert second.end(signal.SIGTERM) == 0

    assert len(desk.writes) == 2 * len(tickets) + 1
    assert all(due(ticket) != "" for ticket in tickets)
    assert ends.keys() <= {TopicPartition(name, n) for name in (topics.breaches, topics.escalations) for n in range(4)}
    assert "no_desk" not in second.log.read_text("utf-8")


class SlowStates(MemoryStates):
    """States that a newly assigned instance needs a while to read, or cannot read."""

    def __init__(self, order: list[str], fails: bool, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._order, self._fails = order, fails

    async def load(self) -> None:
        if "joins" in self._order:
            await asyncio.sleep(1.5)  # longer than the client takes to fetch
            if self._fails:
                raise KafkaError("the states cannot be read")
        await super().load()
        self._order.append("read" if "joins" in self._order else "joins")


class NotingMetrics(WritebackMetrics):
    def __init__(self, order: list[str]) -> None:
        super().__init__([])
        self._order = order

    def skipped(self, reason: str) -> None:
        self._order.append(reason)
        super().skipped(reason)


async def run_for(broker: str, topics: Topics, order: list[str], *, fails: bool) -> None:
    """Run an instance without desks until it has taken an effect, or ends."""
    client = {"bootstrap_servers": broker}
    states = SlowStates(order, fails, client, topics.writeback_state)
    service = Service(WritebackSettings(desks=()), [], states, NotingMetrics(order), write=True)
    task = asyncio.ensure_future(service.run(client, topics))
    deadline = time.monotonic() + PATIENCE
    while NO_DESK not in order and not task.done():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    task.cancel()
    await task


def test_nothing_is_taken_before_it_is_known_what_others_have_written(broker: str, topics: Topics) -> None:
    emit(broker, topics, of("zd/1", Kind.STARTED, time.time_ns() // 1_000))
    order: list[str] = []
    with suppress(asyncio.CancelledError):
        asyncio.run(run_for(broker, topics, order, fails=False))
    assert order == ["joins", "read", NO_DESK]


def test_an_instance_that_cannot_read_what_others_have_written_ends(broker: str, topics: Topics) -> None:
    emit(broker, topics, of("zd/1", Kind.STARTED, time.time_ns() // 1_000))
    order: list[str] = []
    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(run_for(broker, topics, order, fails=True))
    assert [str(error) for error in raised.value.exceptions] == ["KafkaError: the states cannot be read"]
    assert order == ["joins"]
