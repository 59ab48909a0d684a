"""The source of a run's input: publishes each record when its time has come, and now and then twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from stream.runtime.kafka.transport import Record
from stream.runtime.settings import ClockMode
from stream.wire.decode import RejectReason
from stream.wire.effect import encode_tick
from tests.chaos.pace import MINUTE
from tests.chaos.workload import BAD, PARTITIONS, Planned
from tests.simulation.log import Append

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.simulation.worker import Simulation


def may_be_published(one: Planned, clock: ClockMode) -> bool:
    """Where the feed gives the time, nothing is too far in the future to be believed."""
    return clock is ClockMode.WALL or one.bad != RejectReason.FUTURE


class Helpdesk:
    """``published``: all records until now."""

    def __init__(self, simulation: Simulation) -> None:
        self.published: list[Planned] = []
        self._simulation: Final = simulation

    def minute(self) -> int:
        """The whole minute that was last, in the run's time."""
        return self._simulation.pace.at(int(self._simulation.loop.time() * 1e6)) // MINUTE * MINUTE

    async def follow(self, feed: Iterable[Planned]) -> None:
        """Publish these in their order, each when its time has come."""
        simulation = self._simulation
        for one in feed:
            ahead = (one.when - simulation.pace.shows) / simulation.pace.speed / 1e6 - simulation.loop.time()
            if ahead > 0:
                await asyncio.sleep(ahead)
            # Whoever gets no answer publishes again.
            self.publish([one] * (2 if simulation.random.random() < simulation.brokers.network.trouble else 1))

    async def tick(self) -> None:
        """For ever: publish each minute how far the feed is, if workers go by that."""
        while self._simulation.settings.clock is ClockMode.EVENT:
            tick = encode_tick("desk", self.minute())
            self.publish([Planned(0, number, None, tick) for number in range(PARTITIONS)])
            await asyncio.sleep(1)

    def publish(self, records: Iterable[Planned]) -> None:
        """Publish these at once."""
        simulation = self._simulation
        for one in records:
            if not may_be_published(one, simulation.settings.clock):
                continue
            record = Record(one.key, one.value, [(BAD, one.bad.encode())] if one.bad else [])
            partition = simulation.brokers.log.of(simulation.topics.events, one.partition)
            # In the run's time, as the instants of the events.
            partition.append(Append(None, 0, False, [record]), simulation.pace.at(int(simulation.loop.time() * 1e6)) // 1_000)
            self.published.append(one)
