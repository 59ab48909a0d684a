"""One partition in the memory of a worker: its tickets, their timers, its watermark, and the commitments that are open.

The task of the partition (``stream.runtime.partition.task``) is the only one to change it, so a ticket is never in two hands.
The event loop may read it between two steps of that task.
"""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003  a compiled named tuple reads its types
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.observe.metrics.open_counts import OpenCommitmentCounts  # noqa: TC001  as above
from stream.runtime.partition.lifecycle import Lifecycle, State
from stream.runtime.partition.recent import Recent
from stream.runtime.partition.ticket_lists import TicketLists  # noqa: TC001
from stream.runtime.recovery.changelog import Changelog  # noqa: TC001
from stream.runtime.recovery.checkpoint import Checkpoint, Gap, with_gap
from stream.runtime.recovery.outputs import Outputs  # noqa: TC001
from stream.runtime.recovery.tickets import Tickets  # noqa: TC001
from stream.runtime.settings import ClockMode
from stream.runtime.timers import Expirations, TimerQueue  # noqa: TC001
from stream.sla.doubt import Doubt
from stream.sla.effects import ProvisionalReason
from stream.sla.feed_health import Feeds
from stream.sla.ticket.state import State as SlaState  # noqa: TC001

if TYPE_CHECKING:
    from faust.types import TP

    from stream.runtime.partition.sweep import Sweep
    from stream.runtime.settings import Settings
    from stream.sla.policy.date_problems import WrongDate
    from stream.sla.policy.spelling import Misspelling
    from stream.sla.policy.timeline import Timeline


class TicketIndex(NamedTuple):
    """An index of a partition's tickets that needs none of them decoded."""

    timers: TimerQueue
    """The next wake-up of each ticket."""
    expirations: Expirations
    """The expiration of each closed ticket, by the feed's time."""
    open_counts: OpenCommitmentCounts
    """The open commitments of the tickets, counted."""
    lists: TicketLists
    """The tickets that people work through."""
    unconfirmed: Sequence[tuple[bytes, SlaState]] = ()
    """The tickets that have unconfirmed effects."""


class Logs(NamedTuple):
    """The logs in which the results of a partition become durable."""

    outputs: Outputs
    changelog: Changelog


class Shard:
    """One partition in memory. Instants are epoch microseconds."""

    def __init__(
        self,
        settings: Settings,
        source: TP,
        tickets: Tickets,
        index: TicketIndex,
        logs: Logs,
        checkpoint: Checkpoint,
    ) -> None:
        """``source``: the partition of the input. ``checkpoint``: where the owner before this one stopped."""
        self.number: Final[int] = source.partition
        self.source: Final = source
        self.tickets: Final[Tickets] = tickets
        """Record key to state: this partition's part of the store."""
        self.recent: Final = Recent()
        self.timers, self.expirations, self.open_counts, self.lists = index[:4]
        self.outputs, self.changelog = logs
        self.life: Final = Lifecycle(self.number)
        self.misspelt: Final[set[Misspelling]] = set()
        """Values that were logged already: those of tickets that differ from the policies' names in spelling alone."""
        self.wrong_dates: Final[set[WrongDate]] = set()
        """Fields that were logged already: a clock cannot start from them."""
        self.sweep: Sweep | None = None
        """Under way; ``None``: no deployment is waiting for one, or the clock has not passed it yet."""
        self.swept = checkpoint.swept
        """Every ticket was woken after this deployment."""
        self.deployed = checkpoint.deployed
        self.appended = checkpoint.appended
        """The newest deployment by which a ticket here may have been judged."""
        self.input = checkpoint.input
        """The offset of the next record of the input; ``None``: none was processed yet."""
        self.gaps = checkpoint.gaps
        """Records of the input that were gone before they were read."""
        self.since: Final = checkpoint.since
        """The instant at which breachwatch first had the partition: the input up to then arrives at that instant; 0: not known.
        """
        self.feeds: Final[Feeds[bytes]] = Feeds(settings.feed_lag_limit, checkpoint.feeds, checkpoint.received)
        """The sources of the input, and the tickets that wait for them."""
        for key, state in index.unconfirmed:
            self.feeds.wait(key, state)
        self.watermark = checkpoint.watermark
        """The newest instant the feed has shown in this partition; 0: none."""
        self.cursor = 0
        """The index of the next record of the slice in hand."""
        self.catch_up_to = 0
        """The end of the input at the release: processed up to there, the partition is live."""
        self.past_on_arrival: dict[bytes, int] = {}
        """Record keys of tickets whose next instant was past when their newest event arrived, to that arrival."""
        self.suspensions: int | None = None
        """The number of this process's suspensions when the partition was last known to be ours; ``None``: not checked yet."""
        self._clock_is_feed = settings.clock is ClockMode.EVENT
        self._grace = settings.grace
        self._partitions = settings.partitions

    @property
    def live(self) -> bool:
        """Whether everything published before this worker took the partition over is processed."""
        return self.life.live

    @property
    def by_event_time(self) -> bool:
        """Whether deadlines pass when the feed passes them.

        While a partition catches up they do, whatever the clock mode: the answer in time may be among the
        events that are still to be read.
        """
        return self._clock_is_feed or not self.live

    def clock(self, wall: int) -> int:
        """The clock for deadlines of this partition. ``wall``: the machine's clock."""
        if self._clock_is_feed:
            return self.watermark
        passed = wall - self._grace
        # A source whose clock is ahead, within what is allowed, must not make a deadline early.
        return passed if self.live else min(self.watermark, passed)

    def advance_watermark(self, at: int) -> None:
        """The feed has shown this instant (epoch microseconds)."""
        self.watermark = max(self.watermark, at)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Since when events of these tickets may be missing."""
        return tuple([Doubt(gap.since, ProvisionalReason.INPUT_LOST) for gap in self.gaps])

    def lost(self, first: int, end: int, clock: int) -> None:
        """Records were gone before they were read. ``clock``: the machine's, epoch microseconds."""
        self.gaps = with_gap(self.gaps, Gap(first, end, self.watermark, clock))

    def finished(self, end: int) -> None:
        """The input is processed up to this offset, and everything that came of it is durable."""
        if self.life.state is State.CATCHING_UP and end >= self.catch_up_to:
            self.life.enter(State.RUNNING)
        self.outputs.finished(end, live=self.live)

    def is_made_up(self, wall: int, timeline: Timeline) -> bool:
        """Whether all is done that was to be done at the take-over: the input, the deadlines and the sweep. ``wall``: as in
        ``clock``, when the last unit of work began."""
        clock, soonest = self.clock(wall), self.timers.soonest()
        return self.live and (soonest is None or soonest > clock) and self.swept >= timeline.in_force(clock - 1).number

    def checkpoint(self, committed: int) -> Checkpoint:
        """The checkpoint of the partition as a whole. ``committed``: the input offset that the group has committed."""
        return Checkpoint(
            self.watermark,
            self.outputs.unknown_from(committed),
            self.swept,
            self.deployed,
            self.appended,
            self.since,
            self._partitions,
            input=self.input,
            gaps=self.gaps,
            feeds=self.feeds.watched.copy(),
            received=self.feeds.received.copy(),
        )
