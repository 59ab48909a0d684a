"""An HTTP server of aiohttp whose clients can use up only so many connections and so much memory, and its responses.

A client that sends slowly gives way to one that sends at once:

1. There are at most ``connections`` connections. One more takes the place of the oldest that waits for a request or the rest
   of one. If none waits, the new one is closed.
2. Bodies that are being received have at most ``receiving_bytes`` together. Beyond, the connection that holds most of them and
   waits for more is closed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from stream.observe.pages.site import Answer

log = logging.getLogger(__name__)

_WORTH_COMPRESSING: Final = 1_400
"""Bytes of a body that fit into one packet."""
_ANY: Final = 2**63


class _Handler(web.RequestHandler):
    """Forbids browsers to guess the type of the library's own answers, such as that to a request that is not HTTP."""

    __slots__ = ()

    def handle_error(self, *arguments: Any, **options: Any) -> web.StreamResponse:
        response = super().handle_error(*arguments, **options)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class BoundedServer(web.Server):
    """Closes connections so that clients stay within the bounds."""

    def __init__(
        self,
        handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        connections: int,
        receiving_bytes: int = _ANY,
        **options: Any,
    ) -> None:
        super().__init__(self._answer, **options)
        self._handle = handle
        self._most = connections
        self._most_bytes = receiving_bytes
        self._open: dict[web.RequestHandler, asyncio.Transport] = {}
        """The oldest first."""
        self._busy: set[web.RequestHandler] = set()
        """Those with a request that is being answered."""
        self._received: dict[web.RequestHandler, int] = {}
        """The bytes of the bodies that are not complete."""
        self._received_bytes = 0

    def __call__(self) -> web.RequestHandler:
        return _Handler(self, loop=asyncio.get_running_loop(), **self._kwargs)

    def receiving(self, handler: web.RequestHandler, size: int) -> None:
        """``size`` bytes of the body of a request have come, and more may come: its connection gives way to others."""
        self._busy.discard(handler)
        self._received_bytes += size - self._received.get(handler, 0)
        self._received[handler] = size
        while self._received_bytes > self._most_bytes:
            largest = max(self._received, key=self._received.__getitem__)
            self._forget(largest)
            if largest in self._open:
                self._open.pop(largest).abort()

    def received(self, handler: web.RequestHandler) -> None:
        """The body of a request is complete: its connection stays until it is answered."""
        self._forget(handler)
        self._busy.add(handler)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self._busy.add(request.protocol)
        try:
            return await self._handle(request)
        finally:
            self._busy.discard(request.protocol)
            self._forget(request.protocol)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._open[handler] = transport
        if len(self._open) > self._most:
            waiting = next((one for one in self._open if one not in self._busy), handler)
            self._open.pop(waiting).abort()

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._open.pop(handler, None)
        self._forget(handler)

    def _forget(self, handler: web.RequestHandler) -> None:
        self._received_bytes -= self._received.pop(handler, 0)


def response_of(answer: Answer, accept_encoding: str) -> web.Response:
    """The response of aiohttp, compressed if the client accepts it and it is worth it."""
    response = web.Response(status=answer.status, body=answer.body)
    response.headers["Content-Type"] = answer.content_type
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Server"] = "breachwatch"
    for name, value in answer.headers:
        response.headers[name] = value
    if len(answer.body) >= _WORTH_COMPRESSING:
        response.headers.add("Vary", "Accept-Encoding")
        if _accepts_gzip(accept_encoding):
            response.enable_compression(web.ContentCoding.gzip)
    return response


def _accepts_gzip(accept_encoding: str) -> bool:
    for part in accept_encoding.lower().split(","):
        coding, _, parameter = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return parameter.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


async def send(request: web.BaseRequest, response: web.Response, seconds: float) -> None:
    """Send the whole response; cut the connection if the client does not take it in this time."""
    try:
        async with asyncio.timeout(seconds):
            await response.prepare(request)
            await response.write_eof()
    except TimeoutError:  # closing would wait until the client takes the rest
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        log.debug("a client did not wait for its answer")
