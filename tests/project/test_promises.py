"""``docs/concepts/commitments.md`` names lines of policies, stories and tests: all of them are there, and no story is left
out."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from stream.documents.document import read_document

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/concepts/promises.md").read_text()
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
FILES = re.compile(r"Policy: `(.+?)`\. Stories: `(.+?)`\.")
STEP = re.compile(r"\.?([\w-]+)|\[([\w-]+)\]")
NAMED_BY = ("name", "metric", "ladder", "level")


def rows(body: str, width: int) -> list[list[str]]:
    """The cells of the tables with that many columns, without their heads."""
    lines = [line.strip("| ").split(" | ") for line in body.splitlines() if line.startswith("| ")]
    return [line for line in lines if len(line) == width and line[0] not in {"promise", "complaint"}]


@cache
def policy_file(file: str) -> object:
    return read_document(ROOT / file).data


def stories_in(file: str) -> set[str]:
    return {story["story"] for story in yaml.load((ROOT / file).read_text(), Loader=yaml.BaseLoader)}


PROMISES: dict[str, tuple[str, str, list[list[str]]]] = {
    title: (found[1], found[2], rows(body, 3)) for title, body in SECTION.findall(TEXT) if (found := FILES.search(body))
}
LINES = [(policy, line) for policy, _, table in PROMISES.values() for row in table for line in re.findall(r"`(.+?)`", row[1])]
COMPLAINTS = rows(dict(SECTION.findall(TEXT))["Complaints about other helpdesks"].partition("\nThree of these")[0], 2)


def follow(data: object, path: str) -> object:
    """What a path leads to. Raises KeyError where it leads nowhere."""
    for key, name in STEP.findall(path):
        if isinstance(data, list):
            found = [item for item in data if name == next((item[by] for by in NAMED_BY if by in item), None)]
            data = found[0] if found else None
        else:
            data = data.get(key) if isinstance(data, dict) else None
        if data is None:
            raise KeyError(path)
    return data


@pytest.mark.parametrize(("policy", "line"), sorted(set(LINES)))
def test_every_policy_line_exists(policy: str, line: str) -> None:
    data = policy_file(policy)
    assert isinstance(data, dict)
    inside = data if line.startswith(("calendars.", "metrics.")) else data["policies"][0]
    assert follow(inside, line) is not None


@pytest.mark.parametrize("title", sorted(PROMISES))
def test_the_stories_named_for_a_policy_are_those_there_are(title: str) -> None:
    _, file, table = PROMISES[title]
    named = {story for row in table for story in row[2].split("<br>")}
    assert named == stories_in(file)


def test_every_promise_has_a_line_and_a_story() -> None:
    tables = [table for _, _, table in PROMISES.values()]
    assert len(tables) == 3
    assert all(line and story for table in tables for _, line, story in table)


def test_every_complaint_is_answered_by_a_story_or_a_test_that_exists() -> None:
    shown = {item for row in COMPLAINTS for item in row[1].split("<br>")}
    tests = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    assert {item.strip("`") for item in shown if item.startswith("`")} <= tests
    assert {item for item in shown if not item.startswith("`")} == stories_in("tests/stories/complaints.yaml")


def test_there_are_thirty_three_complaints() -> None:
    assert len(COMPLAINTS) == 33
