"""Request Tracker and Redmine of Debian's packages: a story on each, and what comes of it in Kafka (``make desks``)."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from stream.sla.effects import Kind
from tests.broker.running import Worker, all_committed, dead_letters, effects, until
from tests.broker.test_notify import SECRET, Receiver
from tests.desks import redmine_desk, request_tracker
from tests.desks.pulling import gateway, notifier, published, puller, writer
from tests.desks.redmine_desk import Redmine
from tests.desks.request_tracker import RequestTracker
from tests.desks.running import free_port

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from stream.runtime.kafka.topics import Topics

_POLICY = """
policies:
  - policy: desk
    version: 1
    applies_to: always
    calendar: 24x7
    commitments:
      - metric: first_response
        target: {URGENT: 4s, default: 1d}
      - metric: resolution
        target: 1d
"""

_RT = """
desk: line
system: rt
url: {url}
login: {{basic: {{user: breachwatch, password: env:DESK_PASSWORD}}}}
tickets: rt/{{id}}
write:
  - {{field: SLA state, value: state}}
"""
_REDMINE = """
desk: badges
system: redmine
url: {url}
login: {{key: env:DESK_PASSWORD}}
tickets: redmine/{{id}}
write:
  - {{field: SLA state, value: state}}
"""


def _need(desk: ModuleType) -> None:
    assert desk.installed(), f"the desk is not installed: apt install {' '.join(desk.PACKAGES)}"


def _policy(folder: Path, urgent: str) -> None:
    (folder / "policy.yaml").write_text(_POLICY.replace("URGENT", urgent), "utf-8")


def _facts(broker: str, topics: Topics, ticket: str) -> list[tuple[str, Any]]:
    """The events of a ticket, each once, with what they state."""
    found = {event["id"]: event for event in published(broker, topics, ticket)}
    return [(event["type"], event.get("public", event.get("into", event.get("fields")))) for event in found.values()]


def _breached(broker: str, topics: Topics, ticket: str) -> bool:
    return any(each.effect.kind is Kind.BREACHED and each.effect.ticket == ticket for each in effects(broker, topics))


def test_request_tracker_a_line_is_down_and_two_tickets_are_one(broker: str, topics: Topics, tmp_path: Path) -> None:
    _need(request_tracker)
    _policy(tmp_path, '"90"')
    port = free_port()
    with (
        closing(Receiver()) as pager,
        Worker(broker, topics, tmp_path) as worker,
        gateway(broker, topics, tmp_path, port, feed="push=rt", secret=SECRET) as receiver,
        RequestTracker(tmp_path / "rt", f"http://127.0.0.1:{port}/feeds/push", SECRET) as desk,
        notifier(broker, topics, tmp_path, pager.url) as notify,
        writer(broker, topics, tmp_path, _RT.format(url=desk.url), password="breachwatch-password-1") as writeback,
    ):
        worker.ready()
        receiver.writes("ready: feeds push")
        ines, otto, kunde = desk.as_user("ines"), desk.as_user("otto"), desk.as_user("kunde")
        options = {"feed": "desk=rt", "url": desk.url, "login": "breachwatch:breachwatch-password-1"}
        with puller(broker, topics, tmp_path, **options) as first:
            first.writes("following desk")
            desk.mail("The line is down", "No dial tone since nine.")
            line = desk.newest()
            ines("PUT", f"/ticket/{line}", {"Priority": 90, "CustomFields": {"Contract": "gold"}})
            until(lambda: _breached(broker, topics, f"rt/{line}"), f"the breach of {first.log}", worker)
            until(lambda: pager.ids("pager"), f"the message of {notify.log}", worker)
            until(lambda: _rt_state(desk, line) == ["overdue"], f"the state by {writeback.log}", worker)
            first.kill()

        # Nobody pulls, and the desk works on.
        ines("POST", f"/ticket/{line}/comment", {"Content": "The provider knows.", "ContentType": "text/plain"})
        otto(
            "POST",
            f"/ticket/{line}/correspond",
            {"Content": "It is repaired.", "ContentType": "text/plain", "Status": "resolved"},
        )
        desk.mail(f"Re: [night.desk.example #{line}] The line", "It is down again.")
        again = int(
            otto("POST", "/ticket", {"Queue": "helpdesk", "Subject": "Line", "Requestor": "kunde@customer.example",
                                     "Content": "By phone.", "ContentType": "text/plain"})["id"]
        )  # fmt: skip
        otto("PUT", f"/ticket/{again}", {"MergeInto": line})
        junk = int(
            kunde("POST", "/ticket", {"Queue": "helpdesk", "Subject": "?", "Content": "?", "ContentType": "text/plain"})["id"]
        )
        ines("PUT", f"/ticket/{junk}", {"Queue": "network"})
        ines("DELETE", f"/ticket/{junk}")
        ines("PUT", f"/ticket/{line}", {"Queue": "network"})

        with puller(broker, topics, tmp_path, **options) as second:
            until(
                lambda: (
                    ("ticket.deleted", None) in _facts(broker, topics, f"rt/{junk}")
                    and ("ticket.changed", {"team": "network"}) in _facts(broker, topics, f"rt/{line}")
                ),
                f"everything that happened\n{second.output}",
            )
            second.writes("events from")
            assert second.stop() == 0
        until(lambda: all_committed(broker, topics), "the worker has read everything", worker)

    facts = _facts(broker, topics, f"rt/{line}")
    assert facts[0] == ("ticket.created", {"status": "new", "priority": "0", "team": "helpdesk", "assignee": ""})
    assert ("ticket.changed", {"priority": "90"}) in facts
    assert ("ticket.changed", {"contract": "gold"}) in facts
    assert [public for kind, public in facts if kind == "comment.added"] == [False, True, True]
    assert [fields["status"] for kind, fields in facts if kind == "ticket.changed" and "status" in fields] == [
        "open",
        "solved",
        "open",
    ]
    assert ("ticket.merged", f"rt/{line}") in _facts(broker, topics, f"rt/{again}")
    assert [dead_letter.value for dead_letter in dead_letters(broker, topics)] == []


def test_redmine_an_issue_is_answered_held_and_deleted(broker: str, topics: Topics, tmp_path: Path) -> None:
    _need(redmine_desk)
    with (
        closing(Receiver()) as pager,
        Redmine(tmp_path / "redmine") as desk,
        Worker(broker, topics, _with_policy(tmp_path, desk)) as worker,
        notifier(broker, topics, tmp_path, pager.url) as notify,
        writer(broker, topics, tmp_path, _REDMINE.format(url=desk.url), password=redmine_desk.key("breachwatch")) as writeback,
    ):
        worker.ready()
        ines, otto, kunde = desk.as_user("ines"), desk.as_user("otto"), desk.as_user("kunde")
        urgent = _priority(desk, "Urgent")
        options = {"feed": "desk=redmine", "url": desk.url, "login": redmine_desk.key("breachwatch")}
        issue = {
            "project_id": "night-desk",
            "tracker_id": 3,
            "subject": "The badge reader is dead",
            "description": "Since the storm.",
        }
        with puller(broker, topics, tmp_path, **options) as first:
            first.writes("following desk")
            number = kunde("POST", "/issues.json", {"issue": {**issue, "priority_id": urgent}})["issue"]["id"]
            until(lambda: _breached(broker, topics, f"redmine/{number}"), f"the breach of {first.log}", worker)
            until(lambda: pager.ids("pager"), f"the message of {notify.log}", worker)
            until(lambda: _redmine_state(desk, number) == "overdue", f"the state by {writeback.log}", worker)
            first.kill()

        def change(user: Any, **fields: Any) -> None:
            user("PUT", f"/issues/{number}.json", {"issue": fields})

        change(ines, notes="Battery ordered.", private_notes=True)
        change(otto, notes="We are on our way.", status_id=_status(desk, "Feedback"))
        change(kunde, notes="Please hurry.")
        change(otto, status_id=_status(desk, "Resolved"), priority_id=_priority(desk, "Normal"))
        with puller(broker, topics, tmp_path, **options) as second:
            until(
                lambda: ("ticket.changed", {"status": "solved"}) in _facts(broker, topics, f"redmine/{number}"),
                f"everything that happened\n{second.output}",
            )
            second.writes("events from")
            assert second.stop() == 0
        until(lambda: all_committed(broker, topics), "the worker has read everything", worker)

    facts = _facts(broker, topics, f"redmine/{number}")
    assert facts[0] == ("ticket.created", {"status": "new", "priority": str(urgent)})
    assert [public for kind, public in facts if kind == "comment.added"] == [False, True, True]
    who = {event["id"]: event["actor"]["kind"] for event in published(broker, topics, f"redmine/{number}")}
    assert [kind for name, kind in who.items() if name.endswith("/note")] == ["agent", "agent", "customer"]
    assert [dead_letter.value for dead_letter in dead_letters(broker, topics)] == []


def _rt_state(desk: RequestTracker, ticket: int) -> list[str]:
    fields = desk.as_user("ines")("GET", f"/ticket/{ticket}")["CustomFields"]
    return next(field["values"] for field in fields if field["name"] == "SLA state")


def _redmine_state(desk: Redmine, issue: int) -> str:
    fields = desk.as_user("ines")("GET", f"/issues/{issue}.json")["issue"]["custom_fields"]
    return next(str(field["value"]) for field in fields if field["name"] == "SLA state")


def _with_policy(folder: Path, desk: Redmine) -> Path:
    _policy(folder, f'"{_priority(desk, "Urgent")}"')
    return folder


def _priority(desk: Redmine, name: str) -> int:
    found = desk.as_user("ines")("GET", "/enumerations/issue_priorities.json")["issue_priorities"]
    return next(int(each["id"]) for each in found if each["name"] == name)


def _status(desk: Redmine, name: str) -> int:
    found = desk.as_user("ines")("GET", "/issue_statuses.json")["issue_statuses"]
    return next(int(each["id"]) for each in found if each["name"] == name)
