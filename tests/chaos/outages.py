"""How long a fault keeps a partition from being served: until everything that was published after it is processed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka.errors import KafkaError

from tests.chaos.recording import committed
from tests.chaos.workload import PARTITIONS

if TYPE_CHECKING:
    from stream.runtime.kafka.topics import Topics
    from tests.chaos.helpdesk import Helpdesk

_CHECK_SECONDS: Final = 0.25


class Outage(NamedTuple):
    """From the beginning of a fault until all partitions were served again."""

    seconds: float
    alone: bool
    """Whether no other fault began meanwhile, nor was still felt when it began."""


class OutageMonitor:
    """Checks again and again how far the group has committed. Instants are epoch microseconds, real ones."""

    def __init__(self, bootstrap: str, topics: Topics, helpdesk: Helpdesk) -> None:
        self._bootstrap: Final = bootstrap
        self._topics: Final = topics
        self._helpdesk: Final = helpdesk
        self._waiting: dict[str, dict[int, int | None]] = {}
        self._since: dict[str, int] = {}
        self._after_others: set[str] = set()
        self.outages: dict[str, Outage] = {}
        """By the name of the fault."""

    def begin(self, name: str) -> None:
        """The fault begins now."""
        if self._waiting:
            self._after_others.add(name)
        self._since[name] = time.time_ns() // 1_000
        self._waiting[name] = dict.fromkeys(range(PARTITIONS))

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                reached = await committed(self._bootstrap, self._topics.group, self._topics.events)
            except (KafkaError, TimeoutError, OSError):
                reached = {}
            now = time.time_ns() // 1_000
            for name in list(self._waiting):
                self._see(name, reached, now)
            await asyncio.sleep(_CHECK_SECONDS)

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
            began = self._since[name]
            alone = name not in self._after_others and not any(began < other <= now for other in self._since.values())
            self.outages[name] = Outage((now - began) / 1e6, alone)
