"""A consumer without a group over the log in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import NotLeaderForPartitionError, RequestTimedOutError

from tests.simulation.producers import BACKOFF, WAIT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from faust.types import TP

    from tests.simulation.brokers import Brokers
    from tests.simulation.log import Entry


class Reader:
    """Reads committed records of the partitions that it is given."""

    def __init__(self, brokers: Brokers, most: int) -> None:
        """``most``: records that one fetch brings of a partition."""
        self._log: Final = brokers.log
        self._network: Final = brokers.network
        self._most: Final = most
        self._positions: dict[TP, int] = {}

    async def start(self) -> None:
        await self._fetched(lambda: None)

    async def stop(self) -> None:
        """Let go of the connections."""

    async def beginning_offsets(self, partitions: Collection[TP]) -> Mapping[TP, int]:
        first: Mapping[TP, int] = await self._fetched(lambda: dict.fromkeys(partitions, 0))
        return first

    async def end_offsets(self, partitions: Collection[TP]) -> Mapping[TP, int]:
        log = self._log
        ends: Mapping[TP, int] = await self._fetched(
            lambda: {tp: log.of(tp.topic, tp.partition).lead().stable for tp in partitions}
        )
        return ends

    def assign(self, partitions: Collection[TP]) -> None:
        self._positions = dict.fromkeys(partitions, 0)

    def seek(self, partition: TP, offset: int) -> None:
        self._positions[partition] = offset

    async def position(self, partition: TP) -> int:
        return self._positions[partition]

    async def getmany(self, *partitions: TP, timeout_ms: int) -> Mapping[TP, list[Entry]]:
        """What there is, after a while if there is nothing."""
        wanted = partitions or tuple(self._positions)

        def read() -> dict[TP, tuple[list[Entry], int]]:
            found = {}
            for tp in wanted:
                log = self._log.of(tp.topic, tp.partition).lead()
                found[tp] = log.read(self._positions[tp], log.end, self._most)
            return found

        found = await self._fetched(read)
        moved = False
        for tp, (_, offset) in found.items():
            moved = moved or offset > self._positions[tp]
            self._positions[tp] = offset
        if not moved:
            await asyncio.sleep(timeout_ms / 1_000)
        return {tp: records for tp, (records, _) in found.items() if records}

    async def _fetched(self, request: Callable[[], Any]) -> Any:
        while True:
            try:
                return await self._network.ask("read", request)
            except RequestTimedOutError:
                await asyncio.sleep(BACKOFF)
            except NotLeaderForPartitionError:
                await asyncio.sleep(WAIT)
