"""Freshdesk: tickets with their stats, and their conversations.

What the API does, by its documentation:

- A list of tickets has neither those that are deleted nor spam: each has a filter of its own.
- Times have whole seconds, and several tickets share one. At most 300 pages are returned.
- The limit depends on the plan, 429 has ``Retry-After``, and automations share the limit.
- Conversations are requested ticket by ticket, oldest first.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from stream.pull.api import Api, Document, Page, basic, payload
from stream.pull.client import instant_of
from stream.pull.errors import MissingError
from stream.pull.pages import by_time, document_pages, updated_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from stream.pull.client import Client

_SIZE: Final = 100
_RESOURCE: Final = "tickets"

_Record = dict[str, Any]


def _headers(text: str) -> Mapping[str, str]:
    if not text.isalnum():
        raise ValueError("they must be the API key of an agent, letters and digits")
    return basic(f"{text}:X")


class _Tickets:
    """The tickets of a filter: deleted, spam, or neither."""

    look_back: Final = 60_000_000

    def __init__(self, client: Client, filtered: str = "") -> None:
        self._client: Final = client
        self._filter: Final = filtered
        self.name: Final = f"{_RESOURCE}-{filtered}" if filtered else _RESOURCE

    def pages(self, since: int) -> AsyncIterator[Page]:
        changes = by_time(since, _SIZE, self._changed, updated_at)
        return document_pages(changes, updated_at, lambda ticket: self._documents(ticket, since))

    async def _changed(self, since: int, page: int) -> list[_Record]:
        query: dict[str, str | int] = {
            "updated_since": f"{datetime.fromtimestamp(since // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "order_by": "updated_at",
            "order_type": "asc",
            "include": "stats",
            "per_page": _SIZE,
            "page": page,
        }
        if self._filter:
            query["filter"] = self._filter
        found: list[_Record] = await self._client.get("/api/v2/tickets", query)
        return found

    async def _documents(self, ticket: _Record, since: int) -> list[Document]:
        # A list leaves out what its filter states.
        ticket = {**ticket, self._filter: True} if self._filter else ticket
        changed = updated_at(ticket)
        documents = [Document(changed.id, changed.updated_at, payload(_RESOURCE, {"ticket": ticket}))]
        for talk in await self._conversations(ticket["id"]) if not self._filter else ():
            if instant_of(talk["created_at"]) >= since:
                body = {"ticket": ticket, "conversation": talk}
                documents.append(Document(f"{changed.id}/{talk['id']}", changed.updated_at, payload(_RESOURCE, body)))
        return documents

    async def _conversations(self, number: int) -> list[_Record]:
        """All conversations of a ticket. None if it was deleted a moment ago."""
        found, page = list[_Record](), 1
        while True:
            try:
                answer = await self._client.get(f"/api/v2/tickets/{number}/conversations", {"per_page": _SIZE, "page": page})
            except MissingError:
                return found
            found += answer
            if len(answer) < _SIZE:
                return found
            page += 1


API: Final = Api(
    name="freshdesk",
    credentials="the API key of an agent",
    headers=_headers,
    resources=lambda client: (_Tickets(client), _Tickets(client, "deleted"), _Tickets(client, "spam")),
)
