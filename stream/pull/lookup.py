"""Remembers what an API answered about users, queues and the like, for an hour."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from stream.pull.errors import ForbiddenError, MissingError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_SECONDS: Final = 3_600.0
_MOST: Final = 50_000


class Lookup:
    """Answers by key, such as ``/user/27``. Callers that need the same key at the same time share one request."""

    def __init__(self, request: Callable[[str], Awaitable[Any]], seconds: float = _SECONDS) -> None:
        """``request`` raises ``stream.pull.client.ApiError``. ``seconds``: how old an answer may be."""
        self._ask: Final = request
        self._seconds: Final = seconds
        self._answers = dict[str, tuple[float, asyncio.Task[Any]]]()

    async def get(self, key: str) -> Any:
        """The answer of the API. ``None`` if there is nothing, or if the account may not see it. Raises the other ApiErrors."""
        known = self._answers.get(key)
        if known is None or time.monotonic() - known[0] > self._seconds:
            if len(self._answers) >= _MOST:
                self._answers.clear()
            known = self._answers[key] = time.monotonic(), asyncio.ensure_future(self._asked(key))
        try:
            return await asyncio.shield(known[1])
        except BaseException:
            self._answers.pop(key, None)
            raise

    async def _asked(self, key: str) -> Any:
        try:
            return await self._ask(key)
        except (MissingError, ForbiddenError):
            return None
