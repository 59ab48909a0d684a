"""``Progress``: one line that is redrawn on a terminal, a line every ten seconds elsewhere, and none beside data."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from stream.cli.progress import Progress, share

if TYPE_CHECKING:
    from collections.abc import Callable


class Stream(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool, bool], str]:
    """What is written to standard error in 25 seconds, updated every 0.1 s. Arguments: which streams are terminals."""

    def show(errors_to_terminal: bool, output_to_terminal: bool) -> str:
        now = 0.0
        errors = Stream(terminal=errors_to_terminal)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr("sys.stderr", errors)
        monkeypatch.setattr("sys.stdout", Stream(terminal=output_to_terminal))
        with Progress(lambda: f"at {now:.1f} s", clock=lambda: now) as progress:
            for step in range(250):
                now = step / 10
                progress.update()
            progress.echo("a problem")
        return errors.getvalue()

    return show


def test_elsewhere_than_on_a_terminal_there_is_a_line_every_ten_seconds(shown: Callable[[bool, bool], str]) -> None:
    assert shown(False, False) == "at 10.0 s\nat 20.0 s\na problem\n"


def test_on_a_terminal_a_line_is_redrawn_and_cleared_before_another(shown: Callable[[bool, bool], str]) -> None:
    text = shown(True, False)

    assert text.startswith("\r\x1b[Kat 0.2 s\r\x1b[Kat 0.4 s")
    assert text.endswith("\r\x1b[Ka problem\n")


def test_there_is_none_where_data_goes_to_the_same_terminal(shown: Callable[[bool, bool], str]) -> None:
    assert shown(True, True) == "a problem\n"


def test_a_share_that_is_not_known_is_left_out() -> None:
    assert (share(None), share(0.354)) == ("", ", 35 % of the file")
