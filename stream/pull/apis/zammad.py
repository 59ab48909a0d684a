"""Zammad: tickets and their articles, in the form of the webhooks but with names in place of objects (``expand=true``).

What the API does, by its documentation:

- Only the search knows a time of change. It needs Elasticsearch, whose index is some seconds behind.
- A search returns at most 10,000 tickets, so each search begins at the newest ticket of the one before.
- Articles are requested ticket by ticket, all at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stream.pull.api import Api, Document, Page, basic, payload
from stream.pull.client import instant_of
from stream.pull.errors import ForbiddenError, MissingError
from stream.pull.pages import by_time, document_pages, updated_at
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from stream.pull.client import Client

_SIZE: Final = 100
_RESOURCE: Final = "tickets"

_Record = dict[str, Any]


def _headers(text: str) -> Mapping[str, str]:
    return basic(text) if ":" in text else {"Authorization": f"Token token={text}"}


class _Tickets:
    """All tickets that the account may see, each with its articles."""

    name: Final = _RESOURCE
    look_back: Final = 120_000_000

    def __init__(self, client: Client) -> None:
        self._client: Final = client

    def pages(self, since: int) -> AsyncIterator[Page]:
        changes = by_time(since, _SIZE, self._changed, updated_at)
        return document_pages(changes, updated_at, lambda ticket: self._documents(ticket, since))

    async def _changed(self, since: int, page: int) -> list[_Record]:
        query: dict[str, str | int] = {
            "query": f'updated_at:["{format_instant(since)}" TO *]',
            "sort_by": "updated_at",
            "order_by": "asc",
            "limit": _SIZE,
            "per_page": _SIZE,
            "page": page,
            "expand": "true",
        }
        found: list[_Record] = await self._client.get("/api/v1/tickets/search", query)
        return found

    async def _documents(self, ticket: _Record, since: int) -> list[Document]:
        changed = updated_at(ticket)
        try:
            articles = await self._client.get(f"/api/v1/ticket_articles/by_ticket/{ticket['id']}", {"expand": "true"})
        except (MissingError, ForbiddenError):
            articles = []
        # The mapping treats the first article, which is the text of the ticket, as a case of its own.
        ticket = {**ticket, "article_ids": sorted(article["id"] for article in articles)}
        documents = [Document(changed.id, changed.updated_at, payload(_RESOURCE, {"ticket": ticket}))]
        for article in articles:
            if instant_of(article["created_at"]) >= since:
                body = {"ticket": ticket, "article": article}
                documents.append(Document(f"{changed.id}/{article['id']}", changed.updated_at, payload(_RESOURCE, body)))
        return documents


API: Final = Api(
    name="zammad",
    credentials="an access token with the permission ticket.agent, or user:password",
    headers=_headers,
    resources=lambda client: (_Tickets(client),),
)
