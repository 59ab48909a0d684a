"""The input topic gets more partitions while workers run: they notice it, and a command moves the tickets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from stream.runtime.kafka.topic_admin import create, verify
from stream.runtime.kafka.topics import Topics
from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, EPOCH, Checkpoint
from stream.runtime.recovery.cluster import Cluster
from stream.runtime.recovery.moves import RepartitionError, home
from stream.runtime.recovery.repartition import repartition
from stream.sla.effects import Kind
from tests.broker.running import SECOND, Worker, all_committed, effects, event, now, publish, read, sent, until

if TYPE_CHECKING:
    from pathlib import Path

INPUT = Topics("desk").specs()[0].settings
TICKETS = [f"shop/{number}" for number in range(12)]


def installation(broker: str, partitions: int) -> Topics:
    topics = Topics("desk", f"{uuid4().hex[:8]}.")
    asyncio.run(create(broker, topics, partitions=partitions))
    return topics


def add_partitions(broker: str, topic: str, count: int) -> None:
    async def story() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        await admin.create_partitions({topic: NewPartitions(count)})
        while len((await admin.describe_topics([topic]))[0]["partitions"]) < count:  # noqa: ASYNC110  the broker does not announce it
            await asyncio.sleep(0.05)
        await admin.close()

    asyncio.run(story())


def set_cleanup(broker: str, topic: str, policy: str) -> None:
    async def story() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {**INPUT, "cleanup.policy": policy})])
        await admin.close()

    asyncio.run(story())


def move(broker: str, topics: Topics) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stream", "topics", "repartition", "--broker", broker]
    names = ["--app-id", topics.app_id, "--topic-prefix", topics.prefix]
    return subprocess.run([*command, *names], capture_output=True, text=True, check=False, timeout=120)


def count(broker: str, topics: Topics, kind: Kind) -> Counter[str]:
    return Counter(effect.ticket for effect, _ in effects(broker, topics) if effect.kind is kind)


@pytest.mark.parametrize(("before", "after"), [(1, 3), (2, 3), (2, 4)])
def test_no_event_is_lost_and_no_ticket_is_separated_from_its_events(
    broker: str, tmp_path: Path, before: int, after: int
) -> None:
    topics = installation(broker, before)
    old, new = ["--partitions", str(before)], ["--partitions", str(after)]
    owned = ", ".join(map(str, range(before)))
    at = now() + 40 * SECOND
    created = [event(t, "ticket.created", at, fields={"priority": "quick"}, actor="customer") for t in TICKETS]
    answers = [event(t, "comment.added", at + SECOND, actor="agent", public=True) for t in TICKETS]
    with Worker(broker, topics, tmp_path, *old, "--max-ahead", "1h").ready(owned) as worker:
        publish(broker, topics, [sent(ticket, what) for ticket, what in zip(TICKETS, created, strict=True)])
        until(lambda: all_committed(broker, topics), "all tickets are known", worker)
        set_cleanup(broker, topics.events, "compact")
        add_partitions(broker, topics.events, after)
        until(lambda: "breachwatch topics repartition" in worker.page("readyz"), "it is not ready, and states why", worker)
        assert f"sla_input_unread_partitions {after - before}.0" in worker.page("metrics")
        assert f"has {after} partitions, and workers read {before}" in worker.log.read_text("utf-8")
        until(lambda: "sla_topic_settings_wrong 1.0" in worker.page("metrics"), "the setting is noticed", worker)
        assert "records may be deleted or refused: topic" in worker.log.read_text("utf-8")
        set_cleanup(broker, topics.events, "delete")
        publish(broker, topics, [sent(ticket, what) for ticket, what in zip(TICKETS, answers, strict=True)])

        running = move(broker, topics)
        assert running.returncode == 1
        assert "stop all of them, then run this again" in running.stderr
        until(lambda: all_committed(broker, topics, before), "what workers read is processed", worker)
        assert worker.stop() == 0

    (problem,) = asyncio.run(verify(broker, topics, partitions=before))
    assert f"the tickets are in {before}: nobody reads the events of the others" in problem
    moved = move(broker, topics)
    assert moved.returncode == 0, moved.stderr
    expected = sum(home(t.encode(), before) != home(t.encode(), after) for t in TICKETS)
    assert f"moved {expected} of " in moved.stdout
    assert asyncio.run(verify(broker, topics, partitions=after)) == []
    again = move(broker, topics)
    assert again.stdout.startswith("nothing to do"), again
    with Worker(broker, topics, tmp_path, *new, "--max-ahead", "1h").ready(", ".join(map(str, range(after)))) as worker:
        until(lambda: len(count(broker, topics, Kind.MET)) == len(TICKETS), "each is met", worker)
        until(lambda: worker.page("readyz").startswith("live"), "it is ready", worker)
        until(lambda: all_committed(broker, topics), "all is processed", worker)
        assert "input lost" not in worker.log.read_text("utf-8")
        assert "sla_input_lost_records_total 0.0" in worker.page("metrics")
    assert count(broker, topics, Kind.MET) == dict.fromkeys(TICKETS, 1)
    assert not any(one.effect.provisional for one in effects(broker, topics))
    assert not count(broker, topics, Kind.BREACHED)


def test_a_worker_that_is_started_meanwhile_refuses_the_tickets(broker: str, tmp_path: Path) -> None:
    topics = installation(broker, 4)
    with Worker(broker, topics, tmp_path).ready() as worker:
        worker.stop()
    add_partitions(broker, topics.events, 8)
    with Worker(broker, topics, tmp_path, "--partitions", "8") as early:
        assert early.process.wait(90) == 2
    (advice,) = [line for line in early.log.read_text("utf-8").splitlines() if "partitions" in line]
    assert f"topics repartition --broker {broker}" in advice
    assert advice.endswith("; then start workers with --partitions 8")
    moving = Checkpoint(partitions=4, moving_to=8)
    write_checkpoints(broker, topics, moving, 4)

    with Worker(broker, topics, tmp_path) as worker:
        assert worker.process.wait(90) == 2

    assert "are being moved to 8 partitions: let `breachwatch topics repartition` finish" in worker.log.read_text("utf-8")


def test_more_partitions_of_the_changelog_by_hand_are_noticed(broker: str, tmp_path: Path) -> None:
    topics = installation(broker, 1)
    with Worker(broker, topics, tmp_path, "--partitions", "1").ready("0") as worker:
        worker.stop()
    for name in (topics.events, topics.breaches, topics.escalations, topics.rejected, topics.changelog):
        add_partitions(broker, name, 4)

    with Worker(broker, topics, tmp_path) as worker:
        assert worker.process.wait(90) == 2
    assert "has tickets divided into 1 partitions, and this worker is set to 4" in worker.log.read_text("utf-8")

    until(lambda: move(broker, topics).returncode == 0, "the group has noticed that the worker died")
    with Worker(broker, topics, tmp_path).ready() as worker:
        worker.live()


def test_events_that_are_not_processed_refuse_the_move(broker: str, tmp_path: Path) -> None:
    topics = installation(broker, 1)
    with Worker(broker, topics, tmp_path, "--partitions", "1").ready("0") as worker:
        worker.stop()
    publish(broker, topics, [sent("shop/1", event("shop/1", "ticket.created", now()))])
    add_partitions(broker, topics.events, 2)

    with pytest.raises(RepartitionError, match="have events that are not processed: start a worker with --partitions 1"):
        asyncio.run(repartition(Cluster(broker, topics, {"bootstrap_servers": broker})))


def write_checkpoints(broker: str, topics: Topics, checkpoint: Checkpoint, partitions: int) -> None:
    async def story() -> None:
        async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
            for number in range(partitions):
                value = msgspec.json.encode(checkpoint)
                await producer.send_and_wait(
                    topics.changelog, value, key=CHECKPOINT_KEY, partition=number, headers=[(EPOCH, b"99")]
                )

    asyncio.run(story())
    assert len(read(broker, topics.changelog)) >= partitions
