"""Request Tracker 5, by REST2: every transaction of a ticket, in the form in which the scrip of the feed posts it.

What the API does, as tried on 5.0.3:

- Transactions have rising ids, but are given them before they are committed: an id may show after a later one. So a pass begins
  ``look_back`` before the newest transaction, by its time.
- A page has the transactions that the account may see *of 100 rows*: a short page, or an empty one, is not the end. So the
  newest visible transaction is requested first, and pages are read up to it.
- Times in a query have the form ``YYYY-MM-DD HH:MM:SS`` and are UTC; in the form of the answers they match nothing.
- Values are ids: an owner ``27``, a queue ``3``, a custom field ``2``. Whether a user is privileged is only in ``/user/27``: in
  the creator of a transaction ``Privileged`` is empty.
- ``/ticket/2`` of a merged ticket answers the other ticket.
- A transaction does not have the state of its ticket. What a ticket was created with is what its first changes began from, and
  for fields that never changed, what the ticket has now.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from stream.pull.api import Api, Document, Page, basic
from stream.pull.client import instant_of
from stream.pull.lookup import Lookup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from stream.pull.client import Client

_SIZE: Final = 100
"""The most rows of a page that RT allows."""
_LAST_PAGES: Final = 5
"""So many pages from the end are searched for a transaction that the account may see. One that more than 500 others follow,
which the account may not see, waits for the next that it may see."""
_FIELDS: Final = "Type,Field,OldValue,NewValue,Creator,Created,ObjectId"
_SYSTEM: Final = "RT_System"
_TICKETS: Final = {"field": "ObjectType", "value": "RT::Ticket"}
_CHANGES: Final = ("Status", "Set", "CustomField")

_Row = dict[str, Any]


def _headers(text: str) -> Mapping[str, str]:
    return basic(text) if ":" in text else {"Authorization": f"token {text}"}


class _Transactions:
    """All transactions of tickets."""

    name: Final = "transactions"
    look_back: Final = 30_000_000

    def __init__(self, client: Client) -> None:
        self._client: Final = client
        self._records: Final = Lookup(lambda path: client.get(f"/REST/2.0{path}"))

    async def pages(self, since: int) -> AsyncIterator[Page]:
        begin = {
            "field": "Created",
            "operator": ">=",
            "value": f"{datetime.fromtimestamp(since // 1_000_000, UTC):%Y-%m-%d %H:%M:%S}",
        }
        newest = await self._newest(begin)
        last, page = 0, 1
        while last < newest:
            after = begin if not last else {"field": "id", "operator": ">", "value": last}
            rows = await self._rows([_TICKETS, after], "ASC", page)
            if not rows:
                page += 1
                continue
            last, page = int(rows[-1]["id"]), 1
            documents = await asyncio.gather(*(self._document(row) for row in rows))
            yield Page(documents, up_to=documents[-1].cursor)

    async def _newest(self, begin: Mapping[str, Any]) -> int:
        """The id of the newest transaction that the account may see; 0: there is none."""
        for page in range(1, _LAST_PAGES + 1):
            if rows := await self._rows([_TICKETS, begin], "DESC", page):
                return int(rows[0]["id"])
        return 0

    async def _rows(self, query: Sequence[Mapping[str, Any]], order: str, page: int = 1) -> list[_Row]:
        text = orjson.dumps(query).decode()
        parameters: dict[str, str | int] = {
            "query": text,
            "orderby": "id",
            "order": order,
            "page": page,
            "per_page": _SIZE,
            "fields": _FIELDS,
        }
        answer = await self._client.get("/REST/2.0/transactions", parameters)
        rows: list[_Row] = answer["items"]
        return rows

    async def _document(self, row: _Row) -> Document:
        kind, field, ticket = row["Type"], row["Field"], row["ObjectId"]
        custom = await self._name(f"/customfield/{field}") if kind == "CustomField" else ""
        payload = {
            "transaction": int(row["id"]),
            "type": kind,
            "field": field,
            "custom_field": custom or None,
            "old": row["OldValue"],
            "new": row["NewValue"],
            "created": row["Created"],
            "ticket": int(ticket),
            "effective": _merged_into(row) or int(ticket),
            "creator": await self._creator(row),
            "state": await self._created_with(ticket) if kind == "Create" else await self._changed_to(row, custom),
        }
        return Document(row["id"], instant_of(row["Created"]), payload)

    async def _creator(self, row: _Row) -> dict[str, Any]:
        name = row["Creator"]["id"]
        user = await self._records.get(f"/user/{name}") or {}
        privileged = str(user.get("Privileged", "")) == "1"
        # Only agents are looked up: an agent who requested the ticket does not answer it.
        asks = privileged and row["Type"] in ("Correspond", "Create") and name in await self._requestors(row["ObjectId"])
        return {"name": name, "privileged": privileged, "system": name == _SYSTEM, "requestor": asks or not privileged}

    async def _requestors(self, ticket: str) -> list[str]:
        found = await self._records.get(f"/ticket/{ticket}") or {}
        return [each["id"] for each in found.get("Requestor") or []]

    async def _changed_to(self, row: _Row, custom: str) -> dict[str, Any]:
        """The part of the ticket's state that the transaction itself sets, with names for ids."""
        field, new = row["Field"], row["NewValue"]
        if row["Type"] == "CustomField":
            return _with_contract({"custom_fields": {custom: new}})
        if row["Type"] == "Status":
            return {"status": new}
        if row["Type"] != "Set":
            return {}
        return {field.lower(): await self._named(field, new), **({"owner_id": new} if field == "Owner" else {})}

    async def _named(self, field: str, value: str) -> str:
        path = {"Owner": "/user/", "Queue": "/queue/"}.get(field)
        return value if path is None or not value else await self._name(path + value) or value

    async def _name(self, path: str) -> str:
        found = await self._records.get(path) or {}
        return str(found.get("Name") or "")

    async def _created_with(self, ticket: str) -> dict[str, Any]:
        """The state of a ticket when it was created."""
        # Not remembered: this one must be as new as the changes that are taken back from it.
        now = await self._client.get(f"/REST/2.0/ticket/{ticket}")
        state = _state(now) if str(now["id"]) == ticket else {"custom_fields": {}}
        if "queue" in state:
            state["queue"] = await self._named("Queue", state["queue"])
            owner = await self._records.get(f"/user/{state['owner']}") or {}
            state["owner_id"] = _id_of(owner)
        of_ticket = [_TICKETS, {"field": "ObjectId", "value": ticket}]
        changed, last = set[str](), 0
        while rows := await self._rows([*of_ticket, {"field": "id", "operator": ">", "value": last}], "ASC"):
            last = int(rows[-1]["id"])
            for row in (row for row in rows if row["Type"] in _CHANGES and row["Type"] + row["Field"] not in changed):
                changed.add(row["Type"] + row["Field"])
                if row["Type"] == "CustomField":
                    state["custom_fields"][await self._name(f"/customfield/{row['Field']}")] = row["OldValue"] or None
                else:
                    state[row["Field"].lower()] = await self._named(row["Field"], row["OldValue"])
                    if row["Field"] == "Owner":
                        state["owner_id"] = row["OldValue"]
        return _with_contract(state)


def _state(ticket: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "status": ticket["Status"],
        "queue": ticket["Queue"]["id"],
        "owner": ticket["Owner"]["id"],
        "priority": ticket["Priority"],
        "sla": ticket.get("SLA") or None,
        "custom_fields": {
            each["name"]: each["values"][0] if len(each["values"]) == 1 else each["values"] or None
            for each in ticket.get("CustomFields") or []
        },
    }


def _with_contract(state: dict[str, Any]) -> dict[str, Any]:
    """With the custom field that the scrip posts beside the others."""
    custom = state["custom_fields"]
    return {**state, "contract": custom["Contract"]} if "Contract" in custom else state


def _id_of(user: Mapping[str, Any]) -> str | None:
    """The number of a user, which an answer has only in its links."""
    link = next((each for each in user.get("_hyperlinks") or [] if each.get("ref") == "self"), None)
    return str(link["id"]) if link and "id" in link else None


def _merged_into(row: _Row) -> int | None:
    """The ticket into which this one was merged, from ``fsck.com-rt://desk.example/ticket/1``."""
    if row["Type"] != "AddLink" or row["Field"] != "MergedInto":
        return None
    number = str(row["NewValue"]).rpartition("/")[2]
    return int(number) if number.isdecimal() else None


API: Final = Api(
    name="rt",
    credentials="a token of RT's REST2 API, or user:password",
    headers=_headers,
    resources=lambda client: (_Transactions(client),),
)
