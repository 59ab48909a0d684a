"""Reads the mapping file of ``breachwatch import``: the meaning of the columns and statuses of an exported log."""

from __future__ import annotations

from datetime import UTC, datetime
from string import Formatter
from typing import TYPE_CHECKING, Final

from stream.documents.document import Report, parse_document
from stream.documents.readers import listed, section, shown, under
from stream.language.zones import UnknownZoneError, read_tzinfo
from stream.sla.events import STATUSES
from stream.sources.log_mapping import ISO, LogMapping, Meaning, Order
from stream.wire.ticket_event import MAX_ID
from stream.wire.ticket_fields import MAX_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from zoneinfo import ZoneInfo


_PROBE: Final = datetime(2031, 11, 22, 13, 14, 15, tzinfo=UTC)


class MappingError(Exception):
    """The mapping is not usable. ``problems`` has all problems, each with its place and a remedy."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_mapping(text: str, name: str) -> LogMapping:
    """Read the YAML text of a mapping file called ``name``. Raises ``MappingError`` with all problems found."""
    document = parse_document(text, name)
    mapping = None if document.problems and document.data is None else _read(document.data, document.error)
    if mapping is None or document.problems:
        raise MappingError([str(problem) for problem in sorted(document.problems, key=lambda problem: problem.line)])
    return mapping


def _read(data: object, report: Report) -> LogMapping:
    required = {"source", "columns", "statuses"}
    top = _section(data, report, required, {"separator", "delimiter", "time", "ticket", "created", "encoding", "order"})
    columns = _part(top, "columns", report, {"at", "case", "status"}, {"fields"})
    time = _part(top, "time", report, (), {"zone", "format"})
    created = _part(top, "created", report, (), {"status", "fields"})
    of_columns, of_created = under(report, "columns"), under(report, "created")
    return LogMapping(
        source=_text(top, "source", report, longest=MAX_ID),
        at=_text(columns, "at", of_columns),
        case=_text(columns, "case", of_columns),
        status=_status_columns(columns.get("status"), under(of_columns, "status")),
        statuses=_statuses(top.get("statuses"), under(report, "statuses")),
        fields=_ticket_fields(columns.get("fields", {}), under(of_columns, "fields")),
        created={
            **_ticket_fields(created.get("fields", {}), under(of_created, "fields")),
            "status": _known_status(created, "new", of_created),
        },
        separator=_text(top, "separator", report, " / "),
        delimiter=_delimiter(top, report),
        zone=_zone(time, under(report, "time")),
        time_format=_time_format(time, under(report, "time")),
        ticket=_ticket(top, report),
        encoding=_encoding(top, report),
        order=_order(top, report),
    )


def _section(data: object, report: Report, required: Iterable[str], optional: Iterable[str]) -> Mapping[str, object]:
    """The known keys of a mapping. A required key without a value is reported as missing."""
    required = sorted(required)
    keys = sorted({*required, *optional})
    read = section(data, report, keys)
    if read is None:
        return {}
    missing = [key for key in required if read.get(key) is None]
    for key in missing:
        report((), f"`{key}` is missing")
    return {key: value for key, value in read.items() if key in keys and key not in missing}


def _part(
    data: Mapping[str, object], key: str, report: Report, required: Iterable[str], optional: Iterable[str]
) -> Mapping[str, object]:
    return _section(data[key], under(report, key), required, optional) if key in data else {}


def _text(data: Mapping[str, object], key: str, report: Report, default: str = "", longest: int = MAX_TEXT) -> str:
    value = data.get(key, default)
    if isinstance(value, str) and (value or key not in data) and len(value) <= longest:
        return value
    report((key,), f"must be text of 1 to {longest} characters, not {shown(value)}; put a number in quotes")
    return default


def _status_columns(value: object, report: Report) -> tuple[str, ...]:
    columns = [value] if isinstance(value, str) else value
    if isinstance(columns, list) and columns and all(isinstance(column, str) and column for column in columns):
        return tuple(columns)
    if value is not None:
        report((), "must be the name of a column, or a list of names")
    return ()


def _ticket_fields(value: object, report: Report) -> dict[str, str]:
    """A mapping from ticket fields to text: column names or constants."""
    if not isinstance(value, dict):
        report((), f"must be a mapping from ticket fields to text, not {shown(value)}")
        return {}
    for name in value:
        if not 1 <= len(name) <= 64 or name.startswith("@"):
            report((name,), "a ticket field has 1 to 64 characters and does not begin with @")
        elif name in {"status", "tags"}:
            report((name,), f"`{name}` cannot be set here")
        _text(value, name, report, longest=64 if name == "priority" else MAX_TEXT)
    return {name: str(text) for name, text in value.items()}


def _known_status(data: Mapping[str, object], default: str, report: Report) -> str:
    value = data.get("status", default)
    if value == default or value in STATUSES:
        return str(value)
    report(("status",), f"{shown(value)} is not a status: use one of {listed(sorted(STATUSES))}")
    return default


def _statuses(data: object, report: Report) -> dict[str, Meaning]:
    if not isinstance(data, dict) or not data:
        if data is not None:
            report((), "must be a mapping from each status of the log to its meaning")
        return {}
    return {text: _meaning(value, under(report, text)) for text, value in data.items()}


def _meaning(data: object, report: Report) -> Meaning:
    if not data:
        report((), "has no meaning: add one, or `refuse:` with the reason")
        return Meaning()
    meaning = _section(data, report, (), {"status", "assignee", "answers", "dependency", "deleted", "refuse"})
    if "refuse" in meaning and len(meaning) > 1:
        report((), "`refuse` must be the only key: a refused row has no other meaning")
    if meaning.get("answers", "first") != "first":
        report(("answers",), "must be `first`: the first such row of a case is its first answer")
    if meaning.get("deleted", "yes") != "yes":
        report(("deleted",), "must be `yes`, or be left out")
    assignee = meaning.get("assignee")
    if not (assignee is None or isinstance(assignee, str)) or len(assignee or "") > MAX_TEXT:
        report(("assignee",), f'must be text of at most {MAX_TEXT} characters; "" means nobody')
    return Meaning(
        status=_known_status(meaning, "", report),
        assignee=assignee if isinstance(assignee, str) else None,
        first_answer="answers" in meaning,
        dependency=_text(meaning, "dependency", report, longest=MAX_ID),
        deleted="deleted" in meaning,
        refuse=_text(meaning, "refuse", report),
    )


def _delimiter(top: Mapping[str, object], report: Report) -> str:
    value = _text(top, "delimiter", report, ",")
    if len(value) == 1 and value not in '"\r\n':
        return value
    report(("delimiter",), 'must be one character, such as "," or ";" or "\\t"')
    return ","


def _encoding(top: Mapping[str, object], report: Report) -> str:
    value = _text(top, "encoding", report, "utf-8")
    try:
        if len("x".encode(value).decode(value)) == 1:
            return value
    except (LookupError, ValueError):
        pass
    report(("encoding",), f"{shown(value)} is not an encoding of text; use a name such as utf-8, cp1252 or utf-16")
    return "utf-8"


def _order(top: Mapping[str, object], report: Report) -> Order:
    value = top.get("order", Order.AUTO)
    if isinstance(value, str) and value in {*Order}:
        return Order(value)
    report(("order",), f"{shown(value)} is not an order: use one of {listed(Order)}")
    return Order.AUTO


def _zone(time: Mapping[str, object], report: Report) -> ZoneInfo:
    value = _text(time, "zone", report, "UTC")
    try:
        return read_tzinfo(value)
    except UnknownZoneError:
        report(("zone",), f"{shown(value)} is not an IANA time zone; use a name such as Europe/Brussels")
        return read_tzinfo("UTC")


def _time_format(time: Mapping[str, object], report: Report) -> str:
    value = _text(time, "format", report, ISO)
    if value == ISO:
        return value
    try:
        back = datetime.strptime(_PROBE.strftime(value), value)  # noqa: DTZ007  only its date and hour are compared
    except ValueError as error:
        report(("format",), f'is not a strptime format: {error}; use one such as "%Y-%m-%d %H:%M:%S", or iso')
        return ISO
    if (back.date(), back.hour) != (_PROBE.date(), _PROBE.hour):
        report(("format",), 'lacks the year, month, day or hour; use a format such as "%Y-%m-%d %H:%M"')
    return value


def _ticket(top: Mapping[str, object], report: Report) -> str:
    value = _text(top, "ticket", report, "{source}/{case}")
    try:
        named = {(field, spec, conversion) for _, field, spec, conversion in Formatter().parse(value) if field is not None}
    except ValueError:
        named = {("", "", None)}
    if ("case", "", None) in named and named <= {("case", "", None), ("source", "", None)}:
        return value
    report(("ticket",), "must be text with {case}, and optionally {source}; no other braces are allowed")
    return "{source}/{case}"
