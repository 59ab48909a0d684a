"""The file of a backup: JSON lines in gzip, so that anybody can look into it with ``zcat``.

The first line states whose backup it is. The last one has the number of the lines before it and their digest, so that a file
that was cut short or changed is noticed before anything is restored.
"""

from __future__ import annotations

import gzip
import zlib
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from stream import __version__
from stream.wire.counting import many
from stream.wire.forms import check_form

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

FORM: Final = 1
"""Of the first line: ``stream.wire.forms``."""
_KIND: Final = "kind"


class Head(msgspec.Struct, frozen=True, kw_only=True, tag="backup", tag_field=_KIND):
    """The installation, and the moment."""

    form: int = FORM
    release: str = __version__
    taken_at: str
    cluster: str
    """The id of the Kafka cluster."""
    group: str
    """Topic prefix and app id."""
    input: str
    """The input topic."""
    partitions: int


class Partition(msgspec.Struct, frozen=True, tag="partition", tag_field=_KIND):
    """A partition of the changelog, before its tickets."""

    partition: int
    epoch: int
    checkpoint: msgspec.Raw


class Ticket(msgspec.Struct, frozen=True, tag="ticket", tag_field=_KIND):
    """A ticket of the partition above, with the bytes of its record."""

    key: bytes
    state: bytes


class Event(msgspec.Struct, frozen=True, tag="event", tag_field=_KIND):
    """A record of the input that is not in the tickets yet."""

    partition: int
    key: bytes | None
    value: bytes | None


class Deployment(msgspec.Struct, frozen=True, tag="deployment", tag_field=_KIND):
    """A record of the log of deployments."""

    number: int
    appended: int
    """Epoch microseconds."""
    record: bytes


class Stored(msgspec.Struct, frozen=True, tag="stored", tag_field=_KIND):
    """A record of a compacted topic that no worker needs."""

    topic: str
    """Its name without the topic prefix."""
    key: bytes
    value: bytes


class End(msgspec.Struct, frozen=True, tag="end", tag_field=_KIND):
    """The last line."""

    lines: int
    digest: str


Line = Head | Partition | Ticket | Event | Deployment | Stored
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Line | End).decode


class BackupError(Exception):
    """A file that is not a whole backup. The text gives the reason."""


class BackupWriter:
    """Writes the lines of a backup. It is one once ``finish`` has returned."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip: Final = gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0, compresslevel=5)
        self._digest: Final = blake2b(digest_size=16)
        self.lines = 0

    def add(self, line: Line) -> None:
        data = _encode(line) + b"\n"
        self._digest.update(data)
        self._zip.write(data)
        self.lines += 1

    def finish(self) -> None:
        self._zip.write(_encode(End(self.lines, self._digest.hexdigest())) + b"\n")
        self._zip.close()


def read_backup(path: Path) -> Iterator[Line]:
    """The lines of a backup, the head first. What is wrong with its end is found out after the last one.

    Raises BackupError, NewerReleaseError for one that a newer release wrote in another form, OSError.
    """
    digest, count = blake2b(digest_size=16), 0
    try:
        with gzip.open(path) as lines:
            for data in lines:
                if not count:
                    check_form(data, FORM, f"the backup {path}")
                line = _decode(data)
                if isinstance(line, Head) == bool(count):
                    raise BackupError(f"{path}:{count + 1}: not a backup, which begins with a line of the kind 'backup'")
                if isinstance(line, End):
                    # What follows is read as well: gzip has a checksum at the end.
                    if (line.lines, line.digest) != (count, digest.hexdigest()) or next(lines, None) is not None:
                        raise BackupError(f"{path}: it was changed after it was written ({many(count, 'line')})")
                    return
                digest.update(data)
                count += 1
                yield line
    except (ValueError, RecursionError, gzip.BadGzipFile, zlib.error) as error:
        raise BackupError(f"{path}:{count + 1}: not a line of a backup: {error}") from error
    except EOFError as error:
        raise BackupError(f"{path}: it was cut short after {many(count, 'line')}") from error
    raise BackupError(f"{path}: it was cut short after {many(count, 'line')}")


class Summary(msgspec.Struct):
    """The contents of a whole backup."""

    head: Head
    checkpoints: dict[int, bytes] = {}
    """By partition, encoded."""
    tickets: int = 0
    events: int = 0
    deployments: int = 0
    stored: dict[str, int] = {}
    """Records of the topics that no worker needs, by topic."""


def verified(path: Path) -> Summary:
    """Read the whole file. Raises as ``read_backup`` does."""
    lines = read_backup(path)
    head = next(lines)
    assert isinstance(head, Head)
    found = Summary(head)
    for line in lines:
        match line:
            case Partition(partition, _, checkpoint):
                found.checkpoints[partition] = bytes(checkpoint)
            case Ticket():
                found.tickets += 1
            case Event():
                found.events += 1
            case Deployment():
                found.deployments += 1
            case Stored(topic):
                found.stored[topic] = found.stored.get(topic, 0) + 1
    return found
