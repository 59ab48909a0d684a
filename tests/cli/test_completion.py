"""Completion in shells: the scripts, and what is offered in place of commands, options and values."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from stream.cli.main import COMMANDS, main
from stream.feeds.mapping import shipped
from stream.language.policies import shipped_names

if TYPE_CHECKING:
    from pathlib import Path


def offered(*words: str) -> list[str]:
    """What a shell offers for the last word."""
    return [item.value for item in ShellComplete(main, {}, "breachwatch", "_").get_completions(list(words[:-1]), words[-1])]


def test_commands_and_subcommands_are_offered() -> None:
    assert offered("") == list(COMMANDS)
    assert offered("topics", "") == ["check", "create", "repartition"]
    assert offered("help", "topics", "c") == ["check", "create"]
    assert "exit-codes" in offered("help", "e")


@pytest.mark.parametrize(
    "words",
    [
        ("check", ""),
        ("diff", "starter", ""),
        ("deploy", ""),
        ("policies", "show", ""),
        ("replay", "--policies", ""),
        ("explain", "--policies", ""),
        ("calendar", "due", "--policies", ""),
    ],
)
def test_shipped_policies_are_offered(words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert offered(*words) == shipped_names()


def test_policy_files_are_offered_beside_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/desk.yaml").touch()
    monkeypatch.chdir(tmp_path)

    assert offered("check", "policies/d") == ["policies/desk.yaml"]


@pytest.mark.parametrize(
    "name", ["x$(touch y).yaml", "x`id`.yaml", "x;id.yaml", "x\ny.yaml", "x'.yaml", "x y.yaml", "x\\.yaml"]
)
def test_a_file_name_that_a_shell_would_interpret_is_left_to_the_shell(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)

    assert offered("check", "x") == ["x"]
    (tmp_path / "xä.yaml").touch()
    assert offered("check", "x") == ["xä.yaml"]


@pytest.mark.parametrize("words", [("feed", "show", ""), ("feed", "init", ""), ("feed", "check", ""), ("feed", "try", "")])
def test_shipped_mappings_are_offered(words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert offered(*words) == list(shipped())
    assert offered("gateway", "--feed", "desk=zen") == ["desk=zendesk"]


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("worker", "--clock", ""), ["wall", "event"]),
        (("gateway", "--log-format", ""), ["text", "json"]),
        (("worker", "--sasl-mechanism", "S"), ["SCRAM-SHA-256", "SCRAM-SHA-512"]),
        (("watch", "--zone", "Asia/Kolk"), ["Asia/Kolkata"]),
    ],
)
def test_values_of_settings_are_offered(words: tuple[str, ...], values: list[str]) -> None:
    assert offered(*words) == values


def test_a_broken_settings_file_does_not_break_completion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "breachwatch.toml").write_text("not toml", "utf-8")
    monkeypatch.chdir(tmp_path)

    assert offered("topcs", "") == list(COMMANDS)  # click offers what can stand in its place
    assert "--broker" in offered("topics", "check", "--b")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_one_that_the_shell_can_read(shell: str) -> None:
    script = CliRunner().invoke(main, ["completion", shell]).stdout

    assert "_BREACHWATCH_COMPLETE" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True, capture_output=True)
