"""One record of the topic of deployments: a whole set of policies, and from which instant on it holds.

The first byte is the form of the record. The next four are the same in every form, so that no stray record is taken for one of
a newer form. The rest is MessagePack. The set is in it as a snapshot, which is compressed. A record stands for itself: a
deployment is complete, or it is not there.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from stream.deployments.snapshot import MAX_BYTES, fingerprint
from stream.deployments.snapshot import encode as encode_snapshot
from stream.wire.instants import END
from stream.wire.instants import FIRST as FIRST_INSTANT

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet

FORM: Final = 1
"""The first byte of a record. A change after which older releases would misread a record raises it."""
_MAGIC: Final = b"sla\xb7"
FIRST: Final = -1
"""``after`` of the first deployment of a log."""
MAX_NOTE: Final = 500
"""Characters of a note."""
MAX_BY: Final = 100
"""Characters of an account or role."""


class DeploymentKind(StrEnum):
    """The origin of a deployment. Its instant alone decides what it does."""

    DEPLOY = "deploy"
    """It holds from now on."""
    UNDO = "undo"
    """It holds from the instant of the deployment that it undoes, with the set from before that."""
    REJUDGE = "rejudge"
    """It holds from an instant in the past that somebody chose."""


class DeploymentRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A deployment as it is appended."""

    after: int
    """The offset of the last valid record when it was planned; ``FIRST`` for none."""
    at: int
    """From this instant on it holds (epoch microseconds)."""
    kind: DeploymentKind
    by: str = ""
    """The role or account that deployed it."""
    note: str = ""
    """Why."""
    fingerprint: str
    """That of the set (``stream.deployments.snapshot``)."""
    set: bytes
    """The snapshot of the set."""
    appended: int = 0
    """The time at which the record was appended first, if this one was imported (epoch microseconds); 0: it was not."""


class RecordError(ValueError):
    """A record that is too large or has a text that is too long, or bytes that are not a record."""


class NewerFormError(RecordError):
    """A record that a newer release wrote, and that this one cannot read."""


def new_record(
    after: int, at: int, kind: DeploymentKind, policies: PolicySet, *, by: str = "", note: str = ""
) -> DeploymentRecord:
    """A record of a set. Raises RecordError for a long text, SnapshotError for a set that is too large."""
    for name, text, most in (("by", by, MAX_BY), ("note", note, MAX_NOTE)):
        if len(text) > most:
            raise RecordError(f"{name} has {len(text)} characters; at most {most} are allowed")
        if not text.isprintable():
            raise RecordError(f"{name} must be one line of printable text")
    return DeploymentRecord(
        after=after,
        at=at,
        kind=kind,
        by=by,
        note=note,
        fingerprint=fingerprint(policies),
        set=encode_snapshot(policies),
    )


def encode_record(record: DeploymentRecord) -> bytes:
    """Its bytes. Raises RecordError if they are more than ``MAX_BYTES``."""
    value = bytes([FORM]) + _MAGIC + msgspec.msgpack.encode(record)
    if len(value) > MAX_BYTES:
        raise RecordError(
            f"the deployment has {len(value):,} bytes, and {MAX_BYTES:,} are allowed; "
            "remove calendars and policies that nothing uses"
        )
    return value


def decode_record(value: bytes | None) -> DeploymentRecord:
    """The record. Its set is not decoded yet. Raises RecordError, NewerFormError for a newer form."""
    if not value:
        raise RecordError("the record is empty")
    form, start = value[0], 1 + len(_MAGIC)
    if value[1:start] != _MAGIC or form == 0:
        raise RecordError("the record is not a deployment")
    if form > FORM:
        raise NewerFormError(f"the record has form {form}, and this release reads forms up to {FORM}")
    try:
        record = msgspec.msgpack.decode(memoryview(value)[start:], type=DeploymentRecord)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RecordError(f"the record is damaged: {error}") from error
    if not FIRST_INSTANT <= record.at < END:
        raise RecordError(f"the record is damaged: it holds from {record.at}, which is outside the years 1970 to 2199")
    return record
