"""django-helpdesk 2.6: tickets as they are, with their follow-ups.

The API has no time of change and no query for one, only pages of tickets and of follow-ups, oldest first. So a pass reads

1. the newest follow-ups, from the last page back to the beginning of the pass;
2. every open ticket, because holding, editing, merging and bulk changes leave no follow-up, or none with a time of its own;
3. each ticket with a new follow-up that is not open, and each that was open and is not any more.

``lookups`` has what the document lacks:

- ``observed``: the ticket differs from the pass before, and has no new follow-up: it has changed by this instant. Null if its
  newest follow-up has the time.
- ``new``: no pass has seen it before, and it was created after the last one. So its fields are taken for those that it was
  created with, which are nowhere.
- ``first``: its first follow-up, without those that a merge brought from another ticket.

A ticket that is gone has the resource ``deleted``.
"""

from __future__ import annotations

import asyncio
import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson

from stream.pull.api import Api, Document, Page, basic, payload
from stream.pull.client import instant_of
from stream.pull.errors import MissingError
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stream.pull.client import Client

_SIZE: Final = 100
_OPEN: Final = "1,2"
"""Open and reopened."""
_DIGEST: Final = 8
_MERGED: Final = "[Merged from #"
"""The beginning of the title of a follow-up that a merge has brought from another ticket."""

_Ticket = dict[str, Any]


class _Tickets:
    """All tickets that the account may see."""

    name: Final = "tickets"
    look_back: Final = 60_000_000

    def __init__(self, client: Client) -> None:
        self._client: Final = client
        self._seen = dict[int, bytes]()
        """The state of each ticket that was open in the pass before, as a hash."""
        self._known = self.look_back
        """A pass may have seen tickets that were created up to this long after it began, microseconds."""

    async def pages(self, since: int) -> AsyncIterator[Page]:
        followed, open_before = await self._followed_up(since), set(self._seen)
        listed, page = set[int](), 1
        while True:
            answer = await self._client.get("/api/tickets/", {"status": _OPEN, "page_size": _SIZE, "page": page})
            listed |= {ticket["id"] for ticket in answer["results"]}
            changed = [ticket for ticket in answer["results"] if self._changed(ticket)]
            yield Page([self._document(ticket, since, followed) for ticket in changed])
            # Only now are they published: a pass that fails before finds them changed again.
            self._seen.update((ticket["id"], _state(ticket)) for ticket in changed)
            if not answer["next"]:
                break
            page += 1
        others = sorted((followed | open_before) - listed)
        for start in range(0, len(others), _SIZE):
            numbers = others[start : start + _SIZE]
            tickets = await asyncio.gather(*map(self._ticket, numbers))
            gone = [number for number, ticket in zip(numbers, tickets, strict=True) if ticket is None]
            changed = [ticket for ticket in tickets if ticket is not None and self._changed(ticket)]
            documents = [self._document(ticket, since, followed) for ticket in changed]
            yield Page([*documents, *(_deleted(number, since) for number in gone)])
            for number in gone:
                self._seen.pop(number, None)
            for ticket in changed:
                if str(ticket["status"]) in _OPEN.split(","):
                    self._seen[ticket["id"]] = _state(ticket)
                else:
                    self._seen.pop(ticket["id"], None)
        self._known = 0

    async def _followed_up(self, since: int) -> set[int]:
        """The tickets with a follow-up since then."""
        count = (await self._client.get("/api/followups/", {"page_size": 1}))["count"]
        tickets = set[int]()
        for page in range(-(-count // _SIZE), 0, -1):
            found = (await self._client.get("/api/followups/", {"page_size": _SIZE, "page": page}))["results"]
            fresh = [each["ticket"] for each in found if instant_of(each["date"]) >= since]
            tickets.update(fresh)
            if len(fresh) < len(found):
                break
        return tickets

    async def _ticket(self, number: int) -> _Ticket | None:
        """``None``: it is gone."""
        try:
            ticket: _Ticket = await self._client.get(f"/api/tickets/{number}/")
        except MissingError:
            return None
        return ticket

    def _changed(self, ticket: _Ticket) -> bool:
        return self._seen.get(ticket["id"]) != _state(ticket)

    def _document(self, ticket: _Ticket, since: int, followed: set[int]) -> Document:
        state, before = _state(ticket), self._seen.get(ticket["id"])
        own = [each for each in ticket["followup_set"] if not each["title"].startswith(_MERGED)]
        dates = [instant_of(each["date"]) for each in ticket["followup_set"]]
        explained = ticket["id"] in followed and (before is None or before[:_DIGEST] != state[:_DIGEST])
        lookups = {
            "observed": None if explained else _now(),
            "new": before is None and bool(own) and instant_of(own[0]["date"]) > since + self._known,
            "first": own[0] if own else None,
        }
        return Document(str(ticket["id"]), max(dates, default=since), payload("tickets", ticket, **lookups))


def _deleted(number: int, since: int) -> Document:
    return Document(f"{number}/deleted", since, payload("deleted", {"id": number}, observed=_now()))


def _state(ticket: _Ticket) -> bytes:
    """A hash of its follow-ups, then one of everything else."""
    rest = {key: value for key, value in ticket.items() if key != "followup_set"}
    return _hash([each["id"] for each in ticket["followup_set"]]) + _hash(rest)


def _hash(what: object) -> bytes:
    return blake2b(orjson.dumps(what, option=orjson.OPT_SORT_KEYS), digest_size=_DIGEST).digest()


def _now() -> str:
    return format_instant(time.time_ns() // 1_000)


API: Final = Api(
    name="django-helpdesk",
    credentials="user:password of an account that is staff",
    headers=basic,
    resources=lambda client: (_Tickets(client),),
)
