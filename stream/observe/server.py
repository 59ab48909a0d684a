"""The worker's web server. A thread of its own serves all connections, so it answers while the worker's event loop hangs.

What a client can use up is bounded, and no client can keep another from ``/healthz``:

1. There are at most ``Bounds.connections`` connections. One more takes the place of the oldest that waits for a request: a
   client that sends its headers slowly gives way to one that sends them at once. If none waits, the new one is closed.
2. A connection that has not sent a whole head of a request within ``idle_seconds`` is closed, and so is one without a next
   request. A body must come, and an answer must be taken, within ``transfer_seconds``.
3. Metrics and pages are made by a few threads. ``/healthz`` and ``/readyz`` do not wait for them.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from stream.deployments.snapshot import MAX_BYTES
from stream.observe.bounded_server import BoundedServer, response_of, send
from stream.observe.pages.routes import HEALTH, METRICS, Request, Routes

if TYPE_CHECKING:
    from stream.observe.pages.site import Answer

_CLIENTS: Final = logging.getLogger(f"{__name__}.clients")
"""The logger of aiohttp. It logs heads that are not HTTP, with a traceback for each. Hostile clients must not fill the log."""
_CLIENTS.setLevel(logging.CRITICAL)

_PAGE_THREADS: Final = 4
_METRICS_THREADS: Final = 2
_LINGER: Final = 10.0
"""The most seconds in which the rest of a request is read, and dropped, after its answer."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits on the resources of clients."""

    connections: int = 64
    idle_seconds: float = 10
    transfer_seconds: float = 30


class Server:
    """The running server. ``port`` is the port bound, also if port 0 (any free one) was requested."""

    def __init__(self, listening: socket.socket, routes: Routes, bounds: Bounds) -> None:
        self.port: Final[int] = listening.getsockname()[1]
        self._listening = listening
        self._routes = routes
        self._bounds = bounds
        self._closed: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pages = ThreadPoolExecutor(_PAGE_THREADS, "page")
        self._metrics = ThreadPoolExecutor(_METRICS_THREADS, "metrics")
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="pages", daemon=True)
        self._thread.start()
        self._started.wait()

    def close(self) -> None:
        """Stop listening. A second call does nothing."""
        if self._thread.is_alive() and self._loop is not None and self._closed is not None:
            self._loop.call_soon_threadsafe(self._closed.set)
            self._thread.join()
        self._pages.shutdown(wait=False, cancel_futures=True)
        self._metrics.shutdown(wait=False, cancel_futures=True)

    async def _serve(self) -> None:
        self._loop, self._closed = asyncio.get_running_loop(), asyncio.Event()
        bounds = self._bounds
        server: BoundedServer = BoundedServer(
            self._handle,
            bounds.connections,
            request_factory=_request,
            keepalive_timeout=bounds.idle_seconds,
            lingering_time=min(_LINGER, bounds.transfer_seconds),
            access_log=None,
            logger=_CLIENTS,
        )
        runner = web.ServerRunner(server, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.SockSite(runner, self._listening, backlog=128).start()
            self._started.set()
            await self._closed.wait()
        finally:
            self._started.set()
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        given = Request(
            request.method,
            self._routes.path(request.rel_url.raw_path),
            request.rel_url.raw_query_string,
            request.headers.get("Accept", ""),
            request.headers.get("Authorization", ""),
            request.headers.get("Host", ""),
            request.remote or "",
        )
        answer = self._routes.early(given, request.content_length if request.method == "POST" else 0)
        if answer is None:
            if request.method == "POST":
                try:
                    async with asyncio.timeout(self._bounds.transfer_seconds):
                        given = given._replace(body=await request.read())
                except ConnectionError:  # the client is gone, so this is not sent
                    return web.Response()
            answer = await self._answer(given)
        response = response_of(answer, request.headers.get("Accept-Encoding", ""))
        await send(request, response, self._bounds.transfer_seconds)
        return response

    async def _answer(self, given: Request) -> Answer:
        if given.path in HEALTH:
            return self._routes.answer(given)
        pool = self._metrics if given.path == METRICS else self._pages
        return await asyncio.get_running_loop().run_in_executor(pool, self._routes.answer, given)


def serve(address: str, port: int, routes: Routes, bounds: Bounds = Bounds()) -> Server:
    """Serve on ``address:port`` until ``close()``. Raises OSError if the address cannot be bound."""
    return Server(listening(address, port), routes, bounds)


def listening(address: str, port: int) -> socket.socket:
    """A socket on ``address:port``. Raises OSError if the address cannot be bound."""
    return socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BYTES)
