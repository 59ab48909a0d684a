"""Servers on loopback that speak the API of a helpdesk, with the troubles of one."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from stream.pull.client import Client, Patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from stream.pull.api import Document, Resource


@dataclass
class Trouble:
    """An answer in place of the right one."""

    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    close: bool = False
    """Break the connection instead."""


class FakeApi:
    """Answers requests by ``answer``, and first of all with the troubles that are next.

    Subclasses keep the data of a helpdesk and answer as its API does. ``asked`` has each request as path and query.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.sent_headers: list[Mapping[str, str]] = []
        self.troubles: deque[Trouble] = deque()
        self.forbidden: set[str] = set()
        """Paths that the account may not read."""
        self.before: Callable[[str, Mapping[str, str]], None] = lambda path, query: None
        """Called before each right answer: changes data between two pages."""
        self.slow = 0.0
        """Seconds that each answer takes."""
        self.most_in_flight = 0
        self._in_flight = 0

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        """What is at a path, as JSON. ``None``: 404. A ``Trouble`` is an answer as well."""
        raise NotImplementedError

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            query = dict(request.query)
            self.asked.append((request.path, query))
            self.sent_headers.append(dict(request.headers))
            await asyncio.sleep(self.slow)
            if self.troubles:
                return _troubled(request, self.troubles.popleft())
            if request.path in self.forbidden:
                return web.json_response({"error": "forbidden"}, status=403)
            self.before(request.path, query)
            body = await request.json() if request.can_read_body else None
            found = self.answer(request.method, request.path, query, body)
            if isinstance(found, Trouble):
                return _troubled(request, found)
            return web.json_response({"error": "not found"}, status=404) if found is None else web.json_response(found)
        finally:
            self._in_flight -= 1


def _troubled(request: web.Request, trouble: Trouble) -> web.Response:
    if trouble.close:
        assert request.transport is not None
        request.transport.abort()
    return web.Response(status=trouble.status, headers=trouble.headers, body=trouble.body)


@dataclass
class Sleeps:
    """Passes time at once, and remembers how much."""

    slept: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


@asynccontextmanager
async def served(
    api: FakeApi, headers: Mapping[str, str] | None = None, *, sleeps: Sleeps | None = None, attempts: int = 4, path: str = ""
) -> AsyncIterator[Client]:
    """A client of a running server. Nothing really sleeps."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        url = f"http://127.0.0.1:{port}{path}"
        async with Client(url, headers or {}, patience=Patience(attempts=attempts), sleep=sleeps or Sleeps()) as client:
            yield client
    finally:
        await runner.cleanup()


async def read_all(resource: Resource, since: int = 0) -> list[Document]:
    """All documents of a resource, page after page."""
    return [document async for page in resource.pages(since) for document in page.documents]
