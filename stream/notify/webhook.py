"""Sends messages as signed webhooks: https://www.standardwebhooks.com.

``webhook-id`` is the id of the effect, so a receiver drops an id that it has seen. ``webhook-signature`` has one signature for
each secret, so secrets can be changed without a pause.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from hashlib import blake2b, sha256
from hmac import digest
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec

from stream import __version__
from stream.notify.delivery import Failure
from stream.notify.message import summary
from stream.runtime.http_answer import retry_after
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream.notify.delivery import Outgoing

TIME_LIMIT: Final = 20.0
_PREFIX: Final = "whsec_"
_SHORTEST: Final = 16
SUMMARY: Final = "breachwatch.summary"
"""The type of a request that stands for several messages."""
_CONTENT: Final = frozenset({400, 410, 413, 415, 422})
"""Answers that concern the content of a request."""


class SecretFormError(ValueError):
    """A secret cannot sign. The text does not have it."""


def key_of(secret: bytes) -> bytes:
    """The key of a secret: base64 after ``whsec_``, else the bytes themselves. Raises SecretFormError."""
    text = secret.decode("utf-8", "replace").strip()
    key = secret
    if text.startswith(_PREFIX):
        try:
            key = b64decode(text.removeprefix(_PREFIX), validate=True)
        except Base64Error:
            raise SecretFormError(f"what follows {_PREFIX} is not base64") from None
    if len(key) < _SHORTEST:
        raise SecretFormError(f"it is too short: use at least {_SHORTEST} bytes")
    return key


def signed(webhook_id: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The headers of a request. ``timestamp``: epoch seconds."""
    content = b".".join((webhook_id.encode(), str(timestamp).encode(), body))
    signatures = [f"v1,{b64encode(digest(key, content, sha256)).decode()}" for key in keys]
    return {"webhook-id": webhook_id, "webhook-timestamp": str(timestamp), "webhook-signature": " ".join(signatures)}


def request_of(outgoing: Sequence[Outgoing], now: int) -> tuple[str, bytes]:
    """The id and the body of a request. ``now``: epoch microseconds."""
    if len(outgoing) == 1:
        ((message, value),) = outgoing
        data = {"status": message.status, "title": message.title, "text": message.body, "effect": msgspec.Raw(value)}
        if message.url:
            data["ticket_url"] = message.url
        kind = msgspec.json.decode(value, type=_Typed).type
        return message.id, msgspec.json.encode({"type": kind, "timestamp": format_instant(now), "data": data})
    messages = [each.message for each in outgoing]
    title, text = summary(messages)
    listed = [{"id": each.id, "status": each.status, "title": each.title, "ticket_url": each.url} for each in messages]
    body = {"type": SUMMARY, "timestamp": format_instant(now), "data": {"title": title, "text": text, "messages": listed}}
    return blake2b(" ".join(each.id for each in messages).encode(), digest_size=12).hexdigest(), msgspec.json.encode(body)


class _Typed(msgspec.Struct):
    type: str


class WebhookSender:
    """Sends the messages of one destination, which is a webhook."""

    def __init__(self, url: str, keys: Sequence[bytes], time_limit: float = TIME_LIMIT) -> None:
        self._url: Final = url
        self._keys: Final = tuple(keys)
        self._session: aiohttp.ClientSession | None = None
        self._timeout: Final = aiohttp.ClientTimeout(total=time_limit)

    async def send(self, outgoing: Sequence[Outgoing]) -> Failure | None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar())
        now = time.time_ns() // 1_000
        webhook_id, body = request_of(outgoing, now)
        headers = {
            **signed(webhook_id, now // 1_000_000, body, self._keys),
            "content-type": "application/json",
            "user-agent": f"breachwatch/{__version__}",
        }
        try:
            async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                return _failure(answer.status, answer.headers, now / 1_000_000)
        except TimeoutError:
            return Failure(f"no answer within {self._timeout.total:g} s")
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError, ValueError) as error:
            # The text of the error may have the URL, and that a secret.
            return Failure(type(error).__name__)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _failure(status: int, headers: Mapping[str, str], now: float) -> Failure | None:
    """``now``: epoch seconds."""
    if 200 <= status < 300:
        return None
    asked = retry_after(headers.get("Retry-After", ""), now) or 0.0
    return Failure(f"HTTP {status}", refused=status in _CONTENT, retry_after=asked)
