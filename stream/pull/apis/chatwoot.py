"""Chatwoot: conversations and their messages, of the account that the access token has.

What the API does, by its documentation:

- A list of conversations cannot begin at a time. It is read from the newest activity on, until it is older. Whatever becomes
  active meanwhile moves to its top: it is read in the next pass, and nothing is skipped.
- A page has 25 conversations, and 20 messages; older messages are those ``before`` one.
- Times of activity have whole seconds.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from stream.pull.api import Api, Document, Page, payload
from stream.pull.errors import ForbiddenError, MissingError, RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from stream.pull.client import Client

_RESOURCE: Final = "conversations"

_Record = dict[str, Any]


def _headers(text: str) -> Mapping[str, str]:
    if not text.isalnum():
        raise ValueError("they must be the access token of an administrator, letters and digits")
    return {"api_access_token": text}


class _Conversations:
    """All conversations of the account, each with its messages."""

    name: Final = _RESOURCE
    look_back: Final = 60_000_000

    def __init__(self, client: Client) -> None:
        self._client: Final = client
        self._account = 0

    async def pages(self, since: int) -> AsyncIterator[Page]:
        root = f"/api/v1/accounts/{await self._account_number()}/conversations"
        page, begin = 1, since // 1_000_000
        while True:
            query: dict[str, str | int] = {
                "status": "all",
                "assignee_type": "all",
                "sort_by": "last_activity_at_desc",
                "page": page,
            }
            found = (await self._client.get(root, query))["data"]["payload"]
            fresh = [one for one in found if one["last_activity_at"] >= begin]
            if fresh:
                documents = await asyncio.gather(*(self._documents(root, one, since) for one in fresh))
                yield Page([document for some in documents for document in some])
            if len(fresh) < len(found) or not found:
                return
            page += 1

    async def _account_number(self) -> int:
        if not self._account:
            profile = await self._client.get("/api/v1/profile")
            if not profile.get("account_id"):
                raise RefusedError("the access token has no account: use that of an administrator, from the profile settings")
            self._account = profile["account_id"]
        return self._account

    async def _documents(self, root: str, conversation: _Record, since: int) -> list[Document]:
        number, changed = str(conversation["id"]), int(conversation["last_activity_at"]) * 1_000_000
        documents = [Document(number, changed, payload(_RESOURCE, {"conversation": conversation}))]
        for message in await self._messages(f"{root}/{number}/messages", since):
            body = {"conversation": conversation, "message": message}
            documents.append(Document(f"{number}/{message['id']}", changed, payload(_RESOURCE, body)))
        return documents

    async def _messages(self, path: str, since: int) -> list[_Record]:
        """The messages since an instant. None if the conversation was deleted a moment ago."""
        fresh, before = list[_Record](), dict[str, str | int]()
        while True:
            try:
                found = (await self._client.get(path, before))["payload"]
            except (MissingError, ForbiddenError):
                return fresh
            newer = [message for message in found if message["created_at"] * 1_000_000 >= since - since % 1_000_000]
            fresh += newer
            if not found or len(newer) < len(found):
                return fresh
            before = {"before": min(message["id"] for message in found)}


API: Final = Api(
    name="chatwoot",
    credentials="the access token of an administrator",
    headers=_headers,
    resources=lambda client: (_Conversations(client),),
)
