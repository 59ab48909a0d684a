"""The lines that a worker logs."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from stream.cli.log_lines import log_to_stderr
from stream.runtime.settings import LogFormat

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    names = ("", "stream", "faust", "mode", "aiokafka")
    before = [(logger, logger.level, list(logger.handlers)) for logger in map(logging.getLogger, names)]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def test_a_line_of_json_has_the_time_the_level_the_logger_and_the_message(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(LogFormat.JSON)

    logging.getLogger("stream.worker").warning("no answer from %s,\nnor from %s", "one", "two")

    line, end = capsys.readouterr().err.split("\n", 1)
    found = json.loads(line)
    assert end == ""
    assert datetime.fromisoformat(found.pop("time")).tzinfo is not None
    assert found == {"level": "warning", "logger": "stream.worker", "message": "no answer from one,\nnor from two"}


def _fail() -> None:
    raise RuntimeError("full disk")


def test_an_exception_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(LogFormat.JSON)

    try:
        _fail()
    except RuntimeError:
        logging.getLogger("stream.worker").exception("stopped")

    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["exception"].endswith("RuntimeError: full disk")


def test_text_is_the_default_of_people(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(LogFormat.TEXT)

    logging.getLogger("stream.worker").info("ready")

    assert capsys.readouterr().err.endswith(" INFO stream.worker: ready\n")


@pytest.mark.parametrize("form", LogFormat)
@pytest.mark.parametrize(
    "hostile", ["desk/1\n2026-01-01 INFO stream.worker: ready", "\x1b[2J", "\x9b2J", "a\u2028b", "\u202etxt"]
)
def test_what_others_have_written_neither_begins_a_line_nor_controls_a_terminal(
    form: LogFormat, hostile: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log_to_stderr(form)

    logging.getLogger("stream.worker").warning("ticket %s: Größe, 大きさ", hostile)

    written = capsys.readouterr().err
    assert written.endswith("\n")
    assert written[:-1].isprintable()
    assert "Größe, 大きさ" in written


def test_a_traceback_has_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(LogFormat.TEXT)

    try:
        _fail()
    except RuntimeError:
        logging.getLogger("stream.worker").exception("stopped")

    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.endswith("ERROR stream.worker: stopped")
    assert last == "RuntimeError: full disk"


@pytest.mark.parametrize("form", LogFormat)
def test_a_library_logs_at_most_one_line_a_second(form: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr(form)

    for attempt in range(20):
        logging.getLogger("aiokafka").error("no connection, attempt %d", attempt)
        logging.getLogger("stream.worker").info("attempt %d", attempt)

    lines = capsys.readouterr().err.splitlines()
    assert sum("stream.worker" in line for line in lines) == 20
    assert sum("aiokafka" in line for line in lines) <= 2
