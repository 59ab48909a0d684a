"""Asks the other workers of the group for their part of a list, and for the pages of their tickets.

Bounded: eight requests at a time, each for at most two seconds, all for at most five, and an answer has at most 4 MiB.
A worker that does not answer is named in the list; the list does not wait for it. One that answers byte by byte must not keep
a thread either: with eight such answers no other request would be sent any more.
"""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import HTTPHandler, HTTPRedirectHandler, ProxyHandler, Request, build_opener

from stream.observe.pages.list_formats import list_address, read_part
from stream.observe.pages.lists import OWN, SCOPE, Missing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.observe.pages.lists import ListPart, ListQuery

_AT_ONCE: Final = 8
_PATIENCE: Final = 2.0
_ALL: Final = 5.0
_MOST_BYTES: Final = 4 << 20
_CHUNK: Final = 1 << 16
_BROKEN: Final = (OSError, ValueError, ArithmeticError, RecursionError, HTTPException)
"""The errors that an invalid answer may raise."""


class Page(NamedTuple):
    """The answer of another worker."""

    status: int
    body: bytes


class _BoundedSocket(socket.socket):
    """Receives until an instant of the monotonic clock, however many pieces come until then."""

    until = 0.0

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(_left(self.until))
        return super().recv_into(*arguments)


class _BoundedConnection(HTTPConnection):
    def connect(self) -> None:
        until = time.monotonic() + _PATIENCE
        super().connect()
        bounded = _BoundedSocket(fileno=self.sock.detach())
        bounded.until = until
        bounded.settimeout(_PATIENCE)
        self.sock = bounded


class _BoundedHandler(HTTPHandler):
    def http_open(self, request: Request) -> Any:
        return self.do_open(_BoundedConnection, request)


class _NoRedirect(HTTPRedirectHandler):
    """A worker answers for itself; the token must not go elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Neighbours:
    """The other workers. ``token``: the setting of all workers."""

    def __init__(self, token: str = "") -> None:
        self._token: Final = token
        # Workers reach each other directly: a proxy of the environment is for the world outside.
        self._opener: Final = build_opener(ProxyHandler({}), _NoRedirect, _BoundedHandler)
        self._pool: Final = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="neighbours")

    def ask(self, workers: Iterable[str], query: ListQuery) -> tuple[list[ListPart], list[Missing]]:
        """The parts of those that answer, and the others with the reason.

        Each is asked for as many rows as the list shows: in its order, the first of all are among the first of each.
        """
        asked = {self._pool.submit(self._part, worker, query): worker for worker in workers}
        parts, missing = [], []
        try:
            for answer in as_completed(asked, _ALL):
                worker = asked.pop(answer)
                try:
                    parts.append(answer.result())
                except _BROKEN as error:
                    missing.append(Missing(worker, _reason(error)))
        except TimeoutError:
            for answer, worker in asked.items():
                answer.cancel()
                missing.append(Missing(worker, "no answer in time"))
        return parts, missing

    def page(self, worker: str, path: str) -> Page | None:
        """The page of another worker; ``None`` if it does not answer in two seconds."""
        try:
            with self._open(worker + path) as response:
                return Page(response.status, _whole(response))
        except HTTPError as answer:
            with answer:
                # A redirect, or a refusal of our token, is for the browser to meet.
                known = answer.code in (HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
                return Page(answer.code, answer.read(_MOST_BYTES)) if known else None
        except _BROKEN:
            return None

    def _open(self, address: str) -> Any:
        """Raises OSError."""
        request = Request(address)  # noqa: S310  a worker of the group
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        return self._opener.open(request, timeout=_PATIENCE)

    def _part(self, worker: str, query: ListQuery) -> ListPart:
        """Raises what ``_BROKEN`` has."""
        with self._open(worker + list_address(query, format="json", **{SCOPE: OWN})) as response:
            return read_part(worker, _whole(response))


def _whole(response: Any) -> bytes:
    """The body of an answer. Raises TimeoutError if it takes too long, and ValueError if it is too long."""
    until, body = time.monotonic() + _PATIENCE, bytearray()
    while chunk := response.read1(_CHUNK):
        _left(until)
        body += chunk
        if len(body) > _MOST_BYTES:
            raise ValueError("its answer is too long")
    return bytes(body)


def _left(until: float) -> float:
    """Seconds until an instant of the monotonic clock. Raises TimeoutError if it is over."""
    if (left := until - time.monotonic()) <= 0:
        raise TimeoutError("no answer in time")
    return left


def _reason(error: BaseException) -> str:
    if isinstance(error, HTTPError):
        error.close()
        return "it asks for another token" if error.code == HTTPStatus.UNAUTHORIZED else f"status {error.code}"
    if isinstance(error, URLError):
        return str(error.reason)
    return str(error) or type(error).__name__
