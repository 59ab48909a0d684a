"""Answers of the HTTP APIs that breachwatch calls: the whole body, within a bound, and the pause that an answer demands."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import aiohttp

_CHUNK: Final = 65_536


class TooLargeError(Exception):
    """The body of an answer is larger than allowed."""


async def whole_body(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """Read the body of an answer to its end, in however many pieces it comes. ``most``: the most bytes it may have.

    Raises TooLargeError, aiohttp.ClientError, TimeoutError.
    """
    body = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > most:
            raise TooLargeError(f"the answer has more than {most} bytes")
    return bytes(body)


def retry_after(text: str, now: float) -> float | None:
    """The seconds of a ``Retry-After`` header, which is a number or a date (RFC 9110, 10.2.3). ``None``: it is neither."""
    seconds = _number(text.strip())
    if seconds is not None:
        return max(0.0, seconds) if isfinite(seconds) else None
    try:
        then = parsedate_to_datetime(text)
        return max(0.0, (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
