"""What a signal of the stopwatch, a change of the plan or the passing of time means to a commitment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.sla.calendar.duration import Duration
from stream.sla.effects import Kind, Reason
from stream.sla.policy.policy import OnChange
from stream.sla.ticket.commitment_state import BREACHED, CANCELLED, MEASURED, MET, MET_LATE, PENDING, CommitmentState
from stream.sla.ticket.stopwatch import CANCEL, PAUSE, PAUSED, REOPEN, RESUME, STOP
from stream.sla.transition.emitter import THRESHOLD_REASON, TIMER

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.resolve import ResolvedCommitment
    from stream.sla.ticket.stopwatch import Signal, Stopwatch
    from stream.sla.transition.emitter import Emitter

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
    emitter: Emitter,
    signal: Signal,
    reason: Reason,
    at: int,
    cause: str,
    resolved: ResolvedCommitment,
    commitment_state: CommitmentState,
    watch: Stopwatch,
) -> None:
    """The stopwatch is about to stop, restart or be cancelled at ``at``."""
    if signal is CANCEL:
        if commitment_state.verdict == PENDING:
            commitment_state.decide(CANCELLED)
            emitter.commitment(Kind.CANCELLED, reason, at, cause, resolved, commitment_state, watch)
        commitment_state.next = None
        return
    if resolved.timer:
        if commitment_state.verdict == PENDING:
            commitment_state.decide(CANCELLED)
            if signal is STOP:  # what restarts is told of by its new start
                emitter.commitment(Kind.CANCELLED, Reason.FULFILLED, at, cause, resolved, commitment_state, watch)
        commitment_state.next = None
        return
    if commitment_state.verdict == PENDING:
        if commitment_state.target is None:
            commitment_state.decide(MEASURED)
            emitter.commitment(_MEASURED, _NO_TARGET, at, cause, resolved, commitment_state, watch)
        elif commitment_state.due is not None and commitment_state.due < at:
            # Time was let pass up to here, so only a target that changed at this very instant can have got by.
            breaches(emitter, at, cause, resolved, commitment_state, watch)
        else:
            commitment_state.decide(MET)
            emitter.commitment(_MET, _FULFILLED, at, cause, resolved, commitment_state, watch)
    if commitment_state.verdict == BREACHED:
        commitment_state.decide(MET_LATE)
        emitter.commitment(Kind.MET_LATE, Reason.FULFILLED_LATE, at, cause, resolved, commitment_state, watch)
    commitment_state.next = None


def moves(
    emitter: Emitter,
    signal: Signal,
    at: int,
    cause: str,
    resolved: ResolvedCommitment,
    commitment_state: CommitmentState,
    watch: Stopwatch,
) -> None:
    """The stopwatch was paused, resumed or reopened at ``at``."""
    if signal is REOPEN:
        commitment_state.revision += 1
        if commitment_state.verdict == MET_LATE:
            commitment_state.decide(BREACHED)
        elif commitment_state.verdict in (MET, MEASURED):
            commitment_state.decide(PENDING)
            commitment_state.effective_from = at
    if signal is REOPEN and commitment_state.verdict == PENDING and commitment_state.differs(resolved, watch):
        retargets(emitter, at, cause, resolved, commitment_state, watch)  # the fields changed while it was stopped
    commitment_state.look_ahead(resolved, watch)
    if commitment_state.verdict != PENDING:
        return
    if signal is PAUSE:
        emitter.commitment(_PAUSED, _BY_PAUSE, at, cause, resolved, commitment_state, watch, per_event=True)
    elif signal is RESUME or signal is REOPEN:
        reason = _BY_REOPENING if signal is REOPEN else _BY_RESUME
        emitter.commitment(_RESUMED, reason, at, cause, resolved, commitment_state, watch, per_event=True)


def begins(
    emitter: Emitter,
    reason: Reason,
    at: int,
    cause: str,
    resolved: ResolvedCommitment,
    watch: Stopwatch,
    before: CommitmentState | None,
) -> CommitmentState:
    """A promise begins to be laid over a stopwatch: a cycle has begun, or the promise has begun to apply."""
    commitment_state = CommitmentState(resolved.policy.name, resolved.policy.version, resolved.metric, watch.cycle)
    if before is not None and (before.metric != commitment_state.metric or before.cycle == watch.cycle):
        commitment_state.revision = before.revision + 1
    commitment_state.aim(resolved, watch, at)
    commitment_state.look_ahead(resolved, watch)
    emitter.commitment(_STARTED, reason, at, cause, resolved, commitment_state, watch)
    if watch.phase == PAUSED:
        emitter.commitment(_PAUSED, _BY_PAUSE, at, cause, resolved, commitment_state, watch, per_event=True)
    return commitment_state


def retargets(
    emitter: Emitter, at: int, cause: str, resolved: ResolvedCommitment, commitment_state: CommitmentState, watch: Stopwatch
) -> None:
    """The ticket's fields now promise something else: swap the target as the commitment's ``on_change`` says."""
    commitment_state.revision += 1
    commitment_state.metric = resolved.metric
    commitment_state.cycle = watch.cycle
    commitment_state.aim(resolved, watch, at)
    mode = resolved.commitment.on_change
    if mode is OnChange.RESET:
        commitment_state.extension = 0
        commitment_state.warned = ()
        commitment_state.reset_at = at
    if mode is not OnChange.CARRY:
        commitment_state.rebased_at = at
    commitment_state.measure_again(resolved.calendar, watch)
    commitment_state.aim_again(resolved, watch, at)
    emitter.commitment(Kind.RETARGETED, Reason.FIELD_CHANGED, at, cause, resolved, commitment_state, watch, per_event=True)


def breaches(
    emitter: Emitter, at: int, cause: str, resolved: ResolvedCommitment, commitment_state: CommitmentState, watch: Stopwatch
) -> None:
    """The deadline has passed; ``at`` is the deadline, or the later instant at which its target took hold."""
    commitment_state.decide(BREACHED)
    commitment_state.next = None
    late = commitment_state.due is not None and commitment_state.due < at
    reason = Reason.RETARGETED_PAST_DUE if late else Reason.TARGET_PASSED
    kind = Kind.ELAPSED if resolved.timer else Kind.BREACHED
    emitter.commitment(kind, reason, at, cause, resolved, commitment_state, watch)


def falls_due(
    emitter: Emitter, instant: int, resolved: ResolvedCommitment, commitment_state: CommitmentState, watch: Stopwatch
) -> None:
    """``instant`` is ``commitment_state.next``, and time has passed it."""
    if commitment_state.due is not None and max(commitment_state.due, commitment_state.effective_from) == instant:
        breaches(emitter, instant, TIMER, resolved, commitment_state, watch)
        return
    for threshold in commitment_state.warnings_at(instant, resolved, watch):
        commitment_state.warned = (*commitment_state.warned, threshold.text)
        emitter.commitment(
            Kind.WARNED,
            THRESHOLD_REASON[threshold.kind],
            instant,
            TIMER,
            resolved,
            commitment_state,
            watch,
            threshold=threshold,
        )
    commitment_state.look_ahead(resolved, watch)


def extends(
    emitter: Emitter, event: Event, resolved: ResolvedCommitment, commitment_state: CommitmentState, watch: Stopwatch
) -> None:
    """More time was granted. Extensions add up to the policy's cap and no further; a refusal is said, not swallowed."""
    cap = resolved.commitment.extension_cap
    wanted = Duration.parse(event.by).resolve(resolved.calendar, watch.began)
    room = None if cap is None else cap.resolve(resolved.calendar, watch.began)
    allowed = 0
    if room is not None and room.clock is commitment_state.clock is wanted.clock:
        allowed = min(wanted.micros, room.micros - commitment_state.extension)
    if commitment_state.verdict != PENDING or commitment_state.target is None or not watch.on or allowed <= 0:
        kind, reason = Kind.EXTENSION_REFUSED, Reason.NO_EXTENSION
    else:
        kind, reason = Kind.RETARGETED, Reason.EXTENSION
        commitment_state.extension += allowed
        commitment_state.revision += 1
        commitment_state.effective_from = event.at
        commitment_state.aim_again(resolved, watch, event.at)
    emitter.commitment(kind, reason, event.at, event.id, resolved, commitment_state, watch, per_event=True)
