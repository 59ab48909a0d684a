"""The table's changelog: a worker that was replaced cannot put a ticket back, and the feed's progress survives."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer

from stream.runtime.kafka.clients import AiokafkaClients
from stream.runtime.kafka.transport import write
from stream.runtime.recovery.changelog import Changelog
from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, Checkpoint, epoch_of
from stream.runtime.recovery.start_check import changelog_problems
from stream.runtime.settings_sources import load
from stream.sla.codec import codec
from stream.sla.effects import Kind
from tests.broker.running import (
    HOUR,
    SECOND,
    START,
    Worker,
    all_committed,
    effects,
    empty_store,
    event,
    publish,
    read,
    replayed,
    restored,
    sent,
    substance,
    tick,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics


class _Owner:
    """As much of a worker as writes to the changelog of partition 0."""

    def __init__(self, broker: str, topics: Topics) -> None:
        settings = load({"policies": "batoi", "broker": broker, "app_id": topics.app_id}, {})
        self.store = empty_store()
        self.producer = AIOKafkaProducer(bootstrap_servers=broker, enable_idempotence=True)
        writer: Any = self
        self.changelog = Changelog(AiokafkaClients(settings), topics.changelog, 0, writer, self.store)

    async def write(self, topic: str, partition: int, records: Any) -> int | None:
        return await write(self.producer, topic, partition, records)

    async def put(self, key: bytes, value: bytes) -> None:
        self.store.of(0)[key] = value
        await self.changelog.write({key: value}, Checkpoint(1))


def test_a_state_that_a_replaced_worker_appends_is_written_over_by_the_owner(broker: str, topics: Topics) -> None:
    async def run() -> None:
        before, after = _Owner(broker, topics), _Owner(broker, topics)
        await before.producer.start()
        await after.producer.start()
        await before.changelog.begin(7, Checkpoint())
        await before.put(b"desk/1", b"old")
        after.store.restore(0, await asyncio.to_thread(read, broker, topics.changelog))
        await before.put(b"desk/1", b"older than the take-over")
        await after.changelog.begin(7, Checkpoint())
        await after.put(b"desk/1", b"new")
        with pytest.raises(RuntimeError, match="another worker has partition 0, since epoch 14"):
            await before.put(b"desk/1", b"stale")
        await after.put(b"desk/2", b"new")
        with pytest.raises(RuntimeError, match="another worker"):
            await before.put(b"desk/2", b"stale")
        await before.producer.stop()
        await after.producer.stop()

    asyncio.run(run())
    records = [record for record in read(broker, topics.changelog) if record.key != CHECKPOINT_KEY]

    # The owner noticed the first; the second came after its last write, and whoever restores the table will see to it.
    last = {record.key: record.value for record in records}
    assert last == {b"desk/1": b"new", b"desk/2": b"stale"}
    assert {epoch_of(record) for record in records} == {7, 14}
    store = restored(broker, topics)
    assert dict(store.of(0).items()) == {b"desk/1": b"new", b"desk/2": b"new"}
    assert b"desk/2" in store.outdated(0)


def test_a_worker_that_was_stopped_and_replaced_emits_nothing_twice_and_puts_no_ticket_back(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    feed = [
        (f"desk/{number}", event(f"desk/{number}", "ticket.created", START + number * SECOND, fields={"priority": "p1"}))
        for number in range(1_500)
    ]
    answers = [
        (ticket, event(ticket, "comment.added", created.at + HOUR // 2, actor="agent", public=True))
        for ticket, created in feed[::3]
    ]
    end = START + 100 * HOUR
    flags = ("--clock", "event", "--batch", "50")
    with Worker(broker, topics, tmp_path, *flags).ready() as stopped:
        publish(broker, topics, [sent(ticket, what) for ticket, what in feed])
        until(lambda: effects(broker, topics), "it is in the middle of it", stopped)
        stopped.process.send_signal(signal.SIGSTOP)
        before = stopped.readies()
        with Worker(broker, topics, tmp_path, *flags).ready() as owner:
            publish(broker, topics, [sent(ticket, what) for ticket, what in answers])
            until(lambda: all_committed(broker, topics), "the other one has done its work", owner)
            stopped.process.send_signal(signal.SIGCONT)
            until(lambda: stopped.process.poll() is not None or stopped.readies() > before, "it has learnt of it")
            publish(broker, topics, tick(end))
            until(lambda: all_committed(broker, topics), "everything is processed", owner)

    emitted = Counter(substance(effect) for effect, _ in effects(broker, topics))
    assert emitted == dict.fromkeys(replayed(tmp_path, [*feed, *answers], end), 1)
    store = restored(broker, topics)
    states = {key.decode(): codec.decode(value) for number in range(4) for key, value in store.of(number).items()}
    counted = Counter(ticket for ticket, _ in [*feed, *answers])
    assert {ticket: len(state.history) for ticket, state in states.items()} == counted
    assert all(state.wake_at is None or state.wake_at > end for state in states.values())


def test_a_worker_that_was_stopped_for_less_than_its_session_asks_and_goes_on(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    feed = [(f"desk/{number}", event(f"desk/{number}", "ticket.created", START + number)) for number in range(20)]
    end = START + 100 * HOUR
    with Worker(broker, topics, tmp_path, "--clock", "event", "--session-timeout", "12s").ready() as worker:
        worker.process.send_signal(signal.SIGSTOP)
        since = time.monotonic()
        publish(broker, topics, [sent(ticket, what) for ticket, what in feed] + tick(end))
        until(lambda: time.monotonic() > since + 7, "more than half a session has passed")
        worker.process.send_signal(signal.SIGCONT)
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    assert "was suspended for " in worker.log.read_text("utf-8")
    emitted = Counter(substance(effect) for effect, _ in effects(broker, topics))
    assert emitted == dict.fromkeys(replayed(tmp_path, feed, end), 1)


def test_how_far_the_feed_is_survives_a_restart(broker: str, topics: Topics, tmp_path: Path) -> None:
    with Worker(broker, topics, tmp_path, "--clock", "event").ready() as worker:
        publish(broker, topics, tick(START + 10 * HOUR))
        until(lambda: all_committed(broker, topics), "the feed's progress is known", worker)
        until(lambda: worker.stop() == 0, "stopped")
    created = event("desk/1", "ticket.created", START, fields={"priority": "p1"}, actor="customer")
    publish(broker, topics, [sent("desk/1", created)])
    with Worker(broker, topics, tmp_path, "--clock", "event") as worker:
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    breached = [effect for effect, _ in effects(broker, topics) if effect.kind is Kind.BREACHED]

    assert {effect.at for effect in breached} == {START + HOUR, START + 8 * HOUR}


def test_a_closed_ticket_is_deleted_from_the_changelog_after_its_retention(broker: str, topics: Topics, tmp_path: Path) -> None:
    feed = [event("desk/1", "ticket.created", START), event("desk/1", "ticket.deleted", START + HOUR)]
    with Worker(broker, topics, tmp_path, "--clock", "event", "--retention", "1d").ready() as worker:
        publish(broker, topics, [sent("desk/1", what) for what in feed])
        until(lambda: all_committed(broker, topics), "the ticket is known", worker)
    with Worker(broker, topics, tmp_path, "--clock", "event", "--retention", "1d") as worker:
        publish(broker, topics, tick(START + 26 * HOUR))
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    values = [record.value for record in read(broker, topics.changelog) if record.key == b"desk/1"]

    assert len(values) > 1
    assert values[-1] is None
    store = restored(broker, topics)
    assert not any(len(store.of(number)) for number in range(4))


def test_on_a_recorded_feed_of_months_a_worker_forgets_nothing_and_emits_what_replay_does(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    later = START + 60 * 24 * HOUR
    feed = [
        event("desk/1", "ticket.created", START, fields={"priority": "p1"}, actor="customer"),
        event("desk/1", "ticket.changed", START + HOUR // 2, fields={"status": "solved"}, actor="agent"),
        event("desk/1", "ticket.changed", START + 9 * HOUR, fields={"status": "closed"}, actor="agent"),
        event("desk/1", "ticket.changed", later, fields={"status": "open"}, actor="customer"),
    ]
    with Worker(broker, topics, tmp_path, "--clock", "event").ready() as worker:
        publish(broker, topics, [*(sent("desk/1", what) for what in feed[:3]), *tick(later - HOUR), sent("desk/1", feed[3])])
        publish(broker, topics, tick(later + 10 * HOUR))
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    expected = replayed(tmp_path, [("desk/1", what) for what in feed], later + 10 * HOUR)
    assert {kind for _, kind, at, _ in expected if at > later} >= {Kind.BREACHED}, "its history matters"
    assert {substance(effect) for effect, _ in effects(broker, topics)} == expected


def test_a_changelog_with_tickets_has_no_problem_however_often_a_worker_starts(broker: str, topics: Topics) -> None:
    async def run() -> list[list[str]]:
        owner = _Owner(broker, topics)
        await owner.producer.start()
        await owner.changelog.begin(7, Checkpoint())
        await owner.put(b"desk/1", b"state")
        await owner.producer.stop()
        return [await changelog_problems({"bootstrap_servers": broker}, topics, 1) for _ in range(10)]

    assert asyncio.run(run()) == [[]] * 10
