"""A whole policy set as bytes: everything that decides a deadline, so that no file and no library is consulted again.

Holidays are lists of dates and time zones are lists of changes, for all years that calendars cover. Two sets with
the same content have the same normal form, whatever the order of their dictionaries and whatever process wrote it.
"""

from __future__ import annotations

import zlib
from hashlib import blake2b
from typing import Final

import msgspec

from stream.deployments.plain import UnknownFormError, from_plain, to_plain
from stream.sla.calendar.calendar import Calendar
from stream.sla.policy.resolve import PolicySet

FORM: Final = 1
"""The first byte of a snapshot. A change after which older decoders would misread a snapshot raises it."""
MAX_BYTES: Final = 8 << 20
"""Of a snapshot."""
MAX_NORMAL_BYTES: Final = 256 << 20
"""Of a normal form: more is refused, so that a small record cannot fill the memory."""


class SnapshotError(ValueError):
    """A set that is too large to be written, or bytes that are not a snapshot which this release can read."""


class NewerSnapshotError(SnapshotError):
    """Bytes that a newer release wrote."""


def normal_form(policies: PolicySet) -> bytes:
    """The set as JSON with sorted keys."""
    calendars = {name: to_plain(calendar.content) for name, calendar in policies.calendars.items()}
    return msgspec.json.encode({"policies": to_plain(policies.policies), "calendars": calendars}, order="sorted")


def fingerprint(policies: PolicySet) -> str:
    """Twelve hexadecimal digits that differ when anything in the policies or their calendars does.

    Holidays and time zones count as well: another release of ``holidays`` or ``tzdata`` that changes a date changes it.
    """
    return blake2b(normal_form(policies), digest_size=6).hexdigest()


def fingerprint_of(data: bytes) -> str:
    """The fingerprint of the set that ``encode`` wrote as these bytes. Raises SnapshotError."""
    try:
        return blake2b(_decompressed(data), digest_size=6).hexdigest()
    except (zlib.error, ValueError) as error:
        raise SnapshotError(f"the snapshot is damaged: {error}") from error


def encode(policies: PolicySet) -> bytes:
    """The byte of the form, then the normal form compressed with zlib.

    Raises SnapshotError if that is more than ``MAX_BYTES``.
    """
    normal = normal_form(policies)
    data = bytes([FORM]) + zlib.compress(normal, 9)
    if len(data) > MAX_BYTES or len(normal) > MAX_NORMAL_BYTES:
        raise SnapshotError(
            f"the policies are too large: {len(data):,} bytes compressed ({len(normal):,} before), and {MAX_BYTES:,} "
            f"({MAX_NORMAL_BYTES:,}) are allowed; remove calendars and policies that nothing uses"
        )
    return data


def decode(data: bytes) -> PolicySet:
    """The set, equal to the one that was encoded.

    Raises SnapshotError.
    """
    if not data:
        raise SnapshotError("the snapshot is empty")
    if data[0] > FORM:
        raise NewerSnapshotError(
            f"the snapshot has form {data[0]}, and this release reads forms up to {FORM}: a newer breachwatch wrote it; upgrade"
        )
    if data[0] != FORM:
        raise SnapshotError(f"the first byte of a snapshot is its form, which is never {data[0]}")
    try:
        plain = msgspec.json.decode(_decompressed(data))
        calendars = {name: Calendar(name, from_plain(content)) for name, content in plain["calendars"].items()}
        return PolicySet(from_plain(plain["policies"]), calendars)
    except UnknownFormError as error:
        raise NewerSnapshotError(f"{error} in this release: a newer breachwatch wrote the snapshot; upgrade") from error
    except (zlib.error, msgspec.DecodeError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise SnapshotError(f"the snapshot is damaged: {type(error).__name__}: {error}") from error


def _decompressed(data: bytes) -> bytes:
    decompressor = zlib.decompressobj()
    normal = decompressor.decompress(data[1:], MAX_NORMAL_BYTES)
    if not decompressor.eof or decompressor.unused_data:
        raise ValueError("it is cut short, too long or too large")
    return normal
