"""Answers the requests to the feeds. No type of the web server is in here.

A request goes through these steps, and the first one that fails answers it:

1. The address is one of a feed: 404. The method is POST: 405, but for the questions of senders (``challenge.py``).
2. The body has at most ``MAX_BODY`` bytes: 413.
3. It is JSON in UTF-8 that is not compressed: 415.
4. It is signed with a secret of the feed, over the raw bytes: 401.
5. It can be read, and the mapping covers it. If not, it is a dead letter, and the answer is that to a good one: the sender can
   do nothing about it, and an error would only let it give up. Of a batch, only the elements that do not fit are a dead letter.
6. All of its events, or the dead letter, are in Kafka within a bounded time: 503 otherwise. A part of them may be in Kafka
   then; the repetition does no harm, because events with known ids change nothing.

Longer than 250 lines because each check of a request is read beside those that precede it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import orjson

from stream.feeds.rejected_payload import MAX_BODY, RejectedPayload, encode_record, kept_headers, shortened
from stream.feeds.signature import SignedRequest, verify
from stream.gateway.challenge import answer_to_challenge
from stream.gateway.media_type import unsupported
from stream.gateway.outbox import Outgoing
from stream.gateway.outcomes import Entry, Outcome
from stream.gateway.payload import read_by_parts, records_of
from stream.gateway.refusal_log import RefusalLog
from stream.observe.pages.site import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from stream.feeds.reading import Unmapped
    from stream.gateway.feed import Feed, Received
    from stream.gateway.outcome_recorder import OutcomeRecorder
    from stream.gateway.payload import Part
    from stream.runtime.kafka.topics import Topics

log = logging.getLogger(__name__)

PREFIX: Final = "/feeds/"
RETRY_AFTER: Final = "5"
_JSON: Final = "application/json"
_CLOSE: Final = (("Connection", "close"),)
_LARGE: Final = 65_536
"""Bytes from which on a payload is read beside the event loop: its elements may take a quarter of a second."""
_LONGEST_WAIT: Final = 1.5
"""Seconds until a large payload must have been read: one is read at a time."""
_TOKEN: Final = "token"  # noqa: S105  the name of a scheme


class Writer(Protocol):
    """Writes records to Kafka: ``stream.gateway.outbox``."""

    async def deliver(self, records: Iterable[Outgoing]) -> bool:
        """Whether all records were acknowledged in time."""


class _Result(NamedTuple):
    outcome: Outcome
    status: HTTPStatus
    events: int = 0
    detail: str = ""
    """The reason, for the page and the log."""
    message: str = ""
    """The reason, for the sender; empty: nothing but the outcome."""


class Gateway:
    """The answers to all requests."""

    def __init__(
        self,
        feeds: Mapping[str, Feed],
        writer: Writer,
        topics: Topics,
        recorder: OutcomeRecorder,
        *,
        public_url: str = "",
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        """``public_url``: how senders reach the gateway, without a path, which some schemes sign. ``clock``: epoch
        microseconds."""
        self._feeds: Final = feeds
        self._writer: Final = writer
        self._topics: Final = topics
        self._recorder: Final = recorder
        self._public_url: Final = public_url
        self._clock: Final = clock
        self._reader: Final = ThreadPoolExecutor(1, "payload")
        self._log: Final = RefusalLog()

    def early(self, request: Received, length: int | None) -> Answer | None:
        """The answer to a request whose body, of ``length`` bytes or an unknown number, need not be read; ``None``: read it."""
        feed = self._feed_of(request)
        if feed is None:
            self._recorder.unknown()
            return _answer(HTTPStatus.NOT_FOUND, "no feed has this address", close=bool(length) or length is None)
        refused = self._misaddressed(feed, request)
        if refused is None and request.method != "POST":
            answer = answer_to_challenge(feed, request)
            refused = _Result(Outcome.REFUSED, HTTPStatus.METHOD_NOT_ALLOWED, detail=f"{request.method} instead of POST")
            if answer is not None:
                return answer
        if refused is None and length is not None and length > MAX_BODY:
            return self.too_large(request, length)
        if refused is None and (problem := unsupported(request.headers)):
            refused = _Result(Outcome.UNSUPPORTED, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail=problem, message=problem)
        return None if refused is None else self._done(feed, refused, length or 0, 0.0, close=True)

    def too_large(self, request: Received, size: int) -> Answer:
        """The answer to a request whose body has at least ``size`` bytes."""
        text = f"at most {MAX_BODY} bytes"
        result = _Result(Outcome.TOO_LARGE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail=text, message=text)
        return self._refused(request, result, size)

    def slow(self, request: Received, size: int) -> Answer:
        """The answer to a request of whose body only ``size`` bytes came in time."""
        text = "the body did not come in time"
        return self._refused(request, _Result(Outcome.SLOW, HTTPStatus.REQUEST_TIMEOUT, detail=text, message=text), size)

    async def answer(self, request: Received) -> Answer:
        """The answer to a request with its body for which ``early`` had none."""
        began = time.perf_counter()
        feed = self._feed_of(request)
        assert feed is not None, "early() has refused it"
        try:
            result = await self._take(feed, request)
        except Exception:  # the sender must get an answer that lets it repeat the request
            log.exception("feed %s: a request failed", feed.name)
            result = _Result(Outcome.UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE, detail="an error in breachwatch; see the log")
        return self._done(feed, result, len(request.body), time.perf_counter() - began)

    async def _take(self, feed: Feed, request: Received) -> _Result:
        now = self._clock()
        if feed.scheme is not None:
            signed = SignedRequest(request.body, request.headers, request.method, self._uri(request))
            if (reason := verify(feed.scheme, signed, feed.secrets, now)) is not None:
                self._log.unauthentic(feed.name, reason)
                return _Result(Outcome.UNAUTHENTIC, HTTPStatus.UNAUTHORIZED, detail=reason)
        request = request._replace(headers=_readable(request.headers))
        self._recorder.received(feed.name, now)
        try:
            part = await self._read(feed, request, now)
        except TimeoutError:
            return _unavailable("large payloads come faster than they can be read")
        reading = part.reading
        if reading.unmapped is None and not reading.events:
            return _Result(Outcome.SKIPPED, HTTPStatus.OK, detail=reading.skipped or "")
        records = records_of(reading, self._topics.events)
        count = len(records)
        if reading.unmapped is not None:
            records.append(self._dead_letter(feed, request, part, reading.unmapped, now))
        if not await self._writer.deliver(records):
            return _unavailable("Kafka did not acknowledge in time")
        self._recorder.events(feed.name, [event.value for event in reading.events], now)
        if reading.unmapped is None:
            return _Result(Outcome.ACCEPTED, HTTPStatus.OK, count)
        self._recorder.rejected(feed.name, part.reason)
        self._log.unmapped(feed.name, part.reason, reading.unmapped)
        return _Result(Outcome.UNMAPPED, HTTPStatus.OK, count, detail=shortened(str(reading.unmapped)))

    async def _read(self, feed: Feed, request: Received, now: int) -> Part:
        """Raises TimeoutError."""
        if len(request.body) <= _LARGE:
            return read_by_parts(feed, request.body, request.headers, now)
        reading = partial(read_by_parts, feed, request.body, request.headers, now)
        async with asyncio.timeout(_LONGEST_WAIT):
            return await asyncio.get_running_loop().run_in_executor(self._reader, reading)

    def _dead_letter(self, feed: Feed, request: Received, part: Part, why: Unmapped, now: int) -> Outgoing:
        dead_letter = RejectedPayload(
            feed=feed.name,
            reason=part.reason,
            message=shortened(str(why.reason)),
            line=why.line,
            path=shortened(why.path),
            received=now,
            headers=kept_headers(request.headers, [feed.scheme.header] if feed.scheme else []),
            body=part.body,
        )
        return Outgoing(self._topics.feed_rejected, feed.name.encode(), encode_record(dead_letter))

    def _feed_of(self, request: Received) -> Feed | None:
        """The feed of an address ``/feeds/NAME`` or, if its scheme is a token, ``/feeds/NAME/TOKEN``."""
        if not request.path.startswith(PREFIX):
            return None
        name, slash, token = request.path.removeprefix(PREFIX).partition("/")
        feed = self._feeds.get(name)
        if feed is None or not slash:
            return feed
        expected = feed.scheme is not None and feed.scheme.name == _TOKEN
        return feed if expected and token and "/" not in token else None

    def _misaddressed(self, feed: Feed, request: Received) -> _Result | None:
        """Why a feed without a secret is not served under the name in the request.

        A page of another web site can let its own name point to this machine, and have a browser send what it likes.
        """
        if feed.scheme is not None or _is_local(request.headers.get("host", "")):
            return None
        text = "a feed without a secret is served under localhost or an IP address only"
        return _Result(Outcome.REFUSED, HTTPStatus.MISDIRECTED_REQUEST, detail=text, message=text)

    def _uri(self, request: Received) -> str:
        """The address as the sender wrote it."""
        base = self._public_url
        if not base:
            scheme = "https" if request.headers.get("x-forwarded-proto") == "https" else "http"
            base = f"{scheme}://{request.headers.get('host', '')}"
        return f"{base}{request.path}{'?' if request.query else ''}{request.query}"

    def _refused(self, request: Received, result: _Result, size: int) -> Answer:
        feed = self._feed_of(request)
        assert feed is not None, "early() has refused it"
        return self._done(feed, result, size, 0.0, close=True)

    def _done(self, feed: Feed, result: _Result, size: int, seconds: float, *, close: bool = False) -> Answer:
        """Count and keep the outcome, and answer."""
        micros = round(seconds * 1e6)
        entry = Entry(self._clock(), result.outcome, result.status, size, result.events, result.detail, micros)
        self._recorder.answered(feed.name, entry)
        if result.status is HTTPStatus.SERVICE_UNAVAILABLE:
            log.warning("feed %s: %s", feed.name, result.detail)
        return _answer(result.status, result.message, outcome=result.outcome, events=result.events, close=close)


def _unavailable(detail: str) -> _Result:
    return _Result(Outcome.UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE, detail=detail, message=detail)


def _answer(status: HTTPStatus, message: str, *, outcome: str = "", events: int = 0, close: bool = False) -> Answer:
    content: dict[str, str | int] = {"outcome": outcome or str(Outcome.REFUSED)}
    if events:
        content["events"] = events
    if message:
        content["error"] = message
    headers: tuple[tuple[str, str], ...] = _CLOSE if close else ()
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers = (*headers, ("Retry-After", RETRY_AFTER))
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers = (*headers, ("Allow", "POST"))
    return Answer(status, _JSON, orjson.dumps(content) + b"\n", headers)


def _readable(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers without bytes that are not UTF-8: signatures cover these, but events and dead letters cannot have them."""
    return {name: value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for name, value in headers.items()}


def _is_local(host: str) -> bool:
    """Whether the name in a Host header is an IP address or one that browsers only use for this machine."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        return name == "localhost" or name.endswith(".localhost") or bool(ip_address(name))
    except ValueError:
        return False
