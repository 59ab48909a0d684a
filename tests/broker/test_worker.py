"""A worker on a real broker: its effects, their topics and times, and how it starts and ends."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from typing import TYPE_CHECKING

from stream.devkafka.ports import free_port
from stream.runtime.kafka.topic_admin import create
from stream.sla.effects import Kind, Reason
from tests.broker.running import (
    HOUR,
    SECOND,
    START,
    Worker,
    all_committed,
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
    from stream.sla.events import Event


def _feed(tickets: int) -> list[tuple[str, Event]]:
    """Tickets that are answered in time, late or never, wait for the customer, change priority, are solved and reopened."""
    feed = []
    for number in range(tickets):
        ticket, at = f"desk/{number}", START + number * 60 * SECOND
        fields: dict[str, str | list[str]] = {"status": "open", "priority": ("p1", "p2", "p3")[number % 3]}
        feed.append((ticket, event(ticket, "ticket.created", at, fields=fields, actor="customer")))
        if number % 4 != 3:
            answer = at + (number % 5) * HOUR // 2 + 1
            feed.append((ticket, event(ticket, "comment.added", answer, actor="agent", public=True)))
        if number % 5 == 1:
            feed.append((ticket, event(ticket, "ticket.changed", at + HOUR, fields={"priority": "p1"}, actor="agent")))
        if number % 6 == 2:
            for hours, status in ((1, "pending"), (5, "open"), (7, "solved"), (9, "open")):
                changed = event(ticket, "ticket.changed", at + hours * HOUR, fields={"status": status}, actor="agent")
                feed.append((ticket, changed))
    return sorted(feed, key=lambda entry: entry[1].key)


def test_a_worker_is_not_ready_before_it_has_partitions(broker: str, topics: Topics, tmp_path: Path) -> None:
    with Worker(broker, topics, tmp_path) as worker:
        text = until(lambda: (page := worker.page("readyz")).startswith("live") and page, "live", worker)
        assert text.strip() == "live on partitions 0, 1, 2, 3"


def test_a_worker_publishes_each_effect_of_a_replay_of_the_same_feed_once(broker: str, topics: Topics, tmp_path: Path) -> None:
    feed, end = _feed(120), START + 200 * HOUR
    with Worker(broker, topics, tmp_path, "--clock", "event").ready() as worker:
        publish(broker, topics, [*(sent(ticket, what) for ticket, what in feed), *tick(end)])
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    found = effects(broker, topics)

    assert Counter(substance(effect) for effect, _ in found) == dict.fromkeys(replayed(tmp_path, feed, end), 1)
    assert {effect.kind for effect, _ in found} >= {Kind.BREACHED, Kind.WARNED, Kind.MET, Kind.PAUSED, Kind.RAISED}


def test_an_effect_goes_to_its_tickets_partition_with_its_id_in_a_header(broker: str, topics: Topics, tmp_path: Path) -> None:
    feed = _feed(12)
    with Worker(broker, topics, tmp_path, "--clock", "event").ready() as worker:
        publish(broker, topics, [sent(ticket, what) for ticket, what in feed])
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    home = {record.key: record.partition for record in read(broker, topics.events)}
    found = effects(broker, topics)

    assert found
    for effect, record in found:
        assert record.key == effect.ticket.encode()
        assert record.partition == home[record.key]
        assert dict(record.headers)["ce_id"] == effect.id.encode()


def test_by_the_clock_a_breach_needs_no_further_event_and_is_never_early(broker: str, topics: Topics, tmp_path: Path) -> None:
    with Worker(broker, topics, tmp_path).ready().live() as worker:
        at = now()
        created = event("desk/1", "ticket.created", at, fields={"priority": "quick"}, actor="customer")
        publish(broker, topics, [sent("desk/1", created)])
        breaches = until(
            lambda: [found for found in effects(broker, topics) if found.effect.kind is Kind.BREACHED], "a breach", worker
        )

    (breach,) = breaches
    assert breach.effect.at == breach.effect.due_at == at + 4 * SECOND
    assert breach.effect.detected_at > breach.effect.at
    assert breach.record.timestamp * 1_000 >= breach.effect.at


def test_without_routine_effects_only_decisions_are_published(broker: str, topics: Topics, tmp_path: Path) -> None:
    feed, end = _feed(30), START + 200 * HOUR
    with Worker(broker, topics, tmp_path, "--clock", "event", "--routine", "no").ready() as worker:
        publish(broker, topics, [*(sent(ticket, what) for ticket, what in feed), *tick(end)])
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    kinds_and_reasons = {(effect.kind, effect.reason) for effect, _ in effects(broker, topics)}
    kinds = {kind for kind, _ in kinds_and_reasons}

    assert Kind.BREACHED in kinds
    assert not kinds & {Kind.STARTED, Kind.PAUSED, Kind.RETARGETED}
    # A reopening retracts a verdict.
    assert {reason for kind, reason in kinds_and_reasons if kind is Kind.RESUMED} == {Reason.REOPENED}


def test_a_stopped_worker_commits_its_work_so_that_nothing_is_repeated(broker: str, topics: Topics, tmp_path: Path) -> None:
    feed = _feed(60)
    with Worker(broker, topics, tmp_path, "--clock", "event", "--commit-interval", "1m").ready() as worker:
        publish(broker, topics, [sent(ticket, what) for ticket, what in feed])
        expected = len(replayed(tmp_path, feed, START))
        until(lambda: len(effects(broker, topics)) >= expected, "all effects", worker)
        status = worker.stop()

    assert status == 0
    assert all_committed(broker, topics)
    with Worker(broker, topics, tmp_path, "--clock", "event").ready().live() as next_worker:
        counted = [line for line in next_worker.page("metrics").splitlines() if line.startswith("sla_events_total")]
    assert counted
    assert all(line.endswith(" 0.0") for line in counted)


def test_two_workers_share_the_partitions_and_the_surviving_one_meets_all_deadlines(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    tickets = [f"desk/{number}" for number in range(40)]
    with Worker(broker, topics, tmp_path).ready() as first, Worker(broker, topics, tmp_path) as second:
        until(lambda: second.owns_some() and first.owns_some(), "both own partitions", second)
        until(lambda: not first._owned().endswith("0, 1, 2, 3\n"), "the first has given some up", first)
        at = now() + 10 * SECOND  # the deadlines come when one of the two is dead
        created = [event(t, "ticket.created", at, fields={"priority": "quick"}, actor="customer") for t in tickets]
        publish(broker, topics, [sent(ticket, what) for ticket, what in zip(tickets, created, strict=True)])
        until(lambda: all_committed(broker, topics), "the tickets are known", first)
        second.kill()
        first.ready()

        def breached() -> Counter[str]:
            return Counter(effect.ticket for effect, _ in effects(broker, topics) if effect.kind is Kind.BREACHED)

        until(lambda: len(breached()) == len(tickets), "a breach of each ticket", first)

    assert breached() == dict.fromkeys(tickets, 1)


def test_a_missing_topic_is_named_with_the_command_that_creates_it(broker: str, topics: Topics, tmp_path: Path) -> None:
    elsewhere = type(topics)(app_id=topics.app_id, prefix="nowhere.")
    with Worker(broker, elsewhere, tmp_path) as worker:
        status = worker.process.wait(60)

    log = worker.log.read_text("utf-8")
    assert status == 2
    assert "topic nowhere.ticket-events is missing" in log
    assert "breachwatch topics create" in log


def test_a_wrong_number_of_partitions_is_an_error_with_a_remedy(broker: str, topics: Topics, tmp_path: Path) -> None:
    other = type(topics)(app_id=topics.app_id + "-two", prefix=topics.prefix + "two.")
    asyncio.run(create(broker, other, partitions=2))
    with Worker(broker, other, tmp_path) as worker:
        status = worker.process.wait(60)

    assert status == 2
    assert "BREACHWATCH_PARTITIONS=2" in worker.log.read_text("utf-8")


def test_without_a_broker_a_worker_retries_and_logs_it(topics: Topics, tmp_path: Path) -> None:
    with Worker(f"127.0.0.1:{free_port()}", topics, tmp_path) as worker:
        until(lambda: worker.log.read_text("utf-8").count("next attempt in") >= 2, "it tries again", worker)


def test_a_wrong_policy_file_stops_the_start_with_its_line(broker: str, topics: Topics, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("policies:\n  - policy: shop\n    version: none\n", "utf-8")
    with Worker(broker, topics, tmp_path) as worker:
        status = worker.process.wait(60)

    assert status == 2
    assert "policy.yaml:3" in worker.log.read_text("utf-8")


def test_a_worker_whose_port_is_taken_has_deployed_nothing(broker: str, topics: Topics, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with Worker(broker, topics, tmp_path, "--metrics-port", port) as worker:
            assert worker.process.wait(60) == 2
    lines = worker.log.read_text("utf-8").splitlines()

    assert lines[-1] == "  Address already in use: set --metrics-port to another port, or to 0 for a free one"
    assert read(broker, topics.policies) == []
