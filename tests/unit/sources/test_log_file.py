"""A log is read whatever container and encoding it is in."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from stream.sources.log_file import MAX_LINE, NOT_TEXT, TOO_LONG, LogFileError, open_log

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "Zeit;Fall\r\n2026-01-05;B\u00fcro 1\n"


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, TEXT)
    return file.getvalue()


def lines(folder: Path, content: bytes, encoding: str = "utf-8") -> list[str]:
    file = folder / "log"
    file.write_bytes(content)
    with open_log(file, encoding) as found:
        return list(found)


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        gzip.compress(TEXT.encode()),
        gzip.compress(TEXT.encode("utf-16")),
        zipped("export.csv"),
        zipped("folder/", "folder/export.csv", "__MACOSX/folder/._export.csv"),
    ],
    ids=[
        "utf-8",
        "byte order mark",
        "utf-16",
        "utf-16-be",
        "le-without-bom",
        "be-without-bom",
        "gzip",
        "gzip-utf-16",
        "zip",
        "zip-macos",
    ],
)
def test_the_content_shows_container_and_encoding(tmp_path: Path, content: bytes) -> None:
    assert lines(tmp_path, content) == ["Zeit;Fall\r\n", "2026-01-05;B\u00fcro 1\n"]


def test_an_encoding_that_the_content_does_not_show_is_stated(tmp_path: Path) -> None:
    assert lines(tmp_path, TEXT.encode("cp1252"), "cp1252")[1] == "2026-01-05;B\u00fcro 1\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [(b"a\xffb\n", "utf-8"), (b"\xed\xa0\x80\n", "utf-8"), (b"a\x81\n", "cp1252"), (b"\xff\xfea\0\0\xd8\n\0b", "x")],
)
def test_bytes_that_are_not_text_are_shown_as_such(tmp_path: Path, content: bytes, encoding: str) -> None:
    assert NOT_TEXT in "".join(lines(tmp_path, content, encoding))


def test_a_line_without_end_is_cut_and_shown_as_such(tmp_path: Path) -> None:
    found = lines(tmp_path, gzip.compress(b"first\n" + b"x" * (3 * MAX_LINE) + b"\nlast"))

    assert found == ["first\n", "x" * MAX_LINE + TOO_LONG + "\n", "last"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped("a.csv", "b.csv"), "has 2 files (a.csv, b.csv)"),
        (zipped("a.csv")[:-30], "the ZIP file is damaged"),
        (zipped("folder/"), "has 0 files (nothing)"),
        (gzip.compress(TEXT.encode())[:-9], "damaged or cut short"),
    ],
    ids=["two files", "damaged zip", "only a folder", "cut gzip"],
)
def test_a_container_that_is_not_one_log_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(LogFileError) as error:
        lines(tmp_path, content)
    assert message in str(error.value)


def test_a_file_that_is_not_in_the_stated_encoding_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LogFileError, match=r"not in the encoding utf-16: .*; correct `encoding` in the mapping"):
        lines(tmp_path, TEXT.encode(), "utf-16")
