"""The input of one worker: what ``stream.runtime.kafka.transport.Consumer`` and Faust do, over the log in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka.errors import KafkaError, NotLeaderForPartitionError, RebalanceInProgressError, RequestTimedOutError

from stream.runtime.kafka.positions import Batch, Positions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from faust.types import TP

    from stream.runtime.partition.task import PartitionTask
    from tests.simulation.brokers import Brokers
    from tests.simulation.coordinators import Group
    from tests.simulation.network import GroupLink

_AHEAD: Final = 4
"""Fetched batches of a partition that may wait to be processed."""
_TRIES: Final = 3


class Delivered:
    """What a partition task gets: a batch, and the callback for the end of its processing."""

    def __init__(self, value: Batch, acknowledged: Callable[[], None]) -> None:
        self.value: Final = value
        self._acknowledged: Final = acknowledged

    def ack(self) -> None:
        self._acknowledged()


class Membership(NamedTuple):
    """As what this worker commits."""

    member: str
    generation: int


class Consumer:
    """Batches in, finished positions out. Positions hold for one generation of the group."""

    def __init__(self, brokers: Brokers, group: Group, link: GroupLink, random: Random, batch: int) -> None:
        """``batch``: records that one fetch brings, at most."""
        self.membership = Membership("", -1)
        self._brokers: Final = brokers
        self._group: Final = group
        self._link: Final = link
        self._random: Final = random
        self._batch: Final = batch
        self._positions: Final = Positions()
        self._committed: dict[TP, int] = {}

    def finish(self, tp: TP, batch: Batch) -> None:
        self._positions.finish(tp, batch)

    def committed(self, tp: TP) -> int:
        return self._committed.get(tp, 0)

    async def highwaters(self, *tps: TP) -> Mapping[TP, int]:
        log = self._brokers.log
        ends: Mapping[TP, int] = await self._answered(lambda: {tp: log.of(tp.topic, tp.partition).lead().end for tp in tps})
        return ends

    async def prove(self, tp: TP) -> None:
        """Raises KafkaError if the partition is not ours."""
        await self._commit_or_raise({tp: self._positions.finished.get(tp) or self.committed(tp)})

    async def is_member(self) -> bool:
        membership, now = self.membership, self._brokers.network.loop.time
        try:
            await self._link.ask("group", lambda: self._group.heartbeat(*membership, now()))
        except RebalanceInProgressError:
            return True
        except KafkaError:
            return False
        return True

    async def commit(self) -> None:
        """Commit what is finished. What the brokers refuse is tried again later, by whoever has the partition then."""
        ends = self._positions.to_commit(self._positions.finished, self._committed)
        if not ends:
            return
        try:
            await self._commit_or_raise(ends)
        except KafkaError:
            return
        for tp, end in ends.items():
            if tp in self._positions.finished:
                self._committed[tp] = end

    def forget(self) -> None:
        """Another generation: positions are asked for anew."""
        self._positions.forget()
        self._committed.clear()

    async def seek(self, tps: frozenset[TP]) -> None:
        """Set each position to what the group has committed."""
        found = await self._answered(lambda: dict(self._group.committed))
        self.forget()
        self._committed.update({tp: found[tp.partition] for tp in tps if tp.partition in found})

    async def feed(self, tp: TP, task: PartitionTask, current: Callable[[], bool]) -> None:
        """Hand the input of a partition to its task, batch by batch, as long as the generation is the current one."""
        log, loop = self._brokers.log.of(tp.topic, tp.partition), asyncio.get_running_loop()
        position, delivered = self.committed(tp), self._positions.delivered
        waiting, room = 0, asyncio.Event()

        def acknowledged() -> None:
            nonlocal waiting
            waiting -= 1
            room.set()

        while current():
            if waiting >= _AHEAD:
                room.clear()
                await room.wait()
                continue
            most = self._random.randint(1, self._batch)
            start = position
            records, reached = await self._answered(lambda: log.lead().read(start, log.end, most))  # noqa: B023
            if not current():
                return
            caught_up = not records and not task.life.live and reached >= task.shard.catch_up_to
            if records or (caught_up and reached != delivered.get(tp)):
                waiting += 1
                end = records[-1].offset + 1 if records else reached
                batch = self._positions.deliver(tp, records, end)
                task.offer(Delivered(batch, acknowledged))
                position = batch.end
            elif log.end > position:
                continue
            else:
                more: Any = loop.create_future()
                log.appended.append(lambda: more.done() or more.set_result(None))  # noqa: B023
                await more

    async def _commit_or_raise(self, ends: Mapping[TP, int]) -> None:
        membership = self.membership
        offsets = {tp.partition: end for tp, end in ends.items()}
        now = self._brokers.network.loop.time

        def request() -> None:
            self._group.commit(membership.member, membership.generation, offsets, now())

        for left in reversed(range(_TRIES)):
            try:
                await self._link.ask("commit", request)
            except RequestTimedOutError:
                if not left:
                    raise
            else:
                return

    async def _answered(self, request: Callable[[], Any]) -> Any:
        while True:
            try:
                return await self._brokers.network.ask("input", request)
            except (RequestTimedOutError, NotLeaderForPartitionError):
                await asyncio.sleep(0.1)
