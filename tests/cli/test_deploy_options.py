"""Which options of ``breachwatch deploy`` go together. None of it asks a broker."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from stream.cli.main import main


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "give the FILES of the policies that are to hold, or --withdraw-all, or --undo"),
        (("starter", "--undo"), "give the FILES of the policies that are to hold, or --withdraw-all, or --undo"),
        (("starter", "--list"), "--export, --import and --list stand alone"),
        (("--undo", "--export", "log.jsonl"), "--export, --import and --list stand alone"),
        (("--undo", "--rejudge-from", "2026-01-01T00:00:00Z"), "--rejudge-from goes with FILES"),
        (("--undo", "--at", "2026-01-01T00:00:00Z"), "leave out --at"),
        (("starter", "--rejudge-from", "2199-01-01T00:00:00Z"), "--rejudge-from must be in the past"),
        (("starter", "--rejudge-from", "yesterday"), "is not an RFC 3339 time"),
        (("starter", "--at", "2026-01-01T00:00:00Z"), "--at goes with --clock event"),
        (("starter", "--clock", "event"), "--at goes with --clock event"),
        (("starter", "--accept-breaches", "few"), "'few' is neither a number nor any"),
        (("starter", "--ask", "http://one:9300", "--against", __file__), "give one of them"),
        (("starter", "--against", "nowhere.jsonl"), "does not exist"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(args: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(main, ["deploy", *args, "--broker", "127.0.0.1:1"])

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
