"""Answers the requests by which senders verify, before they send payloads, that they may use an address.

- CloudEvents web-hooks (Azure Event Grid): ``OPTIONS`` with ``WebHook-Request-Origin``; the answer allows the origin.
  Source: CloudEvents, HTTP 1.1 Web Hooks for Event Delivery, section 4.
- GLPI: ``GET ?crc_token=T``; the answer is the HMAC-SHA256 of T in hex. T is the HMAC of a text that is always the same.
  Nothing else is signed: who could have any text signed could sign payloads of its own.
- Intercom and others: ``HEAD``; the answer is 200.
"""

from __future__ import annotations

import hmac
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from stream.observe.pages.site import Answer

if TYPE_CHECKING:
    from stream.gateway.feed import Feed, Received

_GLPI: Final = "glpi"
_GLPI_TEXT: Final = b"validate_cra_challenge"
_TEXT: Final = "text/plain; charset=utf-8"
_MAX_ORIGIN: Final = 255


def answer_to_challenge(feed: Feed, request: Received) -> Answer | None:
    """The answer to a question; ``None`` if the request is none."""
    if request.method == "HEAD":
        return Answer(HTTPStatus.OK, _TEXT, b"")
    if request.method == "OPTIONS" and feed.mapping is None:
        return _allowed(request)
    if request.method == "GET" and feed.scheme is not None and feed.scheme.name == _GLPI:
        return _signed(feed, request)
    return None


def _allowed(request: Received) -> Answer | None:
    origin = request.headers.get("webhook-request-origin", "")
    if not origin or len(origin) > _MAX_ORIGIN or not (origin.isascii() and origin.isprintable()):
        return None
    # The gateway has no limit of its own: a sender that is too fast waits for its answers.
    headers = (("WebHook-Allowed-Origin", origin), ("WebHook-Allowed-Rate", "*"), ("Allow", "OPTIONS, POST"))
    return Answer(HTTPStatus.OK, _TEXT, b"", headers)


def _signed(feed: Feed, request: Received) -> Answer | None:
    try:
        (token,) = parse_qs(request.query, max_num_fields=8)["crc_token"]
    except (KeyError, ValueError):  # none, several, or a query of many fields
        return None
    for secret in feed.secrets:
        if hmac.compare_digest(_digest(secret, _GLPI_TEXT).encode(), token.encode("utf-8", "replace")):
            return Answer(HTTPStatus.OK, _TEXT, _digest(secret, token.encode()).encode())
    return None


def _digest(secret: bytes, text: bytes) -> str:
    return hmac.new(secret, text, "sha256").hexdigest()
