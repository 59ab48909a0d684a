"""An entry of a policy file: the part that defines one calendar, metric or policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream.documents.document import Document, Where


@dataclass(frozen=True, slots=True)
class Entry:
    """A named thing of a file, before it is read."""

    document: Document
    where: Where
    data: object

    def report(self, where: Where, message: str) -> None:
        self.document.error((*self.where, *where), message)

    def warn(self, where: Where, message: str) -> None:
        self.document.warning((*self.where, *where), message)

    def __str__(self) -> str:
        return f"{self.document.file}:{self.document.line(self.where)}"
