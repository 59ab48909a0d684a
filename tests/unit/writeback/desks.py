"""Helpdesks of our own on this machine: they speak the documented APIs of Zendesk and Jira, with their refusals."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

P = ParamSpec("P")


def in_a_loop(story: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that is a coroutine, in an event loop of its own."""

    @wraps(story)
    def test(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(story(*args, **kwargs))

    return test


class FakeDesk:
    """Tickets by id, what was asked, and what is answered instead while something is wrong."""

    def __init__(self) -> None:
        self.tickets: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, Any]] = []
        """Method, path with query, and body."""
        self.instead: list[web.Response] = []
        """Answers of the next requests."""
        self.before_write: Callable[[dict[str, Any]], None] = lambda _: None
        """What somebody else does to a ticket between a reading and a change."""
        self.url = ""

    @property
    def writes(self) -> list[Any]:
        return [body for method, _, body in self.asked if method != "GET"]

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path_qs, body))
        if request.headers.get("Authorization") != "Bearer secret":
            return web.json_response({"error": "who?"}, status=401)
        if self.instead:
            return self.instead.pop(0)
        ticket = self.tickets.get(self._id(request.path))
        if ticket is None:
            return web.json_response({"error": "RecordNotFound"}, status=404)
        if request.method == "GET":
            return self._read(ticket)
        self.before_write(ticket)
        return self._write(ticket, body or {})

    def _id(self, path: str) -> str:
        return path.rsplit("/", 1)[1].removesuffix(".json")

    def _read(self, ticket: dict[str, Any]) -> web.Response:
        raise NotImplementedError

    def _write(self, ticket: dict[str, Any], body: dict[str, Any]) -> web.Response:
        raise NotImplementedError

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeDesk]:
        """Serve on a port of its own."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


class FakeZendesk(FakeDesk):
    """Refuses a change of a ticket that is not as it was read, and of a closed one."""

    not_taken: tuple[str, ...] = ()
    """Values that no field takes."""

    def add(self, id_: str, **fields: Any) -> dict[str, Any]:
        made = {"id": int(id_), "status": "open", "tags": [], "updated_at": "2026-03-02T09:00:00Z", "group_id": None, **fields}
        made.setdefault("custom_fields", [{"id": 1, "value": None}, {"id": 2, "value": False}])
        self.tickets[id_] = made
        return made

    def _read(self, ticket: dict[str, Any]) -> web.Response:
        return web.json_response({"ticket": ticket})

    def _write(self, ticket: dict[str, Any], body: dict[str, Any]) -> web.Response:
        change = body["ticket"]
        if ticket["status"] == "closed":
            return web.json_response({"error": "RecordInvalid", "details": {"status": "closed"}}, status=422)
        if not change.pop("safe_update") or change.pop("updated_stamp") != ticket["updated_at"]:
            return web.json_response({"error": "UpdateConflict"}, status=409)
        for field in change.get("custom_fields", []):
            if field["value"] in self.not_taken:
                return web.json_response({"error": "RecordInvalid", "details": {"value": "not in the list"}}, status=422)
        for field in change.pop("custom_fields", []):
            next(each for each in ticket["custom_fields"] if each["id"] == field["id"])["value"] = field["value"]
        ticket.update(change)
        ticket["updated_at"] += "'"
        return self._read(ticket)


class FakeJira(FakeDesk):
    """Refuses a change that would notify people, or of a field that is not on the screen."""

    def add(self, key: str, **fields: Any) -> dict[str, Any]:
        self.tickets[key] = {"labels": [], "updated": "2026-03-02T09:00:00.000+0000", **fields}
        return self.tickets[key]

    def _read(self, ticket: dict[str, Any]) -> web.Response:
        return web.json_response({"fields": ticket})

    def _write(self, ticket: dict[str, Any], body: dict[str, Any]) -> web.Response:
        if not self.asked[-1][1].endswith("?notifyUsers=false"):
            return web.json_response({"errorMessages": ["mail for everybody"]}, status=400)
        fields = body.get("fields", {})
        if unknown := [name for name in fields if name not in ticket]:
            return web.json_response({"errors": {unknown[0]: "cannot be set. It is not on the appropriate screen"}}, status=400)
        ticket.update(fields)
        for each in body.get("update", {}).get("labels", []):
            ((how, label),) = each.items()
            ticket["labels"] = [*ticket["labels"], label] if how == "add" else [old for old in ticket["labels"] if old != label]
        return web.Response(status=204)
