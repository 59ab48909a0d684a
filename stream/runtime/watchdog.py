"""Ends a worker that has work and makes no progress, so that its supervisor restarts it or other workers take over.

Kafka clients can stop without an error: a fetch gets no answer, or a commit waits for ever. The group considers such a worker
alive. So the watchdog checks each kind of work: a worker stands still if there is work and a number of checks in a row find no
progress. It counts checks instead of seconds, because a suspended process makes no checks.
"""

from __future__ import annotations

import asyncio
import threading
import time
from math import ceil
from typing import TYPE_CHECKING, Final, Protocol

from aiokafka.errors import KafkaError

from stream.runtime.abort import abort

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faust.types import TP

    from stream.runtime.kafka.consumer import Consumer
    from stream.runtime.partition.task import PartitionTask
    from stream.runtime.recovery.store import Store

CHECKS: Final = 8
"""The number of checks without progress that end the worker. A rebalance allows more."""


class StandstillError(Exception):
    """There is work without progress; the text names the work."""


class Standstill:
    """Counts, for each kind of work, the checks in a row without progress."""

    def __init__(self, patience: int = CHECKS) -> None:
        """``patience`` is the number of checks without progress that raise an error."""
        self._patience: Final = patience
        self._seen: dict[str, tuple[object, int]] = {}

    def check(self, what: str, *, busy: bool, progress: object) -> None:
        """Check one kind of work. ``busy``: there is work. ``progress``: a value that changes when some of it is done.

        Raises StandstillError.
        """
        before, checks = self._seen.get(what, (progress, -1))
        checks = checks + 1 if busy and progress == before else 0
        if checks >= self._patience:
            raise StandstillError(f"there is work, but no progress: {what}")
        self._seen[what] = progress, checks

    def reset(self) -> None:
        """Start counting again: during a rebalance there is no work."""
        self._seen.clear()


class MonitoredWorker(Protocol):
    """The attributes of a worker (``stream.runtime.app``) that the watchdog reads at each check."""

    @property
    def rebalancing(self) -> bool:
        """Whether partitions are moving between workers."""

    @property
    def consumer_generation_id(self) -> int:
        """A number that changes with each rebalance."""

    @property
    def tasks(self) -> Mapping[int, PartitionTask]:
        """The tasks of the worker's partitions, by number."""

    @property
    def consumer(self) -> Consumer: ...

    @property
    def store(self) -> Store: ...


class Watchdog:
    """Checks a worker until the process ends, and ends the process if the worker stands still."""

    def __init__(self, worker: MonitoredWorker, allowed: float, rebalance: float, commit: float) -> None:
        """All in seconds: ``allowed`` is how long work may stand still, ``rebalance`` how long the group waits at most for its
        members in a rebalance, and ``commit`` how long finished work may wait for the next commit.
        """
        self._worker: Final = worker
        self._interval: Final = allowed / CHECKS
        self._standstill: Final = Standstill()
        self._committing: Final = Standstill(CHECKS + ceil(commit / self._interval))
        self._moving: Final = Standstill(CHECKS + round(rebalance / self._interval))
        self.ends: Mapping[TP, int] = {}
        """The end offsets of our input partitions, from the broker's last answer."""
        self._checks = 0

    def lag(self, source: TP) -> int | None:
        """The number of published records of an input partition that are not committed; ``None`` if it is not known yet."""
        end = self.ends.get(source)
        return None if end is None else max(0, end - self._worker.consumer.committed(source))

    async def watch(self) -> None:
        """Check at regular intervals. A thread checks in turn that the event loop runs, and ends a process whose loop hangs."""
        threading.Thread(target=self._watch_the_loop, name="watchdog", daemon=True).start()
        request: asyncio.Task[Mapping[TP, int]] | None = None
        while True:
            await asyncio.sleep(self._interval)
            self._checks += 1
            if request is None:
                request = asyncio.create_task(self._fetch_ends())
            elif request.done():
                self.ends, request = request.result(), None
            try:
                self._check()
            except StandstillError as error:
                abort("by its watchdog", error)

    async def _fetch_ends(self) -> Mapping[TP, int]:
        """The end offsets of the input, or the known ones if the broker does not answer."""
        owned = [task.shard.source for task in self._worker.tasks.values()]
        try:
            ends: Mapping[TP, int] = await self._worker.consumer.highwaters(*owned) if owned else {}
        except KafkaError:
            return self.ends
        return ends

    def _check(self) -> None:
        worker, check = self._worker, self._standstill.check
        moving = worker.rebalancing or not all(task.life.active for task in worker.tasks.values())
        restored = worker.consumer_generation_id, worker.store.progress
        self._moving.check("joining the group and restoring tickets", busy=moving, progress=restored)
        if moving:
            self._standstill.reset()
            self._committing.reset()
            return
        for number, task in worker.tasks.items():
            busy, progress = worker.consumer.input_of(task.shard.source, self.ends.get(task.shard.source, 0))
            check(f"the input of partition {number}", busy=busy, progress=(progress, task.units))
            check(f"a unit of work or due timers of partition {number}", busy=task.has_work(), progress=task.units)
        self._committing.check("committing", busy=worker.consumer.uncommitted(), progress=worker.consumer.commits)

    def _watch_the_loop(self) -> None:
        hanging = Standstill()
        while True:
            time.sleep(self._interval)
            try:
                hanging.check("the event loop", busy=True, progress=self._checks)
            except StandstillError as error:
                abort("by its watchdog", error)
