"""The answer to "why is it due then?": every deadline of a ticket with the spans that make it up, as data.

Instants are epoch microseconds, lengths are microseconds.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from stream.sla.calendar.duration import Clock
from stream.sla.effects import Kind, ProvisionalReason, Reason
from stream.sla.explain.terms import Term
from stream.sla.explain.without_deadline import WithoutDeadline
from stream.sla.policy.policy import LadderKind

CALENDAR = "calendar"
"""The ``cause`` of a span that begins because the calendar opens or closes."""
DUE = "due"
"""The ``change`` with which a span begins at a deadline about which nothing was emitted at that instant."""


class SpanKind(StrEnum):
    """Whether a span counts, and why it does not."""

    RUNNING = "running"
    """Counts in full. It is the only kind that counts."""
    PAUSED = "paused"
    CLOSED = "closed"
    """The stopwatch ran, but the calendar of a business target was closed."""
    HOLIDAY = "holiday"
    SOLVED = "solved"
    """From a stop to the reopening."""
    ENDED = "ended"
    """From a merge or deletion to the restoration."""
    SET_ASIDE = "set_aside"
    """It ran, and counted until a change of target began the count anew (``on_change: reset``)."""


class Span(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """[``start``, ``end``), in which nothing about the deadline changed."""

    start: int
    end: int
    kind: SpanKind
    counted: int
    """The part of it that counts towards the target."""
    note: str = ""
    """The calendar's name for it: the name of a holiday, the note of an exception, ``break``."""
    cause: str = ""
    """The id of the event with which it began, ``timer`` or ``calendar``; empty where that is not known any more."""
    change: str = ""
    """The change by the event, or the fact that the timer made true."""
    expected: bool = False
    """It lies ahead: so it will be if nothing else happens."""

    @property
    def wall(self) -> int:
        return self.end - self.start


class Moment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An effect of the engine about this deadline, in short."""

    at: int
    kind: Kind
    reason: Reason
    cause: str
    level: str = ""
    change: str = ""
    due: int | None = None
    target: int | None = None
    """With its extensions."""
    elapsed: int = 0
    calendar: str = ""
    commitment: str = ""
    ladder: str = ""
    assign_to: str = ""
    """The team that takes the ticket over."""
    notify: tuple[str, ...] = ()
    """The roles that it is for."""
    actor: str = ""
    """The kind of actor of the event that made it true; empty: time did, or the event does not state it."""
    role: str = ""
    """The part of that actor in the ticket."""
    expected: bool = False
    effect: str = ""
    """The id of the effect, without its revision."""
    provisional: ProvisionalReason | None = None
    """Why events may be missing that would make it untrue; ``None``: it is certain."""


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Somebody has taken a raised level on."""

    at: int
    actor: str = ""
    """The kind of actor; empty: the event does not state it, or is not kept."""
    role: str = ""
    """The part of the actor in the ticket."""
    cause: str = ""
    """The id of the event; empty: it is not kept."""


class Release(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A raised level is over."""

    at: int
    reason: Reason | None = None
    """``None``: it happened before the history that is kept."""
    cause: str = ""


class Outcome(StrEnum):
    """The status of a deadline. Of a commitment its verdict; of a level whether it was raised."""

    PENDING = "pending"
    MET = "met"
    BREACHED = "breached"
    MET_LATE = "met_late"
    CANCELLED = "cancelled"
    MEASURED = "measured"
    """Fulfilled, and nothing was promised."""
    ELAPSED = "elapsed"
    """A timer without an obligation has run out."""
    CARRIED_OVER = "carried_over"
    """Another policy goes on counting the commitment, on a stopwatch of its own."""
    RAISED = "raised"
    PASSED_OVER = "passed_over"
    """A higher level was raised first."""
    NOT_RAISED = "not_raised"


_DECIDED_BY = {Outcome.BREACHED: Kind.BREACHED, Outcome.ELAPSED: Kind.ELAPSED, Outcome.RAISED: Kind.RAISED}
"""Outcomes that time alone brings, by the effect that states them."""


class Deadline(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One commitment, or one level of a ladder, in one cycle of its stopwatch.

    The counted lengths of the spans that are not expected add up to ``elapsed``; those of the spans before ``due`` add up
    to ``due_after``. Spans follow one another without a hole from ``began`` on, up to ``ended``; of a deadline that is still
    open up to the instant of the explanation, or up to ``due`` where that is later.
    """

    commitment: str
    """Empty for a level of a ladder that stands on no commitment."""
    ladder: str = ""
    escalation_kind: LadderKind | None = None
    level: str = ""
    threshold: str = ""
    """A level's: when it is raised, as the policy writes it."""
    notify: tuple[str, ...] = ()
    """A level's: the roles that it notified, or will notify."""
    owner: str = ""
    """A level's: the role that holds the escalation."""
    acknowledged: Acknowledgement | None = None
    """A raised level's, or that of a lower one which holds this one. ``None``: nobody has acknowledged it since it was raised
    last."""
    released: Release | None = None
    """A raised level's. ``None``: it is not over."""
    monitored_until: int | None = None
    """A raised level's: the ticket is solved, and watched for a recurrence until then."""
    metric: str
    """The metric whose stopwatch counts."""
    cycle: int
    policy: str
    policy_version: int
    calendar: str
    timezone: str
    calendar_versions: tuple[str, ...]
    """The versions of the calendar that the spans lie in: the date since when, ``first`` for the one without."""
    clock: Clock
    target: int | None
    """Without extensions; ``None``: there is none, or (a level) the threshold is measured from another deadline's instant."""
    delay: str = ""
    """The target as the policy writes it, where it ends on a business day: ``+1 business day at 16:00``."""
    extension: int = 0
    due_after: int | None
    """The count at the deadline: target and extensions, and with ``on_change: forward`` the time used before."""
    began: int
    """The start of the stopwatch's cycle; the policy version in force then is the one that holds."""
    ended: int | None
    due: int | None
    """``None``: no deadline is in sight (paused, nothing promised, ``never``), or none was reached."""
    never: bool = False
    """It runs, and its calendar is not open long enough any more: it will never be due."""
    verdict: Outcome
    reason: Reason | None
    """Of the verdict; ``None`` while it is pending, or where it was decided before the history that is kept."""
    elapsed: int
    paused: int
    """On the clock of the target."""
    terms: tuple[Term, ...] = ()
    """A commitment's that change how its deadline is found or kept."""
    spans: tuple[Span, ...]
    moments: tuple[Moment, ...]

    @property
    def provisional(self) -> ProvisionalReason | None:
        """Why its verdict may be untrue, because events may be missing; ``None``: it is certain."""
        kind = _DECIDED_BY.get(self.verdict)
        for moment in reversed(self.moments):
            if moment.kind is kind and moment.level == self.level and not moment.expected:
                return moment.provisional
        return None


class Waiting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A clock that has not started, because it starts at the date of a ticket field."""

    metric: str
    field: str
    zone: str
    """In which a date begins."""
    starts: int | None
    """The instant at which it starts if nothing else happens; ``None``: nothing but an event lets it start."""
    problem: str = ""
    """Why the value of the field is not a date."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All deadlines of one ticket as they stood at ``until``: commitments first, then levels, each in order of their cycles."""

    ticket: str
    until: int
    partial: bool
    """The creation of the ticket has not been seen."""
    known_since: int | None = None
    """Events up to this instant are no longer kept: causes before it are empty, and cycles that ended before it are missing."""
    events: int
    """The number of events that it is made from."""
    later: int
    """The number of known events that lie after ``until`` and were left out."""
    deadlines: tuple[Deadline, ...]
    waiting: tuple[Waiting, ...] = ()
    """Clocks of the ticket that start at a date and have not started."""
    without_deadline: tuple[WithoutDeadline, ...] = ()
    """Why the ticket, or which of its commitments and why, has no deadline."""
