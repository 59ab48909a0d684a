"""A worker that has effects to publish, and a broker that no longer answers."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from stream.devkafka.broker import Broker
from stream.runtime.abort import EXIT_STATUS
from stream.runtime.kafka.topic_admin import create
from stream.runtime.kafka.topics import Topics
from stream.sla.effects import Kind
from tests.broker.running import PATIENCE, SECOND, Worker, all_committed, effects, event, now, publish, sent, until

if TYPE_CHECKING:
    from pathlib import Path


def test_a_worker_that_cannot_publish_a_breach_ends_with_a_message_and_the_next_one_publishes_it_once(tmp_path: Path) -> None:
    topics = Topics("watchdog")
    with Broker() as frozen:
        asyncio.run(create(frozen.bootstrap, topics, partitions=4))
        with Worker(frozen.bootstrap, topics, tmp_path).ready().live() as worker:
            at = now()
            created = event("desk/1", "ticket.created", at, fields={"priority": "quick"}, actor="customer")
            publish(frozen.bootstrap, topics, [sent("desk/1", created)])
            until(lambda: all_committed(frozen.bootstrap, topics), "the ticket is known", worker)
            os.kill(frozen.pid, signal.SIGSTOP)
            try:
                status = worker.process.wait(PATIENCE / 2)
            finally:
                os.kill(frozen.pid, signal.SIGCONT)
        log = worker.log.read_text("utf-8")
        assert status == EXIT_STATUS
        assert "stopped at once, by its watchdog" in log
        assert "no progress: a unit of work or due timers of partition " in log

        with Worker(frozen.bootstrap, topics, tmp_path) as worker:

            def breaches() -> list[int]:
                return [effect.at for effect, _ in effects(frozen.bootstrap, topics) if effect.kind is Kind.BREACHED]

            until(breaches, "the breach", worker)
            worker.live()
        assert breaches() == [at + 4 * SECOND]
