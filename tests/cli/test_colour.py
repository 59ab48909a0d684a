"""One place decides whether output has colour, for every command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from stream.cli.colour import wanted
from stream.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

CREATED = {
    "type": "ticket.created",
    "id": "1",
    "source": "desk",
    "ticket": "desk/1",
    "at": "2026-03-02T10:00:00Z",
    "actor": {"kind": "customer"},
    "fields": {"priority": "p1"},
}
ESCAPE = "\x1b["


@pytest.mark.parametrize(
    ("choice", "environment", "expected"),
    [
        ("auto", {}, None),
        ("auto", {"NO_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": ""}, None),
        ("auto", {"FORCE_COLOR": "1"}, True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {"FORCE_COLOR": "1"}, False),
    ],
)
def test_the_option_comes_before_the_environment(choice: str, environment: dict[str, str], expected: bool | None) -> None:
    assert wanted(choice, environment) is expected


@pytest.mark.parametrize(
    ("before", "after", "environment", "coloured"),
    [
        ((), (), {}, False),
        (("--color", "always"), (), {}, True),
        ((), ("--color", "always"), {}, True),
        (("--color", "always"), ("--color", "never"), {}, False),
        ((), (), {"FORCE_COLOR": "1"}, True),
        ((), (), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_explain_and_check_follow_it(
    before: tuple[str, ...], after: tuple[str, ...], environment: dict[str, str], coloured: bool, tmp_path: Path
) -> None:
    (tmp_path / "events.jsonl").write_text(json.dumps(CREATED), "utf-8")
    (tmp_path / "wrong.yaml").write_text("policies: 1", "utf-8")
    explain = ("explain", "desk/1", "--events", str(tmp_path / "events.jsonl"), "--policies", "starter")
    environment = {"NO_COLOR": "", "FORCE_COLOR": "", **environment}

    for command in (explain, ("check", str(tmp_path / "wrong.yaml"))):
        # The runner's output is no terminal; `color` keeps click from removing what the program wants.
        result = CliRunner(env=environment).invoke(main, [*before, *command, *after])
        assert (ESCAPE in result.output) is coloured
