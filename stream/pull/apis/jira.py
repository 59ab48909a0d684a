"""Jira Service Management, Cloud and Data Center: issues, each with its changelog and its comments.

What the API does, by its documentation:

- JQL has minutes, in the zone of the account. Which of the two it means of an hour that autumn repeats is not documented.
- Cloud pages a search by tokens, and may answer less than a page although there is more. Data Center pages by number.
- A changelog and comments are requested issue by issue. Data Center gives a changelog with its issue.
- Data Center states in a property of a comment whether it is internal. Who is an agent is who has one of ``_AGENT_ROLES`` in
  the issue's project, by name or by a group.
- A deleted issue leaves no trace.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from stream.pull.api import Api, Cursor, Document, Page, basic, payload
from stream.pull.client import instant_of
from stream.pull.errors import ForbiddenError, MissingError
from stream.pull.lookup import Lookup
from stream.pull.pages import by_time, document_pages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from stream.pull.client import Client

_SIZE: Final = 100
_RESOURCE: Final = "issues"
_FIELDS: Final = "*navigable,created,updated,creator,reporter,assignee,priority,labels,status,issuetype,project"
_NEAR: Final = timedelta(hours=2)
"""The greatest distance from a change of the clocks at which a local time may occur twice, or never."""
_AGENT_ROLES: Final = ("Service Desk Team", "Administrators")

_Record = dict[str, Any]


def _headers(text: str) -> Mapping[str, str]:
    return basic(text) if ":" in text else {"Authorization": f"Bearer {text}"}


class _Issues:
    """All issues that the account may browse."""

    name: Final = _RESOURCE
    look_back: Final = 120_000_000

    def __init__(self, client: Client) -> None:
        self._client: Final = client
        self._records: Final = Lookup(client.get)
        self._root = ""
        """``/rest/api/3`` of Cloud, ``/rest/api/2`` of Data Center."""
        self._zone = ZoneInfo("UTC")
        self._token = ""
        """The start of the next page of a search of Cloud."""

    @property
    def _cloud(self) -> bool:
        return self._root.endswith("3")

    async def pages(self, since: int) -> AsyncIterator[Page]:
        if not self._root:
            about = await self._client.get("/rest/api/2/serverInfo")
            root = "/rest/api/3" if about.get("deploymentType") == "Cloud" else "/rest/api/2"
            self._zone = ZoneInfo((await self._client.get(f"{root}/myself"))["timeZone"])
            self._root = root
        changes = by_time(since, _SIZE, self._changed, _cursor)
        async for page in document_pages(changes, _cursor, lambda issue: self._documents(issue, since)):
            yield page

    async def _changed(self, since: int, page: int) -> list[_Record]:
        query: dict[str, str | int] = {
            "jql": f'updated >= "{jql_minute(since, self._zone)}" ORDER BY updated ASC, key ASC',
            "fields": _FIELDS,
            "maxResults": _SIZE,
        }
        if not self._cloud:
            answer = await self._client.get(f"{self._root}/search", {**query, "startAt": (page - 1) * _SIZE})
            return list(answer["issues"])
        if page == 1:
            self._token = ""
        found = list[_Record]()
        while len(found) < _SIZE:
            more = {"nextPageToken": self._token} if self._token else {}
            answer = await self._client.get(f"{self._root}/search/jql", {**query, **more})
            found += answer["issues"]
            self._token = answer.get("nextPageToken", "")
            if not self._token:
                break
        return found

    async def _documents(self, issue: _Record, since: int) -> list[Document]:
        changed = _cursor(issue)

        def document(part: str, body: _Record, **lookups: object) -> Document:
            return Document(f"{changed.id}{part}", changed.updated_at, payload(_RESOURCE, {"issue": issue, **body}, **lookups))

        documents = [document("", {})]
        try:
            entries, comments = await self._changelog(issue["id"]), await self._comments(issue["id"])
        except (MissingError, ForbiddenError):
            return documents
        changes = [entry for entry in entries if instant_of(entry["created"]) >= since]
        documents += [document(f"/change/{entry['id']}", {"changelog": entry}) for entry in changes]
        for comment in comments:
            if instant_of(comment["created"]) >= since:
                who = {} if self._cloud else {"author": await self._author(comment, issue["fields"]["project"]["key"])}
                documents.append(document(f"/comment/{comment['id']}", {"comment": comment}, **who))
        return documents

    async def _changelog(self, number: str) -> list[_Record]:
        if self._cloud:
            return await self._all(f"{self._root}/issue/{number}/changelog", "values")
        answer = await self._client.get(f"{self._root}/issue/{number}", {"expand": "changelog", "fields": "created"})
        return list(answer["changelog"]["histories"])

    async def _comments(self, number: str) -> list[_Record]:
        return await self._all(
            f"{self._root}/issue/{number}/comment", "comments", {} if self._cloud else {"expand": "properties"}
        )

    async def _all(self, path: str, key: str, query: Mapping[str, str] = {}) -> list[_Record]:
        found = list[_Record]()
        while True:
            answer = await self._client.get(path, {**query, "startAt": len(found), "maxResults": _SIZE})
            found += answer[key]
            if not answer[key] or len(found) >= answer["total"]:
                return found

    async def _author(self, comment: _Record, project: str) -> str | None:
        """``agent`` or ``customer``; ``None``: the account may not see who has a role in the project."""
        roles = await self._records.get(f"{self._root}/project/{project}/role")
        if roles is None:
            return None
        for name in _AGENT_ROLES:
            if name not in roles:
                continue
            role = await self._records.get(f"{self._root}/project/{project}/role/{roles[name].rpartition('/')[2]}")
            for actor in (role or {}).get("actors", ()):
                if actor["type"] == "atlassian-group-role-actor":
                    if comment["author"]["name"] in await self._members(actor["name"]):
                        return "agent"
                elif actor["name"] == comment["author"]["name"]:
                    return "agent"
        return "customer"

    async def _members(self, group: str) -> set[str]:
        members, start = set[str](), 0
        while True:
            answer = await self._records.get(f"{self._root}/group/member?groupname={group}&startAt={start}&maxResults=50")
            if answer is None:
                return members
            members |= {user["name"] for user in answer["values"]}
            start += 50
            if answer.get("isLast", True):
                return members


def jql_minute(since: int, zone: ZoneInfo) -> str:
    """An instant for JQL: its minute in the zone of the account. Near a change of the clocks, one that is two hours earlier."""
    moment = datetime.fromtimestamp(since // 1_000_000, UTC)
    before, there, after = ((moment + hours).astimezone(zone).replace(tzinfo=None) for hours in (-_NEAR, timedelta(), _NEAR))
    return f"{there if there - before == after - there == _NEAR else before:%Y-%m-%d %H:%M}"


def _cursor(issue: _Record) -> Cursor:
    return Cursor(instant_of(issue["fields"]["updated"]), str(issue["id"]))


API: Final = Api(
    name="jira",
    credentials="EMAIL:API-TOKEN of Cloud, or a personal access token of Data Center",
    headers=_headers,
    resources=lambda client: (_Issues(client),),
)
