"""The meaning of the columns and statuses of an exported log."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

ISO: Final = "iso"
"""The name of the time format ISO 8601, with or without an offset."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a log's status for a ticket. ``""`` or ``None`` means no change."""

    status: str = ""
    assignee: str | None = None
    """The new assignee of the ticket, a constant; ``""`` is nobody."""
    first_answer: bool = False
    """True if the case's first row with this status is an agent's first public answer."""
    dependency: str = ""
    """The third party for which the ticket waits until the case's next row."""
    deleted: bool = False
    """True if the ticket is deleted, or spam, until the case's next row with another status."""
    refuse: str = ""
    """Why rows with this status are refused."""


@dataclass(frozen=True, slots=True)
class LogMapping:
    """A valid mapping file."""

    source: str
    at: str
    case: str
    status: tuple[str, ...]
    """The columns that make up a status, joined by ``separator``."""
    statuses: Mapping[str, Meaning]
    fields: Mapping[str, str]
    """Ticket field to the column with its value."""
    created: Mapping[str, str]
    """The constant ticket fields of every ``ticket.created``, always with a ``status``."""
    separator: str
    delimiter: str
    zone: ZoneInfo
    """The zone of times without an offset."""
    time_format: str
    ticket: str
    encoding: str
    """The encoding of a log that has no byte order mark and is not UTF-16."""
    order: Order

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read, without duplicates."""
        return tuple(dict.fromkeys((self.at, self.case, *self.status, *self.fields.values())))


class Order(StrEnum):
    """The order of the rows of a log. It decides between rows of one instant, and between the two hours that autumn repeats."""

    AUTO = "auto"
    """The log shows it."""
    OLDEST_FIRST = "oldest_first"
    NEWEST_FIRST = "newest_first"
