"""Every command that talks to Kafka reads the flags, the variables and the settings file that a worker reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from stream.cli.main import main
from stream.devkafka.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = [
    ["topics", "check"],
    ["topics", "create"],
    ["topics", "repartition"],
    ["deploy", "--list"],
    ["publish", "feed.jsonl"],
]


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where no broker is; the settings file in the working directory has it."""
    monkeypatch.chdir(tmp_path)
    address = f"127.0.0.1:{free_port()}"
    (tmp_path / "feed.jsonl").write_text('{"type":"feed.tick","source":"desk","at":"2026-03-02T09:00:00Z"}\n', "utf-8")
    (tmp_path / "breachwatch.toml").write_text(f'broker = "{address}"\n', "utf-8")
    return address


def _run(*arguments: str, environment: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, [*arguments], env=environment)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_takes_the_broker_from_the_settings_file(command: list[str], address: str) -> None:
    result = _run(*command)

    assert result.exit_code == 1
    assert f"Kafka at {address}" in result.output


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_environment_overrides_the_file_and_a_flag_overrides_both(command: list[str], address: str) -> None:
    variable, flag = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"

    assert f"Kafka at {variable}" in _run(*command, environment={"BREACHWATCH_BROKER": variable}).output
    assert f"Kafka at {flag}" in _run(*command, "--broker", flag, environment={"BREACHWATCH_BROKER": variable}).output
    assert address not in _run(*command, "--broker", flag).output


def test_a_file_that_is_named_stands_in_for_the_usual_one(address: str, tmp_path: Path) -> None:
    other = f"127.0.0.1:{free_port()}"
    (tmp_path / "other.toml").write_text(f'broker = "{other}"\npartitions = 8\n', "utf-8")

    by_flag = _run("topics", "check", "--config", "other.toml")
    by_variable = _run("topics", "check", environment={"BREACHWATCH_CONFIG": "other.toml"})

    assert f"Kafka at {other}" in by_flag.output
    assert f"Kafka at {other}" in by_variable.output
    assert address not in by_flag.output + by_variable.output


def test_a_login_in_the_file_is_used(address: str, tmp_path: Path) -> None:
    (tmp_path / "breachwatch.toml").write_text(f'broker = "{address}"\nsasl_mechanism = "PLAIN"\n', "utf-8")

    assert "missing: sasl_username, sasl_password" in _run("topics", "check").output


@pytest.mark.parametrize(
    ("line", "problem"),
    [('brocker = "x:1"', "did you mean broker?"), ("broker = [", "is not TOML"), ("partitions = 0", "not between 1 and 4096")],
)
def test_a_wrong_file_is_refused_with_its_problem(address: str, tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / "breachwatch.toml").write_text(f"{line}\n", "utf-8")

    result = _run("topics", "check")

    assert result.exit_code == 2
    assert problem in result.output
    assert address not in result.output


def test_a_wrong_value_is_refused_by_the_rule_of_the_setting() -> None:
    result = _run("topics", "check", "--broker", "localhost")

    assert result.exit_code == 2
    assert "host:port" in result.output


def test_a_misspelt_command_names_the_one_that_is_meant() -> None:
    result = _run("publsh")

    assert result.exit_code == 2
    assert "Did you mean 'publish'?" in result.output


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["policies", "lst"], "Did you mean 'list'?"),
        (["rejected", "republsh"], "Did you mean 'republish'?"),
        (["topics", "xyz"], "`breachwatch topics --help` lists the commands."),
        (["xyz"], "`breachwatch --help` lists the commands."),
    ],
)
def test_a_misspelt_command_of_a_group_gets_the_same_help(arguments: list[str], meant: str) -> None:
    result = CliRunner().invoke(main, arguments, prog_name="breachwatch")

    assert result.exit_code == 2
    assert meant in result.output


@pytest.mark.parametrize("group", ["calendar", "feed", "notify", "policies", "rejected", "topics", "writeback"])
def test_the_help_of_a_group_cuts_no_sentence(group: str) -> None:
    result = _run(group, "--help")

    commands = result.output.partition("Commands:\n")[2]
    assert commands
    assert "..." not in commands
    assert commands.rstrip().endswith(".")
