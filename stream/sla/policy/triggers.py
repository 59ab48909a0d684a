"""A metric, compiled: the events that start, pause, resume, stop, restart, reopen or cancel a stopwatch.

``stream.sla.policy.metric`` states the order in which the conditions of a metric are asked. A condition is asked only when an
event touches what it reads (``Sensitivity``): most events concern few stopwatches.

A stopwatch that was halted by a merge or deletion goes on when the ticket is restored and the metric lets it run: not while
``stops`` holds by the ticket's fields. An event that fulfils it in the meantime (an answer) ends its cycle for good, as does
``cancels`` after the restoration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.sla.calendar.dates import DateError, instant_of
from stream.sla.calendar.zone import UTC_ZONE
from stream.sla.events import EVENT_TYPES
from stream.sla.policy.conditions import AnyOf, Condition, Fields, Test, compile_condition, fields_read, momentary, types_read
from stream.sla.policy.metric import Again, Metric
from stream.sla.ticket.stopwatch import (
    CANCEL,
    HALTED,
    HALTED_PAUSED,
    IDLE,
    PAUSE,
    PAUSED,
    REOPEN,
    RESTART,
    RESTORE,
    RESUME,
    RUNNING,
    SKIP,
    START,
    STOP,
    STOPPED,
    Phase,
    Signal,
)

if TYPE_CHECKING:
    from stream.sla.events import Event

_CONTINUE: Final = Again.CONTINUE
_CYCLE: Final = Again.CYCLE


_ALL_TYPES: Final = frozenset[str](EVENT_TYPES)
_MOST: Final = 10_000
"""Dates that are remembered."""


class Sensitivity:
    """The types and fields by which an event can affect a stopwatch in a certain phase: one of these types, or a field that it
    changes."""

    __slots__ = ("fields", "types")

    def __init__(self, types: frozenset[str], fields: frozenset[str]) -> None:
        self.types: Final = types
        self.fields: Final = fields


def _sensitivity(metric: Metric) -> list[Sensitivity]:
    """By phase."""
    on = (metric.cancels, metric.stops, metric.restarts, metric.pauses)
    off = (metric.starts, metric.stops, metric.cancels, metric.reopens, metric.pauses)
    found = []
    for phase in Phase:
        if phase >= Phase.HALTED:
            found.append(Sensitivity(_ALL_TYPES, frozenset()))
            continue
        conditions = [*on, metric.resumes] if phase in (Phase.RUNNING, Phase.PAUSED) else off
        if phase in (Phase.STOPPED, Phase.CANCELLED) and metric.again is Again.NEVER:
            conditions = []
        elif phase == Phase.STOPPED and metric.again is Again.CONTINUE:
            conditions = [metric.stops, metric.cancels, metric.reopens, metric.pauses]
        dated = metric.starts_at and phase in (Phase.IDLE, Phase.STOPPED, Phase.CANCELLED)
        given = [condition for condition in conditions if condition is not None]
        types = [types_read(condition) for condition in given]
        found.append(
            Sensitivity(
                frozenset[str]().union(*(_ALL_TYPES if names is None else names for names in types)),
                frozenset[str]().union(*map(fields_read, given), [metric.starts_at] if dated else []),
            )
        )
    return found


def _test(condition: Condition | None) -> Test | None:
    return None if condition is None else compile_condition(condition)


def _fulfilling(stops: Condition) -> Condition:
    """The part of ``stops`` that holds for one event, such as an answer, rather than by the fields that stay."""
    parts = stops.parts if isinstance(stops, AnyOf) else (stops,)
    return AnyOf(tuple([part for part in parts if momentary(part)]))


class MetricTriggers:
    """The compiled conditions of one metric, asked in the order that ``stream.sla.policy.metric`` states."""

    __slots__ = (
        "_dates",
        "again",
        "cancels",
        "dated",
        "fulfils",
        "metric",
        "name",
        "pauses",
        "reopens",
        "restarts",
        "resumes",
        "sensitivity",
        "starts",
        "stops",
    )

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.name: Final = metric.name
        self.again = metric.again
        self.starts = compile_condition(metric.starts)
        self.stops = compile_condition(metric.stops)
        self.fulfils = compile_condition(_fulfilling(metric.stops))
        """The part of ``stops`` that is one event, asked while the stopwatch is halted."""
        self.pauses = _test(metric.pauses)
        self.resumes = _test(metric.resumes)
        self.restarts = _test(metric.restarts)
        self.cancels = _test(metric.cancels)
        self.reopens = _test(metric.reopens)
        self.dated: Final = metric.starts_at != ""
        """A date starts it: ``stream.sla.transition.start_dates``."""
        self._dates: Final[dict[str, int | None]] = {}
        self.sensitivity: Final = _sensitivity(metric)
        """By phase."""

    def signals(self, phase: int, event: Event, fields: Fields) -> tuple[Signal, ...]:
        """The signals an event gives to a stopwatch in that phase, in order; ``()`` for none."""
        if phase == RUNNING or phase == PAUSED:  # noqa: SIM109  it would make a tuple each time
            return self._signals_while_on(phase, event, fields)
        if phase >= HALTED:
            return self._signals_when_restored(phase, event, fields)
        if phase == IDLE:
            if not self.starts.holds(event, fields) or (self.cancels is not None and self.cancels.holds(event, fields)):
                return ()
            if self.stops.holds(event, fields):
                return (SKIP,)
            return self._begin(START, event, fields)
        if self.again is _CONTINUE:
            opens = phase == STOPPED and self.reopens is not None and self.reopens.holds(event, fields)
            signal = REOPEN
        else:
            opens = self.again is _CYCLE and self.starts.holds(event, fields)
            signal = START
        if opens and not self.stops.holds(event, fields) and (self.cancels is None or not self.cancels.holds(event, fields)):
            return self._begin(signal, event, fields)
        return ()

    def date(self, fields: Fields) -> int | None:
        """The instant of the date that starts it (epoch microseconds); ``None``: the field has no date."""
        value = fields.get(self.metric.starts_at, "")
        if not value or isinstance(value, list):
            return None
        if value not in self._dates:
            if len(self._dates) >= _MOST:
                self._dates.clear()
            try:
                self._dates[value] = instant_of(value, self.metric.zone or UTC_ZONE)
            except DateError:
                self._dates[value] = None
        return self._dates[value]

    def may_start(self, event: Event, fields: Fields) -> bool:
        """Whether it starts once its date has come."""
        return (
            self.starts.holds(event, fields)
            and not self.stops.holds(event, fields)
            and (self.cancels is None or not self.cancels.holds(event, fields))
        )

    def begins_again(self, phase: int) -> bool:
        """Whether a stopwatch that is over in that phase may begin a new cycle."""
        return self.again is _CYCLE and STOPPED <= phase < HALTED

    def _signals_while_on(self, phase: int, event: Event, fields: Fields) -> tuple[Signal, ...]:
        if self.cancels is not None and self.cancels.holds(event, fields):
            return (CANCEL,)
        if self.stops.holds(event, fields):
            return (STOP,)
        if self.restarts is not None and self.restarts.holds(event, fields):
            return self._begin(RESTART, event, fields)
        holds = self.pauses is not None and self.pauses.holds(event, fields)
        if phase == RUNNING:
            return (PAUSE,) if holds else ()
        ends = not holds if self.resumes is None else self.resumes.holds(event, fields)
        return (RESUME,) if ends else ()

    def signals_while_ended(self, phase: int, event: Event, fields: Fields) -> tuple[Signal, ...]:
        """The same for a ticket that was merged or deleted by an earlier event."""
        return (CANCEL,) if phase >= HALTED and self.fulfils.holds(event, fields) else ()

    def _signals_when_restored(self, phase: int, event: Event, fields: Fields) -> tuple[Signal, ...]:
        if self.fulfils.holds(event, fields) or (self.cancels is not None and self.cancels.holds(event, fields)):
            return (CANCEL,)
        if self.stops.holds(event, fields):
            return ()
        if phase == HALTED_PAUSED and self.resumes is not None:
            return (RESTORE,) if self.resumes.holds(event, fields) else (RESTORE, PAUSE)
        return self._begin(RESTORE, event, fields)

    def _begin(self, signal: Signal, event: Event, fields: Fields) -> tuple[Signal, ...]:
        return (signal, PAUSE) if self.pauses is not None and self.pauses.holds(event, fields) else (signal,)
