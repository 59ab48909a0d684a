"""Runs ``breachwatch notify``: connects the parts of each destination, and serves the health and the metrics of all."""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from stream.notify.delivery import Delivery
from stream.notify.enqueuer import Enqueuer
from stream.notify.memory import Memory, StateTopic
from stream.notify.message import Writer
from stream.notify.notify_metrics import NotifyMetrics
from stream.notify.pipeline import Pipeline, keep_running
from stream.notify.send_queue import SendQueue
from stream.notify.subscription import Subscription
from stream.observe.pages.routes import Routes
from stream.observe.server import serve
from stream.runtime.kafka.topic_reader import existing_topics
from stream.runtime.listen_address import Address
from stream.runtime.startup import until_answered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.notify.decision import Sent
    from stream.notify.delivery import Sender
    from stream.notify.rules import Rules
    from stream.runtime.kafka.topics import Topics

log = logging.getLogger("stream.notify")


@dataclass(frozen=True, slots=True)
class Options:
    """The environment of a process: its cluster, its topics and its pages."""

    bootstrap: str
    client: Mapping[str, Any]
    """Arguments of an aiokafka client, with the address."""
    topics: Topics
    listen: Address
    token: str
    begin: int | None
    """The instant at which a new destination begins, epoch microseconds; ``None``: the end of the topics."""


class Service:
    """One ``notify`` process."""

    def __init__(self, rules: Rules, senders: Mapping[str, Sender], options: Options) -> None:
        self._rules: Final = rules
        self._senders: Final = senders
        self._options: Final = options
        self._topics: Final = (options.topics.breaches, options.topics.escalations)
        self._memory: Final = Memory()
        holders = {holder.role for holder in rules.holders}
        self._metrics: Final = NotifyMetrics(rules.destinations, holders, self._memory.__len__)
        self._pipelines: Final[list[Pipeline]] = []

    async def run(self) -> None:
        """Run until SIGTERM or Ctrl-C. Raises MissingTopicError, RefusedError, and OSError if the port is not free.

        Raises CancelledError if a signal comes before it has started.
        """
        stopping = asyncio.Event()
        loop, starting = asyncio.get_running_loop(), asyncio.current_task()

        def stop() -> None:
            stopping.set()
            if starting is not None and not self._pipelines:
                starting.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        options = self._options
        server = serve(
            options.listen.host, options.listen.port, Routes(self._metrics.registry, self._ready, token=options.token)
        )
        state = StateTopic(options.bootstrap, options.client, options.topics.notify_state, self._memory)
        try:
            log.info("health and metrics on http://%s/", Address(options.listen.host, server.port))
            await until_answered(
                options.client, "notify", partial(existing_topics, options.bootstrap, options.client, self._topics)
            )
            await until_answered(options.client, "notify", state.start)
            log.info("%d messages are remembered", len(self._memory))
            log.info("ready: destinations %s", ", ".join(self._rules.destinations))
            self._pipelines.extend([self._pipeline(name, state) for name in self._rules.destinations])
            await self._all(stopping)
        finally:
            for sender in self._senders.values():
                await sender.close()
            await state.stop()
            server.close()

    async def _all(self, stopping: asyncio.Event) -> None:
        """Run all pipelines. If one of them fails for another reason than Kafka, which is a bug, all end."""
        async with asyncio.TaskGroup() as group:
            for pipeline in self._pipelines:
                group.create_task(keep_running(pipeline, stopping))

    def _pipeline(self, name: str, state: StateTopic) -> Pipeline:
        def sent(effect_id: str) -> Sent | None:
            return self._memory.get(name, effect_id)

        rules, options = self._rules, self._options
        writer = Writer(rules.zone, rules.ticket_url)
        queue = SendQueue(sent, writer.digest)
        delivery = Delivery(rules.destinations[name], writer, queue, self._memory, state, self._senders[name])
        delivery.metrics = self._metrics.of[name]
        subscription = Subscription(options.client, self._topics, options.topics.notify_group(name), options.begin)
        enqueuer = Enqueuer(name, rules, queue, self._metrics)
        return Pipeline(subscription, enqueuer, delivery, self._metrics.of[name], state.catch_up)

    def _ready(self) -> tuple[bool, str]:
        """Called from the thread of the server."""
        waiting = [pipeline.name for pipeline in self._pipelines if not pipeline.ready]
        if not self._pipelines or waiting:
            return False, f"not reading yet: {', '.join(waiting) or 'all destinations'}"
        return True, f"served: {', '.join(pipeline.name for pipeline in self._pipelines)}"
