"""From an exported status log, where one row is one status change of one case, to ticket events.

A log says less than a feed: it has states, not acts. What a status stands for is said by a mapping (``status_mapping``); what
the log has no word for is not made up. A row is turned into events as a whole or refused as a whole.
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
"""Told the line and the reason of every row that is refused."""

MAX_CASE: Final = 200
"""Characters of a case's name: the ids of its events are built from it."""


class LogError(Exception):
    """The log as a whole cannot be read by this mapping: says what to do."""


class Row(NamedTuple):
    """A status change, checked. ``fields`` are the values of the mapped columns, in the mapping's order."""

    at: int
    line: int
    case: str
    status: str
    fields: tuple[str, ...]


def read_rows(lines: Iterable[str], mapping: LogMapping, refuse: Refuse) -> list[Row]:
    """The rows that have a meaning, by time, and at the same instant in the order of the log.

    Raises ``LogError`` when the log has no header or lacks a column. A line is the last line of a row, counted from 1.
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
    """What each row means; no events for a row that changes nothing. Rows are in time order.

    The ids are made of the case and the row's line: a second import of the same log repeats the first.
    """
    cases: dict[str, _Case] = {}
    for row in rows:
        events = []
        case = cases.get(row.case)
        if case is None:
            case = cases[row.case] = _Case(row.at)
            columns = {name: said for name, said in zip(mapping.fields, row.fields, strict=True) if said}
            events.append(case.event(row, mapping, "ticket.created", fields=case.learn({**mapping.created, **columns})))
        events += case.follow(row, mapping)
        yield row, events


def ticket_name(mapping: LogMapping, case: str) -> str:
    """The ticket that a case of the log becomes."""
    return mapping.ticket.format(source=mapping.source, case=case)


@dataclass(slots=True)
class _Case:
    """What the log has said of one case so far."""

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
        said = dict(zip(mapping.fields, row.fields, strict=True))
        if meaning.status:
            said["status"] = meaning.status
        if meaning.assignee is not None:
            said["assignee"] = meaning.assignee
        if changed := self.learn(said):
            yield self.event(row, mapping, "ticket.changed", fields=changed)
        if meaning.dependency and not self.waits_for:
            self.waits_for = meaning.dependency
            yield self.event(row, mapping, "dependency.started", party=self.waits_for)
        if meaning.first_answer and not self.answered:
            self.answered = True
            yield self.event(row, mapping, "comment.added", public=True)

    def learn(self, said: dict[str, str]) -> dict[str, str | list[str]]:
        """Take it over; give back what is new. A field never set and one set to ``""`` are the same."""
        new: dict[str, str | list[str]] = {name: text for name, text in said.items() if self.fields.get(name, "") != text}
        self.fields.update(new)
        return new

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
        """The next event of this case. ``seq`` counts within the instant, so that its rows keep their order."""
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
    """What ``csv.reader`` gives."""

    @property
    def line_num(self) -> int: ...

    def __next__(self) -> list[str]: ...


def _records(table: _Table, refuse: Refuse) -> Iterator[list[str]]:
    """The table's records without empty lines. One that breaks the rules of CSV is refused, and the next is read."""
    while True:
        before = table.line_num
        try:
            record = next(table)
        except StopIteration:
            return
        except csv.Error as error:  # an open quotation mark may have swallowed many lines: say from where
            refuse(table.line_num, f"not readable as CSV from line {before + 1} on: {error}")
            continue
        if record:
            yield record


def _row(record: list[str], width: int, where: dict[str, int], line: int, mapping: LogMapping) -> Row:
    """Raises ``ValueError`` with the reason why the row is refused."""
    if len(record) != width:
        raise ValueError(f"has {len(record)} columns, the header {width}")
    at, case, *rest = (
        _cell(record[where[name]], name) for name in (mapping.at, mapping.case, *mapping.status, *mapping.fields.values())
    )
    if not 1 <= len(case) <= MAX_CASE:
        raise ValueError(f"the case ({mapping.case}) has {len(case)} characters; 1 to {MAX_CASE} are taken")
    if len(ticket_name(mapping, case)) > MAX_ID:
        raise ValueError(f"the ticket {ticket_name(mapping, case)!r} would have more than {MAX_ID} characters")
    status = mapping.separator.join(rest[: len(mapping.status)])
    fields = rest[len(mapping.status) :]
    for name, said in zip(mapping.fields, fields, strict=True):
        longest = MAX_PRIORITY if name == "priority" else MAX_TEXT
        if len(said) > longest:
            raise ValueError(f"{name} ({mapping.fields[name]}) has more than {longest} characters")
    meaning = mapping.statuses.get(status)
    if meaning is None:
        raise ValueError(f"the mapping has no meaning for the status {status[:MAX_ID]!r}")
    if meaning.refuse:
        raise ValueError(f"{status!r}: {meaning.refuse}")
    return Row(_instant(at, mapping), line, intern(case), intern(status), tuple(map(intern, fields)))


def _cell(text: str, column: str) -> str:
    """Bytes that are not UTF-8 come as lone surrogates, which no event may hold."""
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
                raise ValueError(f"the time {text!r} does not exist in {mapping.zone.key}: the clock was put forward over it")
        at = epoch_micros(moment)
    except OverflowError:
        at = FIRST - 1
    if not FIRST <= at < END:
        raise ValueError(f"the time {text!r} is outside the years 1970 to 2199")
    return at
