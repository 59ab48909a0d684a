"""django-helpdesk: a server that answers as 2.6.1 did, over several passes."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from stream.feeds.mapping import load
from stream.feeds.reading import read
from stream.pull.apis import django_helpdesk
from tests.unit.pull.fake_api import FakeApi, read_all, served

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream.pull.api import Document, Resource

_START = 1_772_445_600_000_000
"""2026-03-02T10:00:00Z."""


class FakeHelpdesk(FakeApi):
    """Tickets with their follow-ups. Pages of follow-ups are oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self.tickets: dict[int, dict[str, Any]] = {}
        self.followups = 0

    def ticket(self, second: int, **values: Any) -> int:
        number = len(self.tickets) + 1
        self.tickets[number] = {
            "id": number, "status": 1, "on_hold": False, "priority": 3, "assigned_to": None, "merged_to": None, "queue": 1,
            "custom_contract": "", "followup_set": [], **values,
        }  # fmt: skip
        self.followup(number, second, title="E-Mail Received", comment="It jams.")
        return number

    def followup(self, ticket: int, second: int, title: str = "", **values: Any) -> None:
        self.followups += 1
        date = f"2026-03-02T06:{30 + second // 60:02d}:{second % 60:02d}.250000-03:30"
        self.tickets[ticket]["followup_set"].append(
            {"id": self.followups, "ticket": ticket, "user": None, "title": title, "comment": None, "public": True,
             "new_status": None, "date": date, **values}
        )  # fmt: skip

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        match path.strip("/").split("/"):
            case ["api", "tickets"]:
                shown = {int(status) for status in query["status"].split(",")}
                return _page([t for t in self.tickets.values() if t["status"] in shown], query)
            case ["api", "tickets", number]:
                return self.tickets.get(int(number))
            case ["api", "followups"]:
                every = [each for ticket in self.tickets.values() for each in ticket["followup_set"]]
                return _page(sorted(every, key=lambda each: (each["date"], each["id"])), query)
        return None


def _page(found: list[Any], query: Mapping[str, str]) -> dict[str, Any]:
    size, page = int(query["page_size"]), int(query.get("page", 1))
    more = f"http://127.0.0.1/?page={page + 1}" if page * size < len(found) else None
    return {"count": len(found), "next": more, "results": found[(page - 1) * size : page * size]}


def _passes(api: FakeHelpdesk, *between: Callable[[], object], since: int = _START) -> list[list[Document]]:
    """The documents of each pass; before each but the first, something happens."""

    async def run() -> list[list[Document]]:
        async with served(api) as client:
            (resource,) = django_helpdesk.API.resources(client)
            found = [await read_all(resource, since)]
            for happens in between:
                happens()
                found.append(await _all(resource, since))
            return found

    return asyncio.run(run())


async def _all(resource: Resource, since: int) -> list[Document]:
    return await read_all(resource, since)


def _events(documents: list[Document]) -> list[dict[str, Any]]:
    mapping = load("django-helpdesk")
    readings = [read(mapping, document.payload, {}, _START) for document in documents]
    assert not [reading.unmapped for reading in readings if reading.unmapped]
    return [json.loads(event.value) for reading in readings for event in reading.events]


def _facts(documents: list[Document]) -> list[tuple[str, str]]:
    return [(event["type"], event["id"]) for event in _events(documents)]


def test_a_new_ticket_has_the_fields_it_was_created_with_and_its_first_entry_is_not_an_answer() -> None:
    api = FakeHelpdesk()
    api.ticket(5)
    api.followup(1, 9, user=1, comment="Which model?")

    (documents,) = _passes(api, since=_START - 60_000_000)
    events = _events(documents)

    created, first, answer = events[:3]
    assert [created["id"], first["id"], answer["id"]] == ["1/created", "1/first/3", "followup-2"]
    assert (created["actor"], created.get("fields", {})) == ({"kind": "customer"}, {})
    assert first["fields"]["priority"] == "normal"
    assert (answer["actor"], answer["public"]) == ({"kind": "agent"}, True)


def test_what_an_older_ticket_was_created_with_is_not_known() -> None:
    api = FakeHelpdesk()
    api.ticket(5)
    api.followup(1, 59, user=1, comment="Which model?")

    (documents,) = _passes(api, since=_START + 30_000_000)

    assert [event["id"] for event in _events(documents)][:2] == ["1/created", "followup-2"]


def test_a_ticket_that_is_being_created_waits_for_its_first_entry() -> None:
    api = FakeHelpdesk()
    api.ticket(5)
    (entry,) = api.tickets[1]["followup_set"]
    api.tickets[1]["followup_set"] = []

    first, second = _passes(api, lambda: api.tickets[1]["followup_set"].append(entry), since=_START - 60_000_000)

    assert {kind for kind, _ in _facts(first)} == {"ticket.changed"}
    assert _facts(second)[0] == ("ticket.created", "1/created")


def test_a_ticket_that_the_puller_before_may_have_seen_is_not_new() -> None:
    api = FakeHelpdesk()
    api.ticket(5)
    since = _START + 5_250_000 - django_helpdesk._Tickets.look_back

    first, changed, another = _passes(api, lambda: api.tickets[1].update(priority=1), lambda: api.ticket(30), since=since)

    assert not [fact for kind, fact in [*_facts(first), *_facts(changed)] if fact.startswith("1/first")]
    assert ("ticket.changed", "2/first/3") in _facts(another)


def test_what_did_not_change_is_not_given_again() -> None:
    api = FakeHelpdesk()
    api.ticket(5)

    _, again = _passes(api, lambda: None)

    assert again == []


def test_a_change_without_a_follow_up_has_the_time_of_the_pass_that_sees_it() -> None:
    api = FakeHelpdesk()
    number = api.ticket(5)

    _, changed = _passes(api, lambda: api.tickets[number].update(on_hold=True))
    (document,) = changed
    (event,) = [event for event in _events(changed) if event.get("fields", {}).get("status") == "on_hold"]

    assert event["at"] == document.payload["lookups"]["observed"]
    assert "actor" not in event


def test_a_change_with_a_follow_up_has_its_time() -> None:
    api = FakeHelpdesk()
    number = api.ticket(5)

    def solved() -> None:
        api.tickets[number].update(status=3)
        api.followup(number, 20, user=1, comment="Done.", new_status=3)

    _, changed = _passes(api, solved)
    events = {event["id"]: event for event in _events(changed)}

    assert events["followup-2/status"]["fields"] == {"status": "solved"}
    times = {event["at"] for event in events.values() if event.get("fields", {}).get("status") == "solved"}
    assert times == {"2026-03-02T06:30:20.250000-03:30"}


def test_only_the_newest_follow_ups_are_read() -> None:
    api = FakeHelpdesk()
    for number in range(350):
        api.ticket(1 if number < 340 else 59)

    _passes(api, since=_START + 30_000_000)

    pages = [query["page"] for path, query in api.asked if path == "/api/followups/" and "page" in query]
    assert pages == ["4"]


def test_a_ticket_that_was_closed_is_read_once_more() -> None:
    api = FakeHelpdesk()
    number = api.ticket(5)

    _, closed, after = _passes(api, lambda: api.tickets[number].update(status=4), lambda: None, since=_START + 40_000_000)

    assert "closed" in [event.get("fields", {}).get("status") for event in _events(closed)]
    assert after == []


def test_a_merged_ticket_ends_and_its_follow_ups_do_not_answer_the_other() -> None:
    api = FakeHelpdesk()
    first, second = api.ticket(5), api.ticket(6)

    def merge() -> None:
        api.tickets[second].update(status=5, merged_to=first)
        (moved,) = api.tickets[second]["followup_set"]
        api.tickets[second]["followup_set"] = []
        api.tickets[first]["followup_set"].append({**moved, "ticket": first, "title": f"[Merged from #{second}] It jams"})

    _, merged = _passes(api, merge)

    assert ("ticket.merged", "2/merged") in _facts(merged)
    assert "comment.added" not in [kind for kind, _ in _facts(merged)]


def test_an_open_ticket_that_is_gone_was_deleted() -> None:
    api = FakeHelpdesk()
    number = api.ticket(5)

    _, gone, after = _passes(api, lambda: api.tickets.pop(number), lambda: None)

    assert _facts(gone) == [("ticket.deleted", "1/deleted")]
    assert after == []


def test_a_pass_that_fails_forgets_nothing_of_what_it_found() -> None:
    api = FakeHelpdesk()
    api.ticket(5)

    async def run() -> list[Document]:
        async with served(api) as client:
            (resource,) = django_helpdesk.API.resources(client)
            pages = resource.pages(_START)
            await anext(pages)  # and then Kafka was away
            await pages.aclose()  # type: ignore[attr-defined]
            return await read_all(resource, _START)

    assert [document.id for document in asyncio.run(run())] == ["1"]
