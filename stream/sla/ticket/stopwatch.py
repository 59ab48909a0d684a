"""A stopwatch: the clock of one metric on one ticket. It runs whether or not anything is promised on it.

Rules:

1. Every change of phase is in ``TABLE``; a signal the table does not list for the phase changes nothing, and ``signals`` never
   gives one.
2. A stopwatch keeps instants, never "time so far": the stretches it ran and the stretches it was paused. How long that is
   depends on who asks (a wall clock, one calendar or another), so a change of target or calendar cannot lose time.
3. What signals an event gives follows from the metric's row alone; ``stream.sla.policy.metric`` has the order in which it is
   asked.
4. Whether a deadline was kept is not known here; that is the verdict on a commitment (``stream.sla.ticket.commitment_state``).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sla.calendar.duration import Clock
from stream.sla.policy.conditions import Condition, Fields, Test, compile_condition, fields_read, types_read
from stream.sla.policy.metric import Again, Metric

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar
    from stream.sla.events import Event


Stretches = tuple[tuple[int, int], ...]
Stored = tuple[int, int, int, int, Stretches, Stretches]


class Phase(IntEnum):
    IDLE = 0
    RUNNING = 1
    PAUSED = 2
    STOPPED = 3
    CANCELLED = 4


class Signal(StrEnum):
    """What an event does to a stopwatch."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    RESTART = "restart"
    """Fulfilled, and the next cycle begins at the same instant."""
    REOPEN = "reopen"
    """A stopped cycle goes on."""
    SKIP = "skip"
    """The ticket began where the row stops: there was nothing to wait for, but it may be reopened."""
    CANCEL = "cancel"


TABLE: Final[dict[Phase, dict[Signal, Phase]]] = {
    Phase.IDLE: {Signal.START: Phase.RUNNING, Signal.SKIP: Phase.STOPPED},
    Phase.RUNNING: {
        Signal.PAUSE: Phase.PAUSED,
        Signal.STOP: Phase.STOPPED,
        Signal.RESTART: Phase.RUNNING,
        Signal.CANCEL: Phase.CANCELLED,
    },
    Phase.PAUSED: {
        Signal.RESUME: Phase.RUNNING,
        Signal.STOP: Phase.STOPPED,
        Signal.RESTART: Phase.RUNNING,
        Signal.CANCEL: Phase.CANCELLED,
    },
    Phase.STOPPED: {Signal.REOPEN: Phase.RUNNING, Signal.START: Phase.RUNNING},
    Phase.CANCELLED: {Signal.START: Phase.RUNNING},
}


# Names and plain integers for what is asked a hundred thousand times a second: up to Python 3.11 naming an enum's member
# costs as much as a call.
IDLE: Final = int(Phase.IDLE)
RUNNING: Final = int(Phase.RUNNING)
PAUSED: Final = int(Phase.PAUSED)
STOPPED: Final = int(Phase.STOPPED)
START: Final = Signal.START
PAUSE: Final = Signal.PAUSE
RESUME: Final = Signal.RESUME
STOP: Final = Signal.STOP
RESTART: Final = Signal.RESTART
REOPEN: Final = Signal.REOPEN
CANCEL: Final = Signal.CANCEL
_BUSINESS: Final = Clock.BUSINESS
_TABLE: Final = [{signal: int(after) for signal, after in TABLE[phase].items()} for phase in Phase]
_BEGINNINGS: Final = (START, RESTART, Signal.SKIP)
_CONTINUE: Final = Again.CONTINUE
_CYCLE: Final = Again.CYCLE


class Stopwatch:
    """Phase, cycle, and the stretches of the present cycle as epoch microseconds, half-open."""

    def __init__(
        self,
        phase: int = 0,  # Phase.IDLE
        cycle: int = 0,
        began: int = 0,
        since: int = 0,
        ran: Stretches = (),
        paused: Stretches = (),
    ) -> None:
        self.phase: int = phase
        self.cycle: int = cycle
        self.began: int = began
        """When the present cycle began, running or paused."""
        self.since: int = since
        """When the present stretch began; meaningful while running or paused."""
        self.ran: Stretches = ran
        """Stretches it ran, apart from the present one."""
        self.paused: Stretches = paused
        """Stretches it was paused, apart from the present one. Time between a stop and a reopening is in neither."""

    def copy(self) -> Stopwatch:
        """A stopwatch of its own."""
        return Stopwatch(self.phase, self.cycle, self.began, self.since, self.ran, self.paused)

    def parts(self) -> Stored:
        """What the table keeps: the arguments of ``Stopwatch`` in their order."""
        return self.phase, self.cycle, self.began, self.since, self.ran, self.paused

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
                self.ran = (*self.ran, (self.since, at))
            elif phase == PAUSED:
                self.paused = (*self.paused, (self.since, at))
        if signal in _BEGINNINGS:
            self.cycle += 1
            self.began = at
            self.ran = ()
            self.paused = ()
        self.phase = after
        self.since = at

    def elapsed(self, clock: Clock, calendar: Calendar, at: int) -> int:
        """Microseconds used by the present cycle up to ``at``, on that clock."""
        total = _total(self.ran, clock, calendar, at) if self.ran else 0
        if self.phase == RUNNING and at > self.since:
            total += calendar.measure(self.since, at) if clock is _BUSINESS else at - self.since
        return total

    def paused_for(self, clock: Clock, calendar: Calendar, at: int) -> int:
        """Microseconds the present cycle was paused up to ``at``, on that clock."""
        total = _total(self.paused, clock, calendar, at) if self.paused else 0
        if self.phase == PAUSED and at > self.since:
            total += calendar.measure(self.since, at) if clock is _BUSINESS else at - self.since
        return total

    def reaches(self, used: int, clock: Clock, calendar: Calendar) -> int | None:
        """The instant at which ``used`` microseconds are used up; ``None`` while that is not in sight (paused, stopped).

        Used up exactly when a stretch ends by a pause counts as not yet used up: the instant is then the next resumption,
        so that a pause at the very deadline is in time.
        """
        left = used
        for start, end in self.ran:
            length = _length(start, end, clock, calendar)
            if length >= left:
                instant = _after(start, left, clock, calendar)
                if instant < end:
                    return instant
            left -= length
        if self.phase == RUNNING:
            return calendar.add(self.since, left) if clock is _BUSINESS else self.since + left
        return None


def _length(start: int, end: int, clock: Clock, calendar: Calendar) -> int:
    return calendar.measure(start, end) if clock is _BUSINESS else end - start


def _after(start: int, micros: int, clock: Clock, calendar: Calendar) -> int:
    return calendar.add(start, micros) if clock is _BUSINESS else start + micros


def _total(stretches: Stretches, clock: Clock, calendar: Calendar, until: int) -> int:
    total = 0
    for start, end in stretches:
        if start < until:
            total += _length(start, min(end, until), clock, calendar)
    return total


class Sensitivity(NamedTuple):
    """What an event must touch to mean anything to a stopwatch in a certain phase: its type, or a field it changes.

    A condition is asked when an event touches what it speaks of; what else happens on the ticket does not concern it.
    """

    any_type: bool
    types: frozenset[str]
    fields: frozenset[str]


def _heeded(metric: Metric) -> list[Sensitivity]:
    """By phase."""
    on = (metric.cancels, metric.stops, metric.restarts, metric.pauses)
    off = (metric.starts, metric.stops, metric.cancels, metric.reopens, metric.pauses)
    sensitivity = []
    for phase in Phase:
        conditions = [*on, metric.resumes] if phase in (Phase.RUNNING, Phase.PAUSED) else off
        if phase in (Phase.STOPPED, Phase.CANCELLED) and metric.again is Again.NEVER:
            conditions = []
        elif phase == Phase.STOPPED and metric.again is Again.CONTINUE:
            conditions = [metric.stops, metric.cancels, metric.reopens, metric.pauses]
        given = [condition for condition in conditions if condition is not None]
        types = [types_read(condition) for condition in given]
        sensitivity.append(
            Sensitivity(
                None in types,
                frozenset[str]().union(*(found for found in types if found is not None)),
                frozenset[str]().union(*map(fields_read, given)),
            )
        )
    return sensitivity


def _test(condition: Condition | None) -> Test | None:
    return None if condition is None else compile_condition(condition)


class MetricTriggers:
    """The works of a row: its conditions compiled, asked in the order that ``stream.sla.policy.metric`` states."""

    __slots__ = ("again", "cancels", "metric", "pauses", "reopens", "restarts", "resumes", "sensitivity", "starts", "stops")

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.again = metric.again
        self.starts = compile_condition(metric.starts)
        self.stops = compile_condition(metric.stops)
        self.pauses = _test(metric.pauses)
        self.resumes = _test(metric.resumes)
        self.restarts = _test(metric.restarts)
        self.cancels = _test(metric.cancels)
        self.reopens = _test(metric.reopens)
        self.sensitivity: Final = _heeded(metric)
        """By phase."""

    def signals(self, phase: int, event: Event, fields: Fields) -> tuple[Signal, ...]:
        """The signals an event gives to a stopwatch in that phase, in order; ``()`` for none."""
        if RUNNING <= phase <= PAUSED:
            return self._turn_on(phase, event, fields)
        if phase == IDLE:
            if not self.starts(event, fields) or (self.cancels is not None and self.cancels(event, fields)):
                return ()
            if self.stops(event, fields):
                return (Signal.SKIP,)
            return self._begin(START, event, fields)
        if self.again is _CONTINUE:
            opens = phase == STOPPED and self.reopens is not None and self.reopens(event, fields)
            signal = REOPEN
        else:
            opens = self.again is _CYCLE and self.starts(event, fields)
            signal = START
        if opens and not self.stops(event, fields) and (self.cancels is None or not self.cancels(event, fields)):
            return self._begin(signal, event, fields)
        return ()

    def _turn_on(self, phase: int, event: Event, fields: Fields) -> tuple[Signal, ...]:
        if self.cancels is not None and self.cancels(event, fields):
            return (CANCEL,)
        if self.stops(event, fields):
            return (STOP,)
        if self.restarts is not None and self.restarts(event, fields):
            return self._begin(RESTART, event, fields)
        holds = self.pauses is not None and self.pauses(event, fields)
        if phase == RUNNING:
            return (PAUSE,) if holds else ()
        ends = not holds if self.resumes is None else self.resumes(event, fields)
        return (RESUME,) if ends else ()

    def _begin(self, signal: Signal, event: Event, fields: Fields) -> tuple[Signal, ...]:
        return (signal, PAUSE) if self.pauses is not None and self.pauses(event, fields) else (signal,)
