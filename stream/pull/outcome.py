"""The outcome of a pass: counts, and the resources that could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stream.pull.errors import ForbiddenError, UnreachableError

if TYPE_CHECKING:
    from stream.pull.errors import ApiError


@dataclass(slots=True)
class Counts:
    """The outcome of a pass."""

    documents: int = 0
    events: int = 0
    unmapped: int = 0

    def add(self, other: Counts) -> None:
        self.documents += other.documents
        self.events += other.events
        self.unmapped += other.unmapped


@dataclass(slots=True)
class Outcome:
    """The outcome of a pass over all resources."""

    began: int
    """Epoch microseconds."""
    counts: Counts = field(default_factory=Counts)
    failed: dict[str, ApiError] = field(default_factory=dict)
    """Resources that could not be read to their end."""

    @property
    def complete(self) -> bool:
        """Whether everything was read that the account may see."""
        return all(isinstance(error, ForbiddenError) for error in self.failed.values())

    @property
    def reached(self) -> bool:
        """Whether the helpdesk answered."""
        return not any(isinstance(error, UnreachableError) for error in self.failed.values())
