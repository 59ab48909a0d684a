"""Reads files of ticket events: one JSON object on each line, optionally gzipped."""

from __future__ import annotations

import codecs
import gzip
import sys
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GZIP_MAGIC: Final = b"\x1f\x8b"


class _Keyed(msgspec.Struct):
    ticket: str = ""


_keyed: Final = msgspec.json.Decoder(_Keyed).decode


def key_of(line: bytes) -> bytes:
    """The record key under which a line is published: its ticket, or empty if the line has no readable ticket."""
    try:
        return _keyed(line).ticket.encode()
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return b""


class LinesError(ValueError):
    """The file is damaged. The text names the file and the problem."""


@contextmanager
def open_lines(path: Path) -> Iterator[Iterator[tuple[int, bytes]]]:
    """Yield the number (from 1) and content of every line that is not blank. ``-`` is standard input.

    Raises OSError, and ``LinesError``, also while the lines are read.
    """
    try:
        with _open(path) as file:
            yield _lines(file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise LinesError(f"{path}: the file is damaged or cut short: {error}") from error


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(file, start=1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)  # editors of Windows begin a file with it
        if line.strip():
            yield number, line.rstrip(b"\r\n")


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with path.open("rb") as file:
        zipped = file.peek(2)[:2] == GZIP_MAGIC
        if zipped:
            with gzip.open(file) as unzipped:
                yield unzipped  # type: ignore[misc]  # a GzipFile reads like any binary file
        else:
            yield file
