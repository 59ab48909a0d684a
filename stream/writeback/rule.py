"""One rule of a desk's file: which value goes into which field, or which condition sets a tag. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from stream.writeback.values import FLAGS, INSTANTS, Name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from stream.writeback.values import Value

TAG: Final = "tag:"
"""Begins the place of a tag."""


class ValueKind(StrEnum):
    """The kind of value that a field takes."""

    TEXT = "text"
    NUMBER = "number"
    OPTION = "option"
    """One of a list. Jira wants it in an object; elsewhere it is a text."""
    CHECKBOX = "checkbox"


class Form(StrEnum):
    """The format of an instant."""

    ISO = "iso"
    DATE = "date"
    UNIX = "unix"
    JIRA = "jira"
    """Date and time as fields of Jira have them: milliseconds, and an offset without a colon."""
    SQL = "sql"
    """Date and time in UTC with a space between them, as Request Tracker has them."""


class UnlistedError(LookupError):
    """The table of a rule does not have the value, so nothing is written."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """A field gets a value."""

    field: str
    value: Name
    kind: ValueKind = ValueKind.TEXT
    form: Form | str = Form.ISO
    """A format of ``strftime`` if it is not one of the named ones."""
    zone: ZoneInfo | None = None
    """In which an instant is shown; ``None``: UTC."""
    table: Mapping[str, str] = dataclass_field(default_factory=dict, hash=False)
    """Value to what the helpdesk calls it; empty: the same."""

    @property
    def place(self) -> str:
        return self.field

    def wanted(self, values: Mapping[Name, Value]) -> str:
        """The text of the field. Empty: it is cleared. Raises UnlistedError."""
        value = values[self.value]
        if value is None or value == "":
            text = ""
        elif self.value in INSTANTS:
            text = _instant(int(value), self.form, self.zone)
        elif self.value in FLAGS:
            text = "yes" if value else "no"
        else:
            text = str(value)
        if self.table and text:
            if text not in self.table:
                raise UnlistedError(f"the table of {self.field} does not have the {self.value} {text!r}")
            return self.table[text]
        return text


@dataclass(frozen=True, slots=True)
class TagRule:
    """A ticket has a tag while a condition holds."""

    tag: str
    when: Name

    @property
    def place(self) -> str:
        return TAG + self.tag

    def wanted(self, values: Mapping[Name, Value]) -> bool:
        return bool(values[self.when])


Rule = FieldRule | TagRule


def _instant(micros: int, form: Form | str, zone: ZoneInfo | None) -> str:
    moment = datetime.fromtimestamp(micros // 1_000_000, zone or UTC)
    match form:
        case Form.ISO:
            return moment.isoformat().replace("+00:00", "Z")
        case Form.DATE:
            return moment.date().isoformat()
        case Form.UNIX:
            return str(micros // 1_000_000)
        case Form.JIRA:
            return moment.strftime("%Y-%m-%dT%H:%M:%S.000%z")
        case Form.SQL:
            return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        case _:
            return moment.strftime(form)
