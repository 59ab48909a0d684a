"""Redmine 5: issues with their journals, which are their whole history.

What the API does, as tried on 5.0.4:

- A list of issues has no journals: each changed issue is requested again by itself.
- ``updated_on`` has whole seconds, and several issues share one.
- Who is an agent is in no answer about an issue. It is who has, in the issue's project, a role with the permission to edit
  issues; memberships and roles are remembered for an hour.
- Private notes, and whole issues, are left out for an account that may not see them.
- A deleted issue leaves a 404 and no trace, so once a day the issues that were open are compared with those that are.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from stream.pull.api import Api, Cursor, Document, Page
from stream.pull.client import instant_of
from stream.pull.errors import ForbiddenError, MissingError
from stream.pull.lookup import Lookup
from stream.pull.pages import by_time, document_pages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from stream.pull.client import Client

_SIZE: Final = 100
_SWEEP_SECONDS: Final = 86_400.0
_EDITS: Final = "edit_issues"

_Issue = dict[str, Any]


def _headers(text: str) -> Mapping[str, str]:
    if not text.isalnum():
        raise ValueError("they must be the API key of an account, 40 letters and digits")
    return {"X-Redmine-API-Key": text}


class _Issues:
    """All issues that the account may see."""

    name: Final = "issues"
    look_back: Final = 60_000_000

    def __init__(self, client: Client) -> None:
        self._client: Final = client
        self._records: Final = Lookup(client.get)
        self._open = dict[int, int]()
        """Issues that were open, and when they were last changed."""
        self._swept = time.monotonic()

    async def pages(self, since: int) -> AsyncIterator[Page]:
        changes = by_time(since, _SIZE, self._changed, _cursor)
        async for page in document_pages(changes, _cursor, self._documents):
            yield page
        if time.monotonic() - self._swept >= _SWEEP_SECONDS:
            gone = await self._gone()
            yield Page([Document(f"{number}/deleted", self._open[number], {"deleted": {"id": number}}) for number in gone])
            # Only now are they published: a pass that fails before finds them gone again.
            for number in gone:
                del self._open[number]
            self._swept = time.monotonic()

    async def _changed(self, since: int, page: int) -> list[_Issue]:
        begin = f"{datetime.fromtimestamp(since // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
        return await self._list({"status_id": "*", "updated_on": f">={begin}", "sort": "updated_on,id"}, page)

    async def _list(self, query: Mapping[str, str], page: int) -> list[_Issue]:
        answer = await self._client.get("/issues.json", {**query, "limit": _SIZE, "offset": (page - 1) * _SIZE})
        found: list[_Issue] = answer["issues"]
        return found

    async def _documents(self, changed: _Issue) -> list[Document]:
        """Empty if the issue was deleted a moment ago, or if the account may not see it any more."""
        number = changed["id"]
        try:
            issue = (await self._client.get(f"/issues/{number}.json", {"include": "journals"}))["issue"]
        except (MissingError, ForbiddenError):
            return []
        updated = instant_of(issue["updated_on"])
        if issue["status"].get("is_closed") or issue.get("closed_on"):
            self._open.pop(number, None)
        else:
            self._open[number] = updated
        body = {"issue": issue, "lookups": {"agents": await self._agents(issue["project"]["id"])}}
        return [Document(str(number), updated, body)]

    async def _agents(self, project: int) -> list[int] | None:
        """The users who may edit the issues of a project; ``None``: the account may not see who is a member."""
        agents, offset = list[int](), 0
        while True:
            answer = await self._records.get(f"/projects/{project}/memberships.json?limit={_SIZE}&offset={offset}")
            if answer is None:
                return None
            for member in answer["memberships"]:
                if "user" in member and any([await self._edits(role["id"]) for role in member["roles"]]):
                    agents.append(member["user"]["id"])
            offset += _SIZE
            if offset >= answer["total_count"]:
                return agents

    async def _edits(self, role: int) -> bool:
        answer = await self._records.get(f"/roles/{role}.json")
        return answer is not None and _EDITS in answer["role"].get("permissions", ())

    async def _gone(self) -> list[int]:
        """Those of the open issues that were deleted."""
        left, page = set(self._open), 1
        while found := await self._list({"status_id": "open", "sort": "id"}, page):
            left -= {issue["id"] for issue in found}
            page += 1
        gone = []
        for number in sorted(left):
            try:
                await self._client.get(f"/issues/{number}.json")
            except MissingError:
                gone.append(number)
            except ForbiddenError:  # it is hidden from the account, and not deleted
                continue
        return gone


def _cursor(issue: _Issue) -> Cursor:
    return Cursor(instant_of(issue["updated_on"]), str(issue["id"]))


API: Final = Api(
    name="redmine",
    credentials="the API key of an account",
    headers=_headers,
    resources=lambda client: (_Issues(client),),
)
