"""The bodies that the gateway reads: JSON in UTF-8 that is not compressed, and CloudEvents for our own contract."""

from __future__ import annotations

import re
from email.message import Message
from typing import TYPE_CHECKING, Final

from stream.wire.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

STRUCTURED: Final = "application/cloudevents+json"
BATCHED: Final = "application/cloudevents-batch+json"
_JSON: Final = re.compile(r"(application|text)/([a-z0-9.+-]+\+)?json")
_MAX_HEADER: Final = 256


def media_type(headers: Mapping[str, str]) -> str:
    """The media type of a body in lower case, without parameters; empty if there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def unsupported(headers: Mapping[str, str]) -> str | None:
    """Why a body cannot be read, in a line; ``None`` if it can.

    A body without a type is refused too: a page of another web site can let a browser send one to this machine.
    """
    if (coding := headers.get("content-encoding", "identity").strip().lower()) not in ("", "identity"):
        return f"send the body as it is, not as {printable(coding[:_MAX_HEADER])}"
    if not _JSON.fullmatch(media_type(headers)):
        return "send JSON, with the header Content-Type: application/json"
    parsed = Message()
    parsed["content-type"] = headers["content-type"][:_MAX_HEADER]
    charset = parsed.get_param("charset", "utf-8")
    if not isinstance(charset, str) or charset.lower().replace("_", "-") not in ("utf-8", "utf8", "us-ascii"):
        return "send JSON in UTF-8"
    return None
