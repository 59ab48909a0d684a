"""The APIs of vendors that do not run here, against servers that speak their documented API."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from stream.feeds.mapping import load
from stream.feeds.reading import read
from stream.pull.apis import api
from stream.pull.apis.jira import jql_minute
from stream.pull.errors import ForbiddenError, RefusedError
from tests.feeds.vendors import expected
from tests.unit.pull.apis.vendor_apis import FakeChatwoot, FakeFreshdesk, FakeJira, FakeZammad, FakeZendesk
from tests.unit.pull.fake_api import FakeApi, Sleeps, Trouble, read_all, served

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.pull.api import Document

Event = dict[str, Any]
DAY = 1_772_409_600 * 1_000_000
"""2026-03-02T00:00:00Z, before the story."""
SECOND = 1_000_000
FAKES: dict[str, Callable[[], FakeApi]] = {
    "zendesk": FakeZendesk,
    "jira": FakeJira,
    "freshdesk": FakeFreshdesk,
    "zammad": FakeZammad,
    "chatwoot": FakeChatwoot,
}
LISTS = {
    "zendesk": "/api/v2/incremental/tickets/cursor.json",
    "jira": "/rest/api/3/search/jql",
    "freshdesk": "/api/v2/tickets",
    "zammad": "/api/v1/tickets/search",
    "chatwoot": "/api/v1/accounts/7/conversations",
}
"""The list that a pass over the API asks."""


def pulled(name: str, fake: FakeApi, since: int = DAY, sleeps: Sleeps | None = None) -> list[Document]:
    """All documents of all resources of an API, by one pass."""

    async def run() -> list[Document]:
        async with served(fake, sleeps=sleeps) as client:
            return [document for resource in api(name).resources(client) for document in await read_all(resource, since)]

    return asyncio.run(run())


def events(name: str, documents: list[Document]) -> list[Event]:
    """The events of documents, each once. What the mapping does not cover is left out."""
    mapping, found = load(name), dict[bytes, None]()
    for document in documents:
        for event in read(mapping, document.payload, {}, DAY).events:
            found.setdefault(event.value)
    return [json.loads(value) for value in found]


def once(found: list[Event]) -> list[str]:
    return sorted({json.dumps(event, sort_keys=True) for event in found})


@pytest.mark.parametrize(("name", "folder"), [("zendesk", "pulled"), ("jira", "pulled"), ("jira", "data-center-pulled")])
def test_a_pass_over_an_api_with_a_history_gives_the_whole_story(name: str, folder: str) -> None:
    fake = FakeJira(cloud=False) if folder == "data-center-pulled" else FAKES[name]()

    found = events(name, pulled(name, fake))

    assert once(found) == once(expected(name, folder))


@pytest.mark.parametrize("name", ["freshdesk", "zammad", "chatwoot"])
def test_a_pass_over_an_api_without_a_history_gives_every_comment_and_each_ticket_as_it_is(name: str) -> None:
    found, story = events(name, pulled(name, FAKES[name]())), expected(name, "pulled")

    def of(kind: str, some: list[Event]) -> list[str]:
        return once([event for event in some if event["type"] == kind])

    for kind in ("comment.added", "ticket.created", "ticket.deleted"):
        assert of(kind, found) == of(kind, story)
    last = {event["ticket"]: event for event in story if event["type"] == "ticket.changed"}
    assert {event["ticket"] for event in found if event["type"] == "ticket.changed"} <= last.keys()
    assert last[found[0]["ticket"]] in found


@pytest.mark.parametrize("name", FAKES)
def test_documents_come_once_and_a_repeated_pass_gives_the_same(name: str) -> None:
    fake = FAKES[name]()

    first, second = pulled(name, fake), pulled(name, fake)

    assert [document.cursor for document in first] == [document.cursor for document in second]
    identities = [(document.cursor, document.payload["resource"]) for document in first]
    assert len(identities) == len(set(identities))


@pytest.mark.parametrize("name", FAKES)
def test_a_limit_is_waited_for_and_an_error_is_passed(name: str) -> None:
    fake, sleeps = FAKES[name](), Sleeps()
    quiet = [document.cursor for document in pulled(name, FAKES[name]())]
    fake.troubles.extend([Trouble(429, {"Retry-After": "37"}), Trouble(502), Trouble(close=True)])

    found = pulled(name, fake, sleeps=sleeps)

    assert [document.cursor for document in found] == quiet
    assert any(20 < seconds <= 37 for seconds in sleeps.slept)


@pytest.mark.parametrize("name", FAKES)
def test_a_list_that_the_account_may_not_see_is_forbidden_and_nothing_is_read_as_empty(name: str) -> None:
    fake = FAKES[name]()
    fake.forbidden = {LISTS[name]}

    with pytest.raises(ForbiddenError):
        pulled(name, fake)


@pytest.mark.parametrize("name", FAKES)
def test_nothing_is_asked_or_given_of_before_the_start(name: str) -> None:
    since = int(datetime(2026, 3, 2, 11, 0, tzinfo=UTC).timestamp()) * SECOND

    found = pulled(name, FAKES[name](), since)

    assert found
    assert all(document.updated_at >= since for document in found)
    comments = [event for event in events(name, found) if event["type"] == "comment.added"]
    assert {event["at"][11:16] for event in comments} <= {"11:00", "11:30", "16:30", "17:00"}
    assert len(comments) == 2


def test_zendesk_gives_every_audit_once_though_many_share_a_second_and_pages_are_small() -> None:
    fake = FakeZendesk()
    audit = fake.audits[0]
    fake.audits = [
        {**audit, "id": 1_000 + number, "timestamp": 1_772_445_600 + number // 5, "created_at": "2026-03-02T10:00:00Z"}
        for number in range(23)
    ]
    fake.tickets = {}

    found = pulled("zendesk", fake)

    assert sorted(int(document.id) for document in found) == [1_000 + number for number in range(23)]


def test_zendesk_is_not_asked_for_the_last_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, now = FakeZendesk(), 1_772_456_400
    monkeypatch.setattr("stream.pull.apis.zendesk.time.time", lambda: float(now))

    pulled("zendesk", fake, now * SECOND)

    assert [query["start_time"] for path, query in fake.asked if "start_time" in query] == [str(now - 61)] * 2


def test_zendesk_that_does_not_go_on_is_refused_and_not_asked_for_ever() -> None:
    class Stuck(FakeZendesk):
        def answer(self, method: str, path: str, query: Any, body: Any) -> Any:
            found = super().answer(method, path, query, body)
            if "ticket_events" in path:
                found = {
                    **found,
                    "ticket_events": self.audits[:1],
                    "end_time": int(query["start_time"]),
                    "end_of_stream": False,
                }
            return found

    with pytest.raises(RefusedError, match="does not go on"):
        pulled("zendesk", Stuck())


def test_zendesk_asks_for_each_user_once_an_hour() -> None:
    fake = FakeZendesk()

    async def run() -> None:
        async with served(fake) as client:
            resource = api("zendesk").resources(client)[0]
            fake.size = 100
            await read_all(resource, DAY)
            await read_all(resource, DAY)

    asyncio.run(run())

    assert [query["ids"] for path, query in fake.asked if path == "/api/v2/users/show_many.json"] == ["700,701,900"]


@pytest.mark.parametrize("cloud", [True, False])
def test_jira_gives_every_issue_though_a_minute_has_more_than_a_page(cloud: bool) -> None:
    fake = FakeJira(cloud=cloud)
    for number in range(250):
        fake.add(20_000 + number, f"2026-03-02T20:00:{number % 40:02d}.000+0530")

    found = pulled("jira", fake)

    assert {document.id for document in found if "/" not in document.id} == set(fake.issues)


@pytest.mark.parametrize("cloud", [True, False])
def test_jira_skips_no_issue_that_changes_between_two_pages(cloud: bool) -> None:
    fake = FakeJira(cloud=cloud)
    for number in range(150):
        fake.add(20_000 + number, f"2026-03-02T20:{number // 60:02d}:{number % 60:02d}.000+0530")
    searches = 0

    def change(path: str, query: Any) -> None:
        nonlocal searches
        if "search" in path:
            searches += 1
            if searches == 2:
                fake.add(20_000, "2026-03-02T21:00:00.000+0530")

    fake.before = change
    found = pulled("jira", fake)

    assert {document.id for document in found if "/" not in document.id} == set(fake.issues)
    assert any(
        document.id == "20000" and document.payload["document"]["issue"]["fields"]["updated"][11:13] == "21"
        for document in found
    )


def test_jira_reads_long_changelogs_and_comments_page_by_page() -> None:
    fake = FakeJira(size=4)

    found = pulled("jira", fake)

    assert len([one for one in found if "/comment/" in one.id]) == len(fake.comments["10042"])
    assert len([one for one in found if "/change/" in one.id]) == len(fake.changes["10042"])


def test_jira_data_center_states_who_is_an_agent_by_role_and_by_group() -> None:
    found = pulled("jira", FakeJira(cloud=False))

    authors = {
        one.payload["document"]["comment"]["author"]["name"]: one.payload["lookups"]["author"]
        for one in found
        if "/comment/" in one.id
    }
    assert authors == {"agent": "agent", "agent2": "agent", "customer": "customer", "app": "customer"}


def test_jira_data_center_without_sight_of_the_roles_states_no_author() -> None:
    fake = FakeJira(cloud=False)
    fake.forbidden = {"/rest/api/2/project/SUP/role"}

    kinds = [event.get("actor") for event in events("jira", pulled("jira", fake)) if event["type"] == "comment.added"]

    assert {"kind": "agent"} not in kinds
    assert {"kind": "customer"} in kinds
    assert None in kinds


@pytest.mark.parametrize(
    ("zone", "since", "minute"),
    [
        ("Asia/Kolkata", "2026-03-02T10:00:59+00:00", "2026-03-02 15:30"),
        ("Europe/Brussels", "2026-10-25T00:30:00+00:00", "2026-10-25 00:30"),
        ("Europe/Brussels", "2026-10-25T01:30:00+00:00", "2026-10-25 01:30"),
        ("Europe/Brussels", "2026-10-25T02:30:00+00:00", "2026-10-25 02:30"),
        ("Europe/Brussels", "2026-10-25T03:00:00+00:00", "2026-10-25 04:00"),
        ("Europe/Brussels", "2026-03-29T01:30:00+00:00", "2026-03-29 00:30"),
    ],
)
def test_a_minute_of_jql_is_never_later_than_the_instant(zone: str, since: str, minute: str) -> None:
    assert jql_minute(int(datetime.fromisoformat(since).timestamp()) * SECOND, ZoneInfo(zone)) == minute


def test_freshdesk_gives_deleted_tickets_and_spam_as_such() -> None:
    found = pulled("freshdesk", FakeFreshdesk())

    states = {
        one.id: (one.payload["document"]["ticket"].get("deleted"), one.payload["document"]["ticket"].get("spam"))
        for one in found
        if "/" not in one.id
    }
    assert states == {"4711": (None, None), "4712": (True, None), "4713": (None, True)}


@pytest.mark.parametrize("name", ["freshdesk", "zammad"])
def test_more_tickets_of_one_instant_than_a_page_come_once_each(name: str) -> None:
    fake = FAKES[name]()
    assert isinstance(fake, FakeFreshdesk | FakeZammad)
    for number in range(230):
        fake.add(9_000 + number, "2026-03-02T14:00:00Z" if number < 210 else "2026-03-02T14:00:01Z")

    found = [document.id for document in pulled(name, fake) if "/" not in document.id]

    assert sorted(found) == sorted(str(number) for number in fake.tickets)


def test_freshdesk_reads_all_pages_of_conversations() -> None:
    fake = FakeFreshdesk()
    like = fake.talks[4711][0]
    fake.talks[4711] = [{**like, "id": number} for number in range(205)]

    assert len([one for one in pulled("freshdesk", fake) if one.id.startswith("4711/")]) == 205


def test_chatwoot_reads_pages_of_conversations_and_older_messages_up_to_the_start() -> None:
    fake = FakeChatwoot()
    for number in range(60):
        fake.add(100 + number, 1_772_460_000 + number)
    like = fake.messages[31][0]
    fake.messages[100] = [{**like, "id": number, "created_at": 1_772_406_000 + number * 600} for number in range(70)]

    found = pulled("chatwoot", fake)

    assert {one.id for one in found if "/" not in one.id} == {str(number) for number in fake.conversations}
    assert [one.id for one in found if one.id.startswith("100/")].count("100/6") == 1
    assert len([one for one in found if one.id.startswith("100/")]) == 64


def test_chatwoot_skips_no_conversation_that_becomes_active_between_two_pages() -> None:
    fake = FakeChatwoot()
    for number in range(60):
        fake.add(100 + number, 1_772_460_000 + number)

    def change(path: str, query: Any) -> None:
        if path.endswith("/conversations") and query["page"] == "2":
            fake.add(101, 1_772_470_000)

    fake.before = change
    found = {one.id for one in pulled("chatwoot", fake) if "/" not in one.id}

    assert found >= {str(number) for number in fake.conversations} - {"101"}


def test_chatwoot_without_an_account_is_refused() -> None:
    fake = FakeChatwoot()
    fake.account = None

    with pytest.raises(RefusedError, match="no account"):
        pulled("chatwoot", fake)


@pytest.mark.parametrize(
    ("name", "credentials", "header"),
    [
        ("zendesk", "bot@example.com/token:abc", ("Authorization", "Basic Ym90QGV4YW1wbGUuY29tL3Rva2VuOmFiYw==")),
        ("zendesk", "oauth-token", ("Authorization", "Bearer oauth-token")),
        ("jira", "bot@example.com:abc", ("Authorization", "Basic Ym90QGV4YW1wbGUuY29tOmFiYw==")),
        ("jira", "personal-token", ("Authorization", "Bearer personal-token")),
        ("freshdesk", "abc123", ("Authorization", "Basic YWJjMTIzOlg=")),
        ("zammad", "abc_123", ("Authorization", "Token token=abc_123")),
        ("chatwoot", "abc123", ("api_access_token", "abc123")),
    ],
)
def test_credentials_become_the_header_of_the_api(name: str, credentials: str, header: tuple[str, str]) -> None:
    assert dict([header]) == dict(api(name).headers(credentials))


@pytest.mark.parametrize(("name", "credentials"), [("freshdesk", "not a key"), ("chatwoot", "1:abc")])
def test_credentials_of_another_form_are_refused(name: str, credentials: str) -> None:
    with pytest.raises(ValueError, match="they must be"):
        api(name).headers(credentials)
