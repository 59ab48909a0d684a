"""Reads the rows of an exported status log. A row that is not valid is refused as a whole; the others get their instants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from sys import intern
from typing import Final, NamedTuple

from stream.sources.log_file import NOT_TEXT
from stream.sources.log_mapping import ISO, LogMapping, Order
from stream.sources.table import Table
from stream.wire.instants import END, FIRST, epoch_micros
from stream.wire.ticket_event import MAX_ID
from stream.wire.ticket_fields import MAX_PRIORITY, MAX_TEXT, one_form

MAX_CASE: Final = 200
"""The most characters of a case's name, which is part of the ids of its events."""


class Cause(StrEnum):
    """Why a row is refused."""

    CSV = "not readable as CSV"
    COLUMNS = "another number of columns than the header"
    TIME = "a time that is not valid"
    TEXT = "text that is not valid"
    STATUS = "a status that the mapping does not have"
    MAPPING = "a status that the mapping refuses"


class Refusal(NamedTuple):
    """A row that is refused: its first line, and the reason for people. ``status``: of ``Cause.STATUS``."""

    line: int
    cause: Cause
    reason: str
    lines: int = 1
    status: str = ""


Refuse = Callable[[Refusal], None]


class LogError(Exception):
    """The mapping does not fit the log as a whole. The text names the problem."""


class _RowError(ValueError):
    """The row is refused."""

    def __init__(self, cause: Cause, reason: str, status: str = "") -> None:
        super().__init__(reason)
        self.cause = cause
        self.reason = reason
        self.status = status


class Row(NamedTuple):
    """A valid status change. ``fields`` has the values of the mapped columns, in the order of the mapping."""

    at: int
    line: int
    case: str
    status: str
    fields: tuple[str, ...]
    repeated: int
    """The instant at which its time of day came again in the same night, in autumn; elsewhere the same as ``at``."""


def read_rows(lines: Iterable[str], mapping: LogMapping, refuse: Refuse) -> list[Row]:
    """The rows that have a meaning, ordered by time and then by their order in the log (``LogMapping.order``).

    The line of a row is its first one, counted from 1. Raises ``LogError`` if the log has no header or lacks a column.
    """
    table = Table(lines, mapping.delimiter, lambda line, reason, count: refuse(Refusal(line, Cause.CSV, reason, count)))
    header = [one_form(name.strip()) for name in table.header]
    missing = [column for column in mapping.columns if column not in header]
    if missing:
        raise LogError(f"the log has no column {', '.join(map(repr, missing))}; its header is {header!r}")
    twice = [column for column in mapping.columns if header.count(column) > 1]
    if twice:
        raise LogError(f"the log has the column {', '.join(map(repr, twice))} more than once")
    where = {name: place for place, name in enumerate(header)}
    rows = []
    for line, cells in table.records(lambda cells: _has_time(cells[where[mapping.at]], mapping)):
        try:
            rows.append(_row(cells, line, where, len(header), mapping))
        except _RowError as error:
            refuse(Refusal(line, error.cause, error.reason, status=error.status))
    if mapping.order is Order.NEWEST_FIRST or (mapping.order is Order.AUTO and _newest_first(rows)):
        rows.reverse()
    rows = list(_in_repeated_hours(rows))
    rows.sort(key=_at)  # stable: rows of one instant keep their order
    return rows


def _at(row: Row) -> int:
    return row.at


def _newest_first(rows: list[Row]) -> bool:
    """Whether most rows are older than the row before of the same case. If no case shows it, all rows are compared."""
    of_case: dict[str, int] = {}
    within = among = before = 0
    for row in rows:
        last = of_case.get(row.case, row.at)
        within += (row.at < last) - (row.at > last)
        among += (before != 0) * ((row.at < before) - (row.at > before))
        of_case[row.case] = before = row.at
    return (within or among) > 0


def _in_repeated_hours(rows: list[Row]) -> Iterator[Row]:
    """In autumn an hour comes twice. A row is of its second time if the case's row before it would else come after it."""
    of_case: dict[str, int] = {}
    for row in rows:
        if row.at < of_case.get(row.case, 0) <= row.repeated:
            row = row._replace(at=row.repeated)
        of_case[row.case] = row.at
        yield row


def ticket_name(mapping: LogMapping, case: str) -> str:
    """The name of the ticket for a case of the log."""
    return mapping.ticket.format(source=mapping.source, case=case)


def _row(cells: list[str], line: int, where: dict[str, int], width: int, mapping: LogMapping) -> Row:
    """Check one row. ``width``: the number of columns, of which some may share a name. Raises ``_RowError``."""
    if len(cells) != width:
        raise _RowError(Cause.COLUMNS, f"has {len(cells)} columns, but the header has {width}")
    at, case, *rest = (
        _cell(cells[where[name]], name) for name in (mapping.at, mapping.case, *mapping.status, *mapping.fields.values())
    )
    if not 1 <= len(case) <= MAX_CASE:
        raise _RowError(Cause.TEXT, f"the case ({mapping.case}) has {len(case)} characters; it must have 1 to {MAX_CASE}")
    if len(ticket_name(mapping, case)) > MAX_ID:
        raise _RowError(Cause.TEXT, f"the ticket {ticket_name(mapping, case)!r} would have more than {MAX_ID} characters")
    status = mapping.separator.join(rest[: len(mapping.status)])
    fields = rest[len(mapping.status) :]
    for name, value in zip(mapping.fields, fields, strict=True):
        longest = MAX_PRIORITY if name == "priority" else MAX_TEXT
        if len(value) > longest:
            raise _RowError(Cause.TEXT, f"{name} ({mapping.fields[name]}) has more than {longest} characters")
    meaning = mapping.statuses.get(status)
    if meaning is None:
        shown = status[:MAX_ID]
        raise _RowError(Cause.STATUS, f"the mapping has no meaning for the status {shown!r}", shown)
    if meaning.refuse:
        raise _RowError(Cause.MAPPING, f"{status!r}: {meaning.refuse}")
    first, repeated = _instants(at, mapping)
    return Row(first, line, intern(case), intern(status), tuple(map(intern, fields)), repeated)


def _cell(text: str, column: str) -> str:
    """Strip a cell and give it the form of Unicode in which texts are compared. Raises ``_RowError``."""
    if NOT_TEXT in text:
        reason = f"{column} has bytes that are not in the encoding of the log: state it in the mapping as `encoding`"
        raise _RowError(Cause.TEXT, reason)
    return one_form(text.strip())


def _has_time(cell: str, mapping: LogMapping) -> bool:
    try:
        _moment(cell.strip(), mapping)
    except _RowError:
        return False
    return True


def _moment(text: str, mapping: LogMapping) -> datetime:
    try:
        iso = mapping.time_format == ISO
        return datetime.fromisoformat(text) if iso else datetime.strptime(text, mapping.time_format)  # noqa: DTZ007  ``_instants`` adds the zone
    except ValueError:
        reason = f"the time {text[:MAX_PRIORITY]!r} is not in the format {mapping.time_format}"
        raise _RowError(Cause.TIME, reason) from None


def _instants(text: str, mapping: LogMapping) -> tuple[int, int]:
    """The instant of a time, and the instant at which the same time of day came again; it is the same one outside autumn."""
    moment = _moment(text, mapping)
    try:
        if moment.tzinfo is None:
            naive, moment = moment, moment.replace(tzinfo=mapping.zone)
            if moment.astimezone(UTC).astimezone(mapping.zone).replace(tzinfo=None) != naive:
                reason = f"the time {text!r} does not exist in {mapping.zone.key}: the clocks went forward past it"
                raise _RowError(Cause.TIME, reason)
        first, repeated = epoch_micros(moment), epoch_micros(moment.replace(fold=1))
    except OverflowError:
        first = repeated = FIRST - 1
    if not (FIRST <= first < END and FIRST <= repeated < END):
        raise _RowError(Cause.TIME, f"the time {text!r} is outside the years 1970 to 2199")
    return first, repeated
