"""The interface to a helpdesk's API for write-back, and its errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.writeback.rule import FieldRule


class Outcome(StrEnum):
    """The outcome of a write. The same words in metrics and logs."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    """The helpdesk has the values already."""
    CLOSED = "closed"
    """The ticket takes no changes any more."""
    GONE = "gone"
    """There is no such ticket, or the account may not see it."""
    REFUSED = "refused"
    """The helpdesk does not accept the change, or ignores it."""
    DRY_RUN = "dry_run"
    """It would have been written."""


class RefusedError(Exception):
    """The helpdesk refuses the change, and would refuse it again. It is counted and not repeated."""

    def __init__(self, outcome: Outcome, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome


class RetryError(Exception):
    """The helpdesk does not answer, or not now. All its tickets wait."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        """``after``: the seconds for which the helpdesk asks; 0: it does not."""
        super().__init__(why)
        self.after = after


class ConflictError(Exception):
    """The ticket has changed since it was read: it is read again."""


@dataclass(frozen=True, slots=True)
class Current:
    """A ticket as it is in the helpdesk."""

    fields: Mapping[str, str]
    """The fields that were asked for, as texts; empty: without a value. One that the ticket does not have is missing."""
    tags: frozenset[str] = frozenset()
    version: str = ""
    """By which the helpdesk notices that the ticket has changed since; empty: it does not."""
    closed: bool = False
    """It takes no changes."""


@dataclass(frozen=True, slots=True)
class Change:
    """The values to write into a ticket."""

    fields: Mapping[FieldRule, str] = field(default_factory=dict)
    """Empty text: the field is cleared."""
    add: frozenset[str] = frozenset()
    """Tags."""
    remove: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.fields or self.add or self.remove)


class Api(Protocol):
    """The API of one desk. Both raise RefusedError, RetryError; ``write`` raises ConflictError too."""

    async def read(self, ticket: str, rules: tuple[FieldRule, ...]) -> Current:
        """The ticket with this id, with the fields of these rules."""

    async def write(self, ticket: str, change: Change, current: Current) -> None:
        """Change the ticket as it was read."""
