"""Invalid records get a dead letter with their reason, and the other records are processed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from stream.sla.effects import Kind
from stream.wire.effect import encode_event
from tests.broker.running import (
    HOUR,
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
    sent,
    tick,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics

_AT = "2026-03-02T09:00:00Z"
_BAD: dict[str, tuple[bytes | None, bytes | None, str]] = {
    "not JSON": (b"desk/9", b"nonsense", "undecodable"),
    "not UTF-8": (b"desk/9", b'{"type":"\xff"}', "undecodable"),
    "not an object": (b"desk/9", b"[1, 2]", "undecodable"),
    "empty": (b"desk/9", b"", "undecodable"),
    "no value": (b"desk/9", None, "undecodable"),
    "over 1 MiB": (b"desk/9", b'{"x":"' + b"x" * 1_100_000 + b'"}', "too_large"),
    "a missing field": (b"desk/9", b'{"type":"ticket.deleted","id":"1","source":"desk","at":"%s"}' % _AT.encode(), "invalid"),
    "an unknown type": (
        b"desk/9",
        b'{"type":"ticket.eaten","id":"1","source":"desk","ticket":"desk/9","at":"%s"}' % _AT.encode(),
        "invalid",
    ),
    "a naive time": (
        b"desk/9",
        b'{"type":"ticket.deleted","id":"1","source":"desk","ticket":"desk/9","at":"2026-03-02T09:00:00"}',
        "invalid",
    ),
    "an impossible time": (
        b"desk/9",
        b'{"type":"ticket.deleted","id":"1","source":"desk","ticket":"desk/9","at":"2026-02-30T09:00:00Z"}',
        "invalid",
    ),
    "the key of another ticket": (b"desk/8", encode_event("desk/9", event("desk/9", "ticket.deleted", START)), "key_mismatch"),
    "no key": (None, encode_event("desk/9", event("desk/9", "ticket.deleted", START)), "key_mismatch"),
    "far in the future": (
        b"desk/9",
        encode_event("desk/9", event("desk/9", "ticket.deleted", now() + 24 * HOUR)),
        "future",
    ),
}


def test_each_invalid_record_is_rejected_with_its_reason_and_bytes_and_the_others_are_processed(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    records, expected = [], []
    for number, (key, value, reason) in enumerate(_BAD.values()):
        partition, ticket = number % 4, f"desk/good-{number}"
        created = event(ticket, "ticket.created", now() - SECOND, fields={"priority": "p1"}, actor="customer")
        records.append(Sent(key, value, partition))
        records.append(Sent(ticket.encode(), encode_event(ticket, created), partition))
        expected.append((reason, key, value))

    with Worker(broker, topics, tmp_path).ready() as worker:
        places = publish(broker, topics, records)
        until(lambda: all_committed(broker, topics), "everything is processed", worker)
        metrics = worker.page("metrics")

    rejected = {(dead_letter.partition, dead_letter.offset): dead_letter for dead_letter in dead_letters(broker, topics)}
    assert len(rejected) == len(_BAD)
    for (reason, key, value), place in zip(expected, places[::2], strict=True):
        dead_letter = rejected[place.partition, place.offset]
        assert (dead_letter.rejected.reason, dead_letter.key, dead_letter.topic) == (reason, key, topics.events)
        assert dead_letter.value == (value[:700_000] if value is not None else None)
    for reason, count in Counter(reason for reason, _, _ in expected).items():
        assert f'sla_events_rejected_total{{reason="{reason}"}} {count}.0' in metrics
    started = {effect.ticket for effect, _ in effects(broker, topics) if effect.kind is Kind.STARTED}
    assert started == {f"desk/good-{number}" for number in range(len(_BAD))}


def test_a_repeated_event_changes_nothing(broker: str, topics: Topics, tmp_path: Path) -> None:
    created = event("desk/1", "ticket.created", START, fields={"priority": "p1"}, actor="customer")
    answered = event("desk/1", "comment.added", START + HOUR // 4, actor="agent", public=True)
    once = [sent("desk/1", created), sent("desk/1", answered)]
    with Worker(broker, topics, tmp_path, "--clock", "event").ready() as worker:
        publish(broker, topics, [*once, *once, *once])
        until(lambda: all_committed(broker, topics), "everything is processed", worker)
        metrics = worker.page("metrics")

    assert max(Counter(effect.id for effect, _ in effects(broker, topics)).values()) == 1
    assert 'sla_events_total{result="duplicate",type="ticket.created"} 2.0' in metrics
    assert dead_letters(broker, topics) == []


def test_an_event_older_than_the_history_is_rejected_as_too_late(broker: str, topics: Topics, tmp_path: Path) -> None:
    events = [
        event("desk/1", "comment.added", START + number * SECOND, id=f"c{number}", actor="agent", public=True)
        for number in range(1, 12)
    ]
    late = event("desk/1", "comment.added", START, id="late", actor="agent", public=True)
    with Worker(broker, topics, tmp_path, "--clock", "event", "--history", "4").ready() as worker:
        publish(broker, topics, [sent("desk/1", what) for what in [*events, late]])
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    (dead_letter,) = dead_letters(broker, topics)
    assert dead_letter.rejected.reason == "too_late"
    assert dead_letter.value == encode_event("desk/1", late)


def test_another_fact_with_a_known_identity_is_rejected_and_one_with_its_own_seq_is_not(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    action = [
        event("desk/1", "ticket.created", START, id="audit-1", actor="customer"),
        event("desk/1", "ticket.changed", START, id="audit-1", fields={"priority": "p1"}),
        event("desk/1", "ticket.changed", START, id="audit-1", seq=1, fields={"priority": "p1"}),
    ]
    with Worker(broker, topics, tmp_path, "--clock", "event").ready() as worker:
        publish(broker, topics, [sent("desk/1", what) for what in [*action, action[0]]])
        until(lambda: all_committed(broker, topics), "everything is processed", worker)
        metrics = worker.page("metrics")

    (dead_letter,) = dead_letters(broker, topics)
    assert (dead_letter.rejected.reason, dead_letter.rejected.path) == ("conflict", "$.id")
    assert dead_letter.value == encode_event("desk/1", action[1])
    assert 'sla_events_rejected_total{reason="conflict"} 1.0' in metrics
    assert 'sla_events_total{result="duplicate",type="ticket.created"} 1.0' in metrics
    assert 'sla_events_total{result="applied",type="ticket.changed"} 1.0' in metrics


def test_a_deleted_ticket_that_is_restored_after_a_restart_goes_on(broker: str, topics: Topics, tmp_path: Path) -> None:
    before = [
        event("desk/1", "ticket.created", START, fields={"priority": "p1"}, actor="customer"),
        event("desk/1", "ticket.deleted", START + 60 * SECOND),
    ]
    after = [event("desk/1", "ticket.restored", START + HOUR)]
    for feed in (before, after):
        with Worker(broker, topics, tmp_path, "--clock", "event").ready() as worker:
            publish(
                broker, topics, [*(sent("desk/1", what) for what in feed), *tick(feed[-1].at + 100 * HOUR * (feed is after))]
            )
            until(lambda: all_committed(broker, topics), "everything is processed", worker)

    emitted = [(effect.kind.value, effect.reason.value) for effect, _ in effects(broker, topics)]
    assert ("commitment.cancelled", "deleted") in emitted
    assert ("commitment.resumed", "restored") in emitted
    assert ("commitment.breached", "target_passed") in emitted


@pytest.mark.parametrize("first_first", [True, False])
def test_a_late_creation_has_the_same_result_as_one_in_time(
    broker: str, topics: Topics, tmp_path: Path, first_first: bool
) -> None:
    created = event("desk/1", "ticket.created", START, fields={"priority": "p1"}, actor="customer")
    changed = event("desk/1", "ticket.changed", START + HOUR // 2, fields={"team": "net"}, actor="agent")
    solved = event("desk/1", "ticket.changed", START + 2 * HOUR, fields={"status": "solved"}, actor="agent")
    order = [created, changed, solved] if first_first else [changed, created, solved]
    with Worker(broker, topics, tmp_path, "--clock", "event").ready() as worker:
        publish(broker, topics, [sent("desk/1", what) for what in order])
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    found = [effect for effect, _ in effects(broker, topics)]
    retracted = {effect.retracts for effect in found if effect.retracts}
    open_commitment = {
        (effect.kind, effect.commitment, effect.at) for effect in found if not effect.retracts and effect.id not in retracted
    }
    assert (Kind.BREACHED, "first_response", START + HOUR) in open_commitment
    assert (Kind.MET, "resolution", START + 2 * HOUR) in open_commitment
