"""Reading the mapping file: its values are used, and all of its problems are listed."""

from __future__ import annotations

from pathlib import Path

import pytest

import stream.sources
from stream.sources.log_mapping import Meaning
from stream.sources.status_mapping import MappingError, read_mapping

LEAST = """\
source: desk
columns: {at: when, case: number, status: state}
statuses:
  Open: {status: open}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(MappingError) as caught:
        read_mapping(text, "desk.yaml")
    return caught.value.problems


def test_a_mapping_needs_only_a_source_three_columns_and_the_statuses() -> None:
    mapping = read_mapping(LEAST, "desk.yaml")

    assert mapping.columns == ("when", "number", "state")
    assert mapping.statuses == {"Open": Meaning(status="open")}
    assert mapping.created == {"status": "new"}
    assert (mapping.ticket, mapping.delimiter, mapping.zone.key) == ("{source}/{case}", ",", "UTC")


def test_the_mapping_of_the_public_incident_log_is_valid() -> None:
    file = Path(stream.sources.__file__).parent / "mappings" / "volvo.yaml"
    mapping = read_mapping(file.read_text(encoding="utf-8"), file.name)

    assert mapping.statuses["Accepted / In Progress"] == Meaning(status="open", assignee="agent", first_answer=True)
    assert mapping.statuses["Accepted / Wait - Vendor"] == Meaning(dependency="vendor")
    assert mapping.statuses["Unmatched / Unmatched"] == Meaning(refuse="has no meaning")


def test_every_problem_is_listed_with_its_line() -> None:
    found = problems(
        """\
source: ""
columns:
  at: when
  status: []
  priority: prio
  fields: {status: state, "@x": y}
time:
  zone: Mars/Olympus
  format: "%H:%M"
ticket: "{source}-{number}"
delimiter: ";;"
created: {status: fresh}
statuses:
  Open: {status: opened}
  Done: {refuse: "why", status: solved}
  Wait: {}
  Gone:
  yes: {status: open}
  Held: {answers: always, assignee: 5}
colour: red
"""
    )

    assert [problem.split(": ")[:2] for problem in sorted(found, key=lambda text: int(text.split(":")[1]))] == [
        ["desk.yaml:1", "source"],
        ["desk.yaml:2", "columns"],
        ["desk.yaml:4", "columns.status"],
        ["desk.yaml:5", "columns.priority"],
        ["desk.yaml:6", "columns.fields.status"],
        ["desk.yaml:6", "columns.fields.@x"],
        ["desk.yaml:8", "time.zone"],
        ["desk.yaml:9", "time.format"],
        ["desk.yaml:10", "ticket"],
        ["desk.yaml:11", "delimiter"],
        ["desk.yaml:12", "created.status"],
        ["desk.yaml:14", "statuses.Open.status"],
        ["desk.yaml:15", "statuses.Done"],
        ["desk.yaml:16", "statuses.Wait"],
        ["desk.yaml:17", "statuses.Gone"],
        ["desk.yaml:19", "statuses.Held.answers"],
        ["desk.yaml:19", "statuses.Held.assignee"],
        ["desk.yaml:20", "colour"],
    ]


def test_a_duplicate_status_is_a_problem_because_one_meaning_would_be_lost() -> None:
    assert problems(LEAST + "  Open: {status: solved}\n") == ["desk.yaml:5: statuses.Open: duplicate key, first in line 4"]


@pytest.mark.parametrize("text", ["", "5", "[source]", "null"])
def test_the_problem_of_a_file_that_is_not_a_mapping_lists_the_keys(text: str) -> None:
    assert "a mapping with the keys" in problems(text)[0]


@pytest.mark.parametrize("text", ["{", "a: b: c", "a: 1\n---\nb: 2", "\tat: 1", "\x00"])
def test_invalid_yaml_is_a_problem_of_the_file(text: str) -> None:
    assert "is not YAML" in problems(text)[0]


def test_statuses_stay_the_text_of_the_file() -> None:
    mapping = read_mapping(LEAST + "  no: {status: pending}\n  2026-99-99: {status: solved}\n", "desk.yaml")

    assert list(mapping.statuses) == ["Open", "no", "2026-99-99"]


def test_a_tag_is_a_problem_and_has_no_effect() -> None:
    assert "the tag 'tag:yaml.org,2002:python/name:os.system' is not supported" in problems("!!python/name:os.system x")[0]


@pytest.mark.parametrize("name", ["columns", "statuses", "source"])
def test_a_key_without_a_value_is_missing(name: str) -> None:
    text = "\n".join(
        line for line in ("source: desk", "columns: {at: a, case: c, status: s}", "statuses: {Open: {status: open}}")
        if not line.startswith(name)
    )  # fmt: skip

    assert problems(f"{text}\n{name}:\n") == [f"desk.yaml:1: `{name}` is missing"]
