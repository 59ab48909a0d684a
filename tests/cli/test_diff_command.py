import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stream.cli.main import main
from stream.deployments.facts import Code

OLD = """\
policies:
  - policy: support
    version: 1
    applies_to: always
    calendar: office
    commitments:
      - {metric: first_response, target: {p1: 1bh, default: 8bh}}
"""
OFFICE = 'calendars: {office: {timezone: Europe/Berlin, week: {mon-fri: ["09:00-17:00"]}}}\n'
CHRISTMAS = OFFICE.replace("]}}}", "]}, exceptions: [{date: 2026-12-24, closed: true, note: Christmas Eve}]}}")
AT = ("--at", "2026-11-29T00:00:00Z")

GUIDE = (Path(__file__).parents[2] / "docs/guides/compare-policies.md").read_text("utf-8")

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Writes the files, each as ``name.yaml``, and runs ``breachwatch diff``."""
    monkeypatch.chdir(tmp_path)

    def of(*args: str, **files: str) -> Result:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return CliRunner().invoke(main, ["diff", *args])

    return of


def test_the_same_files_have_no_difference_and_the_exit_status_is_0(run: Run) -> None:
    result = run("old.yaml", "new.yaml", old=OFFICE + OLD, new=OFFICE + OLD.replace("8bh", "8bh "))
    assert (result.exit_code, result.output) == (0, "no difference\n")


def test_a_shipped_policy_is_a_side_by_its_name(run: Run) -> None:
    result = run("batoi", "starter")
    assert result.exit_code == 3
    assert result.output.startswith("+ policy starter\n    + version 1\n- policy batoi-priority-support\n")


def test_differences_are_a_plan_with_a_summary_and_the_exit_status_is_3(run: Run) -> None:
    result = run("old.yaml", "new.yaml", *AT, old=OFFICE + OLD, new=CHRISTMAS + OLD.replace("8bh", "4bh"))
    assert result.exit_code == 3
    *plan, blank, changed, shortened, summary = result.output.splitlines()
    assert plan == [
        "~ policy support",
        "    ~ version 1, changed in place",
        "        ~ commitment first_response, target (priority not p1): 8bh -> 4bh",
        "~ calendar office, hours",
        "    ~ Thu 2026-12-24: open 09:00-17:00 -> closed (Christmas Eve)",
    ]
    assert blank == ""
    assert changed.startswith("warning: version-changed: support, version 1: the version keeps its number")
    assert shortened.startswith("warning: target-shortened: support, version 1, commitment first_response (priority not p1): ")
    counts = "0 added, 0 withdrawn, 0 renamed, 1 changed"
    assert summary == f"policies: {counts}; calendars: 1 changed, on 1 day; 0 errors, 2 warnings"


def test_a_date_beyond_the_window_is_not_compared(run: Run) -> None:
    sides = {"old": OFFICE + OLD, "new": CHRISTMAS + OLD}
    assert run("old.yaml", "new.yaml", *AT, "--days", "20", **sides).exit_code == 0
    assert run("old.yaml", "new.yaml", *AT, "--days", "40", **sides).exit_code == 3


def test_warnings_about_the_step_give_4_only_with_strict(run: Run) -> None:
    sides = {"old": OFFICE + OLD, "new": OFFICE + OLD.replace("8bh", "4bh")}
    assert run("old.yaml", "new.yaml", **sides).exit_code == 3
    assert run("--strict", "old.yaml", "new.yaml", **sides).exit_code == 4


def test_differences_without_problems_give_3_even_with_strict(run: Run) -> None:
    sides = {"old": OFFICE + OLD, "new": CHRISTMAS + OLD}
    assert run("--strict", "old.yaml", "new.yaml", *AT, **sides).exit_code == 3


def test_an_error_of_the_step_gives_4_without_strict(run: Run) -> None:
    result = run("old.yaml", "new.yaml", old=OFFICE + OLD, new=OFFICE + OLD.replace("version: 1", "version: 2"))
    assert result.exit_code == 4
    assert "error: version-without-since: support, version 2: the new version has no `since`" in result.output


@pytest.mark.parametrize("names", [("bad.yaml", "old.yaml"), ("old.yaml", "bad.yaml"), ("old.yaml", "nowhere.yaml")])
def test_an_error_in_a_file_of_either_side_gives_1_and_its_line(run: Run, names: tuple[str, str]) -> None:
    result = run(*names, old=OFFICE + OLD, bad=OFFICE + OLD.replace("8bh", "8x"))
    assert (result.exit_code, result.stdout) == (1, "")
    wrong = next(name for name in names if name != "old.yaml")
    assert result.stderr.startswith(f"{wrong}:")


def test_a_side_may_have_several_files(run: Run) -> None:
    files = {"old": OLD, "new": OLD, "office": OFFICE, "christmas": CHRISTMAS}
    result = run("old.yaml", "new.yaml", "--old", "office.yaml", "--new", "christmas.yaml", *AT, **files)
    assert result.exit_code == 3
    assert "Thu 2026-12-24" in result.output


def test_json_has_the_facts_the_days_and_the_problems(run: Run) -> None:
    sides = {"old": OFFICE + OLD, "new": CHRISTMAS + OLD.replace("8bh", "4bh")}
    result = run("--json", "old.yaml", "new.yaml", *AT, **sides)
    report = json.loads(result.output)
    assert result.exit_code == 3
    assert (report["at"], report["different"]) == ("2026-11-29T00:00:00Z", True)
    assert report["facts"] == [
        {"change": "changed", "policy": "support", "version": 1},
        {
            "change": "changed",
            "policy": "support",
            "version": 1,
            "commitment": "first_response",
            "part": "target",
            "when": "priority not p1",
            "before": "8bh",
            "after": "4bh",
        },
    ]
    assert report["days"] == [
        {
            "calendar": "office",
            "date": "2026-12-24",
            "before": {"open": ["09:00-17:00"], "note": ""},
            "after": {"open": [], "note": "Christmas Eve"},
        }
    ]
    assert [(problem["code"], problem["severity"]) for problem in report["problems"]] == [
        ("version-changed", "warning"),
        ("target-shortened", "warning"),
    ]
    assert json.loads(run("--json", "old.yaml", "old.yaml").output)["different"] is False


def test_the_guide_shows_what_the_command_prints(run: Run) -> None:
    old, new = re.findall(r"```yaml policy[^\n]*\n(.*?)```", GUIDE, re.DOTALL)
    shown = re.search(r"\$ breachwatch (diff .*?)\n(.*?)```", GUIDE, re.DOTALL)
    assert shown is not None
    result = run(*shlex.split(shown[1])[1:], before=old, after=new)
    assert result.output == shown[2]


@pytest.mark.parametrize("code", Code)
def test_the_guide_lists_every_problem_with_its_severity(code: Code) -> None:
    (row,) = [line for line in GUIDE.splitlines() if line.startswith("|") and f"`{code}`" in line]
    assert row.split("|")[2].strip() == code.severity


def test_both_sides_are_required(run: Run) -> None:
    assert run("batoi").exit_code == 2
