"""Reads files of ticket events: one JSON object on each line, optionally gzipped."""

from __future__ import annotations

import codecs
import gzip
import os
import stat
import sys
import zlib
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from typing import IO, TYPE_CHECKING, Final, NamedTuple, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GZIP_MAGIC: Final = b"\x1f\x8b"
MAX_LINE: Final = 4_194_304
"""The most bytes of a line, more than any event may have. Of a longer one, such as a file without line ends, the rest is left
out, so that it does not fill the memory."""
BLOCK: Final = 1_048_576
"""Bytes of a block, without the rest of its last line."""


class _Keyed(msgspec.Struct):
    ticket: str = ""


_keyed: Final = msgspec.json.Decoder(_Keyed).decode


class _Routed(_Keyed):
    type: str = ""


_routed: Final = msgspec.json.Decoder(_Routed).decode


def key_of(line: bytes) -> bytes:
    """The record key under which a line is published: its ticket, or empty if the line has no readable ticket."""
    try:
        return _keyed(line).ticket.encode()
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or a lone surrogate
        return b""


def only_ticket(line: bytes) -> bytes:
    """The ticket whose lines alone the line can affect. Empty: it is a tick, or ``decode`` has to read it to know."""
    try:
        routed = _routed(line)
        return b"" if routed.type == "feed.tick" else routed.ticket.encode()
    except (ValueError, RecursionError):
        return b""


class LinesError(ValueError):
    """The file is damaged. The text names the file and the problem."""


class Block(NamedTuple):
    """Successive whole lines, separated by line feeds. Some may be blank, and some may end with carriage returns."""

    first: int
    """The number of the first line, from 1."""
    content: bytes

    @property
    def last(self) -> int:
        """The number of the last line that is not blank; without one, that of the line before the first."""
        written = self.content.rstrip()
        return self.first + written.count(b"\n") if written else self.first - 1


class Lines:
    """The number (from 1) and content of every line that is not blank. It can be iterated over once."""

    def __init__(self, content: IO[bytes], file: IO[bytes]) -> None:
        """``content``: what is read; ``file``: where it comes from, which is compressed if they are not the same."""
        self._content: Final = content
        self._lines: Final = _lines(content)
        self._file: Final = file
        status = None if file is sys.stdin.buffer else os.fstat(file.fileno())
        self._size: Final = status.st_size if status is not None and stat.S_ISREG(status.st_mode) else 0

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return self._lines

    def blocks(self) -> Iterator[Block]:
        """The same lines in blocks, instead of one by one."""
        return _blocks(self._content)

    @property
    def share(self) -> float | None:
        """The share of the file that has been read, from 0 to 1; ``None`` if its size is not known."""
        return self._file.tell() / self._size if self._size else None


@contextmanager
def open_lines(path: Path) -> Iterator[Lines]:
    """Open a file of lines. ``-`` is standard input.

    Raises OSError, and ``LinesError``, also while the lines are read.
    """
    try:
        with _open(path) as (content, file):
            yield Lines(content, file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise LinesError(f"{path}: the file is damaged or cut short: {error}") from error


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    read, number = file.readline, 0
    while line := read(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            while (rest := read(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)  # editors of Windows begin a file with it
        if line.strip():
            yield number, line.rstrip(b"\r\n")


def _blocks(file: IO[bytes]) -> Iterator[Block]:
    number = 1
    while content := file.read(BLOCK):
        if not content.endswith(b"\n"):
            content += _rest_of_line(file, MAX_LINE - (len(content) - content.rfind(b"\n") - 1))
        lines = content.count(b"\n")
        yield Block(number, content.removeprefix(codecs.BOM_UTF8) if number == 1 else content)
        number += lines


def _rest_of_line(file: IO[bytes], most: int) -> bytes:
    """The rest of a line that is begun, with its end. What is beyond ``most`` bytes is left out."""
    rest = file.readline(most)
    if len(rest) < most or rest.endswith(b"\n"):
        return rest
    while (left_out := file.readline(MAX_LINE)) and not left_out.endswith(b"\n"):
        pass
    return rest + b"\n"


@contextmanager
def _open(path: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The content, and the file that it comes from."""
    with ExitStack() as stack:
        file = sys.stdin.buffer if str(path) == "-" else stack.enter_context(path.open("rb"))
        zipped = isinstance(file, BufferedReader) and file.peek(2)[:2] == GZIP_MAGIC
        content = stack.enter_context(gzip.open(file)) if zipped else file
        yield cast("IO[bytes]", content), file
