"""Write-back into a real Request Tracker: over nobody's change, and nothing of it comes back as an answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stream.feeds.mapping import load
from stream.feeds.reading import read
from stream.sla.effects import Kind
from tests.desks.request_tracker import PACKAGES, RequestTracker, installed
from tests.desks.writing import Written

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.desk

FILE = """\
desk: rt
system: rt
url: URL
login: {basic: {user: breachwatch, password: env:SECRET}}
tickets: rt/{id}
tags_field: SLA state
rate: 6000
write:
  - {field: SLA due, value: due}
  - {field: Contract, value: level}
  - {field: Queue, value: team, table: {second line: network}}
  - {field: No such field, value: state}
"""
ACCOUNT = """\
extends: rt
common:
  actor:
    - {when: creator.name == 'breachwatch' || creator.system, is: system}
    - {when: creator.privileged, is: agent}
    - {is: customer}
"""


def test_fields_a_hand_over_and_the_change_of_an_agent(tmp_path: Path) -> None:
    assert installed(), f"the desk is not installed: apt install {' '.join(PACKAGES)}"
    with RequestTracker(tmp_path / "rt") as desk:
        ines = desk.as_user("ines")
        first, second = (
            int(ines("POST", "/ticket", {"Queue": "helpdesk", "Subject": name, "Content": "x"})["id"]) for name in "ab"
        )
        written = Written(tmp_path, FILE.replace("URL", desk.url), "breachwatch-password-1")

        def ticket(number: int) -> dict[str, Any]:
            found = ines("GET", f"/ticket/{number}?fields[Queue]=Name")
            return {each["name"]: each["values"] for each in found["CustomFields"]} | {
                name: found[name] for name in ("Queue", "Status", "Owner")
            }

        written.take(f"rt/{first}", Kind.STARTED, 0, commitment="resolution")
        assert written.write(f"rt/{first}") == {"written": 1, "refused": 1}, "the field that RT does not have is refused alone"
        assert ticket(first)["SLA due"] == ["2026-03-02 10:00:00"]
        assert written.write(f"rt/{first}") == {"refused": 1, "unchanged": 1}

        # An agent changes the ticket after it was read: RT refuses the change (412), and it is read again.
        written.take(f"rt/{first}", Kind.RETARGETED, 3, commitment="resolution")
        meanwhile = lambda: ines("PUT", f"/ticket/{first}", {"CustomFields": {"Contract": "gold"}})  # noqa: E731
        assert written.write(f"rt/{first}", meanwhile=meanwhile)["written"] == 1
        assert (ticket(first)["SLA due"], ticket(first)["Contract"]) == (["2026-03-02 13:00:00"], ["gold"])

        written.take(f"rt/{first}", Kind.RAISED, 4, ladder="l", level="lead", assign_to="second line")
        written.write(f"rt/{first}")
        assert (ticket(first)["Queue"]["Name"], ticket(first)["Contract"]) == ("network", ["lead"])

        written.take(f"rt/{second}", Kind.STARTED, 0, commitment="resolution")
        ines("PUT", f"/ticket/{second}", {"Status": "deleted"})
        written.take("rt/999", Kind.STARTED, 0, commitment="resolution")
        assert written.write(f"rt/{second}", "rt/999") == {"closed": 1, "gone": 1}

        found = ines("GET", f"/ticket/{first}/history?fields=Type,Field,Creator,NewValue,OldValue,Created&per_page=100")[
            "items"
        ]

    (tmp_path / "account.yaml").write_text(ACCOUNT, "utf-8")
    mapping = load(str(tmp_path / "account.yaml"))
    ours = [each for each in found if each["Creator"]["id"] == "breachwatch"]
    assert {each["Type"] for each in ours} == {"CustomField", "Set"}
    for each in ours:
        payload = {
            "transaction": int(each["id"]), "type": each["Type"], "field": each["Field"], "new": each["NewValue"],
            "old": each["OldValue"], "created": each["Created"], "ticket": first, "effective": first,
            "creator": {"name": "breachwatch", "privileged": True, "system": False},
            "state": {"queue": "network", "contract": "lead", "priority": 0},
        }  # fmt: skip
        reading = read(mapping, payload, {}, 0)
        assert reading.unmapped is None
        for event in reading.events:
            body = json.loads(event.value)
            assert (body["type"], body["actor"]["kind"]) == ("ticket.changed", "system")
