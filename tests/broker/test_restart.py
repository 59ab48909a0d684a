"""Workers that die: no effect is lost, repeated or invented."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer

from stream.language.policies import load
from stream.runtime.recovery.output_recovery import origin
from stream.runtime.recovery.outputs import ORIGIN
from stream.sla.effects import Kind
from stream.sla.engine import Engine
from stream.sla.playback import Playback
from stream.wire.decode import Rejected, RejectReason
from stream.wire.effect import DeadLetter, effect_headers, encode_effect, encode_rejected
from tests.broker.running import (
    HOUR,
    POLICY,
    SECOND,
    START,
    Sent,
    Worker,
    all_committed,
    dead_letters,
    effects,
    event,
    now,
    publish,
    read,
    replayed,
    sent,
    substance,
    tick,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics


def _goes_on(broker: str, topics: Topics, before: int) -> bool:
    """Whether there are more effects than ``before``, or the input is processed."""
    return len(effects(broker, topics)) > before or all_committed(broker, topics)


def test_a_worker_that_is_killed_repeatedly_publishes_every_effect_once(broker: str, topics: Topics, tmp_path: Path) -> None:
    feed = []
    for number in range(3_000):
        ticket, at = f"desk/{number}", START + number * SECOND
        feed.append((ticket, event(ticket, "ticket.created", at, fields={"priority": "p1"}, actor="customer")))
        if number % 2:
            answered = event(ticket, "comment.added", at + HOUR // 2, actor="agent", public=True)
            feed.append((ticket, answered))
    feed.sort(key=lambda entry: entry[1].key)
    end = START + 100 * HOUR
    publish(broker, topics, [*(sent(ticket, what) for ticket, what in feed), *tick(end)])

    kills = 0
    while kills < 3:
        before = len(effects(broker, topics))
        with Worker(broker, topics, tmp_path, "--clock", "event", "--batch", "200") as worker:
            until(partial(_goes_on, broker, topics, before), "progress", worker)
        kills += 1
    with Worker(broker, topics, tmp_path, "--clock", "event") as worker:
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    found = Counter(substance(effect) for effect, _ in effects(broker, topics))

    assert found.keys() == replayed(tmp_path, feed, end)
    assert max(found.values()) == 1


def test_workers_that_come_and_go_while_events_flow_lose_nothing(broker: str, topics: Topics, tmp_path: Path) -> None:
    feed = [
        (f"desk/{number}", event(f"desk/{number}", "ticket.created", START + number * SECOND, fields={"priority": "p1"}))
        for number in range(4_000)
    ]
    end = START + 100 * HOUR
    parts = [feed[first : first + 500] for first in range(0, len(feed), 500)]
    with Worker(broker, topics, tmp_path, "--clock", "event", "--batch", "100").ready() as first:
        for part in parts[:3]:
            publish(broker, topics, [sent(ticket, what) for ticket, what in part])
        with Worker(broker, topics, tmp_path, "--clock", "event", "--batch", "100") as second:
            publish(broker, topics, [sent(ticket, what) for ticket, what in parts[3]])
            until(second.owns_some, "the second worker owns partitions", second)
            for part in parts[4:6]:
                publish(broker, topics, [sent(ticket, what) for ticket, what in part])
            assert second.stop() == 0
        for part in parts[6:]:
            publish(broker, topics, [sent(ticket, what) for ticket, what in part])
        publish(broker, topics, tick(end))
        until(lambda: all_committed(broker, topics), "everything is processed", first)

    found = Counter(substance(effect) for effect, _ in effects(broker, topics))

    assert found.keys() == replayed(tmp_path, feed, end)
    assert max(found.values()) == 1


def test_effects_written_just_before_a_crash_are_not_repeated(broker: str, topics: Topics, tmp_path: Path) -> None:
    # A worker that dies between its outputs and its changelog leaves effects and dead letters, but no state.
    feed = [
        (f"desk/{number}", event(f"desk/{number}", "ticket.created", START + number * SECOND, fields={"priority": "p1"}))
        for number in range(50)
    ]
    end = START + 100 * HOUR
    with Worker(broker, topics, tmp_path, "--clock", "event").ready():
        pass  # it has owned the partitions and recorded the ends of the outputs
    publish(broker, topics, [*(sent(*entry) for entry in feed), Sent(b"desk/1", b"?"), Sent(b"desk/2", b"?"), *tick(end)])
    records = read(broker, topics.events)
    home = {record.key: record.partition for record in records}
    (tmp_path / "policy.yaml").write_text(POLICY, "utf-8")
    playback = Playback(Engine(load([tmp_path / "policy.yaml"])))
    before = [effect for ticket, what in feed[:30] for effect in playback.event(ticket, what)]
    first_bad = next(record for record in records if record.value == b"?")

    async def write() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=broker)
        await producer.start()
        for effect in before:
            await producer.send_and_wait(
                topics.breaches,
                encode_effect(effect),
                partition=home[effect.ticket.encode()],
                headers=effect_headers(effect, b"/breachwatch/test"),
            )
        dead_letter = encode_rejected(
            DeadLetter(
                Rejected(RejectReason.UNDECODABLE, "?", ""),
                key=first_bad.key,
                value=first_bad.value,
                topic=topics.events,
                partition=first_bad.partition,
                offset=first_bad.offset,
                at=START,
            )
        )
        headers = [(ORIGIN, origin(first_bad))]
        await producer.send_and_wait(topics.rejected, dead_letter, partition=first_bad.partition, headers=headers)
        await producer.stop()

    asyncio.run(write())
    with Worker(broker, topics, tmp_path, "--clock", "event") as worker:
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    found = Counter(substance(effect) for effect, _ in effects(broker, topics))
    assert found == dict.fromkeys(replayed(tmp_path, feed, end), 1)
    assert len(before) > 50
    assert len(dead_letters(broker, topics)) == 2


def test_the_next_worker_reports_a_deadline_that_passed_while_no_worker_ran(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    at = now()
    with Worker(broker, topics, tmp_path).ready() as worker:
        created = event("desk/1", "ticket.created", at, fields={"priority": "quick"}, actor="customer")
        publish(broker, topics, [sent("desk/1", created)])
        until(lambda: all_committed(broker, topics), "the ticket is known", worker)
    with Worker(broker, topics, tmp_path) as worker:
        breaches = until(
            lambda: [effect for effect, _ in effects(broker, topics) if effect.kind is Kind.BREACHED], "a breach", worker
        )

    (breach,) = breaches
    assert breach.at == at + 4 * SECOND


def test_a_worker_that_was_down_reports_no_breach_if_the_answer_is_in_the_log(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    with Worker(broker, topics, tmp_path).ready() as worker:
        at = now() + 8 * SECOND  # the deadline passes after the worker is dead
        created = event("desk/1", "ticket.created", at, fields={"priority": "quick"}, actor="customer")
        publish(broker, topics, [sent("desk/1", created)._replace(partition=0)])
        until(lambda: all_committed(broker, topics), "the ticket is known", worker)
    # A real breach, followed in the same partition by the answer that prevents the other one.
    never = event("desk/2", "ticket.created", at, fields={"priority": "quick"}, actor="customer")
    answered = event("desk/1", "comment.added", at + SECOND, actor="agent", public=True)
    publish(broker, topics, [s._replace(partition=0) for s in (sent("desk/2", never), sent("desk/1", answered))])
    until(lambda: now() > at + 5 * SECOND, "the deadlines have passed")
    with Worker(broker, topics, tmp_path) as worker:
        until(lambda: any(effect.kind is Kind.BREACHED for effect, _ in effects(broker, topics)), "the real breach", worker)
        worker.live()
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    found = [(effect.ticket, effect.kind) for effect, _ in effects(broker, topics)]

    assert ("desk/1", Kind.MET) in found
    assert [ticket for ticket, kind in found if kind is Kind.BREACHED] == ["desk/2"]
    assert Kind.BREACH_RETRACTED not in {kind for _, kind in found}


def test_workers_that_are_stopped_right_after_each_other_end_cleanly(broker: str, topics: Topics, tmp_path: Path) -> None:
    with Worker(broker, topics, tmp_path) as first, Worker(broker, topics, tmp_path) as second:
        until(lambda: first.owns_some() and second.owns_some(), "both own partitions")
        # The second one is about to take over the partitions of the first.
        assert first.stop() == 0
        assert second.stop() == 0, second.log.read_text("utf-8")
