"""The source of a run's input: publishes each record when its time has come, and now and then twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from stream.runtime.kafka.transport import Record
from tests.chaos.pace import MINUTE
from tests.chaos.workload import BAD, Planned
from tests.simulation.log import Append

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.simulation.worker import World


class Helpdesk:
    """``told``: what was published until now."""

    def __init__(self, world: World) -> None:
        self.told: list[Planned] = []
        self._world: Final = world

    def minute(self) -> int:
        """The whole minute that was last, in the run's time."""
        return self._world.pace.at(int(self._world.loop.time() * 1e6)) // MINUTE * MINUTE

    async def publish(self, feed: Iterable[Planned]) -> None:
        """Publish these in their order, each when its time has come."""
        world = self._world
        for one in feed:
            ahead = (one.when - world.pace.shows) / world.pace.speed / 1e6 - world.loop.time()
            if ahead > 0:
                await asyncio.sleep(ahead)
            # Whoever gets no answer publishes again.
            self.say([one] * (2 if world.random.random() < world.brokers.network.trouble else 1))

    def say(self, records: Iterable[Planned]) -> None:
        """Publish these at once."""
        world = self._world
        for one in records:
            record = Record(one.key, one.value, [(BAD, one.bad.encode())] if one.bad else [])
            partition = world.brokers.log.of(world.topics.events, one.partition)
            partition.append(Append(None, 0, False, [record]), world.brokers.network.now_ms)
            self.told.append(one)
