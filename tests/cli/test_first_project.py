"""``breachwatch init``, ``breachwatch policies`` and ``breachwatch test``: from nothing to a tested policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from stream.cli.main import main
from stream.language.policies import shipped, shipped_names

if TYPE_CHECKING:
    from pathlib import Path


def _run(*arguments: str, text: str = "") -> Result:
    return CliRunner().invoke(main, [*arguments], input=text)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert _run("init").exit_code == 0
    return tmp_path


def test_a_new_project_is_valid_and_its_story_passes(project: Path) -> None:
    assert _run("check", "--strict").exit_code == 0
    result = _run("test")

    assert (result.exit_code, result.output) == (0, "1 passed, 0 failed, 0 invalid\n")
    assert (project / "breachwatch.toml").exists()


def test_a_project_in_another_folder_names_the_commands_that_come_next(tmp_path: Path) -> None:
    result = _run("init", str(tmp_path / "my desk"))

    assert result.stderr == f"Next: cd '{tmp_path}/my desk'; breachwatch check; breachwatch test\n"


def test_without_a_file_of_stories_the_error_states_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    result = _run("test")

    assert result.exit_code == 2
    assert "there is no stories.yaml in this folder; `breachwatch init` writes one with its policy" in result.output


def test_a_project_overwrites_nothing(project: Path) -> None:
    (project / "policies/desk.yaml").write_text("mine", "utf-8")
    (project / "stories.yaml").unlink()

    result = _run("init")

    assert result.exit_code == 1
    assert "desk.yaml: exists already" in result.output
    assert (project / "policies/desk.yaml").read_text("utf-8") == "mine"
    assert not (project / "stories.yaml").exists()


def test_a_story_that_fails_shows_what_was_expected_and_what_happened(project: Path) -> None:
    file = project / "stories.yaml"
    file.write_text(
        file.read_text("utf-8").replace("10:00: first_response breached", "10:05: first_response breached"), "utf-8"
    )

    result = _run("test", "stories.yaml")

    assert result.exit_code == 1
    assert "  - 2026-11-16 10:05: first_response breached\n" in result.output
    assert "  + 2026-11-16 10:00: first_response breached\n" in result.output
    assert result.output.endswith("0 passed, 1 failed, 0 invalid\n")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("agent answers", "agent sings", "agent sings"),
        ("until: 2026-11-16 12:00", "until: noon", "noon"),
        ("- 2026-11-16 10:30: agent answers", "- agent answers", "is not an instant"),
        ("  until: 2026-11-16 12:00\n", "", "the keys until are missing"),
        ("watching:", "watchin:", "unknown keys"),
        ("zone: Europe/Brussels", "zone: Europe/Atlantis", "Atlantis"),
        ("desk.yaml", "none.yaml", "none.yaml"),
        ("ticket: {", "ticket: {{", "it is not YAML"),
    ],
)
def test_an_invalid_story_is_named_with_its_problem(project: Path, old: str, new: str, problem: str) -> None:
    file = project / "stories.yaml"
    file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")

    result = _run("test", "stories.yaml")

    assert (result.exit_code, type(result.exception)) == (2, SystemExit)
    assert problem in result.output
    assert result.output.endswith("0 passed, 0 failed, 1 invalid\n")


def test_a_file_of_stories_is_a_list(project: Path) -> None:
    (project / "stories.yaml").write_text("story: alone\n", "utf-8")

    assert "a file of stories is a YAML list" in _run("test", "stories.yaml").output


def test_a_policy_is_checked_from_standard_input() -> None:
    assert _run("check", "-", text="").exit_code == 1


def test_an_invalid_policy_is_named_with_its_line(project: Path) -> None:
    file = project / "policies/desk.yaml"
    file.write_text(file.read_text("utf-8").replace("p1: 1bh", "p1: 1xx"), "utf-8")

    result = _run("test", "stories.yaml", "--verbose")

    assert result.exit_code == 2
    assert "policies/desk.yaml:" in result.output
    assert "1xx" in result.output


def test_the_shipped_policies_can_be_listed_and_copied() -> None:
    listed = _run("policies", "list").output.splitlines()

    assert [line.split()[0] for line in listed] == shipped_names()
    for name in shipped_names():
        assert _run("policies", "show", name).output == shipped(name).read_text("utf-8")
    missing = _run("policies", "show", "stater").output
    assert "ships with breachwatch, did you mean `starter`?; there are: baar, batoi, botpenguin, starter" in missing
