"""Zendesk Support: the incremental exports of ticket events and of tickets.

What the API does, by its documentation:

- The exports allow 10 requests a minute, and refuse a start within the last minute.
- The export of ticket events goes by time: the next page begins at the time at which this one ends, and repeats its last
  second. A page is longer than others where its last second has many events.
- The export of tickets goes by a cursor. Its order is that of ``generated_timestamp``, which system updates move as well.
- A deleted ticket stays in the export of tickets, with the status ``deleted``.
- A comment has its author's number alone. Whether that is staff is in ``/users/show_many``, 100 at a time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from stream.pull.api import Api, Cursor, Document, Page, basic, payload
from stream.pull.client import instant_of
from stream.pull.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from stream.pull.client import Client
    from stream.pull.pacing import Pace

_PER_MINUTE: Final = 10
_LATEST: Final = 61
"""Seconds before now at which an export may begin at the latest."""
_MANY: Final = 100
_MOST_UNCHANGED: Final = 5
"""Answers in a row without anything new, after which the export is taken to stand still."""
_SYSTEM: Final = -1
_REMEMBERED_SECONDS: Final = 3_600.0

_Record = dict[str, Any]


def _headers(text: str) -> Mapping[str, str]:
    return basic(text) if ":" in text else {"Authorization": f"Bearer {text}"}


def _begin(since: int) -> int:
    return max(0, min(since // 1_000_000, int(time.time()) - _LATEST))


class _TicketEvents:
    """The audits of all tickets, each with what it changed."""

    name: Final = "ticket_events"
    look_back: Final = 120_000_000

    def __init__(self, client: Client, pace: Pace) -> None:
        self._client: Final = client
        self._pace: Final = pace
        self._staff = dict[int, tuple[float, bool]]()
        """User to when it was requested, and whether it is staff."""

    async def pages(self, since: int) -> AsyncIterator[Page]:
        begin, seen, unchanged = _begin(since), set[int](), 0
        while unchanged < _MOST_UNCHANGED:
            answer = await self._client.get(
                "/api/v2/incremental/ticket_events.json", {"start_time": begin, "include": "comment_events"}, pace=self._pace
            )
            audits = [audit for audit in answer["ticket_events"] if audit["id"] not in seen]
            if audits:
                documents = await self._documents(audits)
                yield Page(documents, up_to=documents[-1].cursor)
            if answer.get("end_of_stream") or not answer["ticket_events"]:
                return
            # A page has all events of its last second, so nothing is left of a second that gives nothing new.
            unchanged = 0 if audits else unchanged + 1
            begin = answer["end_time"] if audits else begin + 1
            seen = {audit["id"] for audit in answer["ticket_events"]}
        raise RefusedError(f"the export of ticket events does not go on after {begin}, and is not at its end")

    async def _documents(self, audits: list[_Record]) -> list[Document]:
        spoken = [audit for audit in audits if _authors(audit)]
        await self._ask_staff({author for audit in spoken for author in _authors(audit)})
        requesters = await self._requesters({audit["ticket_id"] for audit in spoken})
        documents = []
        for audit in audits:
            staff = [str(author) for author in _authors(audit) if self._staff.get(author, (0, False))[1]]
            body = payload(self.name, audit, staff=staff, requester=requesters.get(audit["ticket_id"]))
            documents.append(Document(str(audit["id"]), instant_of(audit["created_at"]), body))
        return documents

    async def _ask_staff(self, users: set[int]) -> None:
        now = time.monotonic()
        unknown = [
            user for user in users if now - self._staff.get(user, (-_REMEMBERED_SECONDS, False))[0] >= _REMEMBERED_SECONDS
        ]
        for user in await self._many("users", unknown):
            self._staff[user["id"]] = now, user["role"] != "end-user"

    async def _requesters(self, tickets: set[int]) -> dict[int, int]:
        return {ticket["id"]: ticket["requester_id"] for ticket in await self._many("tickets", tickets)}

    async def _many(self, kind: str, numbers: Iterable[int]) -> list[_Record]:
        """The users or tickets of these numbers, without those that are gone."""
        wanted, found = sorted(numbers), list[_Record]()
        for first in range(0, len(wanted), _MANY):
            ids = ",".join(map(str, wanted[first : first + _MANY]))
            found += (await self._client.get(f"/api/v2/{kind}/show_many.json", {"ids": ids}))[kind]
        return found


def _authors(audit: _Record) -> list[int]:
    """The users who wrote the comments of an audit."""
    comments = (child for child in audit["child_events"] if child.get("event_type") == "Comment")
    return sorted({child["author_id"] for child in comments if child.get("author_id", _SYSTEM) != _SYSTEM})


class _Tickets:
    """All tickets as they are."""

    name: Final = "tickets"
    look_back: Final = 120_000_000

    def __init__(self, client: Client, pace: Pace) -> None:
        self._client: Final = client
        self._pace: Final = pace

    async def pages(self, since: int) -> AsyncIterator[Page]:
        query: dict[str, str | int] = {"start_time": _begin(since)}
        while True:
            answer = await self._client.get("/api/v2/incremental/tickets/cursor.json", query, pace=self._pace)
            documents = [_ticket(ticket) for ticket in answer["tickets"]]
            if documents:
                yield Page(documents, up_to=max(document.cursor for document in documents))
            if answer.get("end_of_stream") or not answer.get("after_cursor"):
                return
            query = {"cursor": answer["after_cursor"]}


def _ticket(ticket: _Record) -> Document:
    changed = Cursor(ticket["generated_timestamp"] * 1_000_000, str(ticket["id"]))
    return Document(changed.id, changed.updated_at, payload("tickets", ticket))


def _resources(client: Client) -> tuple[_TicketEvents, _Tickets]:
    pace = client.limited(_PER_MINUTE)
    return _TicketEvents(client, pace), _Tickets(client, pace)


API: Final = Api(
    name="zendesk",
    credentials="EMAIL/token:API-TOKEN, or an OAuth access token",
    headers=_headers,
    resources=_resources,
)
