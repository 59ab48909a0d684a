"""What a command shows of events that somebody else has written: it neither begins a line nor controls the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from stream.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "a\n\x1b]0;b\x07\x9b2J\u202ec"
POLICY = """
policies:
  - policy: desk
    version: 1
    applies_to: always
    calendar: 24x7
    commitments:
      - {metric: resolution, target: {p1: 4h, p2: 8h}, warn_at: 50%}
"""
TICKET = f"desk/{HOSTILE}"


def line(type_: str, hour: int, **more: object) -> str:
    given = {"type": type_, "id": f"{hour}{HOSTILE}", "source": f"desk{HOSTILE}", "ticket": TICKET}
    return json.dumps({**given, "at": f"2026-03-02T{hour:02}:00:00Z", **more}) + "\n"


EVENTS = (
    line("ticket.created", 9, fields={"status": "open", "priority": "p1", "team": HOSTILE})
    + line("ticket.changed", 10, fields={"priority": "p2"})
    + line("dependency.started", 11, party=HOSTILE)
    + line("ticket.changed", 10, fields={"priority": "p1"})  # a conflict
    + line(HOSTILE, 12)
    + line("ticket.changed", 13, fields={"status": HOSTILE})
    + line("ticket.changed", 13, fields={HOSTILE: 1, "priority": {HOSTILE: 1}})
)


def test_a_warning_about_a_sample_of_events_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY.replace("always", "{produkt: [printer], team: [a]}"), "utf-8")
    (tmp_path / "events.jsonl").write_text(line("ticket.created", 9, fields={f"produkt{HOSTILE}": "x", "team": "A"}), "utf-8")

    result = CliRunner().invoke(main, ["check", str(tmp_path / "policy.yaml"), "--sample", str(tmp_path / "events.jsonl")])

    assert r"produkta\n\x1b]0" in result.output
    assert [text for text in result.output.split("\n") if not text.isprintable()] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["explain", TICKET, "--events", "events.jsonl"],
        ["explain", f"{TICKET}!", "--events", "events.jsonl"],
        ["replay", "events.jsonl"],
    ],
    ids=["explain", "another ticket", "replay"],
)
def test_all_that_is_printed_is_printable(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(POLICY, "utf-8")
    (tmp_path / "events.jsonl").write_text(EVENTS, "utf-8")

    result = CliRunner().invoke(main, [*arguments, "--policies", "policy.yaml"])
    # What replay writes to standard output is data.
    shown = (result.stderr if arguments[0] == "replay" else result.output).split("\n")

    assert len(shown) > 3
    assert [text for text in shown if not text.isprintable()] == []
