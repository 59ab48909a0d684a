"""The address of the brokers leads to another cluster, as after a wrong change of DNS or a load balancer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from stream.devkafka.broker import Broker
from stream.devkafka.ports import free_port
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from tests.broker.running import Worker, all_committed, event, now, publish, read, sent, until

if TYPE_CHECKING:
    from pathlib import Path


def test_a_worker_ends_and_writes_nothing_there(tmp_path: Path) -> None:
    topics, port = Topics("desk"), free_port()
    with Broker(port=port, data=tmp_path / "ours") as ours:
        asyncio.run(create(ours.bootstrap, topics, partitions=4))
        worker = Worker(ours.bootstrap, topics, tmp_path).ready()
        publish(ours.bootstrap, topics, [sent("shop/1", event("shop/1", "ticket.created", now()))])
        until(lambda: all_committed(ours.bootstrap, topics), "the ticket is known", worker)
    with worker, Broker(port=port, data=tmp_path / "another") as another:
        asyncio.run(create(another.bootstrap, topics, partitions=4))
        assert worker.process.wait(90) == 70
        assert read(another.bootstrap, topics.changelog, topics.policies, topics.breaches) == []

    log = worker.log.read_text("utf-8")
    assert "check the address" in log or "check where the address of the brokers leads" in log
