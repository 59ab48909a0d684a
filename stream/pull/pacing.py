"""The pace of requests: a limit per minute."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_MINUTE: Final = 60.0


class Pace:
    """At most so many requests in any minute."""

    def __init__(self, per_minute: int, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep: Final = sleep
        self._sent: Final = deque[float](maxlen=per_minute)

    async def wait(self) -> None:
        """Return when another request may be sent. It counts as sent."""
        now = time.monotonic()
        due = now if len(self._sent) < (self._sent.maxlen or 1) else max(now, self._sent[0] + _MINUTE)
        # Before the pause: a request that comes meanwhile waits for this one.
        self._sent.append(due)
        if due > now:
            await self._sleep(due - now)
