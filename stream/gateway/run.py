"""Builds and runs the gateway. Only this file connects the parts: each one gets its dependencies as arguments.

On SIGTERM or Ctrl-C:

1. ``/readyz`` fails, so that a proxy sends requests to other instances.
2. The gateway stops listening, and finishes the requests in flight.
3. It writes the records that wait, and ends.

If it is killed instead, the requests without an answer are not done: the sender or the proxy repeats them, and what is in Kafka
already does no harm.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING, Any, Final

from stream.gateway.gateway import Gateway
from stream.gateway.outbox import Outbox
from stream.gateway.outcome_recorder import OutcomeRecorder
from stream.gateway.page import GatewayPage
from stream.gateway.server import Bounds, Server
from stream.observe.pages.routes import Routes
from stream.observe.server import Server as PageServer
from stream.observe.server import serve
from stream.runtime.kafka.denied import Operation
from stream.runtime.kafka.permissions import missing_on_topics
from stream.runtime.kafka.topic_admin import found_topics
from stream.runtime.startup import RefusedError, until_answered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.gateway.settings import GatewaySettings
    from stream.runtime.kafka.topic_checks import ClusterTopics
    from stream.runtime.kafka.topics import Topics

_NEEDED: Final = (Operation.WRITE, Operation.DESCRIBE_CONFIGS)
"""On both topics."""

log = logging.getLogger("stream.gateway")


class Running:
    """A gateway with its servers. ``port`` and ``page_port`` are known once it listens."""

    def __init__(self, settings: GatewaySettings, client: Mapping[str, Any], topics: Topics) -> None:
        self._settings: Final = settings
        self._client: Final = client
        self._topics: Final = topics
        self._status = "starting"
        self._outbox: Final = Outbox(client, (topics.events, topics.feed_rejected))
        recorder = OutcomeRecorder(settings.feeds)
        recorder.metrics.connected.set_function(lambda: float(self._outbox.fresh()))
        gateway = Gateway(settings.feeds, self._outbox, topics, recorder, public_url=settings.public_url)
        self._server: Final = Server(gateway, self.ready, Bounds(connections=settings.connections))
        page = GatewayPage(settings.feeds, recorder.recent, self.ready)
        self._routes: Final = Routes(recorder.metrics.registry, self.ready, page, settings.token, settings.allowed_hosts)
        self._pages: PageServer | None = None

    @property
    def port(self) -> int:
        return self._server.port

    def ready(self) -> tuple[bool, str]:
        """Whether requests can be taken, and the status in one line."""
        if self._status:
            return False, self._status
        return (True, "ready") if self._outbox.fresh() else (False, "no answer from the Kafka brokers")

    async def start(self) -> None:
        """Serve the pages, wait for Kafka, and listen. Raises RefusedError."""
        settings = self._settings
        host, port = settings.metrics_address, settings.metrics_port
        try:
            self._pages = serve(host, port, self._routes)
        except OSError as error:
            what, hint = f"cannot serve the page on {host}:{port}", "set --metrics-port to another port, or to 0 for a free one"
            raise RefusedError(what, [f"{error.strerror}: {hint}"]) from error
        log.info("page on http://%s:%d/", host, self._pages.port)
        await _check_topics(self._client, self._topics)
        await until_answered(self._client, "a gateway", self._outbox.start)
        try:
            await self._server.start(settings.listen.host, settings.listen.port)
        except OSError as error:
            what = f"cannot listen on {settings.listen}"
            raise RefusedError(what, [f"{error.strerror}: set --listen to another address"]) from error
        self._status = ""
        log.info("ready: feeds %s on %s", ", ".join(settings.feeds), settings.listen._replace(port=self.port))

    async def stop(self) -> None:
        """Finish and end."""
        self._status = "stopping"
        await self._server.stop()
        await self._outbox.stop()
        if self._pages is not None:
            await asyncio.to_thread(self._pages.close)


def run(settings: GatewaySettings, client: Mapping[str, Any], topics: Topics) -> None:
    """Serve the feeds until a signal stops the process. Raises RefusedError."""
    asyncio.run(_run(settings, client, topics))


async def _run(settings: GatewaySettings, client: Mapping[str, Any], topics: Topics) -> None:
    running, ended = Running(settings, client, topics), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    starting, stopping = asyncio.create_task(running.start()), asyncio.create_task(ended.wait())
    try:
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            await stopping
    finally:
        for task in (starting, stopping):
            task.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)
        await running.stop()
    log.info("stopped")


async def _check_topics(client: Mapping[str, Any], topics: Topics) -> None:
    """Check the topics that the gateway writes to, and retry until a broker answers. Raises RefusedError if they are wrong."""
    bootstrap = ",".join(client["bootstrap_servers"])
    names = (topics.events, topics.feed_rejected)
    specs = [spec for spec in (*topics.specs(), *topics.optional_specs()) if spec.name in names]

    async def find() -> ClusterTopics:
        if lacking := await missing_on_topics(bootstrap, dict.fromkeys(names, _NEEDED), client):
            raise RefusedError("the account may not do what a gateway does", lacking)
        return await found_topics(bootstrap, topics, specs, client=client)

    found = await until_answered(client, "a gateway", find)
    if problems := found.problems_of(specs, None):
        raise RefusedError("the topics are wrong", problems)
