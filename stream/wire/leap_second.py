"""Reads the time of an event that happened in a leap second, which Python's datetime does not have.

The second 23:59:60 UTC counts as the second after it, as POSIX time has it. Two events in these two seconds are then ordered by
their fractions, which is as exact as a clock without leap seconds can be.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

import msgspec

_TIME: Final = re.compile(r"([0-9-]{10}[Tt ][0-9]{2}:[0-9]{2}:)60(\.[0-9]+)?([Zz]|[+-][0-9]{2}:?[0-9]{2})")
_MINUTE_BEFORE_MIDNIGHT: Final = (23, 59)
_record: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def without_leap_second(value: bytes) -> bytes | None:
    """The record with the second after it in ``at``; ``None`` if its ``at`` is not a leap second."""
    if b":60" not in value:
        return None
    try:
        record = _record(value)
        found = _TIME.fullmatch(msgspec.json.decode(record["at"], type=str))
        if found is None:
            return None
        whole, fraction, offset = found.groups("")
        # A fraction may round up to the next minute, so it does not take part in the question which minute it is.
        second = msgspec.convert(f"{whole}59{offset}", datetime)
        before = msgspec.convert(f"{whole}59{fraction}{offset}", datetime)
    except (KeyError, msgspec.DecodeError, RecursionError):
        return None
    utc = second - (second.utcoffset() or timedelta())
    if (utc.hour, utc.minute) != _MINUTE_BEFORE_MIDNIGHT:
        return None
    record["at"] = msgspec.Raw(msgspec.json.encode(before + timedelta(seconds=1)))
    return msgspec.json.encode(record)
