"""The example in the README shows real output."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner

from stream.cli.main import COMMANDS, main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def block(kind: str, number: int = 0) -> str:
    blocks: list[str] = re.findall(rf"```{kind}[^\n]*\n(.*?)```", README, re.DOTALL)
    return blocks[number]


def test_the_example_replays_to_the_breach_that_is_shown(tmp_path: Path) -> None:
    (tmp_path / "sla.yaml").write_text(block("yaml"))
    (tmp_path / "events.jsonl").write_text(block("json"))

    result = CliRunner().invoke(main, ["replay", str(tmp_path / "events.jsonl"), "--policies", str(tmp_path / "sla.yaml")])

    assert result.exit_code == 0
    started, warned, breached = map(json.loads, result.stdout.splitlines())
    assert (started["type"], warned["type"], warned["at"]) == (
        "commitment.started",
        "commitment.warned",
        "2026-01-26T04:30:00Z",  # 10:00 in India
    )
    shown = json.loads(block("json", 1))
    assert {name: breached[name] for name in shown} == shown


def test_every_file_and_folder_that_the_readme_names_exists() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    folders = re.findall(r"`((?:stream|schemas|prometheus|grafana|docs|tests|benchmarks)/[\w/]*)`", README)

    assert [name for name in linked + folders if not (ROOT / name).exists()] == []


def test_every_command_that_the_readme_names_exists() -> None:
    assert set(re.findall(r"breachwatch (\w+)", README)) <= set(COMMANDS)
