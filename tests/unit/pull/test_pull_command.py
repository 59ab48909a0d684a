"""The command, up to where it would ask a helpdesk or Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from stream.cli.main import main
from stream.pull.settings import load_settings, sent_in_clear
from stream.runtime.settings import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

_DESK = {"feed": "desk=rt", "url": "https://rt.example/", "credentials": "env:TOKEN"}


def _pull(*options: str, **flags: str) -> Result:
    given = [text for name, value in (_DESK | flags).items() for text in (f"--{name}", value)]
    return CliRunner().invoke(main, ["pull", *given, *options], env={"TOKEN": "1-14-abc"})


def test_settings_come_from_flags_the_environment_and_the_table_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "breachwatch.toml"
    file.write_text('[pull]\nfeed = "other=redmine"\nurl = "https://a.example"\nevery = "5m"\n', "utf-8")

    found = load_settings({"feed": "desk=rt"}, {"BREACHWATCH_PULL_URL": "https://b.example/rt/", **_environment()}, file)

    assert (found.feed, found.url, found.every) == (("desk", "rt"), "https://b.example/rt", 300_000_000)


def _environment() -> dict[str, str]:
    return {"BREACHWATCH_PULL_CREDENTIALS": "file:/run/secrets/rt"}


def test_every_problem_of_the_settings_is_listed_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(
            {"feed": "desk", "url": "rt.example", "api": "fax", "every": "1ms", "credentials": "hunter2hunter2"}, {}, None
        )

    problems = "\n".join(refused.value.problems)
    for part in ("use NAME=MAPPING", "use https://desk.example", "'fax' is not an API", "not between 1s and 1h", "env:NAME"):
        assert part in problems
    assert "hunter2" not in problems


@pytest.mark.parametrize(
    ("flags", "options", "status", "message"),
    [
        ({}, [], 2, "give --since"),
        ({}, ["--since", "yesterday"], 2, "neither a length of time, such as 30d, nor an instant"),
        ({"feed": "desk=none"}, ["--since", "1d"], 2, "no such mapping ships with breachwatch"),
        ({"feed": "desk=libredesk"}, ["--since", "1d"], 2, "is of no known API: set --api"),
        ({"feed": "desk=libredesk", "api": "rt"}, ["--since", "1d"], 2, "`delivery` must have pull"),
        ({"credentials": "env:NONE"}, ["--since", "1d"], 2, "the variable NONE is not set"),
        ({"feed": "desk=django-helpdesk"}, ["--since", "1d"], 2, "are not user:password"),
    ],
)
def test_what_cannot_be_pulled_is_refused_with_the_reason(
    flags: dict[str, str], options: list[str], status: int, message: str
) -> None:
    result = _pull(*options, **flags)

    assert result.exit_code == status
    assert message in result.output
    assert "1-14-abc" not in result.output


@pytest.mark.parametrize(
    ("url", "clear"),
    [
        ("http://desk.example", True),
        ("https://desk.example", False),
        ("http://127.0.0.1:80", False),
        ("http://localhost", False),
    ],
)
def test_credentials_over_a_network_without_encryption_are_a_warning(url: str, clear: bool) -> None:
    assert sent_in_clear(url) is clear
