"""What the columns and statuses of an exported status log mean: the mapping file of ``breachwatch import``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from string import Formatter
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import yaml

from stream.sla.events import STATUSES
from stream.wire.ticket_event import MAX_FIELDS, MAX_ID, MAX_TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

Path = tuple[str, ...]

ISO: Final = "iso"
"""The time format that stands for ISO 8601, with or without an offset."""

_PROBE: Final = datetime(2031, 11, 22, 13, 14, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a status of the log says about a ticket. ``""`` or ``None``: nothing."""

    status: str = ""
    assignee: str | None = None
    """Who holds the ticket from now on, as constant text; ``""``: nobody."""
    first_answer: bool = False
    """The first row of a case with this status is also an agent's first public answer."""
    dependency: str = ""
    """The third party the ticket waits for until the case's next row."""
    refuse: str = ""
    """Why such a row is refused."""


@dataclass(frozen=True, slots=True)
class LogMapping:
    """A whole mapping file, checked."""

    source: str
    at: str
    case: str
    status: tuple[str, ...]
    """The columns that make up a status, joined by ``separator``."""
    statuses: Mapping[str, Meaning]
    fields: Mapping[str, str]
    """Ticket field to the column that gives it."""
    created: Mapping[str, str]
    """Constant ticket fields of every case's ``ticket.created``; always has ``status``."""
    separator: str
    delimiter: str
    zone: ZoneInfo
    """Where a time without an offset was written."""
    time_format: str
    ticket: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        return tuple(dict.fromkeys((self.at, self.case, *self.status, *self.fields.values())))


class MappingError(Exception):
    """The mapping cannot be used. ``problems`` has every one of them: where it is, what is wrong and what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_mapping(text: str, name: str) -> LogMapping:
    """Read the YAML text of a mapping file called ``name``. Raises ``MappingError`` with all problems found."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise MappingError([f"{name}: not readable as YAML: {error}"]) from error
    reader = _Reader(name, root)
    mapping = reader.read(data)
    if reader.problems:
        raise MappingError(reader.problems)
    return mapping


class _Reader:
    """One pass over the plain data; a problem never stops it."""

    def __init__(self, name: str, root: yaml.Node | None) -> None:
        self.name = name
        self.lines: dict[Path, int] = {}
        self.problems: list[str] = []
        self._find_lines(root, ())

    def read(self, data: object) -> LogMapping:
        top = self.section(data, (), {"source", "columns", "statuses"}, {"separator", "delimiter", "time", "ticket", "created"})
        columns = self.section(top.get("columns"), ("columns",), {"at", "case", "status"}, {"fields"})
        time = self.section(top.get("time", {}), ("time",), set(), {"zone", "format"})
        created = self.section(top.get("created", {}), ("created",), set(), {"status", "fields"})
        return LogMapping(
            source=self.text(top, (), "source", longest=MAX_ID),
            at=self.text(columns, ("columns",), "at"),
            case=self.text(columns, ("columns",), "case"),
            status=self.status_columns(columns.get("status")),
            statuses=self.statuses(top.get("statuses")),
            fields=self.ticket_fields(columns.get("fields", {}), ("columns", "fields")),
            created={
                **self.ticket_fields(created.get("fields", {}), ("created", "fields")),
                "status": self.known_status(created, ("created",), "new"),
            },
            separator=self.text(top, (), "separator", " / "),
            delimiter=self.delimiter(top),
            zone=self.zone(time),
            time_format=self.time_format(time),
            ticket=self.ticket(top),
        )

    def problem(self, path: Path, message: str) -> None:
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 1)
        self.problems.append(f"{self.name}:{line}: {'.'.join(path) or 'the file'}: {message}")

    def section(self, data: object, path: Path, required: set[str], optional: set[str]) -> dict[str, object]:
        """The keys of a mapping that are known; problems for the others and for what is missing."""
        if not isinstance(data, dict):
            if data is not None or not path:  # what is missing is said by the section it is missing in
                self.problem(path, f"a mapping with the keys {_listed(required | optional)} is asked for")
            return {}
        for key in data:
            if key not in required | optional:
                self.problem((*path, str(key)), f"unknown key; known are {_listed(required | optional)}")
        missing = {key for key in required if data.get(key) is None}
        for key in sorted(missing):
            self.problem(path, f"`{key}` is missing")
        return {key: value for key, value in data.items() if key in (required | optional) - missing}

    def text(self, data: dict[str, object], path: Path, key: str, default: str = "", longest: int = MAX_TEXT) -> str:
        value = data.get(key, default)
        if isinstance(value, str) and (value or key not in data) and len(value) <= longest:
            return value
        self.problem(
            (*path, key), f"text of 1 to {longest} characters is asked for, in quotes if YAML takes it for something else"
        )
        return default

    def status_columns(self, value: object) -> tuple[str, ...]:
        columns = [value] if isinstance(value, str) else value
        if isinstance(columns, list) and columns and all(isinstance(column, str) and column for column in columns):
            return tuple(columns)
        if value is not None:
            self.problem(("columns", "status"), "the name of a column, or a list of names, is asked for")
        return ()

    def ticket_fields(self, value: object, path: Path) -> dict[str, str]:
        """Ticket field to text: a column's name, or a constant."""
        if not isinstance(value, dict):
            self.problem(path, "a mapping from ticket field to text is asked for")
            return {}
        if len(value) > MAX_FIELDS - 2:
            self.problem(path, f"at most {MAX_FIELDS - 2} fields are taken")
        for name, said in value.items():
            if not isinstance(name, str) or not 1 <= len(name) <= 64 or name.startswith("@"):
                self.problem((*path, str(name)), "a ticket field has 1 to 64 characters and does not begin with @")
            elif name in {"status", "tags"}:
                self.problem((*path, name), f"`{name}` cannot be set here")
            self.text({str(name): said}, path, str(name), longest=64 if name == "priority" else MAX_TEXT)
        return {str(name): str(said) for name, said in value.items()}

    def known_status(self, data: dict[str, object], path: Path, default: str) -> str:
        value = data.get("status", default)
        if value == default or value in STATUSES:
            return str(value)
        self.problem((*path, "status"), f"{value!r} is no status; known are {_listed(set(STATUSES))}")
        return default

    def statuses(self, data: object) -> dict[str, Meaning]:
        if not isinstance(data, dict) or not data:
            if data is not None:
                self.problem(("statuses",), "a mapping from each status of the log to its meaning is asked for")
            return {}
        meanings = {}
        for text, said in data.items():
            if isinstance(text, str):
                meanings[text] = self.meaning(said, ("statuses", text))
            else:
                self.problem(("statuses", str(text)), "YAML does not take this status for text: put it in quotes")
        return meanings

    def meaning(self, data: object, path: Path) -> Meaning:
        said = self.section(data, path, set(), {"status", "assignee", "answers", "dependency", "refuse"})
        if not data:
            self.problem(path, "says nothing: give a meaning, or `refuse: why`")
        if "refuse" in said and len(said) > 1:
            self.problem(path, "`refuse` stands alone: a refused row has no other meaning")
        if said.get("answers", "first") != "first":
            self.problem((*path, "answers"), "only `first` is known: the first such row of a case is its first answer")
        assignee = said.get("assignee")
        if not (assignee is None or isinstance(assignee, str)) or len(assignee or "") > MAX_TEXT:
            self.problem((*path, "assignee"), f'text of at most {MAX_TEXT} characters is asked for; "" means nobody')
        return Meaning(
            status=self.known_status(said, path, ""),
            assignee=assignee if isinstance(assignee, str) else None,
            first_answer="answers" in said,
            dependency=self.text(said, path, "dependency", longest=MAX_ID),
            refuse=self.text(said, path, "refuse"),
        )

    def delimiter(self, top: dict[str, object]) -> str:
        value = self.text(top, (), "delimiter", ",")
        if len(value) == 1 and value not in '"\r\n':
            return value
        self.problem(("delimiter",), 'one character is asked for, such as "," or ";" or "\\t"')
        return ","

    def zone(self, time: dict[str, object]) -> ZoneInfo:
        value = self.text(time, ("time",), "zone", "UTC")
        try:
            return ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            self.problem(("time", "zone"), f"{value!r} is no IANA time zone; write one like Europe/Brussels")
            return ZoneInfo("UTC")

    def time_format(self, time: dict[str, object]) -> str:
        value = self.text(time, ("time",), "format", ISO)
        if value == ISO:
            return value
        try:
            back = datetime.strptime(_PROBE.strftime(value), value)  # noqa: DTZ007  only its date and hour are looked at
        except ValueError as error:
            self.problem(("time", "format"), f'not a strptime format: {error}; write one like "%Y-%m-%d %H:%M:%S", or iso')
            return ISO
        if (back.date(), back.hour) != (_PROBE.date(), _PROBE.hour):
            self.problem(("time", "format"), 'does not say year, month, day and hour; write one like "%Y-%m-%d %H:%M"')
        return value

    def ticket(self, top: dict[str, object]) -> str:
        value = self.text(top, (), "ticket", "{source}/{case}")
        try:
            named = {(field, spec, conversion) for _, field, spec, conversion in Formatter().parse(value) if field is not None}
        except ValueError:
            named = {("", "", None)}
        if ("case", "", None) in named and named <= {("case", "", None), ("source", "", None)}:
            return value
        self.problem(("ticket",), "a text with {case}, and {source} if you like, is asked for; other braces are not")
        return "{source}/{case}"

    def _find_lines(self, node: yaml.Node | None, path: Path) -> None:
        if not isinstance(node, yaml.MappingNode) or len(path) > 8:
            return
        for key, value in node.value:
            inner = (*path, str(key.value))
            line = key.start_mark.line + 1
            if inner in self.lines:
                self.problems.append(
                    f"{self.name}:{line}: {'.'.join(inner)}: stands here twice, first in line {self.lines[inner]}"
                )
                continue
            self.lines[inner] = line
            self._find_lines(value, inner)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
