"""A partition this worker owns: its tickets, its deadlines, its clock, and the one task that does all of its turns.

One task a partition means that a ticket is never in two hands, and that while one partition waits for the broker the
others compute.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from stream.runtime.abort import abort
from stream.runtime.partition.commit import cycle
from stream.runtime.partition.recent import Recent
from stream.runtime.recovery.changelog import Mark
from stream.runtime.settings import ClockMode

if TYPE_CHECKING:
    from faust.types import TP, EventT

    from stream.observe.metrics.open_counts import OpenCommitmentCounts
    from stream.runtime.kafka.transport import Batch
    from stream.runtime.partition.commit import WorkerContext
    from stream.runtime.recovery.changelog import Changelog
    from stream.runtime.recovery.outputs import Outputs
    from stream.runtime.timers import TimerQueue

EVENTS_SHARE: Final = 1.0
"""While deadlines are due, events have so many times as long between two turns of them as the first took, and one turn at least
if there are any."""
EVENTS_SECONDS: Final = 0.2
"""But never longer."""
_LOOK_AGAIN: Final = 0.5
"""Seconds after which the clock is read anew though no deadline was due by then: somebody may have set it."""


class Partition:
    """Created when a partition is taken over, *held* while a rebalance runs, *released* when it is over.

    Instants are epoch microseconds.
    """

    def __init__(
        self,
        context: WorkerContext,
        source: TP,
        tickets: dict[bytes, bytes],
        deadlines: TimerQueue,
        outputs: Outputs,
        changelog: Changelog,
        mark: Mark,
        expirations: TimerQueue,
        open_counts: OpenCommitmentCounts,
    ) -> None:
        self.number: Final[int] = source.partition
        self.source: Final = source
        self.tickets: Final = tickets
        """Record key to state: this partition's part of the store."""
        self.recent: Final = Recent()
        self.deadlines: Final = deadlines
        self.expirations: Final = expirations
        """When to forget which closed ticket, by the feed's time."""
        self.outputs: Final = outputs
        self.changelog: Final = changelog
        self.open_counts: Final = open_counts
        """The commitments of its tickets that wait to be fulfilled, counted."""
        self.watermark = mark.watermark
        """The newest instant the feed has shown in this partition; 0: none."""
        self.live = False
        """Whether everything published before this worker took the partition over is processed."""
        self.cursor = 0
        """Which record of the batch in hand is next."""
        self.catch_up_to = 0
        self.turns = 0
        """How many turns are over."""
        self._context = context
        self._suspensions: int | None = None
        """How often this process had been away when the partition was last known to be ours; ``None``: not asked yet."""
        self._clock_is_feed = context.settings.clock is ClockMode.EVENT
        self._inbox: deque[EventT] = deque()
        self._held = True
        self._stir = asyncio.Event()
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._task = asyncio.create_task(self._run(), name=f"partition {self.number}")

    @property
    def by_event_time(self) -> bool:
        """Whether deadlines pass when the feed passes them.

        While a partition catches up they do, whatever the clock mode: the answer that kept a promise may be among the
        events that are still to be read.
        """
        return self._clock_is_feed or not self.live

    @property
    def held(self) -> bool:
        """Whether no turn may begin."""
        return self._held

    def has_work(self) -> bool:
        """Whether a turn is under way, or there are tickets to be woken now, by the clock."""
        soonest = None if self.by_event_time else self.deadlines.soonest()
        due = soonest is not None and soonest <= self.clock(self._context.wall())
        return due or not self._at_rest.is_set()

    def clock(self, wall: int) -> int:
        """What time it is for deadlines of this partition. ``wall``: the machine's clock."""
        if self._clock_is_feed:
            return self.watermark
        passed = wall - self._context.settings.grace
        # A source whose clock is ahead, within what is allowed, must not make a deadline early.
        return passed if self.live else min(self.watermark, passed)

    def hear(self, at: int) -> None:
        """The feed has shown this instant."""
        self.watermark = max(self.watermark, at)

    def finished(self, batch: Batch) -> None:
        """Everything up to the end of the batch is processed."""
        if batch.end >= self.catch_up_to:
            self.live = True
        self.outputs.finished(batch.end, live=self.live)

    def mark(self) -> Mark:
        """What is known of the partition as a whole, for its changelog."""
        return Mark(self.watermark, self.outputs.unknown_from(self._context.consumer.committed(self.source)))

    async def still_ours(self) -> None:
        """Return at once, or, before the first turn and after an absence, when the broker has said that nobody else has it.

        Raises ``aiokafka.errors.KafkaError`` when somebody has.
        """
        while (suspensions := self._context.suspension_detector.look()) != self._suspensions:
            await self._context.consumer.prove(self.source)
            self._suspensions = suspensions

    def offer(self, event: EventT) -> None:
        """Hand over a fetched batch. Held, the partition drops it: it will be fetched again."""
        if self._held:
            event.ack()
        else:
            self._inbox.append(event)
            self._stir.set()

    async def hold(self) -> None:
        """Begin no new turn, drop what waits, and return when the turn that is being done is over."""
        self._held = True
        await self._at_rest.wait()
        self.cursor = 0
        while self._inbox:
            self._inbox.popleft().ack()

    def release(self, catch_up_to: int) -> None:
        """Go on. Live again when the input is processed up to this offset: it is where the input ended just now."""
        self.catch_up_to = catch_up_to
        self.live = False
        self._held = False
        self._stir.set()

    async def give_up(self) -> None:
        """Another worker has it, or this one ends: no more turns. ``hold`` must have come before."""
        self._task.cancel()
        await self.outputs.close()

    async def _run(self) -> None:
        # When there is both, in turn: a turn of deadlines, then events for as long as that took. Events come in many small
        # batches, and one batch for each turn of a flood of deadlines would keep them waiting for seconds.
        events_until, events_had = 0.0, True
        while True:
            due, wait = self._due()
            if not self._held and due and (not self._inbox or (events_had and time.monotonic() >= events_until)):
                turn, events_had = self._wake, False
            elif not self._held and self._inbox:
                turn, events_had = self._take, True
            else:
                await self._rest(wait)
                continue
            self._at_rest.clear()
            began = time.monotonic()
            try:
                await turn()
                self.turns += 1
                if not events_had:
                    ended = time.monotonic()
                    events_until = ended + min(EVENTS_SHARE * (ended - began), EVENTS_SECONDS)
            except Exception as error:  # noqa: BLE001  it must not reach Faust, which would shut down in order, and commit
                abort(f"at a turn of partition {self.number}", error)
            finally:
                self._at_rest.set()

    def _due(self) -> tuple[bool, float]:
        """Whether a deadline has passed by the clock, and for how many seconds none will."""
        if self._held or self.by_event_time:
            return False, _LOOK_AGAIN
        wall = self._context.wall()
        soonest = self.deadlines.soonest()
        self._context.metrics.woke(wall)
        if soonest is None:
            return False, _LOOK_AGAIN
        ahead = soonest - self.clock(wall)
        return ahead <= 0, min(ahead / 1e6, _LOOK_AGAIN)

    async def _rest(self, seconds: float) -> None:
        self._stir.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._stir.wait()
        except TimeoutError:
            return

    async def _wake(self) -> None:
        began = time.monotonic()
        await cycle(self._context, self, None)
        self._context.metrics.worker.deadlines_done(time.monotonic() - began)

    async def _take(self) -> None:
        event = self._inbox[0]
        rest, began = event.value.records[self.cursor : self.cursor + 1], time.monotonic()
        if await cycle(self._context, self, event.value):
            self.cursor = 0
            self._inbox.popleft()
            event.ack()
        for oldest in rest:
            self._context.metrics.worker.events_done(time.monotonic() - began, time.time() - oldest.timestamp / 1e3)
