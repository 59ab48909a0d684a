"""Recorded feeds are replayed and explained with the fields that a worker would keep, and without what was erased."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from stream.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

POLICY = """
policies:
  - policy: shop
    version: 1
    applies_to: {product: [printer]}
    calendar: 24x7
    commitments:
      - {metric: resolution, target: 4h}
"""


def line(type_: str, at: str, **more: Any) -> str:
    event = {"type": type_, "id": f"{type_}-{at}", "source": "desk", "ticket": "desk/1", "at": f"2026-03-02T{at}:00Z", **more}
    return json.dumps(event) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fields = {"product": "printer", "priority": "p1", "team": "desk", "requester": "Ada"}
    (tmp_path / "policy.yaml").write_text(POLICY)
    feed = line("ticket.created", "09:00", fields=fields) + line("ticket.changed", "10:00", fields={"phone": "555"})
    (tmp_path / "feed.jsonl").write_text(feed)
    erased = feed + line("ticket.erased", "12:00") + line("ticket.created", "09:00", id="again", fields=fields)
    (tmp_path / "erased.jsonl").write_text(erased)
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    policies = ["--policies", str(folder / "policy.yaml"), "--config", str(folder / "none.toml")]
    (folder / "none.toml").touch()
    return CliRunner().invoke(main, [*arguments, *policies])


def shown(result: Result) -> set[str]:
    assert result.exit_code == 0, result.output
    return {name for text in result.stdout.splitlines() for name in json.loads(text)["fields"]}


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        ((), {"status", "product", "priority", "team"}),
        (("--keep-fields", ""), {"status", "product", "priority"}),
        (("--keep-fields", "requester"), {"status", "product", "priority", "requester"}),
        (("--keep-fields", "*"), {"status", "product", "priority", "team", "requester", "phone"}),
    ],
)
def test_a_replay_shows_the_fields_that_policies_read_and_those_that_are_named(
    folder: Path, flags: tuple[str, ...], names: set[str]
) -> None:
    result = run(folder, "replay", str(folder / "feed.jsonl"), "--until", "2026-03-02T14:00:00Z", *flags)

    assert shown(result) == names
    assert [json.loads(text)["type"] for text in result.stdout.splitlines()] == ["commitment.started", "commitment.breached"]


def test_a_replay_cancels_what_is_erased_and_ignores_what_follows(folder: Path) -> None:
    result = run(folder, "replay", str(folder / "erased.jsonl"), "--until", "2026-03-02T14:00:00Z")

    effects = [json.loads(text) for text in result.stdout.splitlines()]
    assert [(one["type"], one["at"]) for one in effects] == [
        ("commitment.started", "2026-03-02T09:00:00Z"),
        ("commitment.cancelled", "2026-03-02T12:00:00Z"),
    ]
    assert effects[-1]["fields"] == {"priority": "p1", "team": "desk"}


def test_an_erased_ticket_cannot_be_explained(folder: Path) -> None:
    known = run(folder, "explain", "desk/1", "--events", str(folder / "feed.jsonl"))
    erased = run(folder, "explain", "desk/1", "--events", str(folder / "erased.jsonl"))

    assert (known.exit_code, "resolution" in known.output) == (0, True)
    assert erased.exit_code == 2
    assert "ticket 'desk/1' was erased on 2026-03-02T12:00:00Z: nothing else is known of it" in erased.output


def test_a_name_that_no_field_can_have_is_refused(folder: Path) -> None:
    refused = run(folder, "replay", str(folder / "feed.jsonl"), "--keep-fields", "team,@answered")

    assert refused.exit_code == 2
    assert "'@answered' cannot be a ticket field" in refused.output
