"""Converts an exported status log to ticket events. Each row of the log is one status change of one case.

A log has less information than a feed: it has states, not actions. A mapping (``status_mapping``) gives the meaning of each
status; events that the log cannot express are not made up. A row becomes events as a whole or is refused as a whole.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from sys import intern
from typing import Final, NamedTuple, Protocol

from stream.sla.events import Event, EventType
from stream.sources.status_mapping import ISO, LogMapping
from stream.wire.instants import END, FIRST, epoch_micros
from stream.wire.ticket_event import MAX_ID
from stream.wire.ticket_fields import MAX_PRIORITY, MAX_TEXT

Refuse = Callable[[int, str], None]
"""Called with the line and the reason of every row that is refused."""

MAX_CASE: Final = 200
"""The most characters of a case's name, which is part of the ids of its events."""


class LogError(Exception):
    """The mapping does not fit the log as a whole. The text names the problem."""


class Row(NamedTuple):
    """A valid status change. ``fields`` has the values of the mapped columns, in the order of the mapping."""

    at: int
    line: int
    case: str
    status: str
    fields: tuple[str, ...]


def read_rows(lines: Iterable[str], mapping: LogMapping, refuse: Refuse) -> list[Row]:
    """The rows that have a meaning, ordered by time and then by line.

    The line of a row is its last one, counted from 1. Raises ``LogError`` if the log has no header or lacks a column.
    """
    table = csv.reader(lines, delimiter=mapping.delimiter, strict=True)
    header = next(_records(table, refuse), [])
    missing = [column for column in mapping.columns if column not in header]
    if missing:
        raise LogError(f"the log has no column {', '.join(map(repr, missing))}; its header is {header!r}")
    twice = [column for column in mapping.columns if header.count(column) > 1]
    if twice:
        raise LogError(f"the log has the column {', '.join(map(repr, twice))} more than once")
    where = {name: place for place, name in enumerate(header)}
    rows = []
    for record in _records(table, refuse):
        try:
            rows.append(_row(record, len(header), where, table.line_num, mapping))
        except ValueError as error:
            refuse(table.line_num, str(error))
    rows.sort(key=lambda row: (row.at, row.line))
    return rows


def to_events(rows: Iterable[Row], mapping: LogMapping) -> Iterator[tuple[Row, list[Event]]]:
    """Yield each row with its events, which are none for a row that changes nothing. ``rows`` must be in time order.

    The ids consist of the case and the row's line, so a second import of the same log repeats the ids of the first.
    """
    cases: dict[str, _Case] = {}
    for row in rows:
        events = []
        case = cases.get(row.case)
        if case is None:
            case = cases[row.case] = _Case(row.at)
            columns = {name: value for name, value in zip(mapping.fields, row.fields, strict=True) if value}
            events.append(case.event(row, mapping, "ticket.created", fields=case.update({**mapping.created, **columns})))
        events += case.follow(row, mapping)
        yield row, events


def ticket_name(mapping: LogMapping, case: str) -> str:
    """The name of the ticket for a case of the log."""
    return mapping.ticket.format(source=mapping.source, case=case)


@dataclass(slots=True)
class _Case:
    """The state of one case after the rows so far."""

    at: int
    seq: int = 0
    fields: dict[str, str | list[str]] = field(default_factory=dict)
    waits_for: str = ""
    answered: bool = False

    def follow(self, row: Row, mapping: LogMapping) -> Iterator[Event]:
        meaning = mapping.statuses[row.status]
        if self.waits_for and meaning.dependency != self.waits_for:
            yield self.event(row, mapping, "dependency.ended", party=self.waits_for)
            self.waits_for = ""
        fields = dict(zip(mapping.fields, row.fields, strict=True))
        if meaning.status:
            fields["status"] = meaning.status
        if meaning.assignee is not None:
            fields["assignee"] = meaning.assignee
        if changed := self.update(fields):
            yield self.event(row, mapping, "ticket.changed", fields=changed)
        if meaning.dependency and not self.waits_for:
            self.waits_for = meaning.dependency
            yield self.event(row, mapping, "dependency.started", party=self.waits_for)
        if meaning.first_answer and not self.answered:
            self.answered = True
            yield self.event(row, mapping, "comment.added", public=True)

    def update(self, fields: dict[str, str]) -> dict[str, str | list[str]]:
        """Set these fields and return those that changed. A field that was never set counts as ``""``."""
        changed: dict[str, str | list[str]] = {name: text for name, text in fields.items() if self.fields.get(name, "") != text}
        self.fields.update(changed)
        return changed

    def event(
        self,
        row: Row,
        mapping: LogMapping,
        kind: EventType,
        *,
        fields: dict[str, str | list[str]] | None = None,
        public: bool = False,
        party: str = "",
    ) -> Event:
        """The next event of this case. ``seq`` counts the events of an instant, so that its rows keep their order."""
        if row.at != self.at:
            self.at, self.seq = row.at, 0
        event = Event(
            at=row.at,
            id=f"{row.case}#{row.line}.{self.seq}",
            type=kind,
            source=mapping.source,
            seq=self.seq,
            actor="agent" if public else None,
            fields=fields or {},
            public=public,
            party=party,
        )
        self.seq += 1
        return event


class _Table(Protocol):
    """The type of a ``csv.reader``."""

    @property
    def line_num(self) -> int: ...

    def __next__(self) -> list[str]: ...


def _records(table: _Table, refuse: Refuse) -> Iterator[list[str]]:
    """Yield the records of the table without empty lines. A record that is not valid CSV is refused and skipped."""
    while True:
        before = table.line_num
        try:
            record = next(table)
        except StopIteration:
            return
        except csv.Error as error:  # an open quotation mark can span many lines, so the message has the first one
            refuse(table.line_num, f"not readable as CSV from line {before + 1} on: {error}")
            continue
        if record:
            yield record


def _row(record: list[str], width: int, where: dict[str, int], line: int, mapping: LogMapping) -> Row:
    """Check one row. Raises ``ValueError`` with the reason why it is refused."""
    if len(record) != width:
        raise ValueError(f"has {len(record)} columns, but the header has {width}")
    at, case, *rest = (
        _cell(record[where[name]], name) for name in (mapping.at, mapping.case, *mapping.status, *mapping.fields.values())
    )
    if not 1 <= len(case) <= MAX_CASE:
        raise ValueError(f"the case ({mapping.case}) has {len(case)} characters; it must have 1 to {MAX_CASE}")
    if len(ticket_name(mapping, case)) > MAX_ID:
        raise ValueError(f"the ticket {ticket_name(mapping, case)!r} would have more than {MAX_ID} characters")
    status = mapping.separator.join(rest[: len(mapping.status)])
    fields = rest[len(mapping.status) :]
    for name, value in zip(mapping.fields, fields, strict=True):
        longest = MAX_PRIORITY if name == "priority" else MAX_TEXT
        if len(value) > longest:
            raise ValueError(f"{name} ({mapping.fields[name]}) has more than {longest} characters")
    meaning = mapping.statuses.get(status)
    if meaning is None:
        raise ValueError(f"the mapping has no meaning for the status {status[:MAX_ID]!r}")
    if meaning.refuse:
        raise ValueError(f"{status!r}: {meaning.refuse}")
    return Row(_instant(at, mapping), line, intern(case), intern(status), tuple(map(intern, fields)))


def _cell(text: str, column: str) -> str:
    """Strip a cell. Raises ``ValueError`` for lone surrogates: they stand for bytes that are not UTF-8."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{column} is not UTF-8") from None
    return text.strip()


def _instant(text: str, mapping: LogMapping) -> int:
    try:
        iso = mapping.time_format == ISO
        moment = datetime.fromisoformat(text) if iso else datetime.strptime(text, mapping.time_format)  # noqa: DTZ007
    except ValueError:
        raise ValueError(f"the time {text[:MAX_PRIORITY]!r} is not in the format {mapping.time_format}") from None
    try:
        if moment.tzinfo is None:
            naive, moment = moment, moment.replace(tzinfo=mapping.zone)
            if moment.astimezone(UTC).astimezone(mapping.zone).replace(tzinfo=None) != naive:
                raise ValueError(f"the time {text!r} does not exist in {mapping.zone.key}: the clocks went forward past it")
        at = epoch_micros(moment)
    except OverflowError:
        at = FIRST - 1
    if not FIRST <= at < END:
        raise ValueError(f"the time {text!r} is outside the years 1970 to 2199")
    return at
