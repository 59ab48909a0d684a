"""Places: where a part of a mapping stands in its file, and the error for a payload that does not fit it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stream.documents.document import Document, Where


class Place(NamedTuple):
    """A line of a mapping file."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a mapping file: its data, and its place in the document."""

    document: Document
    where: Where
    data: object

    @property
    def place(self) -> Place:
        return Place(self.document.file, self.document.line(self.where))

    def report(self, where: Where, message: str) -> None:
        """Report a problem of this part: the ``Report`` of readers."""
        self.document.error((*self.where, *where), message)

    def error(self, message: str) -> None:
        self.document.error(self.where, message)

    def under(self, step: str | int, data: object) -> Node:
        return Node(self.document, (*self.where, step), data)

    def parts(self, data: Mapping[str, object]) -> Iterator[tuple[str, Node]]:
        """The parts of this part, which is the mapping ``data``."""
        for key, value in data.items():
            yield key, self.under(key, value)


class UnfitError(Exception):
    """The payload does not fit a part of the mapping."""

    def __init__(self, reason: str, place: Place, path: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place
        self.path = path
        """The expression whose value does not fit, as in the mapping."""
