"""A stopwatch: the clock of one metric on one ticket. It runs whether or not anything is promised on it.

Rules:

1. Every change of phase is in ``TABLE``. A signal that the table does not list for the phase is an error, and
   ``stream.sla.policy.triggers`` never gives one.
2. A stopwatch keeps instants, never "time so far": the stretches it ran and the stretches it was paused. How long that is
   depends on who asks (a wall clock, one calendar or another), so a change of target or calendar cannot lose time.
   ``spent`` is the rule of what counts as used and what as paused; every reading and every explanation is a sum over it.
3. What signals an event gives follows from the metric alone; ``stream.sla.policy.metric`` has the order in which it is
   asked.
4. Whether a deadline was kept is not known here; that is the verdict on a commitment (``stream.sla.ticket.commitment_state``).

Longer than 250 lines because the rule for paused time is read in all forms that speed requires.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from mypy_extensions import mypyc_attr

from stream.sla.calendar.duration import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stream.sla.calendar.calendar import Calendar


Stretches = tuple[tuple[int, int], ...]
StoredTotals = tuple[int, int, int, dict[str, tuple[int, int]]]
Stored = tuple[int, int, int, int, Stretches, Stretches, StoredTotals | None]


class Phase(IntEnum):
    IDLE = 0
    RUNNING = 1
    PAUSED = 2
    STOPPED = 3
    CANCELLED = 4
    HALTED = 5
    """It ran when the ticket was merged or deleted, and goes on if that is restored."""
    HALTED_PAUSED = 6
    """It was paused then."""


class Signal(StrEnum):
    """The effect of an event on a stopwatch."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    RESTART = "restart"
    """Fulfilled, and the next cycle begins at the same instant."""
    REOPEN = "reopen"
    """A stopped cycle goes on."""
    SKIP = "skip"
    """The ticket began where the metric stops: there was nothing to wait for, but it may be reopened."""
    CANCEL = "cancel"
    HALT = "halt"
    """The ticket was merged or deleted."""
    RESTORE = "restore"
    """The ticket was restored: the halted cycle goes on."""


TABLE: Final[dict[Phase, dict[Signal, Phase]]] = {
    Phase.IDLE: {Signal.START: Phase.RUNNING, Signal.SKIP: Phase.STOPPED},
    Phase.RUNNING: {
        Signal.PAUSE: Phase.PAUSED,
        Signal.STOP: Phase.STOPPED,
        Signal.RESTART: Phase.RUNNING,
        Signal.CANCEL: Phase.CANCELLED,
        Signal.HALT: Phase.HALTED,
    },
    Phase.PAUSED: {
        Signal.RESUME: Phase.RUNNING,
        Signal.STOP: Phase.STOPPED,
        Signal.RESTART: Phase.RUNNING,
        Signal.CANCEL: Phase.CANCELLED,
        Signal.HALT: Phase.HALTED_PAUSED,
    },
    Phase.STOPPED: {Signal.REOPEN: Phase.RUNNING, Signal.START: Phase.RUNNING},
    Phase.CANCELLED: {Signal.START: Phase.RUNNING},
    Phase.HALTED: {Signal.RESTORE: Phase.RUNNING, Signal.CANCEL: Phase.CANCELLED},
    Phase.HALTED_PAUSED: {Signal.RESTORE: Phase.RUNNING, Signal.CANCEL: Phase.CANCELLED},
}


# Names and plain integers for what is asked a hundred thousand times a second: up to Python 3.11 naming an enum's member
# costs as much as a call.
IDLE: Final = int(Phase.IDLE)
RUNNING: Final = int(Phase.RUNNING)
PAUSED: Final = int(Phase.PAUSED)
STOPPED: Final = int(Phase.STOPPED)
HALTED: Final = int(Phase.HALTED)
HALTED_PAUSED: Final = int(Phase.HALTED_PAUSED)
START: Final = Signal.START
PAUSE: Final = Signal.PAUSE
RESUME: Final = Signal.RESUME
STOP: Final = Signal.STOP
RESTART: Final = Signal.RESTART
REOPEN: Final = Signal.REOPEN
SKIP: Final = Signal.SKIP
CANCEL: Final = Signal.CANCEL
HALT: Final = Signal.HALT
RESTORE: Final = Signal.RESTORE
_BUSINESS: Final = Clock.BUSINESS
_WALL: Final = Clock.WALL
MOST_STRETCHES: Final = 64
"""Of a cycle before the kept history, where that is cut."""
_TABLE: Final = [{signal: int(after) for signal, after in TABLE[phase].items()} for phase in Phase]
_BEGINNINGS: Final = (START, RESTART, SKIP)


class Totals(NamedTuple):
    """The sums of the stretches of a cycle that are no longer kept one by one."""

    until: int
    """The end of the last of them is not later (epoch microseconds)."""
    ran: int
    paused: int
    """Microseconds of wall time."""
    business: dict[str, tuple[int, int]]
    """Name of a calendar to business time that it ran and was paused, by the calendars in force at that time."""

    def spent(self, paused: bool, clock: Clock, calendar: Calendar, began: int) -> int:
        """Microseconds that it was paused, or ran, on that clock. ``began``: when the cycle did.

        On a calendar that was not in force, the share of its time that lies in proportion.
        """
        wall = self.paused if paused else self.ran
        if clock is not _BUSINESS:
            return wall
        found = self.business.get(calendar.name)
        if found is not None:
            return found[paused]
        return calendar.measure(began, self.until) * wall // max(self.until - began, 1)


class Placement(NamedTuple):
    """The place on a calendar at which the running time of a stopwatch is counted, if pauses move a target by their length on
    the wall.

    It is counted in two pieces: what ran before ``at`` from the beginning of the cycle on, the rest from ``at`` on. So pauses
    before ``at`` do not move what counts from ``at``.
    """

    at: int
    """The instant from which the target counts (epoch microseconds)."""
    ran: int
    """Microseconds of wall time that the cycle had run at ``at``."""


@mypyc_attr(acyclic=True, free_list_len=1)
class Stopwatch:
    """Phase, cycle, and the stretches of the present cycle as epoch microseconds, half-open."""

    __slots__ = ("began", "cycle", "paused", "phase", "ran", "since", "totals")

    def __init__(  # noqa: PLR0913  an argument an attribute: the stored form fills them by position
        self,
        phase: int = 0,  # Phase.IDLE
        cycle: int = 0,
        began: int = 0,
        since: int = 0,
        ran: Stretches = (),
        paused: Stretches = (),
        totals: Totals | None = None,
    ) -> None:
        self.phase: int = phase
        self.cycle: int = cycle
        self.began: int = began
        """The start of the present cycle, running or paused."""
        self.since: int = since
        """The start of the present stretch; meaningful while running or paused."""
        self.ran: Stretches = ran
        """Stretches it ran, apart from the present one."""
        self.paused: Stretches = paused
        """Stretches it was paused, apart from the present one. Time between a stop and a reopening is in neither, nor is time
        between a halt and the restoration: an empty stretch stands for the halt."""
        self.totals: Totals | None = totals
        """Of older stretches of the present cycle; ``None``: all are kept."""

    def copy(self) -> Stopwatch:
        """A stopwatch of its own."""
        return Stopwatch(self.phase, self.cycle, self.began, self.since, self.ran, self.paused, self.totals)

    def parts(self) -> Stored:
        """The stored form: the arguments of ``Stopwatch`` in their order."""
        totals = self.totals
        stored = None if totals is None else (totals.until, totals.ran, totals.paused, totals.business)
        return self.phase, self.cycle, self.began, self.since, self.ran, self.paused, stored

    def has_many_stretches(self) -> bool:
        """Whether it is worth adding up what lies before the kept history."""
        return len(self.ran) + len(self.paused) > MOST_STRETCHES

    def add_up(self, until: int, calendars: Mapping[str, Calendar]) -> None:
        """Keep only the totals of the stretches that ended by ``until`` (epoch microseconds).

        ``calendars``: those in force, by name. No event before ``until`` may come any more.
        """
        ran = [stretch for stretch in self.ran if stretch[1] <= until]
        paused = [stretch for stretch in self.paused if stretch[1] <= until]
        if self.phase >= HALTED and len(paused) == len(self.paused):
            del paused[-1:]  # it stands for the halt that lasts
        before = self.totals
        known: dict[str, tuple[int, int]] = dict.fromkeys(calendars, (0, 0)) if before is None else before.business
        business = {
            name: (
                used + sum([calendars[name].measure(start, end) for start, end in ran]),
                waited + sum([calendars[name].measure(start, end) for start, end in paused]),
            )
            for name, (used, waited) in known.items()
            if name in calendars
        }
        self.totals = Totals(
            until,
            (0 if before is None else before.ran) + sum([end - start for start, end in ran]),
            (0 if before is None else before.paused) + sum([end - start for start, end in paused]),
            business,
        )
        self.ran, self.paused = self.ran[len(ran) :], self.paused[len(paused) :]

    def _added_up(self, paused: bool, clock: Clock, calendar: Calendar, at: int) -> int:
        """Of ``totals``, as of ``at``: before their end, the share that lies in proportion."""
        totals = self.totals
        if totals is None:
            return 0
        spent = totals.spent(paused, clock, calendar, self.began)
        return spent if at >= totals.until else spent * max(at - self.began, 0) // (totals.until - self.began)

    @property
    def on(self) -> bool:
        """In a cycle that is neither stopped nor cancelled."""
        return RUNNING <= self.phase <= PAUSED

    def take(self, signal: Signal, at: int) -> None:
        """Change phase by the table. Raises KeyError for a signal the table does not list: our bug."""
        phase = self.phase
        after = _TABLE[phase][signal]
        if at > self.since:
            if phase == RUNNING:
                self.ran += ((self.since, at),)
            elif phase == PAUSED:
                self.paused += ((self.since, at),)
        if after >= HALTED:
            self.paused = (*self.paused, (at, at))
        if signal in _BEGINNINGS:
            self.cycle += 1
            self.began = at
            self.ran = ()
            self.paused = ()
            self.totals = None
        self.phase = after
        self.since = at

    def stretches(self, until: int) -> Iterator[tuple[int, int, int]]:
        """The present cycle from its beginning to ``until``: ``(start, end, phase)`` in order, none empty, without a hole.

        Of older stretches only ``totals`` are known: it begins behind them. The phase is ``RUNNING`` or ``PAUSED``. Time that
        is neither used nor paused is ``STOPPED`` from a stop to the reopening, and ``HALTED`` from a halt to the restoration.
        """
        reached, between = self.began if self.totals is None else self.totals.until, STOPPED
        ran = [(start, end, RUNNING) for start, end in self.spent(RUNNING, until)]
        paused = [(start, end, PAUSED) for start, end in self.spent(PAUSED, until)]
        for start, end, phase in sorted(ran + paused):
            if reached < start:
                yield reached, start, between
                between = STOPPED
            if start == end:
                reached, between = start, HALTED
                continue
            yield start, end, phase
            reached, between = end, STOPPED
        if reached < until:
            yield reached, until, between

    def spent(self, phase: int, until: int) -> Stretches:
        """Those of ``stretches`` that have this phase, ``RUNNING`` or ``PAUSED``: the one rule of what counts as which.

        Apart from ``stretches``, because sorting both kinds for every reading would make an event a sixth dearer.
        """
        before = self.ran if phase == RUNNING else self.paused
        if self.phase == phase and self.since < until:
            return (*before, (self.since, until)) if before else ((self.since, until),)
        if not before or before[-1][1] <= until:
            return before
        return tuple([(start, min(end, until)) for start, end in before if start < until])

    def elapsed(self, clock: Clock, calendar: Calendar, at: int, placement: Placement | None = None) -> int:
        """Microseconds used by the present cycle up to ``at``, on that clock.

        ``placement``: each pause moves what follows by its length on the wall.
        """
        if placement is not None:
            ran = self.elapsed(_WALL, calendar, at)
            if ran <= placement.ran:
                return calendar.measure(self.began, self.began + ran)
            return self._counted_before(placement, calendar) + calendar.measure(
                placement.at, placement.at + ran - placement.ran
            )
        if not self.ran and self.totals is None:  # ``spent`` written out: most are read in their first stretch
            if self.phase != RUNNING or self.since >= at:
                return 0
            return calendar.measure(self.since, at) if clock is _BUSINESS else at - self.since
        total = self._added_up(False, clock, calendar, at) if self.totals is not None else 0
        for start, end in self.spent(RUNNING, at):
            total += calendar.measure(start, end) if clock is _BUSINESS else end - start
        return total

    def _counted_before(self, placement: Placement, calendar: Calendar) -> int:
        """Business time used at ``placement.at``."""
        return calendar.measure(self.began, self.began + placement.ran) if placement.ran else 0

    def paused_for(self, clock: Clock, calendar: Calendar, at: int) -> int:
        """Microseconds the present cycle was paused up to ``at``, on that clock."""
        if self.totals is None and not self.paused and self.phase != PAUSED:
            return 0
        total = self._added_up(True, clock, calendar, at) if self.totals is not None else 0
        for start, end in self.spent(PAUSED, at):
            total += calendar.measure(start, end) if clock is _BUSINESS else end - start
        return total

    def reaches(
        self,
        used: int,
        clock: Clock,
        calendar: Calendar,
        not_before: int = 0,
        strict: bool = False,
        placement: Placement | None = None,
    ) -> int | None:
        """The instant at which ``used`` microseconds are used up; ``None`` while that is not in sight (paused, stopped, or on a
        calendar that is not open that long any more).

        Used up exactly when a stretch ends by a pause counts as not yet used up: the instant is then the next resumption,
        so that a pause at the very deadline is in time. The same goes for ``not_before``, the instant before which it is not
        reached. ``strict``: used up at the end of a stretch counts as used up. ``placement``: as in ``elapsed``; pauses move
        ``not_before`` as well.
        """
        if placement is not None:
            before = self._counted_before(placement, calendar)
            end = calendar.after(self.began, used) if used <= before else calendar.after(placement.at, used - before)
            if end is None:
                return None
            ran = end - self.began if used <= before else end - placement.at + placement.ran
            if not_before >= placement.at:
                ran = max(ran, not_before - placement.at + placement.ran)
            elif not_before:
                ran = max(ran, min(not_before - self.began, placement.ran))
            return self.reaches(ran, _WALL, calendar, 0, strict)
        left = used
        if self.totals is not None:
            left -= self.totals.spent(False, clock, calendar, self.began)
            if left < 0:
                return self.totals.until  # at the latest: what was due there was found when it was due
        # ``spent`` without an end, written out: it is asked for every deadline and every threshold.
        for start, end in self.ran:
            length = calendar.measure(start, end) if clock is _BUSINESS else end - start
            if length >= left:
                instant = calendar.add(start, left) if clock is _BUSINESS else start + left
                if instant < not_before:
                    instant = not_before
                if instant < end or (strict and instant == end):
                    return instant
                left = length
            left -= length
        if self.phase != RUNNING:
            return None
        reached = calendar.after(self.since, left) if clock is _BUSINESS else self.since + left
        return not_before if reached is not None and reached < not_before else reached
