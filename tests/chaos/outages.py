"""How long a fault keeps a partition from being served: until everything that was published after it is processed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError

from tests.chaos.recording import committed
from tests.chaos.workload import PARTITIONS

if TYPE_CHECKING:
    from stream.runtime.topics import Topics
    from tests.chaos.helpdesk import Helpdesk

_LOOK_SECONDS: Final = 0.25


class Watch:
    """Looks again and again how far the group has committed. Instants are epoch microseconds, real ones."""

    def __init__(self, bootstrap: str, topics: Topics, helpdesk: Helpdesk) -> None:
        self._bootstrap: Final = bootstrap
        self._topics: Final = topics
        self._helpdesk: Final = helpdesk
        self._waiting: dict[str, dict[int, int | None]] = {}
        self._since: dict[str, int] = {}
        self.outages: dict[str, float] = {}
        """Name of a fault to seconds from its beginning until all partitions were served again."""

    def begin(self, name: str) -> None:
        """The fault begins now."""
        self._since[name] = time.time_ns() // 1_000
        self._waiting[name] = dict.fromkeys(range(PARTITIONS))

    def served(self, name: str) -> bool:
        return name in self.outages

    async def look(self) -> None:
        """For ever."""
        while True:
            try:
                reached = await committed(self._bootstrap, self._topics.app_id, self._topics.events)
            except (KafkaError, TimeoutError, OSError):
                reached = {}
            now = time.time_ns() // 1_000
            for name in list(self._waiting):
                self._see(name, reached, now)
            await asyncio.sleep(_LOOK_SECONDS)

    def _see(self, name: str, reached: dict[int, int], now: int) -> None:
        waiting = self._waiting[name]
        for partition, probe in list(waiting.items()):
            if probe is None:
                at, offset = self._helpdesk.published.get(partition, (0, 0))
                if at > self._since[name]:
                    waiting[partition] = offset
            elif reached.get(partition, 0) > probe:
                del waiting[partition]
        if not waiting:
            del self._waiting[name]
            self.outages[name] = (now - self._since[name]) / 1e6
