"""Dead letters of feeds: payloads that their mappings do not cover, on the topic ``feed-rejected``. Pure.

A dead letter has the bytes of the payload and those headers that a mapping may read, so that it can be read again by a better
mapping. It never has a secret: signatures, tokens and addresses of people stay out.

Records on the topic, each with the feed as its key, are dead letters and *retries*. A retry states which dead letters were sent
again, so that a second run does not do it unnoticed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_BODY: Final = 1_048_576
"""The most bytes of a payload. In base64, and with its headers, its dead letter stays below the limit of the topic."""
_MAX_VALUE: Final = 1_024
_MAX_HEADERS: Final = 64
_MAX_TEXT: Final = 500
_KEPT: Final = re.compile(r"content-type|user-agent|webhook-(id|timestamp)|(x|ce)-[a-z0-9_.-]+")
_SECRET: Final = re.compile(
    r"sign|hub-sig|token|secret|auth|key|cookie|passw|pwd|credential|session|bearer|jwt|hmac|forwarded"
    r"|(client|real|cluster|connecting)-?ip|user-?ip|remote-user|email|(original|rewrite|request)-(ur[il]|path)"
)
"""Proxies put the requested address into headers, and its last part may be the token of the feed."""


class RejectedPayload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="rejected", tag_field="kind"):
    """A payload that a mapping does not cover."""

    feed: Annotated[str, Meta(description="The name of the feed, which is also the key of the record.")]
    reason: Annotated[str, Meta(description="undecodable, or unmapped.")]
    message: Annotated[str, Meta(description="What does not fit, for people.")]
    line: Annotated[int, Meta(description="The line of the mapping; absent: no line in particular.")] = 0
    path: Annotated[str, Meta(description="The path of the value that does not fit; absent: no value in particular.")] = ""
    received: Annotated[int, Meta(description="When it arrived, epoch microseconds.")]
    headers: Annotated[dict[str, str], Meta(description="Headers that a mapping may read, without secrets.")] = {}
    body: Annotated[bytes, Meta(description="The payload as it was received, base64.")]


class Retry(msgspec.Struct, frozen=True, kw_only=True, tag="retry", tag_field="kind"):
    """Dead letters that were sent again: all of their events were acknowledged."""

    feed: Annotated[str, Meta(description="The name of the feed, which is also the key of the record.")]
    offsets: Annotated[list[int], Meta(description="The offsets of the dead letters on this topic.")]
    at: Annotated[int, Meta(description="When, epoch microseconds.")]


_encode: Final = msgspec.json.Encoder().encode
_decoder: Final[msgspec.json.Decoder[RejectedPayload | Retry]] = msgspec.json.Decoder(RejectedPayload | Retry)


def encode_record(record: RejectedPayload | Retry) -> bytes:
    """A record of the topic. Bodies are written in base64."""
    return _encode(record)


def decode_record(value: bytes) -> RejectedPayload | Retry:
    """A record of the topic. Raises ``msgspec.DecodeError`` for anything else."""
    try:
        return _decoder.decode(value)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error


def shortened(text: str) -> str:
    """A message or path of bounded length: both may quote the payload."""
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 3]}..."


def kept_headers(headers: Mapping[str, str], secret: Iterable[str]) -> dict[str, str]:
    """The headers that a dead letter has. ``headers`` has names in lower case, and ``secret`` those that the feed compares."""
    left_out = {name.lower() for name in secret}
    kept = {
        name: value[:_MAX_VALUE]
        for name, value in headers.items()
        if _KEPT.fullmatch(name) and not _SECRET.search(name) and name not in left_out
    }
    return dict(list(kept.items())[:_MAX_HEADERS])
