"""The HTTP server of the gateway: only this file knows aiohttp.

What a client can use up is bounded:

1. There are at most ``Bounds.connections`` connections, and the bodies that are being received have at most ``receiving_bytes``
   together (``stream.observe.bounded_server``).
2. A connection without a whole head of a request within ``idle_seconds`` is closed, and so is one without a next request. A
   body must come, and an answer must be taken, within ``transfer_seconds``.
3. A head has at most 8 KiB in a line and 64 lines. Bodies are not decompressed.

A head that is not HTTP, or that states the length of its body in two ways, is answered with 400 by aiohttp's parser, and its
connection is closed.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from stream.feeds.rejected_payload import MAX_BODY
from stream.gateway.feed import Received
from stream.observe.bounded_server import BoundedServer, response_of, send
from stream.observe.pages.site import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.gateway.gateway import Gateway

_LINES: Final = 64
_LINGER: Final = 1.0
"""The most seconds that the rest of a refused body is read and dropped, so that the client can read its answer."""
_TEXT: Final = "text/plain; charset=utf-8"

log = logging.getLogger(__name__)
_CLIENTS: Final = logging.getLogger(f"{__name__}.clients")
"""The logger of aiohttp. It logs heads that are not HTTP, with a traceback for each. Hostile clients must not fill the log."""
_CLIENTS.setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits on the resources of clients."""

    connections: int = 512
    receiving_bytes: int = 32 * 1024 * 1024
    idle_seconds: float = 10
    transfer_seconds: float = 10
    finish_seconds: float = 5
    """So long requests in flight may take when the server stops."""


class Server:
    """The running server. ``port`` is the port bound, also if port 0 (any free one) was requested."""

    def __init__(self, gateway: Gateway, ready: Callable[[], tuple[bool, str]], bounds: Bounds = Bounds()) -> None:
        """``ready``: whether requests can be taken, and the status in one line."""
        self.port = 0
        self._gateway: Final = gateway
        self._ready: Final = ready
        self._bounds: Final = bounds
        self._server: BoundedServer | None = None
        self._runner: web.ServerRunner | None = None

    async def start(self, address: str, port: int) -> None:
        """Listen. Raises OSError if the address cannot be bound."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listening = socket.create_server((address, port), family=family, backlog=512)
        self.port = listening.getsockname()[1]
        bounds = self._bounds
        self._server = BoundedServer(
            self._handle,
            bounds.connections,
            bounds.receiving_bytes,
            request_factory=_request,
            keepalive_timeout=bounds.idle_seconds,
            lingering_time=_LINGER,
            max_headers=_LINES,
            auto_decompress=False,
            access_log=None,
            logger=_CLIENTS,
        )
        self._runner = web.ServerRunner(self._server, shutdown_timeout=bounds.finish_seconds)
        await self._runner.setup()
        await web.SockSite(self._runner, listening, backlog=512).start()

    async def stop(self) -> None:
        """Stop listening, finish the requests in flight, and close all connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            answer = await self._answer(request)
        except Exception:  # the client must get an answer, not a closed connection
            log.exception("a request failed")
            answer = Answer(HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, b"an error in breachwatch\n", (("Retry-After", "5"),))
        if answer is None:  # the client is gone, so this is not sent
            return web.Response()
        response = response_of(answer, "")
        if ("Connection", "close") in answer.headers:
            response.force_close()
        await send(request, response, self._bounds.transfer_seconds)
        return response

    async def _answer(self, request: web.BaseRequest) -> Answer | None:
        """The answer; ``None`` if the client breaks off."""
        given = _given(request)
        if given.method in ("GET", "HEAD") and given.path in ("/healthz", "/readyz"):
            good, text = (True, "alive") if given.path == "/healthz" else self._ready()
            return Answer(HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, f"{text}\n".encode())
        length = None if "transfer-encoding" in given.headers else request.content_length or 0
        answer = self._gateway.early(given, length)
        if answer is not None:
            return answer
        body = bytearray()
        try:
            async with asyncio.timeout(self._bounds.transfer_seconds):
                await self._receive(request, body)
            if len(body) > MAX_BODY:
                return self._gateway.too_large(given, len(body))
            given = given._replace(body=bytes(body))
        except TimeoutError:
            return self._gateway.slow(given, len(body))
        except (ConnectionError, web.RequestPayloadError) as error:
            # aiohttp keeps it with the request: what it holds on to would only be freed by the garbage collector.
            error.__traceback__ = None
            return None
        finally:
            body.clear()
        return await self._gateway.answer(given)

    async def _receive(self, request: web.BaseRequest, body: bytearray) -> None:
        """Receive a body, up to a little more than the largest one. Raises RequestPayloadError."""
        assert self._server is not None
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY:
                break
            self._server.receiving(request.protocol, len(body))
        self._server.received(request.protocol)


def _given(request: web.BaseRequest) -> Received:
    """The request, with repeated headers as one: which of them counts must not depend on who reads it."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    url = request.rel_url
    return Received(request.method, url.raw_path, url.raw_query_string, headers)


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    return web.BaseRequest(message, payload, protocol, writer, task, asyncio.get_running_loop())
