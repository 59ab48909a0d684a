"""Reads the records of a CSV file, and goes on with the next line after a record that is not valid.

A quotation mark that is missing or too many opens a cell that ends at the next quotation mark, perhaps thousands of lines
later. Such a record is refused by its first line alone, and the lines after it are read anew. What is refused:

1. A record that is not valid CSV, or that has more than ``MAX_LINES`` lines or ``MAX_CHARACTERS`` characters: its first line.
2. A record of several lines with another number of columns than the header: its first line.
3. A record of several lines, one of which would be a row by itself: all its lines. The file does not show whether a cell
   quotes other rows or a quotation mark is missing, and what a customer wrote must not become rows.
"""

from __future__ import annotations

import csv
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sources.log_file import MAX_LINE, TOO_LONG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    RefuseLines = Callable[[int, str, int], None]
    """Called with the first line that is refused, the reason, and the number of lines."""

MAX_LINES: Final = 2_000
MAX_CHARACTERS: Final = 2_000_000

_QUOTES: Final = "is a quotation mark missing or too many?"


class CsvRecord(NamedTuple):
    """A record and the number of its first line, from 1."""

    line: int
    cells: list[str]


class Table:
    """The records of a CSV file after its first, which is the header. Empty lines are left out."""

    def __init__(self, lines: Iterable[str], delimiter: str, refuse: RefuseLines) -> None:
        self._lines: Final = iter(lines)
        self._again: Final = deque[str]()
        """Lines to be read again, before the others."""
        self._taken: Final = list[str]()
        """The lines of the present record."""
        self._next = 1
        self._refuse: Final = refuse
        csv.field_size_limit(MAX_CHARACTERS)
        self._delimiter: Final = self._stated_delimiter() or delimiter
        record = self._record()
        self.header: Final = [] if record is None else record.cells

    def records(self, is_row: Callable[[list[str]], bool]) -> Iterator[CsvRecord]:
        """``is_row``: whether the cells of a line, as many as the header has, could be a row."""
        while (record := self._record()) is not None:
            lines = len(self._taken)
            if lines == 1:
                yield record
            elif len(record.cells) != len(self.header):
                columns = f"{len(record.cells)} columns in {lines} lines, but the header has {len(self.header)}"
                self._refuse_first(record.line, f"has {columns}; {_QUOTES}")
            elif any(self._is_row(line, is_row) for line in self._taken[1:]):
                self._refuse(record.line, f"is one record of {lines} lines, some of which are rows; {_QUOTES}", lines)
            else:
                yield record

    def _stated_delimiter(self) -> str:
        """The delimiter that a first line ``sep=;`` states, as spreadsheets write it; ``""`` if there is no such line."""
        first = next(self._lines, "")
        stated = first.rstrip("\r\n").strip('"')
        if len(stated) == len("sep=;") and stated.startswith("sep="):
            self._next = 2
            return stated[-1]
        self._again.append(first)
        return ""

    def _record(self) -> CsvRecord | None:
        while True:
            self._taken.clear()
            line = self._next
            try:
                cells = next(csv.reader(self._take(), delimiter=self._delimiter, strict=True), None)
            except csv.Error as error:
                self._refuse_first(line, f"not readable as CSV: {error}; {_QUOTES}")
                continue
            if cells is None:
                return None
            if cells:
                return CsvRecord(line, cells)

    def _take(self) -> Iterator[str]:
        """The lines of one record. Raises csv.Error if they are too many or too long."""
        size = 0
        while line := self._again.popleft() if self._again else next(self._lines, ""):
            self._taken.append(line)
            self._next += 1
            size += len(line)
            if TOO_LONG in line:
                raise csv.Error(f"a line has more than {MAX_LINE} characters")
            if len(self._taken) > MAX_LINES or size > MAX_CHARACTERS:
                raise csv.Error("a cell does not end")
            yield line

    def _refuse_first(self, line: int, reason: str) -> None:
        """Refuse the first line of the present record, and read its other lines again."""
        self._refuse(line, reason, 1)
        self._again.extendleft(reversed(self._taken[1:]))
        self._next -= len(self._taken) - 1

    def _is_row(self, line: str, is_row: Callable[[list[str]], bool]) -> bool:
        try:
            cells = next(csv.reader([line], delimiter=self._delimiter, strict=True), [])
        except csv.Error:
            return False
        return len(cells) == len(self.header) and is_row(cells)
