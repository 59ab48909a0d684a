"""Opens an exported log as text, whatever container and encoding a helpdesk or a spreadsheet wrote it in.

The content decides, not the name of the file:

* container: gzip, or ZIP with one file in it, or neither;
* encoding: a byte order mark, else UTF-16 if every second byte at the start is zero, else the encoding of the mapping (UTF-8
  unless it states another).
"""

from __future__ import annotations

import codecs
import gzip
import io
import shutil
import sys
import tempfile
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final, cast

from stream.wire.lines import GZIP_MAGIC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINE: Final = 1_048_576
"""The most characters of a line. A longer one, such as a whole file without line ends, must not fill the memory."""
NOT_TEXT: Final = "\udc80"
"""Stands for bytes that the encoding cannot decode. No text contains it."""
TOO_LONG: Final = "\udc81"
"""Stands for the rest of a line that is too long. No text contains it."""

_ZIP: Final = b"PK\x03\x04"
_BOMS: Final = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SAMPLE: Final = 512
_ON_ERROR: Final = "breachwatch-not-text"

codecs.register_error(_ON_ERROR, lambda error: (NOT_TEXT, error.end))  # type: ignore[attr-defined]  # an UnicodeDecodeError


class LogFileError(Exception):
    """The file cannot be read as a log. The text names the problem and a remedy."""


@contextmanager
def open_log(path: Path, encoding: str) -> Iterator[Iterator[str]]:
    """Yield the lines of a log, each with its end. ``-`` is standard input.

    Of a line with more than ``MAX_LINE`` characters, ``TOO_LONG`` stands for the rest. Raises ``LogFileError``, also
    while the lines are read, and OSError.
    """
    try:
        with _binary(path) as file, _unpacked(file) as content:
            sample = content.peek(_SAMPLE)[:_SAMPLE]
            text = io.TextIOWrapper(content, encoding=_encoding(sample, encoding), errors=_ON_ERROR, newline="")
            yield _lines(text)
    except zipfile.BadZipFile as error:
        raise LogFileError(f"the ZIP file is damaged: {error}") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise LogFileError(f"the file is damaged or cut short: {error}") from error
    except UnicodeError as error:  # of the encodings that ignore the error handler, such as UTF-16 without a byte order mark
        raise LogFileError(f"the file is not in the encoding {encoding}: {error}; correct `encoding` in the mapping") from error


@contextmanager
def _binary(path: Path) -> Iterator[IO[bytes]]:
    if str(path) != "-":
        with path.open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile() as copy:  # a ZIP file is read from its end
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.seek(0)
        yield copy


@contextmanager
def _unpacked(file: IO[bytes]) -> Iterator[io.BufferedReader]:
    start = file.read(len(_ZIP))
    file.seek(0)
    if start.startswith(GZIP_MAGIC):
        with gzip.GzipFile(fileobj=file) as content:
            yield io.BufferedReader(cast("io.RawIOBase", content))
    elif start == _ZIP:
        with _only_member(file) as member:
            yield io.BufferedReader(cast("io.RawIOBase", member))
    else:
        yield io.BufferedReader(cast("io.RawIOBase", file))


@contextmanager
def _only_member(file: IO[bytes]) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(file) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir() and not _of_macos(info.filename)]
        if len(names) != 1:
            shown = ", ".join(names[:5]) or "nothing"
            raise LogFileError(f"the ZIP file has {len(names)} files ({shown}); a log is one file")
        try:
            member = archive.open(names[0])
        except (NotImplementedError, RuntimeError) as error:  # a method that Python does not have, or a password
            raise LogFileError(f"the ZIP file cannot be unpacked: {error}") from error
        with member:
            yield member


def _of_macos(name: str) -> bool:
    """Whether it is one of the files that macOS puts beside each file of a ZIP file."""
    return name.startswith("__MACOSX/")


def _encoding(sample: bytes, stated: str) -> str:
    for bom, encoding in _BOMS.items():
        if sample.startswith(bom):
            return encoding
    even, odd = sample[0::2], sample[1::2]
    if len(sample) >= 4 and odd.count(0) > len(odd) * 3 // 4:
        return "utf-16-le"
    if len(sample) >= 4 and even.count(0) > len(even) * 3 // 4:
        return "utf-16-be"
    return stated


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(MAX_LINE):
        if len(line) == MAX_LINE and line[-1] not in "\r\n":
            line += TOO_LONG
            while (rest := text.readline(MAX_LINE)) and rest[-1] not in "\r\n":
                pass
            line += rest[-1:]
        yield line
