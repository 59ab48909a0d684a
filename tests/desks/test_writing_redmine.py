"""Write-back into a real Redmine: what it takes, what it refuses, and that nothing of it comes back as an answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stream.feeds.mapping import load
from stream.feeds.reading import read
from stream.sla.effects import Kind
from tests.desks import redmine_desk
from tests.desks.redmine_desk import Redmine
from tests.desks.writing import Written

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.desk

FILE = """\
desk: redmine
system: redmine
url: URL
login: {key: env:SECRET}
tickets: redmine/{id}
rate: 6000
write:
  - {field: SLA due, value: due, form: "%Y-%m-%d %H:%M", zone: Asia/Kolkata}
  - {field: SLA state, value: state}
  - {field: due_date, value: overdue_since}
  - {field: assigned_to_id, value: team, table: {second line: OTTO}}
  - {field: No such field, value: level}
"""


def test_fields_a_hand_over_and_what_the_desk_refuses(tmp_path: Path) -> None:
    assert redmine_desk.installed(), f"the desk is not installed: apt install {' '.join(redmine_desk.PACKAGES)}"
    with Redmine(tmp_path / "redmine") as desk:
        ines, kunde = desk.as_user("ines"), desk.as_user("kunde")
        otto = desk.as_user("otto")("GET", "/users/current.json")["user"]["id"]
        issue = {"project_id": "night-desk", "tracker_id": 3, "subject": "The badge reader is dead"}
        number = kunde("POST", "/issues.json", {"issue": issue})["issue"]["id"]
        ticket = f"redmine/{number}"
        file = FILE.replace("URL", desk.url).replace("OTTO", str(otto))
        written = Written(tmp_path, file, redmine_desk.key("breachwatch"))

        def shown() -> dict[str, Any]:
            found = ines("GET", f"/issues/{number}.json")["issue"]
            fields = {each["name"]: each["value"] for each in found["custom_fields"]}
            return fields | {"due_date": found.get("due_date"), "assigned_to": found.get("assigned_to", {}).get("id")}

        written.take(ticket, Kind.STARTED, 0, commitment="resolution")
        assert written.write(ticket) == {"written": 1}
        assert (shown()["SLA due"], shown()["SLA state"]) == ("2026-03-02 15:30", "running")
        assert written.write(ticket) == {}

        # Redmine takes no date that lies before the start of the issue. The other fields are written all the same.
        written.take(ticket, Kind.BREACHED, 1, commitment="resolution")
        written.take(ticket, Kind.RAISED, 2, ladder="l", level="lead", assign_to="second line")
        ended = written.write(ticket)
        assert (ended["written"], ended["refused"] >= 1) == (1, True)
        assert shown() == {"SLA due": "", "SLA state": "overdue", "due_date": None, "assigned_to": otto}

        written.take(ticket, Kind.BREACH_RETRACTED, 1, retracts=f"{Kind.BREACHED}-1", retracts_kind=Kind.BREACHED)
        written.write(ticket)
        assert (shown()["SLA due"], shown()["SLA state"]) == ("2026-03-02 15:30", "running")

        written.take("redmine/999", Kind.STARTED, 0, commitment="resolution")
        assert written.write("redmine/999") == {"gone": 1}
        found = ines("GET", f"/issues/{number}.json?include=journals")

    reading = read(load("redmine"), found, {}, 0)
    assert reading.unmapped is None
    events = [json.loads(event.value) for event in reading.events]
    assert {event["type"] for event in events} == {"ticket.created", "ticket.changed"}
    assert "2026-03-02 15:30" not in str(events)
