"""What a signal of the stopwatch, a change of the plan or the passing of time means to a commitment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.sla.calendar.duration import Duration
from stream.sla.effects import Kind, Reason
from stream.sla.policy.policy import OnChange
from stream.sla.ticket.commitment_state import BREACHED, CANCELLED, LATE, MEASURED, MET, PENDING, Pledge
from stream.sla.ticket.stopwatch import CANCEL, PAUSE, PAUSED, REOPEN, RESUME, STOP
from stream.sla.transition.emitter import MARK_REASON, TIMER

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.resolve import Promise
    from stream.sla.ticket.stopwatch import Signal, Stopwatch
    from stream.sla.transition.emitter import Voice

# What is said at every ticket: up to Python 3.11 naming an enum's member costs as much as a call.
_STARTED: Final = Kind.STARTED
_PAUSED: Final = Kind.PAUSED
_RESUMED: Final = Kind.RESUMED
_MET: Final = Kind.MET
_MEASURED: Final = Kind.MEASURED
_FULFILLED: Final = Reason.FULFILLED
_NO_TARGET: Final = Reason.NO_TARGET
_BY_PAUSE: Final = Reason.PAUSE_CONDITION
_BY_RESUME: Final = Reason.RESUME_CONDITION
_BY_REOPENING: Final = Reason.REOPENED


def ends(
    voice: Voice,
    signal: Signal,
    reason: Reason,
    at: int,
    cause: str,
    promise: Promise,
    pledge: Pledge,
    watch: Stopwatch,
) -> None:
    """The stopwatch is about to stop, restart or be cancelled at ``at``."""
    if signal is CANCEL:
        if pledge.verdict == PENDING:
            pledge.decide(CANCELLED)
            voice.commitment(Kind.CANCELLED, reason, at, cause, promise, pledge, watch)
        pledge.next = None
        return
    if promise.timer:
        if pledge.verdict == PENDING:
            pledge.decide(CANCELLED)
            if signal is STOP:  # what restarts is told of by its new start
                voice.commitment(Kind.CANCELLED, Reason.FULFILLED, at, cause, promise, pledge, watch)
        pledge.next = None
        return
    if pledge.verdict == PENDING:
        if pledge.target is None:
            pledge.decide(MEASURED)
            voice.commitment(_MEASURED, _NO_TARGET, at, cause, promise, pledge, watch)
        elif pledge.due is not None and pledge.due < at:
            # Time was let pass up to here, so only a target that changed at this very instant can have got by.
            breaches(voice, at, cause, promise, pledge, watch)
        else:
            pledge.decide(MET)
            voice.commitment(_MET, _FULFILLED, at, cause, promise, pledge, watch)
    if pledge.verdict == BREACHED:
        pledge.decide(LATE)
        voice.commitment(Kind.MET_LATE, Reason.FULFILLED_LATE, at, cause, promise, pledge, watch)
    pledge.next = None


def moves(voice: Voice, signal: Signal, at: int, cause: str, promise: Promise, pledge: Pledge, watch: Stopwatch) -> None:
    """The stopwatch was paused, resumed or reopened at ``at``."""
    if signal is REOPEN:
        pledge.turn += 1
        if pledge.verdict == LATE:
            pledge.decide(BREACHED)
        elif pledge.verdict in (MET, MEASURED):
            pledge.decide(PENDING)
            pledge.floor = at
    if signal is REOPEN and pledge.verdict == PENDING and pledge.differs(promise, watch):
        retargets(voice, at, cause, promise, pledge, watch)  # the fields changed while it was stopped
    pledge.look_ahead(promise, watch)
    if pledge.verdict != PENDING:
        return
    if signal is PAUSE:
        voice.commitment(_PAUSED, _BY_PAUSE, at, cause, promise, pledge, watch, per_event=True)
    elif signal is RESUME or signal is REOPEN:
        reason = _BY_REOPENING if signal is REOPEN else _BY_RESUME
        voice.commitment(_RESUMED, reason, at, cause, promise, pledge, watch, per_event=True)


def begins(
    voice: Voice, reason: Reason, at: int, cause: str, promise: Promise, watch: Stopwatch, before: Pledge | None
) -> Pledge:
    """A promise begins to be laid over a stopwatch: a cycle has begun, or the promise has begun to apply."""
    pledge = Pledge(promise.policy.name, promise.policy.version, promise.row, watch.cycle)
    if before is not None and (before.row != pledge.row or before.cycle == watch.cycle):
        pledge.turn = before.turn + 1
    pledge.aim(promise, watch, at)
    pledge.look_ahead(promise, watch)
    voice.commitment(_STARTED, reason, at, cause, promise, pledge, watch)
    if watch.phase == PAUSED:
        voice.commitment(_PAUSED, _BY_PAUSE, at, cause, promise, pledge, watch, per_event=True)
    return pledge


def retargets(voice: Voice, at: int, cause: str, promise: Promise, pledge: Pledge, watch: Stopwatch) -> None:
    """The ticket's fields now promise something else: swap the target as the commitment's ``on_change`` says."""
    pledge.turn += 1
    pledge.row = promise.row
    pledge.cycle = watch.cycle
    pledge.aim(promise, watch, at)
    mode = promise.commitment.on_change
    if mode is OnChange.RESET:
        pledge.extension = 0
        pledge.warned = ()
        pledge.cut_from = at
    if mode is not OnChange.CARRY:
        pledge.counts_from = at
    pledge.measure_again(promise.calendar, watch)
    pledge.aim_again(promise, watch, at)
    voice.commitment(Kind.RETARGETED, Reason.FIELD_CHANGED, at, cause, promise, pledge, watch, per_event=True)


def breaches(voice: Voice, at: int, cause: str, promise: Promise, pledge: Pledge, watch: Stopwatch) -> None:
    """The deadline has passed; ``at`` is the deadline, or the later instant at which its target took hold."""
    pledge.decide(BREACHED)
    pledge.next = None
    late = pledge.due is not None and pledge.due < at
    reason = Reason.RETARGETED_PAST_DUE if late else Reason.TARGET_PASSED
    kind = Kind.ELAPSED if promise.timer else Kind.BREACHED
    voice.commitment(kind, reason, at, cause, promise, pledge, watch)


def falls_due(voice: Voice, instant: int, promise: Promise, pledge: Pledge, watch: Stopwatch) -> None:
    """``instant`` is ``pledge.next``, and time has passed it."""
    if pledge.due is not None and max(pledge.due, pledge.floor) == instant:
        breaches(voice, instant, TIMER, promise, pledge, watch)
        return
    for mark in pledge.warnings_at(instant, promise, watch):
        pledge.warned = (*pledge.warned, mark.text)
        voice.commitment(Kind.WARNED, MARK_REASON[mark.kind], instant, TIMER, promise, pledge, watch, mark=mark)
    pledge.look_ahead(promise, watch)


def extends(voice: Voice, event: Event, promise: Promise, pledge: Pledge, watch: Stopwatch) -> None:
    """More time was granted. Extensions add up to the policy's cap and no further; a refusal is said, not swallowed."""
    cap = promise.commitment.extension_cap
    wanted = Duration.parse(event.by).resolve(promise.calendar, watch.began)
    room = None if cap is None else cap.resolve(promise.calendar, watch.began)
    allowed = 0
    if room is not None and room.clock is pledge.clock is wanted.clock:
        allowed = min(wanted.micros, room.micros - pledge.extension)
    if pledge.verdict != PENDING or pledge.target is None or not watch.on or allowed <= 0:
        kind, reason = Kind.EXTENSION_REFUSED, Reason.NO_EXTENSION
    else:
        kind, reason = Kind.RETARGETED, Reason.EXTENSION
        pledge.extension += allowed
        pledge.turn += 1
        pledge.floor = event.at
        pledge.aim_again(promise, watch, event.at)
    voice.commitment(kind, reason, event.at, event.id, promise, pledge, watch, per_event=True)
