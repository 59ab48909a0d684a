"""Redmine: a server that answers as Redmine 5.0.4 did."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from stream.feeds.mapping import load
from stream.feeds.reading import read
from stream.pull.apis import redmine
from tests.unit.pull.fake_api import FakeApi, read_all, served

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.pull.api import Document

_AGENT, _CUSTOMER = 5, 6


class FakeRedmine(FakeApi):
    """Issues with journals in one project, whose members are an agent and a customer."""

    def __init__(self) -> None:
        super().__init__()
        self.issues: dict[int, dict[str, Any]] = {}

    def issue(self, number: int, second: int, **values: Any) -> dict[str, Any]:
        at = f"2026-03-02T10:{second // 60:02d}:{second % 60:02d}Z"
        made = {
            "id": number, "project": {"id": 1}, "author": {"id": _CUSTOMER}, "created_on": at, "updated_on": at,
            "priority": {"id": 2}, "status": {"id": 1, "is_closed": False}, "closed_on": None, "journals": [], **values,
        }  # fmt: skip
        self.issues[number] = made
        return made

    def journal(self, issue: int, second: int, user: int, notes: str = "", **changes: tuple[Any, Any]) -> None:
        found = self.issues[issue]
        found["updated_on"] = f"2026-03-02T10:{second // 60:02d}:{second % 60:02d}Z"
        details = [
            {"property": "attr", "name": f"{name}_id", "old_value": str(old), "new_value": str(new)}
            for name, (old, new) in changes.items()
        ]
        number = sum(len(each["journals"]) for each in self.issues.values()) + 1
        found["journals"].append(
            {"id": number, "user": {"id": user}, "created_on": found["updated_on"], "notes": notes, "private_notes": False,
             "details": details}
        )  # fmt: skip

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        match path.strip("/").removesuffix(".json").split("/"):
            case ["issues"]:
                return {"issues": self._listed(query)}
            case ["issues", number]:
                found = self.issues.get(int(number))
                return {"issue": found} if found else None
            case ["projects", "1", "memberships"]:
                members = [{"user": {"id": _AGENT}, "roles": [{"id": 4}]}, {"user": {"id": _CUSTOMER}, "roles": [{"id": 5}]}]
                return {"memberships": [*members, {"group": {"id": 9}, "roles": [{"id": 4}]}], "total_count": 3}
            case ["roles", role]:
                return {"role": {"permissions": ["edit_issues", "view_issues"] if role == "4" else ["view_issues"]}}
        return None

    def _listed(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        since = query.get("updated_on", ">=").removeprefix(">=")
        closed = query["status_id"] == "*"
        found = [i for i in self.issues.values() if i["updated_on"] >= since and (closed or not i["status"]["is_closed"])]
        found.sort(key=lambda issue: (issue["updated_on"], issue["id"]))
        start, size = int(query["offset"]), int(query["limit"])
        return [{key: value for key, value in issue.items() if key != "journals"} for issue in found[start : start + size]]


def _read(api: FakeRedmine, since: int = 0) -> list[Document]:
    async def run() -> list[Document]:
        async with served(api) as client:
            (resource,) = redmine.API.resources(client)
            return await read_all(resource, since)

    return asyncio.run(run())


def _events(documents: list[Document]) -> list[dict[str, Any]]:
    mapping = load("redmine")
    readings = [read(mapping, document.payload, {}, 1_772_445_600_000_000) for document in documents]
    assert not [reading.unmapped for reading in readings if reading.unmapped]
    return [json.loads(event.value) for reading in readings for event in reading.events]


def test_an_issue_comes_with_its_journals() -> None:
    api = FakeRedmine()
    api.issue(1, 0)
    api.journal(1, 5, _AGENT, "Please wait.", status=(1, 2), priority=(2, 4))

    events = _events(_read(api))

    assert [(event["type"], event["id"]) for event in events] == [
        ("ticket.created", "issue-1/created"),
        ("ticket.changed", "journal-1/fields"),
        ("comment.added", "journal-1/note"),
        ("ticket.changed", "journal-1/status"),
    ]
    assert events[0]["fields"] == {"status": "new", "priority": "2"}


def test_an_agent_is_who_may_edit_issues_of_the_project() -> None:
    api = FakeRedmine()
    api.issue(1, 0, author={"id": _AGENT})
    api.journal(1, 5, _CUSTOMER, "It is urgent.")
    api.journal(1, 6, _AGENT, "We know.")

    assert [event["actor"]["kind"] for event in _events(_read(api))] == ["agent", "customer", "agent"]
    assert [path for path, _ in api.asked].count("/roles/4.json") == 1


def test_without_a_right_to_see_members_the_author_is_the_customer() -> None:
    api = FakeRedmine()
    api.issue(1, 0)
    api.journal(1, 5, _CUSTOMER, "It is urgent.")
    api.journal(1, 6, _AGENT, "We know.")
    api.forbidden.add("/projects/1/memberships.json")

    assert [event["actor"]["kind"] for event in _events(_read(api))] == ["customer", "customer", "agent"]


def test_more_issues_of_one_second_than_a_page_are_all_read() -> None:
    api = FakeRedmine()
    for number in range(1, 251):
        api.issue(number, 7)

    assert {int(document.id) for document in _read(api)} == set(range(1, 251))


def test_an_issue_that_changes_while_pages_are_read_hides_no_other() -> None:
    api = FakeRedmine()
    for number in range(1, 202):
        api.issue(number, number)

    def change(path: str, query: Mapping[str, str]) -> None:
        if path == "/issues/1.json" and not api.issues[1]["journals"]:
            api.journal(1, 3_000, _AGENT, "Moved to the end of the list.")

    api.before = change

    assert {int(document.id) for document in _read(api)} == set(range(1, 202))


def test_an_issue_that_is_deleted_while_pages_are_read_is_left_out() -> None:
    api = FakeRedmine()
    api.issue(1, 1)
    api.issue(2, 2)
    api.before = lambda path, query: api.issues.pop(1, None) if path.startswith("/issues/") else None  # type: ignore[assignment]

    assert [document.id for document in _read(api)] == ["2"]


def test_a_pass_begins_at_its_instant() -> None:
    api = FakeRedmine()
    api.issue(1, 1)
    api.issue(2, 40)

    assert [document.id for document in _read(api, 1_772_445_600_000_000 + 30_000_000)] == ["2"]


def test_once_a_day_the_issues_that_are_gone_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    api = FakeRedmine()
    for number in (1, 2, 3):
        api.issue(number, number)
    monkeypatch.setattr(redmine, "_SWEEP_SECONDS", 0.0)

    async def run() -> list[Document]:
        async with served(api) as client:
            (resource,) = redmine.API.resources(client)
            await read_all(resource)
            del api.issues[2]
            api.issues[3]["status"]["is_closed"] = True
            return await read_all(resource, 1_772_445_600_000_000 + 3_600_000_000)

    (event,) = _events(asyncio.run(run()))

    assert (event["type"], event["ticket"], event["id"]) == ("ticket.deleted", "redmine/2", "issue-2/deleted")


def test_a_key_of_the_api_is_letters_and_digits() -> None:
    assert redmine.API.headers("a" * 40) == {"X-Redmine-API-Key": "a" * 40}
    with pytest.raises(ValueError, match="API key"):
        redmine.API.headers("ines:secret")
