"""Asks the API of a helpdesk: at most two requests at a time, at the pace that it allows, again after what passes.

What an answer means:

| answer | what the client does |
|---|---|
| 2xx | returns the JSON of its body |
| 429, 503 with ``Retry-After`` | waits as long as the header demands, for all requests, and sends it again |
| 408, 409, 425, 429, 5xx, none in time, a broken connection, not JSON | sends it again after growing pauses, at last
  ``UnreachableError`` |
| 401 | ``UnauthorizedError``: the credentials are wrong |
| 403 | ``ForbiddenError``: this account may not see this |
| 404, 410 | ``MissingError`` |
| 3xx | ``RefusedError``: credentials are never sent to another address |
| any other | ``RefusedError``: the request is wrong, and repeating it would not help |
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import aiohttp
import orjson
from yarl import URL

from stream.pull.errors import ForbiddenError, MissingError, RefusedError, UnauthorizedError, UnreachableError
from stream.pull.pacing import Pace
from stream.runtime.http_answer import TooLargeError, retry_after, whole_body
from stream.sla.calendar.zone import EPOCH
from stream.wire.printable import printable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_log: Final = logging.getLogger(__name__)

_IN_FLIGHT: Final = 2
_ANSWER_SECONDS: Final = 60
_MOST_BYTES: Final = 64 * 1024 * 1024
_PASSING: Final = frozenset({408, 409, 425, 429})
_QUOTED: Final = 200
"""The most characters of an answer in a message."""


@dataclass(frozen=True, slots=True)
class Patience:
    """The number of repetitions of a request, and the pauses before them."""

    attempts: int = 8
    first_pause: float = 1.0
    """Seconds. Each pause is twice the one before, up to ``longest_pause``, and up to a quarter longer by chance."""
    longest_pause: float = 60.0
    longest_retry_after: float = 3_600.0
    """Seconds. An API that demands more is unreachable for this pass."""

    def pause(self, attempt: int) -> float:
        """Seconds to wait after this attempt, the first of which is 1."""
        whole = min(self.longest_pause, self.first_pause * 2.0 ** (attempt - 1))
        return whole * (1 + random.random() / 4)  # noqa: S311  no secret


class _Answer(NamedTuple):
    status: int
    retry_after: str
    location: str
    body: bytes


class Client:
    """Asks one API. A context manager, which owns the connections."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        patience: Patience = Patience(),
        per_minute: int | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``url``: where the API is, such as ``https://desk.example``; a path in it comes before all others."""
        self.url: Final = URL(url.rstrip("/"))
        self.requests = 0
        """Requests sent, with those that were repeated."""
        self._headers: Final = {"Accept": "application/json", "User-Agent": "breachwatch", **headers}
        self._patience: Final = patience
        self._sleep: Final = sleep
        self._slots: Final = asyncio.Semaphore(_IN_FLIGHT)
        self._pace: Final = None if per_minute is None else Pace(per_minute, sleep)
        self._paused_until = 0.0
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Client:
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    def limited(self, per_minute: int) -> Pace:
        """A limit of its own for some requests, to give to ``get``."""
        return Pace(per_minute, self._sleep)

    async def get(self, path: str, params: Mapping[str, str | int] | None = None, *, pace: Pace | None = None) -> Any:
        """The JSON at ``path``, or at a whole address that the API gave on this host. ``pace``: a limit of its own.

        Raises as the table above.
        """
        return await self.request("GET", path, params, pace=pace)

    async def post(self, path: str, body: object, *, pace: Pace | None = None) -> Any:
        """As ``get``, for searches that are sent as a body."""
        return await self.request("POST", path, None, body, pace=pace)

    async def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        body: object = None,
        *,
        pace: Pace | None = None,
    ) -> Any:
        """The JSON of an answer. Only for what changes nothing: a request may be sent more than once."""
        url = self._address(path, params)
        shown = f"{method} {url.with_query(None)}"
        data = None if body is None else orjson.dumps(body)
        for attempt in range(1, self._patience.attempts + 1):
            try:
                answer = await self._send(method, url, data, pace)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                why, wait = _reason(error), self._patience.pause(attempt)
            else:
                if answer.status < 300:
                    try:
                        return orjson.loads(answer.body) if answer.body.strip() else None
                    except orjson.JSONDecodeError:
                        why, wait = "an answer that is not JSON", self._patience.pause(attempt)
                else:
                    why, wait = self._refusal(shown, answer, attempt)
            if attempt < self._patience.attempts:
                _log.info("%s: %s; again in %.0f s", shown, why, wait)
                await self._sleep(wait)
        raise UnreachableError(f"{shown}: {why}, after {self._patience.attempts} attempts")

    def _address(self, path: str, params: Mapping[str, str | int] | None) -> URL:
        """The whole address. Raises RefusedError for one on another host, which must not get the credentials."""
        try:
            if "://" in path:
                url = URL(path)
            else:
                url = self.url.with_path(self.url.path.rstrip("/") + path) if "?" not in path else URL(f"{self.url}{path}")
            origin = url.origin()
        except ValueError as error:
            raise RefusedError(f"{self.url}: the API names an address that is none: {error}") from error
        if origin != self.url.origin():
            raise RefusedError(f"{self.url}: the API names an address on another host, {origin}: set --url to it")
        return url.update_query({name: str(value) for name, value in params.items()}) if params else url

    async def _send(self, method: str, url: URL, data: bytes | None, pace: Pace | None) -> _Answer:
        assert self._session is not None
        async with self._slots:
            for each in (self._pace, pace):
                if each is not None:
                    await each.wait()
            if (left := self._paused_until - time.monotonic()) > 0:
                await self._sleep(left)
            self.requests += 1
            headers = {} if data is None else {"Content-Type": "application/json"}
            async with self._session.request(method, url, data=data, headers=headers, allow_redirects=False) as answer:
                try:
                    body = await whole_body(answer, _MOST_BYTES)
                except TooLargeError as error:
                    raise RefusedError(f"{answer.url.with_query(None)}: {error}") from error
                get = answer.headers.get
                return _Answer(answer.status, get("Retry-After", ""), get("Location", ""), body)

    def _refusal(self, shown: str, answer: _Answer, attempt: int) -> tuple[str, float]:
        """Why, and the seconds to wait before the next attempt. Raises where another attempt would not help."""
        status = answer.status
        if status == 401:
            raise UnauthorizedError(f"{shown}: 401: the helpdesk does not accept the credentials")
        if status == 403:
            raise ForbiddenError(f"{shown}: 403: the account of the credentials may not read this")
        if status in (404, 410):
            raise MissingError(f"{shown}: {status}: there is nothing at this address")
        if status < 400:
            raise RefusedError(
                f"{shown}: {status}: the API is at {printable(answer.location) or 'another address'}: set --url to it"
            )
        if status < 500 and status not in _PASSING:
            text = " ".join(answer.body[: _QUOTED * 4].decode("utf-8", "replace").split())[:_QUOTED]
            raise RefusedError(f"{shown}: {status}: {printable(text)}")
        wait = retry_after(answer.retry_after, time.time())
        if wait is None:
            return f"status {status}", self._patience.pause(attempt)
        if wait > self._patience.longest_retry_after:
            raise UnreachableError(f"{shown}: {status}: the helpdesk demands to wait for {wait:.0f} s")
        # The limit is the account's, so the other request must wait too.
        self._paused_until = max(self._paused_until, time.monotonic() + wait)
        return f"status {status} with Retry-After {answer.retry_after}", wait


def instant_of(text: str) -> int:
    """Epoch microseconds of a time with an offset as APIs write it: RFC 3339, or with an offset without a colon.

    Raises ValueError.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset")
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _reason(error: BaseException) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
