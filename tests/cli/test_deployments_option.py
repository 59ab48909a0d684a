"""``replay`` and ``explain`` by all deployments of an installation, as ``deploy --export`` writes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from stream.cli.main import main
from stream.deployments.export import export_line
from stream.deployments.log import Added, Log
from stream.testing import event
from stream.wire.effect import encode_event, encode_tick
from stream.wire.instants import format_instant
from tests.unit.deployments.sets import HOUR, START, written

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def export(tmp_path: Path) -> str:
    """8h for all time, then 4h from two hours after the start on."""
    log, lines = Log(), []
    for number, value in enumerate((written(-1, START, "8h"), written(0, START + 2 * HOUR, "4h"))):
        added = log.add(number, value, START)
        assert isinstance(added, Added)
        lines.append(export_line(added.entry, value))
    file = tmp_path / "deployments.jsonl"
    file.write_bytes(b"".join(lines))
    return str(file)


@pytest.fixture
def feed(tmp_path: Path) -> str:
    """Tickets that are created every half an hour, and nothing else for ten hours."""
    lines = [encode_event(f"t-{number}", event(number, START + number * HOUR // 2, "ticket.created")) for number in range(6)]
    lines.append(encode_tick("story", START + 10 * HOUR))
    file = tmp_path / "feed.jsonl"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return str(file)


def run(*args: str) -> Result:
    return CliRunner().invoke(main, list(args))


def effects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_replay_judges_each_instant_by_the_deployment_that_holds_then(feed: str, export: str) -> None:
    result = run("replay", feed, "--deployments", export)

    assert result.exit_code == 0, result.output
    emitted = effects(result)
    retargeted = [effect["ticket"] for effect in emitted if effect["type"] == "commitment.retargeted"]
    assert retargeted == ["t-0", "t-1", "t-2", "t-3"]
    assert {effect["cause"] for effect in emitted if effect["type"] == "commitment.retargeted"} == {"deployment:1"}
    due = {effect["ticket"]: effect["at"] for effect in emitted if effect["type"] == "commitment.breached"}
    assert due == {f"t-{number}": format_instant(START + number * HOUR // 2 + 4 * HOUR) for number in range(6)}


def test_it_comes_to_the_same_in_any_number_of_processes(feed: str, export: str) -> None:
    alone = run("replay", feed, "--deployments", export, "--jobs", "1")
    shared = run("replay", feed, "--deployments", export, "--jobs", "2")

    assert alone.stdout
    assert shared.stdout == alone.stdout


def test_explain_explains_by_them(feed: str, export: str) -> None:
    until = format_instant(START + 3 * HOUR)

    result = run("explain", "t-0", "--events", feed, "--deployments", export, "--until", until, "--json")

    assert result.exit_code == 0, result.output
    (deadline,) = json.loads(result.stdout)["deadlines"]
    assert deadline["due_at"] == format_instant(START + 4 * HOUR)


@pytest.mark.parametrize("command", [("replay", "feed.jsonl"), ("explain", "t-0", "--events", "feed.jsonl")])
def test_policies_and_deployments_exclude_each_other(
    command: tuple[str, ...], feed: str, export: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    neither = run(*command)
    both = run(*command, "--policies", "starter", "--deployments", export)

    for result in (neither, both):
        assert (result.exit_code, "give either --policies or --deployments" in result.stderr) == (2, True)


@pytest.mark.parametrize("command", [("replay", "feed.jsonl"), ("explain", "t-0", "--events", "feed.jsonl")])
def test_the_policies_of_the_settings_are_used_where_none_are_given(
    command: tuple[str, ...], feed: str, export: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    given = run(*command, "--policies", "starter")
    deployed = run(*command, "--deployments", export)
    (tmp_path / "breachwatch.toml").write_text('policies = ["starter"]', "utf-8")

    from_file = run(*command)
    monkeypatch.setenv("BREACHWATCH_POLICIES", "nowhere.yaml")
    from_environment = run(*command)

    assert (given.exit_code, from_file.output) == (0, given.output)
    assert from_environment.exit_code == 1
    assert "nowhere.yaml" in from_environment.stderr
    assert run(*command, "--policies", "starter").output == given.output
    assert run(*command, "--deployments", export).output == deployed.output


@pytest.mark.parametrize("command", [("replay", "feed.jsonl"), ("explain", "t-0", "--events", "feed.jsonl")])
def test_a_file_that_is_no_export_is_reported_with_its_line(
    command: tuple[str, ...], feed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    result = run(*command, "--deployments", feed)

    assert result.exit_code == 1
    assert f"Error: {feed}:1: not a line of an export" in result.stderr
