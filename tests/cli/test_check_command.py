import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream.cli.main import main
from stream.language.policies import shipped

GOOD = """\
policies:
  - {policy: p, version: 1, applies_to: always, calendar: 24x7, commitments: [{metric: resolution, objective: 0.9, target: 1h}]}
"""
UNUSED = "calendars: {spare: {timezone: UTC, week: 24x7}}\n"
BAD = GOOD.replace("1h", "1x").replace("version: 1", "version: 0")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)

    def of(*args: str, **files: str) -> Result:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return CliRunner().invoke(main, ["check", *args, *(f"{name}.yaml" for name in files)])

    return of


def test_good_files_are_summed_up_and_the_exit_status_is_0(run: Callable[..., Result]) -> None:
    result = run(good=GOOD)
    assert (result.exit_code, result.output) == (0, "1 policy, 1 commitment, 0 ladders, 0 calendars: 0 errors, 0 warnings\n")


def test_a_shipped_policy_is_good_even_strictly(run: Callable[..., Result]) -> None:
    result = run("--strict", str(shipped("batoi")))
    assert (result.exit_code, result.output) == (0, "1 policy, 5 commitments, 1 ladder, 1 calendar: 0 errors, 0 warnings\n")


def test_every_problem_is_a_line_with_file_line_and_place_and_the_exit_status_is_1(run: Callable[..., Result]) -> None:
    result = run(bad=BAD, none="")
    version, target, none, summary = result.output.splitlines()
    assert result.exit_code == 1
    assert version == "bad.yaml:2: policies[0].version: must be a whole number of at least 1, not `0`"
    assert target.startswith("bad.yaml:2: policies[0].commitments[0].target: '1x' has the unknown unit 'x'")
    assert none == "none.yaml:1: must be a mapping with the keys calendars, metrics, policies, not nothing"
    assert summary == "not usable: 3 errors, 0 warnings"


def test_warnings_are_errors_only_when_strict(run: Callable[..., Result]) -> None:
    line = "unused.yaml:1: calendars.spare: warning: the calendar is not used by any policy\n"
    result = run(good=GOOD, unused=UNUSED)
    assert (result.exit_code, result.output.startswith(line)) == (0, True)
    assert "1 calendar: 0 errors, 1 warning" in result.output
    assert run("--strict", good=GOOD, unused=UNUSED).exit_code == 1


def test_json_has_the_same_content(run: Callable[..., Result]) -> None:
    result = run("--json", bad=BAD)
    report = json.loads(result.output)
    assert result.exit_code == 1
    assert (report["usable"], report["counts"]) == (False, {})
    assert report["problems"][0] == {
        "file": "bad.yaml",
        "line": 2,
        "where": "policies[0].version",
        "message": "must be a whole number of at least 1, not `0`",
        "severity": "error",
    }
    assert json.loads(run("--json", good=GOOD).output)["counts"] == {
        "policies": 1,
        "commitments": 1,
        "ladders": 0,
        "calendars": 0,
    }


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("nowhere.yaml", ""),
        ("stater", ", did you mean `starter`?"),
        ("stater.yaml", ", did you mean `starter`?"),
        ("gold.yaml", ", did you mean `good.yaml`?"),
        ("policies/desk.yaml", ""),
    ],
)
def test_a_file_that_does_not_exist_is_answered_with_the_nearest_and_with_those_that_ship(
    run: Callable[..., Result], name: str, meant: str
) -> None:
    missing = "there is no such file, and no such policy ships with breachwatch"
    there = "there are: baar, batoi, botpenguin, starter"
    result = run(name, good=GOOD)
    assert (result.exit_code, result.output.splitlines()[0]) == (1, f"{name}: {missing}{meant}; {there}")


def test_a_folder_is_answered_with_a_file_of_it(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    assert run("policies").output.startswith("policies: is a folder: name each of its policy files; it has none\n")

    (tmp_path / "policies/desk.yaml").write_text(GOOD)
    assert run("policies/").output.startswith(
        "policies: is a folder: name each of its policy files, such as policies/desk.yaml\n"
    )


def test_the_problem_of_a_file_that_does_not_exist_has_no_line_in_json(run: Callable[..., Result]) -> None:
    assert json.loads(run("--json", "nowhere.yaml").output)["problems"][0]["line"] is None


def test_without_files_the_policies_that_the_settings_name_are_checked(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "breachwatch.toml").write_text('policies = ["good.yaml"]\n')
    assert run().output == "1 policy, 1 commitment, 0 ladders, 0 calendars: 0 errors, 0 warnings\n"

    monkeypatch.setenv("BREACHWATCH_POLICIES", "batoi")
    assert "5 commitments" in run().output


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (None, "name the FILES to check, or set policies in breachwatch.toml; `breachwatch init` writes one with a policy"),
        ('broker = "localhost:9092"', "name the FILES to check"),
        ("policies = []", "policies: it is empty"),
        ("policies = [1]", "policies in breachwatch.toml: must be a text"),
        ("policies =", "breachwatch.toml: is not TOML"),
    ],
)
def test_without_files_and_settings_the_error_states_what_to_do(
    run: Callable[..., Result], tmp_path: Path, settings: str | None, problem: str
) -> None:
    if settings is not None:
        (tmp_path / "breachwatch.toml").write_text(settings)

    result = run()

    assert (result.exit_code, problem in result.output) == (2, True)


BY_REGION = GOOD.replace("always", "{regoin: eu}")
EVENT = {
    "type": "ticket.created",
    "id": "1",
    "source": "desk",
    "ticket": "desk/1",
    "at": "2026-03-02T10:00:00Z",
    "fields": {"region": "eu", "status": "open"},
}


def test_fields_that_a_sample_of_events_does_not_have_are_warned_of(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(json.dumps(EVENT) + "\n{}\n")

    result = run("--strict", "--sample", "events.jsonl", p=BY_REGION)
    assert result.exit_code == 1
    assert "p.yaml:2: policies[0].applies_to: warning: events.jsonl has no ticket field `regoin`, did you mean `region`?" in (
        result.output.splitlines()
    )
    assert run("--strict", "--sample", "events.jsonl", p=BY_REGION.replace("regoin", "region")).exit_code == 0


def test_a_sample_without_an_event_is_refused(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text("{}\n")

    result = run("--sample", "events.jsonl", good=GOOD)
    assert (result.exit_code, "has no valid ticket event" in result.output) == (1, True)


def test_fields_that_a_feed_mapping_does_not_state_are_warned_of(run: Callable[..., Result]) -> None:
    result = run("--feed", "zendesk", p=BY_REGION)

    assert "the mapping zendesk has no ticket field `regoin`; it has assignee, category, channel" in result.output
    unknown = run("--feed", "zendeks", p=BY_REGION)
    assert (unknown.exit_code, "zendesk" in unknown.output) == (1, True)
