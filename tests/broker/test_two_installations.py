"""Installations whose names are alike: what differs in the topic prefix alone, and what gives the same names."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING
from uuid import uuid4

from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.sla.effects import Kind
from tests.broker.running import Worker, all_committed, effects, event, now, publish, sent, until

if TYPE_CHECKING:
    from pathlib import Path

TICKETS = [f"shop/{number}" for number in range(8)]


def installation(broker: str, prefix: str, app_id: str = "desk") -> Topics:
    topics = Topics(app_id, prefix)
    asyncio.run(create(broker, topics, partitions=4))
    return topics


def feed(broker: str, topics: Topics) -> None:
    created = [event(t, "ticket.created", now(), fields={"priority": "quick"}, actor="customer") for t in TICKETS]
    publish(broker, topics, [sent(ticket, what) for ticket, what in zip(TICKETS, created, strict=True)])


def breached(broker: str, topics: Topics, worker: Worker) -> Counter[str]:
    """The breaches of each ticket, as soon as each has one."""

    def count() -> Counter[str]:
        return Counter(effect.ticket for effect, _ in effects(broker, topics) if effect.kind is Kind.BREACHED)

    until(lambda: len(count()) == len(TICKETS), "each has a breach", worker)
    return count()


def processed(broker: str, topics: Topics, worker: Worker) -> None:
    until(lambda: all_committed(broker, topics), "it is all processed", worker)


def test_two_that_differ_by_the_prefix_alone_run_together_and_know_nothing_of_each_other(broker: str, tmp_path: Path) -> None:
    unique = uuid4().hex[:8]
    eu, us = installation(broker, f"{unique}-eu."), installation(broker, f"{unique}-us.")
    with Worker(broker, eu, tmp_path).ready() as european, Worker(broker, us, tmp_path).ready() as american:
        feed(broker, eu)
        feed(broker, us)
        for topics, worker in ((eu, european), (us, american)):
            assert breached(broker, topics, worker) == dict.fromkeys(TICKETS, 1)
            assert worker.page("readyz").startswith("live on partitions 0, 1, 2, 3")


def test_one_that_starts_where_another_was_has_state_of_its_own(broker: str, tmp_path: Path) -> None:
    unique = uuid4().hex[:8]
    eu, us = installation(broker, f"{unique}-eu."), installation(broker, f"{unique}-us.")
    for topics in (eu, us):
        feed(broker, topics)
        with Worker(broker, topics, tmp_path).ready() as worker:
            assert breached(broker, topics, worker) == dict.fromkeys(TICKETS, 1)
            processed(broker, topics, worker)
            assert 'sla_events_total{result="applied",type="ticket.created"} 8.0' in worker.page("metrics")
            assert worker.stop() == 0


def test_a_prefix_and_an_app_id_that_give_the_names_of_others_are_refused_before_anything_is_done(
    broker: str, tmp_path: Path
) -> None:
    unique = uuid4().hex[:8]
    first = installation(broker, f"{unique}a", "desk")
    second = Topics("adesk", unique)
    assert (second.group, second.policies, second.changelog) == (first.group, first.policies, first.changelog)
    with Worker(broker, first, tmp_path).ready() as owner:
        asyncio.run(create(broker, second, partitions=4))
        with Worker(broker, second, tmp_path) as stranger:
            assert stranger.process.wait(60) == 2
        commands = [("deploy", "--list"), ("topics", "repartition"), ("topics", "create"), ("topics", "check")]
        refused = [_command(broker, second, *words) for words in commands]
        assert owner.readies() == 1

    for text in (stranger.log.read_text("utf-8"), *(each.stderr for each in refused)):
        assert f"belongs to an installation that reads {first.events}, and this one reads {second.events}" in text
        assert "choose another --app-id" in text
    assert [each.returncode for each in refused] == [1] * len(commands)


def _command(broker: str, topics: Topics, *words: str) -> subprocess.CompletedProcess[str]:
    where = ["--broker", broker, "--app-id", topics.app_id, "--topic-prefix", topics.prefix]
    return subprocess.run(
        [sys.executable, "-m", "stream", *words, *where], capture_output=True, text=True, check=False, timeout=60
    )
