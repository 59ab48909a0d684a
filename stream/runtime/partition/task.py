"""The one task that does all the work of a partition: its inbox, when it may work, and what it does next.

One task a partition means that a ticket is never in two hands, and that while one partition waits for the broker the
others compute.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from stream.runtime.kafka.positions import NO_TIMESTAMP
from stream.runtime.partition.commit import process_and_commit
from stream.runtime.partition.lifecycle import State
from stream.runtime.partition.sweep import Sweep

if TYPE_CHECKING:
    from faust.types import EventT

    from stream.runtime.partition.commit import WorkerContext
    from stream.runtime.partition.shard import Shard

EVENTS_SHARE: Final = 1.0
"""While deadlines are due, events have so many times as long between two units of them as the first took, and one unit at least
if there are any."""
EVENTS_SECONDS: Final = 0.2
"""But never longer."""
SWEEP_SHARE: Final = 0.5
"""While a sweep is under way, this share of the time at most is its own if there is anything else to do."""
_CLOCK_INTERVAL: Final = 0.5
"""Seconds after which the clock is read anew though no deadline was due by then: somebody may have set it."""


class PartitionTask:
    """*Held* while a rebalance runs, *released* when it is over; ``stream.runtime.partition.lifecycle`` has its states."""

    def __init__(self, context: WorkerContext, shard: Shard) -> None:
        self.shard: Final = shard
        self.life: Final = shard.life
        self.units = 0
        """The number of units of work that are over."""
        self._context = context
        self._inbox: deque[EventT] = deque()
        self._stir = asyncio.Event()
        self._working = asyncio.Lock()
        """Held for as long as a unit of work is under way."""
        self._task = asyncio.create_task(self._run(), name=f"partition {shard.number}")

    def has_work(self) -> bool:
        """Whether a unit of work is under way, or there are tickets to be woken now, by the clock."""
        soonest = None if self.shard.by_event_time else self.shard.timers.soonest()
        due = soonest is not None and soonest <= self.shard.clock(self._context.wall())
        return due or self._working.locked()

    def offer(self, event: EventT) -> None:
        """Hand over a fetched batch. Held, the partition drops it: it will be fetched again."""
        if self.life.active:
            self._inbox.append(event)
            self._stir.set()
        else:
            event.ack()

    async def hold(self) -> None:
        """Begin no new unit of work, drop what waits, and return when the one that is under way is over."""
        if self.life.active:
            self.life.enter(State.SUSPENDING)
        async with self._working:
            if self.life.state is State.SUSPENDING:
                self.life.enter(State.SUSPENDED)
                self.shard.cursor = 0
                while self._inbox:
                    self._inbox.popleft().ack()

    def release(self, catch_up_to: int) -> None:
        """Go on. Live again when the input is processed up to this offset: it is where the input ended just now.

        Raises IllegalTransitionError when the partition is not held.
        """
        self.life.enter(State.CATCHING_UP)
        self.shard.catch_up_to = catch_up_to
        self._stir.set()

    async def close(self) -> None:
        """Another worker has the partition, or this one ends: no more units of work.

        Raises IllegalTransitionError when the partition is not held.
        """
        self.life.enter(State.CLOSED)
        self._task.cancel()
        await self.shard.outputs.close()

    async def _run(self) -> None:
        # When there is both, they alternate: a unit of deadlines, then events for as long as that took. Events come in
        # many small batches, and one batch for each unit of a flood of deadlines would keep them waiting for seconds.
        events_until, events_had, sweep_from = 0.0, True, 0.0
        while True:
            due, wait = self._due()
            if self._sweep_waits() and (self._context.passing() >= sweep_from or not (due or self._inbox)):
                work = self._sweep
            elif self.life.active and due and (not self._inbox or (events_had and self._context.passing() >= events_until)):
                work, events_had = self._wake, False
            elif self.life.active and self._inbox:
                work, events_had = self._take, True
            else:
                await self._rest(wait)
                continue
            async with self._working:
                began = self._context.passing()
                try:
                    await work()
                except Exception as error:  # noqa: BLE001  it must not reach Faust, which would shut down in order, and commit
                    self._context.abort(f"in a unit of work of partition {self.shard.number}", error)
                self.units += 1
                ended = self._context.passing()
                if work == self._sweep:
                    sweep_from = ended + (ended - began) * (1 - SWEEP_SHARE) / SWEEP_SHARE
                elif not events_had:
                    events_until = ended + min(EVENTS_SHARE * (ended - began), EVENTS_SECONDS)

    def _due(self) -> tuple[bool, float]:
        """Whether a deadline has passed by the clock, and for how many seconds none will."""
        if not self.life.active or self.shard.by_event_time:
            return False, _CLOCK_INTERVAL
        wall = self._context.wall()
        soonest = self.shard.timers.soonest()
        self._context.metrics.woke(wall)
        if soonest is None:
            return False, _CLOCK_INTERVAL
        ahead = soonest - self.shard.clock(wall)
        return ahead <= 0, min(ahead / 1e6, _CLOCK_INTERVAL)

    def _sweep_waits(self) -> bool:
        """Whether tickets are to be woken after a deployment; begins the sweep when the clock has passed it."""
        shard, timeline = self.shard, self._context.engine.deployments.timeline
        if timeline.last.number == shard.swept or not self.life.active or not shard.live:
            return False
        # Not the newest, if that holds only from now on: what is under way goes on until then.
        number = timeline.in_force(shard.clock(self._context.wall()) - 1).number
        if number > shard.swept and (shard.sweep is None or shard.sweep.number < number):
            shard.sweep = Sweep(number, shard.tickets, shard.timers)
        return shard.sweep is not None

    def deployed(self) -> None:
        """A deployment has become known."""
        self._stir.set()

    async def _sweep(self) -> None:
        await process_and_commit(self._context, self.shard, self.shard.sweep)

    async def _rest(self, seconds: float) -> None:
        self._stir.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._stir.wait()
        except TimeoutError:
            return

    async def _wake(self) -> None:
        began = self._context.passing()
        await process_and_commit(self._context, self.shard, None)
        self._context.metrics.worker.deadlines_done(self._context.passing() - began)

    async def _take(self) -> None:
        event = self._inbox[0]
        rest, began = event.value.records[self.shard.cursor : self.shard.cursor + 1], self._context.passing()
        if await process_and_commit(self._context, self.shard, event.value):
            self.shard.cursor = 0
            self._inbox.popleft()
            event.ack()
        for oldest in rest:
            age = None if oldest.timestamp == NO_TIMESTAMP else time.time() - oldest.timestamp / 1e3
            self._context.metrics.worker.events_done(self._context.passing() - began, age)
