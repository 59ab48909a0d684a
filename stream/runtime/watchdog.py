"""A worker that has work and does none ends, so that its supervisor starts it again or others take over.

Clients of Kafka have been known to stop without an error: a fetch that is never answered, a commit that waits for ever. To
the group such a worker is alive. So for each kind of work there is a rule: there is some, and nothing of it was done for so
many looks. Looks are counted, not seconds: while a process is stopped nobody looks.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from aiokafka.errors import KafkaError

from stream.runtime.abort import abort

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faust.types import TP

    from stream.runtime.kafka.transport import Consumer
    from stream.runtime.partition.task import PartitionTask
    from stream.runtime.recovery.store import Store

LOOKS: Final = 8
"""Looks at work that is not done before the end; in a rebalance more."""


class StandstillError(Exception):
    """There is work, and nothing is done; the text says which."""


class Standstill:
    """Remembers, for each kind of work, for how many looks nothing of it was done."""

    def __init__(self, patience: int = LOOKS) -> None:
        """``patience``: looks at work that is not done before the end."""
        self._patience: Final = patience
        self._seen: dict[str, tuple[object, int]] = {}

    def see(self, what: str, *, busy: bool, progress: object) -> None:
        """``busy``: there is something to do; ``progress``: another value each time some of it is done.

        Raises StandstillError.
        """
        before, looks = self._seen.get(what, (progress, -1))
        looks = looks + 1 if busy and progress == before else 0
        if looks >= self._patience:
            raise StandstillError(f"there is something to do and nothing is done: {what}")
        self._seen[what] = progress, looks

    def forget(self) -> None:
        """Begin anew: a rebalance is under way, in which nothing is to be done."""
        self._seen.clear()


class Watched(Protocol):
    """What the watchdog reads of a worker (``stream.runtime.app``), each time anew."""

    @property
    def rebalancing(self) -> bool:
        """Whether partitions are moving between workers."""

    @property
    def consumer_generation_id(self) -> int:
        """Another number after each rebalance."""

    @property
    def tasks(self) -> Mapping[int, PartitionTask]:
        """Those of the partitions that the worker owns, by number."""

    @property
    def consumer(self) -> Consumer: ...

    @property
    def store(self) -> Store: ...


class Watchdog:
    """Looks after a worker for ever; ends the process."""

    def __init__(self, worker: Watched, allowed: float, rebalance: float) -> None:
        """Seconds: for which work may stand still, and for which at most the group waits for its members in a rebalance."""
        self._worker: Final = worker
        self._interval: Final = allowed / LOOKS
        self._standstill: Final = Standstill()
        self._moving: Final = Standstill(LOOKS + round(rebalance / self._interval))
        self.ends: Mapping[TP, int] = {}
        """Where the input of our partitions ends, as the broker last said."""
        self._looks = 0

    def lag(self, source: TP) -> int | None:
        """Records of an input partition that are published and not committed as processed; ``None``: not known yet."""
        end = self.ends.get(source)
        return None if end is None else max(0, end - self._worker.consumer.committed(source))

    async def watch(self) -> None:
        """One look after the other. A thread sees to it that there are any: it ends a process whose event loop hangs."""
        threading.Thread(target=self._watch_the_loop, name="watchdog", daemon=True).start()
        asking: asyncio.Task[Mapping[TP, int]] | None = None
        while True:
            await asyncio.sleep(self._interval)
            self._looks += 1
            if asking is None:
                asking = asyncio.create_task(self._ask())
            elif asking.done():
                self.ends, asking = asking.result(), None
            try:
                self._look()
            except StandstillError as error:
                abort("by its watchdog", error)

    async def _ask(self) -> Mapping[TP, int]:
        """Where the input ends; as known before, when the broker does not say."""
        owned = [task.shard.source for task in self._worker.tasks.values()]
        try:
            ends: Mapping[TP, int] = await self._worker.consumer.highwaters(*owned) if owned else {}
        except KafkaError:
            return self.ends
        return ends

    def _look(self) -> None:
        worker, see = self._worker, self._standstill.see
        moving = worker.rebalancing or not all(task.life.active for task in worker.tasks.values())
        restored = worker.consumer_generation_id, worker.store.progress
        self._moving.see("joining the group and restoring tickets", busy=moving, progress=restored)
        if moving:
            self._standstill.forget()
            return
        for number, task in worker.tasks.items():
            busy, progress = worker.consumer.input_of(task.shard.source, self.ends.get(task.shard.source, 0))
            see(f"the input of partition {number}", busy=busy, progress=(progress, task.turns))
            see(f"a turn or due deadlines of partition {number}", busy=task.has_work(), progress=task.turns)
        see("committing what is finished", busy=worker.consumer.uncommitted(), progress=worker.consumer.commits)

    def _watch_the_loop(self) -> None:
        hanging = Standstill()
        while True:
            time.sleep(self._interval)
            try:
                hanging.see("the event loop", busy=True, progress=self._looks)
            except StandstillError as error:
                abort("by its watchdog", error)
