"""The log of deployments: which of its records are valid, and the timeline that follows from them.

1. A record states the offset that it follows (``after``). It is valid if that is the offset of the last valid record, -1 where
   there is none. So of two deployments that were planned at the same time the first in the log is valid.
2. Any other record is void, and so is one that cannot be read. It is void for everybody, because it depends on nothing but the
   bytes of the log.
3. A record of a newer form may be valid or not: this release cannot know. Whoever meets one must stop there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from stream.deployments.record import FIRST, DeploymentKind, NewerFormError, RecordError, decode_record
from stream.deployments.snapshot import NewerSnapshotError, SnapshotError, fingerprint_of
from stream.deployments.snapshot import decode as decode_snapshot
from stream.sla.policy.timeline import Deployments, Origin

if TYPE_CHECKING:
    from stream.deployments.record import DeploymentRecord
    from stream.sla.policy.resolve import PolicySet


@dataclass(frozen=True, slots=True)
class Entry:
    """A valid deployment, without its set."""

    number: int
    """Its offset."""
    after: int
    """The number of the deployment that it followed in the log; ``FIRST`` for none."""
    at: int
    """From this instant on it holds (epoch microseconds); ``SINCE_EVER`` for the first, whatever its record states."""
    kind: DeploymentKind
    by: str
    note: str
    fingerprint: str
    appended: int
    """The time at which it was appended to the log (epoch microseconds)."""


class Reason(StrEnum):
    """Why a record is void."""

    OVERTAKEN = "overtaken"
    """Another deployment came first: it was planned against a log that had become longer."""
    UNREADABLE = "unreadable"
    """Its bytes are not a record. Void for everybody, and somebody should find out who wrote it."""
    NEWER_FORM = "newer_form"
    """A newer release wrote it. The caller must stop: only that release knows what is in force."""


@dataclass(frozen=True, slots=True)
class Added:
    """A record that is valid."""

    entry: Entry
    deployments: Deployments
    """The log up to and with this record."""


@dataclass(frozen=True, slots=True)
class Void:
    """A record that is not."""

    offset: int
    reason: Reason
    text: str


class NothingToUndoError(ValueError):
    """There is no deployment that one record could undo; the text gives the reason."""


class Log:
    """The valid deployments. Give it every record of the topic, in the order of offsets."""

    def __init__(self) -> None:
        self.deployments: Deployments | None = None
        """``None`` until the first valid record."""
        self.entries: Final[dict[int, Entry]] = {}
        """By number, in order."""
        self._sets: Final[dict[int, PolicySet]] = {}

    @property
    def last(self) -> Entry | None:
        """The newest valid deployment."""
        return self.entries[next(reversed(self.entries))] if self.entries else None

    @property
    def next_after(self) -> int:
        """The value of ``after`` in the next record."""
        return FIRST if self.last is None else self.last.number

    def add(self, offset: int, value: bytes | None, appended: int) -> Added | Void:
        """Take the record at an offset. ``appended``: its timestamp, epoch microseconds.

        Raises ValueError for an offset that is not above that of the last valid record.
        """
        if offset <= self.next_after:
            raise ValueError(f"record {offset} does not follow record {self.next_after}")
        try:
            record = decode_record(value)
            if record.after != self.next_after:
                return Void(offset, Reason.OVERTAKEN, self._overtaken(offset, record))
            policies = decode_snapshot(record.set)
            if fingerprint_of(record.set) != record.fingerprint:
                raise RecordError(f"its set is not the one of the fingerprint {record.fingerprint}")  # noqa: TRY301  it is as unreadable as the rest
        except (NewerFormError, NewerSnapshotError) as error:
            return Void(offset, Reason.NEWER_FORM, f"record {offset} of the log of deployments: {error}")
        except (RecordError, SnapshotError) as error:
            return Void(offset, Reason.UNREADABLE, f"record {offset} of the log of deployments: {error}")
        known, appended = self.deployments, record.appended or appended
        try:
            origin = Origin(appended, rejudges=record.kind is not DeploymentKind.DEPLOY)
            if known is None:
                deployments = Deployments.fixed(policies, offset, origin)
            else:
                deployments = known.add(offset, record.at, policies, origin)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            # No release writes such a set. Whoever did must not be able to end all workers with it.
            return Void(offset, Reason.UNREADABLE, f"record {offset} of the log of deployments: its set is damaged: {error!r}")
        at = deployments.timeline.last.at
        entry = Entry(offset, record.after, at, record.kind, record.by, record.note, record.fingerprint, appended)
        self.deployments = deployments
        self.entries[offset] = entry
        self._sets[offset] = policies
        return Added(entry, deployments)

    def deployed(self, number: int) -> PolicySet:
        """The set as deployed, without the versions that only earlier sets have. Raises KeyError."""
        return self._sets[number]

    def undone(self) -> tuple[Entry, Entry]:
        """The deployment that an undo undoes, and the one before it, whose set takes its place from the same instant on.

        An undo itself is never undone: undoing twice goes back two deployments. Raises NothingToUndoError.
        """
        if self.last is None:
            raise NothingToUndoError("nothing was ever deployed")
        target = self._effective(self.last)
        if target.after == FIRST:
            raise NothingToUndoError(f"deployment {target.number} is the first: there is nothing from before it")
        before = self.entries[target.after]
        if before.at > target.at:
            raise NothingToUndoError(
                f"deployment {target.number} took the place of deployment {before.number}, which held from a later instant on; "
                "deploy the files that are to hold, with --rejudge-from"
            )
        return target, before

    def _effective(self, entry: Entry) -> Entry:
        """The deployment whose set holds by this one: of an undo, the one from before what it undid."""
        while entry.kind is DeploymentKind.UNDO:
            undone = self._effective(self.entries[entry.after])
            entry = self.entries[undone.after]
        return entry

    def _overtaken(self, offset: int, record: DeploymentRecord) -> str:
        now = f"deployment {self.next_after}" if self.last is not None else "nothing was deployed"
        return f"record {offset} of the log of deployments follows {record.after}, and the last one was {now}"
