"""Servers on loopback that speak the documented APIs of Zendesk, Jira, Freshdesk, Zammad and Chatwoot, with small pages.

Each holds the story of ``tests/feeds``, as its documents show it, and whatever a test adds.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from stream.pull.client import instant_of
from tests.feeds.vendors import documents
from tests.unit.pull.fake_api import FakeApi, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Record = dict[str, Any]


def recorded(vendor: str, folder: str = "pulled") -> list[Record]:
    """The payloads of the story, with those that are unmapped in their places."""
    found = [*documents(vendor, folder), *documents(vendor, f"unmapped-{folder}")]
    return [payload for _, payload in sorted(found, key=lambda one: one[0].partition("/")[2])]


def second(text: str) -> int:
    return instant_of(text) // 1_000_000


class FakeZendesk(FakeApi):
    """Exports by time, whose pages are longer where items share the last second of the page, and by cursor."""

    size = 3

    def __init__(self) -> None:
        super().__init__()
        story = recorded("zendesk")
        self.audits: list[Record] = [one["document"] for one in story if one["resource"] == "ticket_events"]
        self.tickets: dict[int, Record] = {}
        for one in story:
            if one["resource"] == "tickets":
                ticket = one["document"]
                self.tickets[ticket["id"]] = {**ticket, "generated_timestamp": second(ticket["updated_at"])}
        self.roles = {700: "agent", 701: "admin", 900: "end-user"}

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        if path == "/api/v2/incremental/ticket_events.json":
            return self._events(int(query["start_time"]), query["include"])
        if path == "/api/v2/incremental/tickets/cursor.json":
            return self._tickets(query)
        wanted = [int(number) for number in query.get("ids", "").split(",") if number]
        if path == "/api/v2/users/show_many.json" and len(wanted) <= 100:
            return {"users": [{"id": number, "role": self.roles[number]} for number in wanted if number in self.roles]}
        if path == "/api/v2/tickets/show_many.json" and len(wanted) <= 100:
            return {"tickets": [self.tickets[number] for number in wanted if number in self.tickets]}
        return None

    def _events(self, start: int, include: str) -> Any:
        assert include == "comment_events"
        left = sorted((one for one in self.audits if one["timestamp"] >= start), key=lambda one: (one["timestamp"], one["id"]))
        page = left[: self.size]
        page += [one for one in left[self.size :] if one["timestamp"] == page[-1]["timestamp"]]
        end = page[-1]["timestamp"] if page else start
        return {"ticket_events": page, "end_time": end, "end_of_stream": len(page) == len(left), "count": len(page)}

    def _tickets(self, query: Mapping[str, str]) -> Any:
        start, skip = map(int, query["cursor"].split("-")) if "cursor" in query else (int(query["start_time"]), 0)
        left = [one for one in self.tickets.values() if one["generated_timestamp"] >= start]
        left = sorted(left, key=lambda one: (one["generated_timestamp"], one["id"]))[skip:]
        page = left[: self.size]
        return {
            "tickets": page,
            "after_cursor": f"{start}-{skip + len(page)}",
            "end_of_stream": len(page) == len(left),
        }


class FakeJira(FakeApi):
    """A search with minutes in the zone of the account: by tokens in Cloud, by number in Data Center."""

    zone = ZoneInfo("Asia/Kolkata")

    def __init__(self, *, cloud: bool = True, size: int = 100) -> None:
        super().__init__()
        self.cloud, self.size = cloud, size
        self.root = "/rest/api/3" if cloud else "/rest/api/2"
        self.issues: dict[str, Record] = {}
        self.changes: dict[str, list[Record]] = {}
        self.comments: dict[str, list[Record]] = {}
        self.group = ["agent2"]
        for one in recorded("jira", "pulled" if cloud else "data-center-pulled"):
            issue = one["document"]["issue"]
            number = issue["id"]
            self.issues[number] = issue
            if "changelog" in one["document"]:
                self.changes.setdefault(number, []).append(one["document"]["changelog"])
            if "comment" in one["document"]:
                self.comments.setdefault(number, []).append(one["document"]["comment"])

    def add(self, number: int, updated: str) -> None:
        """Another issue like the last of the story."""
        fields = {**self.issues["10043"]["fields"], "created": updated, "updated": updated}
        self.issues[str(number)] = {**self.issues["10043"], "id": str(number), "key": f"SUP-{number}", "fields": fields}

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        if path == "/rest/api/2/serverInfo":
            return {"deploymentType": "Cloud" if self.cloud else "Server"}
        if not path.startswith(f"{self.root}/"):
            return None
        match path.removeprefix(f"{self.root}/").split("/"):
            case ["myself"]:
                return {"timeZone": self.zone.key}
            case ["search", "jql"] if self.cloud:
                return self._by_token(query)
            case ["search"] if not self.cloud:
                start = int(query["startAt"])
                return {"issues": self._found(query)[start : start + int(query["maxResults"])]}
            case ["issue", number, "changelog"] if self.cloud:
                return self._part(self.changes.get(number, []), query, "values")
            case ["issue", number]:
                return {**self.issues[number], "changelog": {"histories": self.changes.get(number, [])}}
            case ["issue", number, "comment"]:
                assert self.cloud or query["expand"] == "properties"
                return self._part(self.comments.get(number, []), query, "comments")
            case ["project", "SUP", *rest] if not self.cloud:
                return self._roles(rest)
            case ["group", "member"]:
                start = int(query["startAt"])
                page = [{"name": name} for name in self.group[start : start + 50]]
                return {"values": page, "isLast": start + 50 >= len(self.group)}
        return None

    def _found(self, query: Mapping[str, str]) -> list[Record]:
        minute = re.fullmatch(r'updated >= "([0-9: -]+)" ORDER BY updated ASC, key ASC', query["jql"])
        assert minute is not None
        since = datetime.strptime(minute[1], "%Y-%m-%d %H:%M").replace(tzinfo=self.zone).timestamp() * 1_000_000
        found = [one for one in self.issues.values() if instant_of(one["fields"]["updated"]) >= since]
        return sorted(found, key=lambda one: (instant_of(one["fields"]["updated"]), one["id"]))

    def _by_token(self, query: Mapping[str, str]) -> Any:
        """At most two issues, however many are asked: Cloud may answer less than a page."""
        start, found = int(query.get("nextPageToken", "0")), self._found(query)
        page = found[start : start + 2]
        more = {"nextPageToken": str(start + 2)} if start + 2 < len(found) else {"isLast": True}
        return {"issues": page, **more}

    def _part(self, records: list[Record], query: Mapping[str, str], key: str) -> Any:
        start = int(query["startAt"])
        return {key: records[start : start + min(self.size, int(query["maxResults"]))], "total": len(records)}

    def _roles(self, rest: list[str]) -> Any:
        if rest == ["role"]:
            return {
                "Service Desk Team": "https://jira.example.com/rest/api/2/project/10001/role/10200",
                "Developers": "https://x/1",
            }
        if rest == ["role", "10200"]:
            group = {"type": "atlassian-group-role-actor", "name": "desk"}
            return {"actors": [{"type": "atlassian-user-role-actor", "name": "agent"}, group]}
        return None


class FakeFreshdesk(FakeApi):
    """Lists by time and number, without what is deleted or spam, unless a filter asks for it."""

    def __init__(self) -> None:
        super().__init__()
        self.tickets: dict[int, Record] = {}
        self.talks: dict[int, list[Record]] = {}
        for one in recorded("freshdesk"):
            ticket = one["document"]["ticket"]
            newest = self.tickets.get(ticket["id"], ticket)["updated_at"]
            if ticket["status"] != 12 and ticket["updated_at"] >= newest:
                self.tickets[ticket["id"]] = ticket
            talks = self.talks.setdefault(ticket["id"], [])
            if "conversation" in one["document"] and one["document"]["conversation"] not in talks:
                talks.append(one["document"]["conversation"])

    def add(self, number: int, updated: str) -> None:
        ticket = self.tickets[4711]
        self.tickets[number] = {**ticket, "id": number, "created_at": updated, "updated_at": updated}

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        if path == "/api/v2/tickets":
            assert query["order_by"] == "updated_at"
            assert query["order_type"] == "asc"
            page, size = int(query["page"]), int(query["per_page"])
            return Trouble(400) if page > 300 else _page(self._listed(query), page, size)
        if found := re.fullmatch(r"/api/v2/tickets/([0-9]+)/conversations", path):
            number = int(found[1])
            return (
                _page(self.talks.get(number, []), int(query["page"]), int(query["per_page"]))
                if number in self.tickets
                else None
            )
        return None

    def _listed(self, query: Mapping[str, str]) -> list[Record]:
        wanted = query.get("filter", "")
        found = [
            {key: value for key, value in one.items() if key not in {"deleted", "spam"}}
            for one in self.tickets.values()
            if ("deleted" if one.get("deleted") else "spam" if one.get("spam") else "") == wanted
            and one["updated_at"] >= query["updated_since"]
        ]
        return sorted(found, key=lambda one: (one["updated_at"], one["id"]))


class FakeZammad(FakeApi):
    """A search by time and number, and the articles of a ticket."""

    def __init__(self) -> None:
        super().__init__()
        self.tickets: dict[int, Record] = {}
        self.articles: dict[int, list[Record]] = {}
        for one in recorded("zammad"):
            ticket = one["document"]["ticket"]
            self.tickets[ticket["id"]] = ticket
            if "article" in one["document"]:
                self.articles.setdefault(ticket["id"], []).append(one["document"]["article"])

    def add(self, number: int, updated: str) -> None:
        self.tickets[number] = {**self.tickets[82], "id": number, "created_at": updated, "updated_at": updated, "state": "open"}

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        assert query["expand"] == "true"
        if path == "/api/v1/tickets/search":
            since = re.fullmatch(r'updated_at:\["([^"]+)" TO \*\]', query["query"])
            assert since is not None
            found = [one for one in self.tickets.values() if instant_of(one["updated_at"]) >= instant_of(since[1])]
            found = sorted(found, key=lambda one: (one["updated_at"], one["id"]))
            bare = [{key: value for key, value in one.items() if key != "article_ids"} for one in found]
            page, size = int(query["page"]), int(query["limit"])
            return Trouble(500) if page * size > 10_000 else _page(bare, page, size)
        if ticket := re.fullmatch(r"/api/v1/ticket_articles/by_ticket/([0-9]+)", path):
            return self.articles.get(int(ticket[1]), [])
        return None


class FakeChatwoot(FakeApi):
    """Conversations from the newest activity on, 25 a page, and messages from the newest on, 20 a page."""

    def __init__(self) -> None:
        super().__init__()
        self.conversations: dict[int, Record] = {}
        self.messages: dict[int, list[Record]] = {}
        self.account: int | None = 7
        for one in recorded("chatwoot"):
            conversation = one["document"]["conversation"]
            self.conversations[conversation["id"]] = conversation
            if "message" in one["document"]:
                self.messages.setdefault(conversation["id"], []).append(one["document"]["message"])

    def add(self, number: int, active: int) -> None:
        like = self.conversations[31]
        self.conversations[number] = {**like, "id": number, "last_activity_at": active, "updated_at": float(active)}

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Any:
        if path == "/api/v1/profile":
            return {"id": 1, "account_id": self.account}
        if path == "/api/v1/accounts/7/conversations":
            assert query["status"] == "all"
            assert query["sort_by"] == "last_activity_at_desc"
            found = sorted(self.conversations.values(), key=lambda one: (-one["last_activity_at"], one["id"]))
            return {"data": {"meta": {}, "payload": _page(found, int(query["page"]), 25)}}
        if number := re.fullmatch(r"/api/v1/accounts/7/conversations/([0-9]+)/messages", path):
            before = int(query.get("before", 1 << 60))
            older = sorted(
                (one for one in self.messages.get(int(number[1]), []) if one["id"] < before), key=lambda one: one["id"]
            )
            return {"meta": {}, "payload": older[-20:]}
        return None


def _page(records: Iterable[Record], page: int, size: int) -> list[Record]:
    return list(records)[(page - 1) * size : page * size]


def times(cursors: Iterable[int]) -> list[str]:
    """Instants as text, each once."""
    return [f"{datetime.fromtimestamp(at / 1_000_000, UTC):%H:%M:%S}" for at, _ in groupby(cursors)]
