"""Request Tracker: a server that answers as RT 5.0.3 did, with rows that an account may not see, and ids for names."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from stream.feeds.mapping import load
from stream.feeds.reading import read
from stream.pull.apis.rt import API
from tests.unit.pull.fake_api import FakeApi, Trouble, read_all, served

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.pull.api import Document

_SIZE = 100


class FakeRT(FakeApi):
    """Transactions, tickets, users, queues and custom fields. Rows whose id is in ``hidden`` are dropped after the limit."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = []
        self.hidden: set[int] = set()
        self.records: dict[str, Any] = {
            "/user/ines": _user(27, "ines", privileged=True),
            "/user/27": _user(27, "ines", privileged=True),
            "/user/kunde": _user(31, "kunde", privileged=False),
            "/user/RT_System": _user(1, "RT_System", privileged=False),
            "/user/Nobody": _user(6, "Nobody", privileged=False),
            "/user/6": _user(6, "Nobody", privileged=False),
            "/queue/3": {"id": 3, "Name": "helpdesk"},
            "/queue/4": {"id": 4, "Name": "network"},
            "/customfield/2": {"id": 2, "Name": "Contract"},
        }

    def transaction(self, ticket: int, kind: str, field: str = "", old: str = "", new: str = "", **more: Any) -> int:
        number = len(self.rows) + 1
        second = more.get("second", number)
        self.rows.append(
            {
                "id": str(number), "ObjectId": str(ticket), "Type": kind, "Field": field, "OldValue": old, "NewValue": new,
                "Creator": {"id": more.get("by", "ines"), "type": "user"},
                "Created": f"2026-03-02T10:{second // 60:02d}:{second % 60:02d}Z",
            }
        )  # fmt: skip
        return number

    def ticket(self, number: int, effective: int | None = None, **values: Any) -> None:
        self.records[f"/ticket/{number}"] = {
            "id": effective or number, "Status": "open", "Queue": {"id": "4"}, "Owner": {"id": "Nobody"}, "Priority": "50",
            "SLA": "", "Requestor": [{"id": "kunde"}], "CustomFields": [{"name": "Contract", "values": ["gold"]}], **values,
        }  # fmt: skip

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        path = path.removeprefix("/REST/2.0")
        if path != "/transactions":
            return self.records.get(path)
        found = [row for row in self.rows if all(_holds(each, row) for each in json.loads(query["query"]))]
        found.sort(key=lambda row: int(row["id"]), reverse=query["order"] == "DESC")
        size, page = min(int(query["per_page"]), _SIZE), int(query["page"])
        page_of_rows = found[(page - 1) * size : page * size]
        return {"items": [row for row in page_of_rows if int(row["id"]) not in self.hidden], "total": None, "pages": None}


def _user(number: int, name: str, *, privileged: bool) -> dict[str, Any]:
    links = [{"ref": "self", "type": "user", "id": number}]
    return {"Name": name, "Privileged": 1 if privileged else 0, "_hyperlinks": links}


def _holds(condition: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    field, value, operator = condition["field"], condition["value"], condition.get("operator", "=")
    if field == "ObjectType":
        return True
    if field == "id":
        return int(row["id"]) > int(value)
    if field == "Created":
        assert operator == ">="
        # As text, as the database compares it: with a T between date and time nothing is later.
        return str(row["Created"]).replace("T", " ").rstrip("Z") >= str(value)
    return str(row[field]) == str(value)


def _read(api: FakeRT, since: int = 0) -> list[Document]:
    async def run() -> list[Document]:
        async with served(api) as client:
            (resource,) = API.resources(client)
            return await read_all(resource, since)

    return asyncio.run(run())


def _events(documents: list[Document]) -> list[dict[str, Any]]:
    mapping = load("rt")
    readings = [read(mapping, document.payload, {}, 0) for document in documents]
    assert not [reading.unmapped for reading in readings if reading.unmapped]
    return [json.loads(event.value) for reading in readings for event in reading.events]


def test_every_transaction_is_read_once_over_pages() -> None:
    api = FakeRT()
    for _ in range(250):
        api.transaction(1, "Comment")

    assert [document.id for document in _read(api)] == [str(number) for number in range(1, 251)]


def test_pages_of_rows_that_the_account_may_not_see_are_not_the_end() -> None:
    api = FakeRT()
    for _ in range(450):
        api.transaction(1, "EmailRecord")
    last = api.transaction(1, "Comment")
    api.hidden = set(range(2, 450))

    assert [document.id for document in _read(api)] == ["1", "450", str(last)]


def test_the_newest_visible_transaction_may_be_behind_hidden_ones() -> None:
    api = FakeRT()
    first = api.transaction(1, "Comment")
    for _ in range(130):
        api.hidden.add(api.transaction(1, "EmailRecord"))

    assert [document.id for document in _read(api)] == [str(first)]


def test_a_pass_in_which_nothing_is_seen_asks_little() -> None:
    api = FakeRT()
    api.hidden = {api.transaction(1, "Comment") for _ in range(30)}

    assert _read(api) == []
    assert len(api.asked) == 5


def test_a_pass_begins_at_an_instant_in_the_form_that_rt_compares() -> None:
    api = FakeRT()
    api.transaction(1, "Comment", second=10)
    later = api.transaction(1, "Comment", second=40)

    found = _read(api, since=1_772_445_600_000_000 + 30_000_000)

    assert [document.id for document in found] == [str(later)]


def test_a_page_that_fails_is_asked_again() -> None:
    api = FakeRT()
    for _ in range(3):
        api.transaction(1, "Comment")
    api.troubles.extend([Trouble(429, {"Retry-After": "1"}), Trouble(502)])

    assert len(_read(api)) == 3


def test_a_ticket_is_created_with_what_its_first_changes_began_from() -> None:
    api = FakeRT()
    api.ticket(1, Owner={"id": "ines"})
    api.transaction(1, "Create", by="kunde")
    api.transaction(1, "Set", "Priority", "10", "70")
    api.transaction(1, "Set", "Priority", "70", "50")
    api.transaction(1, "Set", "Owner", "6", "27")
    api.transaction(1, "Set", "Queue", "3", "4")
    api.transaction(1, "CustomField", "2", "", "gold")

    events = _events(_read(api))

    assert events[0]["fields"] == {"status": "new", "priority": "10", "team": "helpdesk", "assignee": ""}
    assert events[0]["actor"] == {"kind": "customer"}
    assert [event["fields"] for event in events[1:]] == [
        {"priority": "70"}, {"priority": "50"}, {"assignee": "27"}, {"team": "network"}, {"contract": "gold"},
    ]  # fmt: skip
    assert [event["id"] for event in events] == [f"txn-{number}" for number in range(1, 7)]


def test_a_ticket_whose_fields_never_changed_was_created_with_what_it_has() -> None:
    api = FakeRT()
    api.ticket(1)
    api.transaction(1, "Create", by="kunde")

    (created,) = _events(_read(api))

    assert created["fields"] == {"status": "new", "priority": "50", "contract": "gold", "team": "network", "assignee": ""}


def test_only_the_ticket_that_ends_is_merged_and_does_not_get_the_fields_of_the_other() -> None:
    api = FakeRT()
    api.ticket(1)
    api.ticket(2, effective=1)
    api.transaction(2, "Create", by="kunde")
    api.transaction(2, "AddLink", "MergedInto", new="fsck.com-rt://desk.example/ticket/1")
    api.transaction(1, "AddLink", "MergedInto", new="fsck.com-rt://desk.example/ticket/1")

    created, merged = _events(_read(api))

    assert created["fields"] == {"status": "new"}
    assert (merged["type"], merged["ticket"], merged["into"]) == ("ticket.merged", "rt/2", "rt/1")


def test_who_it_was_is_asked_of_the_user_and_remembered() -> None:
    api = FakeRT()
    api.ticket(1)
    api.transaction(1, "Correspond", by="ines")
    api.transaction(1, "Correspond", by="kunde")
    api.transaction(1, "Status", "Status", "new", "open", by="RT_System")
    api.transaction(1, "Correspond", by="ines")

    events = _events(_read(api))

    assert [event["actor"]["kind"] for event in events] == ["agent", "customer", "system", "agent"]
    assert [path for path, _ in api.asked].count("/REST/2.0/user/ines") == 1


@pytest.mark.parametrize(("text", "scheme"), [("1-14-abc", "token 1-14-abc"), ("ines:secret", "Basic aW5lczpzZWNyZXQ=")])
def test_a_token_and_a_password_log_in(text: str, scheme: str) -> None:
    assert API.headers(text) == {"Authorization": scheme}
