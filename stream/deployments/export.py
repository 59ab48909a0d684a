"""The valid deployments of a log as a file, for ``replay``, ``explain`` and tests: JSON lines, one a deployment.

Only ``number``, ``appended`` and ``record`` are read back: ``record`` has the bytes of the record in base64. The other keys are
in the record too, and stand beside it for people.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Annotated

import msgspec

from stream.deployments.log import Added, Log
from stream.deployments.record import DeploymentKind, DeploymentRecord, decode_record, encode_record
from stream.sla.policy.timeline import SINCE_EVER
from stream.wire.instants import AwareTime, epoch_micros, format_instant
from stream.wire.lines import LinesError, open_lines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stream.deployments.log import Entry
    from stream.sla.policy.timeline import Deployments


class ExportError(ValueError):
    """A file that is not an export of deployments: which line, and why."""


class _Line(msgspec.Struct):
    number: Annotated[int, msgspec.Meta(ge=0)]
    appended: AwareTime
    record: bytes


def export_line(entry: Entry, value: bytes) -> bytes:
    """A deployment as a line of an export, with its newline. ``value``: its record."""
    return (
        msgspec.json.encode(
            {
                "number": entry.number,
                "after": entry.after,
                "at": None if entry.at == SINCE_EVER else format_instant(entry.at),
                "kind": entry.kind,
                "by": entry.by,
                "note": entry.note,
                "fingerprint": entry.fingerprint,
                "appended": format_instant(entry.appended),
                "record": b64encode(value).decode(),
            }
        )
        + b"\n"
    )


def read_export_log(path: Path) -> Log:
    """The log that was exported. Raises ExportError, OSError."""
    log = Log()
    try:
        with open_lines(path) as lines:
            for number, line in lines:
                _add(log, line, f"{path}:{number}")
    except LinesError as error:
        raise ExportError(str(error)) from error
    return log


def read_export_records(path: Path) -> list[bytes]:
    """The records of an export as they are to be appended to an empty topic, so that each deployment keeps its number.

    Where the log had void records there are void ones again. Each valid one keeps the instant of its append: checkpoints of
    partitions distinguish logs by it. Raises ExportError, OSError.
    """
    with open_lines(path) as lines:
        parts = [msgspec.json.decode(line, type=_Line) for _, line in lines]
    return appendable({each.number: (each.record, epoch_micros(each.appended)) for each in parts})


def appendable(records: Mapping[int, tuple[bytes, int]]) -> list[bytes]:
    """The same of records by their number, each with the instant of its append (epoch microseconds). Raises RecordError."""
    values = {}
    for number, (value, at) in records.items():
        record = decode_record(value)
        values[number] = encode_record(msgspec.structs.replace(record, appended=record.appended or at))
    return [values.get(number) or _void(number) for number in range(max(values) + 1)]


def _void(number: int) -> bytes:
    """A record that is void at this offset, because it would follow itself."""
    return encode_record(
        DeploymentRecord(
            after=number, at=0, kind=DeploymentKind.DEPLOY, note="stands for a void record", fingerprint="", set=b""
        )
    )


def read_export(path: Path) -> Deployments:
    """The deployments that were exported. Raises ExportError, OSError."""
    deployments = read_export_log(path).deployments
    if deployments is None:
        raise ExportError(f"{path}: there is no deployment in it")
    return deployments


def _add(log: Log, line: bytes, where: str) -> None:
    try:
        parts = msgspec.json.decode(line, type=_Line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ExportError(f"{where}: not a line of an export (`breachwatch deploy --export`): {error}") from error
    if parts.number <= log.next_after:
        raise ExportError(f"{where}: deployment {parts.number} does not follow deployment {log.next_after}")
    result = log.add(parts.number, parts.record, epoch_micros(parts.appended))
    if not isinstance(result, Added):
        raise ExportError(f"{where}: {result.text}")
