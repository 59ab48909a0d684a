"""Selects the engine that judges a ticket in a unit of work: its deployments, its gaps of the input and its stale feeds.

A ticket that is judged by an older deployment than the newest is swept again: it may have passed the newest one without
meeting it, and nothing may ever wake it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.runtime.partition.sweep import Sweep
from stream.runtime.recovery.tickets import Tickets
from stream.runtime.settings import ClockMode
from stream.runtime.timers import TimerQueue
from stream.sla.policy.timeline import NEVER

if TYPE_CHECKING:
    from stream.runtime.partition.shard import Shard
    from stream.runtime.settings import Settings
    from stream.sla.engine import Engine
    from stream.sla.ticket.state import State


class Engines:
    """The engine of a unit of work, and engines that know only a part of its deployments. Instants are epoch microseconds."""

    def __init__(self, engine: Engine, settings: Settings, shard: Shard, clock: int) -> None:
        """``clock``: the machine's clock at the beginning of the unit."""
        self.current: Engine = engine.snapshot(shard.doubts) if shard.gaps else engine
        """Knows all deployments."""
        self.newest: Final[int] = engine.deployments.timeline.last.number
        """The number of the newest deployment."""
        self.judged_by: Final[dict[bytes, int]] = {}
        """Record keys of tickets to the newest deployment that they were judged by, where that is not the newest of all."""
        self.stale_from = NEVER
        """From this instant on feeds are stale that are not known to be."""
        self._until: dict[int, Engine] = {}
        """Engines that know only a part of the deployments, by the last that they know."""
        self._shard: Final = shard
        self._deployed: Final = shard.outputs.deployed
        self._feeds: Final = shard.feeds
        self._clock: Final = clock
        self._clock_is_feed: Final[bool] = settings.clock is ClockMode.EVENT
        self.find_stale(self.reached())

    def of(self, key: bytes, state: State | None) -> Engine:
        """The engine that judges a ticket: as long as effects of a predecessor are to be found again, with what it knew."""
        number = self._deployed.get(key) if self._deployed else None
        if number is None or (state is not None and state.head.deployment > number):
            return self.current
        engine = self._until.get(number)
        if engine is None:
            engine = self._until[number] = self.current.as_of(number)
        if key not in self.judged_by:
            self.judged_by[key] = number
            if number < self.newest:
                self.sweep_again(key, number)
        return engine

    def sweep_again(self, key: bytes, deployment: int) -> None:
        """Sweep a ticket that is judged by an older ``deployment`` than the newest."""
        shard, newest = self._shard, self.newest
        if shard.sweep is not None and shard.sweep.number == newest:
            shard.sweep.add(key)
        elif shard.swept == newest:
            shard.swept, shard.sweep = deployment, Sweep(newest, Tickets(), TimerQueue())
            shard.sweep.add(key)

    def lost(self) -> None:
        """The shard has a new gap in its input."""
        self.current = self.current.snapshot(self._shard.doubts)
        self._until.clear()

    def reached(self) -> int:
        """The instant that time has reached."""
        return self._shard.watermark if self._clock_is_feed else max(self._clock, self._shard.watermark)

    def find_stale(self, reached: int) -> None:
        """Name the feeds to the engines that are stale at the instant ``reached``."""
        stale_from = self._feeds.stale_from()
        is_stale = reached >= stale_from
        self.stale_from = NEVER if is_stale else stale_from
        self.current.stale = self._feeds.stale() if is_stale else ()
        for engine in self._until.values():
            engine.stale = self.current.stale
