"""What write-back writes comes back in the feed, and is neither an answer nor an agent's act there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from stream.feeds.mapping import load
from stream.feeds.reading import read

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = """\
extends: rt
common:
  actor:
    - {when: creator.name == 'breachwatch' || creator.system, is: system}
    - {when: creator.privileged, is: agent}
    - {is: customer}
"""
NOW = 1_772_442_000_000_000


def transaction(kind: str, **more: Any) -> dict[str, Any]:
    """As the scrip of Request Tracker posts what the account does."""
    who = {"name": "breachwatch", "privileged": True, "system": False, "requestor": False}
    state = {"status": "open", "queue": "tier2", "owner": "agent.one", "priority": 0, "contract": "gold"}
    common = {"transaction": 40, "type": kind, "created": "2026-03-02T09:00:00Z", "ticket": 1, "effective": 1}
    return {**common, "field": None, "old": None, "new": None, "creator": who, "state": state, **more}


def events(mapping: str, payload: dict[str, Any]) -> list[Any]:
    reading = read(load(mapping), payload, {}, NOW)
    assert reading.unmapped is None
    return [msgspec.json.decode(event.value) for event in reading.events]


def test_request_tracker_reports_fields_and_a_hand_over_as_acts_of_the_system(tmp_path: Path) -> None:
    mapping = tmp_path / "rt-with-account.yaml"
    mapping.write_text(ACCOUNT, "utf-8")

    written = events(str(mapping), transaction("CustomField", field="5", new="2026-03-02 10:00:00"))
    moved = events(str(mapping), transaction("Set", field="Queue", old="3", new="4"))

    assert [(event["type"], event["actor"]["kind"]) for event in (*written, *moved)] == [("ticket.changed", "system")] * 2
    assert "2026-03-02 10:00:00" not in str(written)
    assert moved[0]["fields"] == {"team": "tier2"}


def test_redmine_reports_nothing_of_custom_fields() -> None:
    details = [{"property": "cf", "name": "1", "old_value": None, "new_value": "2026-03-02 10:00"}]
    journal = {"id": 7, "user": {"id": 9}, "notes": "", "details": details}
    journal |= {"created_on": "2026-03-02T09:00:00Z", "private_notes": False}
    issue = {
        "id": 1,
        "author": {"id": 6},
        "created_on": "2026-03-02T08:00:00Z",
        "journals": [journal | {"private_notes": False}],
    }

    assert [event["type"] for event in events("redmine", {"issue": issue})] == ["ticket.created"]
