"""Requests to a helpdesk: authorised, bounded in time and size, with an exception for each kind of failure."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import aiohttp
import orjson

from stream.runtime.http_answer import TooLargeError, retry_after, whole_body
from stream.writeback.api import ConflictError, Outcome, RefusedError, RetryError
from stream.writeback.desk_file import LoginKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream.writeback.desk_file import Login
    from stream.writeback.pacing import Pace
    from stream.writeback.system import System

SECONDS: Final = 15.0
"""For one request."""
_MOST_BYTES: Final = 4 * 1024 * 1024
_LONGEST_WAIT: Final = 3600.0
_MOST_QUOTED: Final = 200


class Answer(NamedTuple):
    """A successful answer."""

    data: Any
    headers: Mapping[str, str]


class DeskClient:
    """Sends requests to one desk. Only within ``async with``."""

    def __init__(self, url: str, headers: Mapping[str, str], pace: Pace, wall: Callable[[], float]) -> None:
        """``headers``: of every request, the login among them. ``wall``: seconds since the epoch."""
        self._url: Final = url
        self._pace: Final = pace
        self._headers: Final = {"Accept": "application/json", "User-Agent": "breachwatch-writeback", **headers}
        self._wall: Final = wall
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> DeskClient:
        self._session = aiohttp.ClientSession(
            headers=self._headers, timeout=aiohttp.ClientTimeout(total=SECONDS), cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str) -> Answer:
        return await self._send("GET", path, None, {})

    async def put(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> Answer:
        return await self._send("PUT", path, body, headers or {})

    async def patch(self, path: str, body: object) -> Answer:
        return await self._send("PATCH", path, body, {})

    async def _send(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> Answer:
        """Raises RefusedError, RetryError, ConflictError."""
        if self._session is None:
            raise RuntimeError("the client is not open")
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(max(self._pace.reserve(clock()) - clock(), 0))
        data = None if body is None else orjson.dumps(body)
        kind = {} if body is None else {"Content-Type": "application/json"}
        session, url = self._session, self._url + path
        try:
            # A redirect could lead the login to another host.
            async with session.request(method, url, data=data, headers={**kind, **headers}, allow_redirects=False) as response:
                raw = await whole_body(response, _MOST_BYTES)
                return self._judged(response.status, response.headers, raw)
        except TooLargeError as error:
            raise RefusedError(Outcome.REFUSED, str(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RetryError(f"no answer: {type(error).__name__}: {error}") from error

    def _judged(self, status: int, headers: Mapping[str, str], raw: bytes) -> Answer:
        if status in (200, 201, 202, 204):
            try:
                return Answer(orjson.loads(raw) if raw.strip() else None, headers)
            except orjson.JSONDecodeError as error:
                raise RetryError("the answer is not JSON: check the url of the desk") from error
        why = f"answer {status}: {_quoted(raw)}"
        if status in (409, 412):
            raise ConflictError(why)
        if status in (404, 410):
            raise RefusedError(Outcome.GONE, why)
        if status in (400, 403, 405, 422):
            raise RefusedError(Outcome.REFUSED, why)
        if status == 401 or 300 <= status < 400:
            why += ": check the url and the login of the desk"
        raise RetryError(why, min(retry_after(headers.get("Retry-After", ""), self._wall()) or 0.0, _LONGEST_WAIT))


def login_headers(login: Login, secret: bytes, system: System) -> dict[str, str]:
    """The header with the login."""
    text = secret.decode("utf-8", "strict")
    match login.kind:
        case LoginKind.BASIC:
            return {"Authorization": "Basic " + base64.b64encode(f"{login.user}:{text}".encode()).decode()}
        case LoginKind.BEARER:
            return {"Authorization": f"Bearer {text}"}
        case LoginKind.KEY:
            return {system.key_header: system.key_form.format(text)}


def _quoted(raw: bytes) -> str:
    """The errors of an answer, in short. A helpdesk may repeat what it was sent, which has no text that people wrote."""
    try:
        text = json.dumps(orjson.loads(raw), ensure_ascii=False)
    except (orjson.JSONDecodeError, RecursionError):
        text = "not JSON"
    return text if len(text) <= _MOST_QUOTED else text[: _MOST_QUOTED - 1] + "…"
