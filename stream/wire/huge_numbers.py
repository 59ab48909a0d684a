"""Reads the ticket fields of an event that have a number outside the range of a double, such as ``1e400``.

JSON has such numbers, and the decoder has no type for them. Numbers of ticket fields become text anyway, so theirs is the text
of the record.
"""

from __future__ import annotations

import re
from math import isinf
from typing import Final

import msgspec

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*', re.DOTALL)
_LONGEST_INTEGER: Final = 4_300
"""Digits that Python converts."""
_record: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def without_huge_numbers(value: bytes) -> bytes | None:
    """The record with such numbers of its ticket fields as text; ``None`` if it has none."""
    try:
        record = _record(value)
        fields = bytes(record["fields"])
    except (KeyError, msgspec.DecodeError, RecursionError):
        return None
    readable = _TOKEN.sub(_as_text, fields)
    if readable == fields:
        return None
    record["fields"] = msgspec.Raw(readable)
    return msgspec.json.encode(record)


def _as_text(token: re.Match[bytes]) -> bytes:
    text = token[0]
    if text.startswith(b'"'):
        return text
    huge = isinf(float(text)) if re.search(rb"[.eE]", text) else len(text) > _LONGEST_INTEGER
    return b'"%s"' % text if huge else text
