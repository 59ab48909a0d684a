"""What a signal of the stopwatch, an event about the escalation or the passing of time means to a ladder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.effects import Kind, Reason
from stream.sla.ticket.commitment_state import PENDING
from stream.sla.ticket.escalation_state import EscalationPhase, EscalationState, shift
from stream.sla.ticket.stopwatch import CANCEL, REOPEN, RESTART, STOP
from stream.sla.transition.emitter import THRESHOLD_REASON, TIMER

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.policy import Level
    from stream.sla.policy.resolve import ResolvedLadder
    from stream.sla.ticket.commitment_state import CommitmentState
    from stream.sla.ticket.stopwatch import Signal, Stopwatch
    from stream.sla.transition.emitter import Emitter

URGENT = frozenset({"production", "business_risk"})
"""Impacts for which a customer may ask at any time."""


def turns(
    emitter: Emitter,
    signal: Signal,
    reason: Reason,
    at: int,
    cause: str,
    resolved_ladder: ResolvedLadder,
    escalation_state: EscalationState,
    watch: Stopwatch,
) -> None:
    """The ladder's stopwatch got a signal at ``at``. Called before the stopwatch takes an ending, after it takes another."""
    if signal is REOPEN:
        _reopens(emitter, at, cause, resolved_ladder, escalation_state, watch)
    elif signal is STOP and escalation_state.active and resolved_ladder.ladder.monitoring is not None:
        escalation_state.phase = EscalationPhase.MONITORING
        escalation_state.last_emitted_at = at
        escalation_state.rounds += 1
        escalation_state.next = escalation_state.monitored_until = shift(
            at, resolved_ladder.ladder.monitoring, resolved_ladder.calendar
        )
        _tell_all(
            emitter,
            Kind.MONITORING,
            reason,
            at,
            cause,
            resolved_ladder,
            escalation_state,
            watch,
            due_at=escalation_state.monitored_until,
        )
    elif signal in (STOP, RESTART, CANCEL):
        releases(emitter, reason, at, cause, resolved_ladder, escalation_state, watch)


def _reopens(
    emitter: Emitter, at: int, cause: str, resolved_ladder: ResolvedLadder, escalation_state: EscalationState, watch: Stopwatch
) -> None:
    escalation_state.rounds += 1
    escalation_state.effective_from = at
    escalation_state.repeats = 0
    escalation_state.last_emitted_at = at
    if escalation_state.phase == EscalationPhase.ENDED or not escalation_state.raised:
        escalation_state.raised = ()
        escalation_state.phase = EscalationPhase.ACTIVE
        return
    escalation_state.phase = EscalationPhase.ACTIVE
    _tell_all(emitter, Kind.RECURRED, Reason.RECURRENCE, at, cause, resolved_ladder, escalation_state, watch)


def returns(
    emitter: Emitter, at: int, cause: str, resolved_ladder: ResolvedLadder, escalation_state: EscalationState, watch: Stopwatch
) -> None:
    """A ladder that had ceased to apply applies again: it goes on at its level."""
    escalation_state.phase = EscalationPhase.ACTIVE
    escalation_state.rounds += 1
    escalation_state.last_emitted_at = at
    escalation_state.repeats = 0
    _tell_all(emitter, Kind.RECURRED, Reason.FIELD_CHANGED, at, cause, resolved_ladder, escalation_state, watch)


def releases(
    emitter: Emitter,
    reason: Reason,
    at: int,
    cause: str,
    resolved_ladder: ResolvedLadder,
    escalation_state: EscalationState,
    watch: Stopwatch,
    *,
    phase: EscalationPhase = EscalationPhase.RELEASED,
) -> None:
    """The escalation is over: everybody who was told of it is told so."""
    escalation_state.next = None
    if escalation_state.active:
        escalation_state.rounds += 1
        escalation_state.phase = phase
        _tell_all(emitter, Kind.RELEASED, reason, at, cause, resolved_ladder, escalation_state, watch)


def acknowledges(
    emitter: Emitter, event: Event, resolved_ladder: ResolvedLadder, escalation_state: EscalationState, watch: Stopwatch
) -> None:
    """Somebody has taken the escalation on. Nothing to acknowledge is no error: such an event says nothing."""
    if escalation_state.active and escalation_state.phase == EscalationPhase.ACTIVE and _means(event, escalation_state):
        escalation_state.phase = EscalationPhase.ACKNOWLEDGED
        escalation_state.last_emitted_at = event.at
        escalation_state.rounds += 1
        _tell_all(emitter, Kind.ACKNOWLEDGED, Reason.ACKNOWLEDGED, event.at, event.id, resolved_ladder, escalation_state, watch)


def de_escalates(
    emitter: Emitter, event: Event, resolved_ladder: ResolvedLadder, escalation_state: EscalationState, watch: Stopwatch
) -> None:
    """Somebody has ended the escalation by hand."""
    if escalation_state.active and _means(event, escalation_state):
        releases(emitter, Reason.DE_ESCALATED, event.at, event.id, resolved_ladder, escalation_state, watch)


def takes(event: Event, resolved_ladder: ResolvedLadder) -> bool:
    """Whether a ladder is the one to answer a customer's request."""
    ladder = resolved_ladder.ladder
    return bool(ladder.on_request) and (not event.level or any(level.name == event.level for level in ladder.levels))


def asks(
    emitter: Emitter,
    event: Event,
    resolved_ladder: ResolvedLadder,
    escalation_state: EscalationState,
    watch: Stopwatch,
    gate: CommitmentState | None,
    commitment_state: CommitmentState | None,
) -> None:
    """A customer asks for an escalation. ``gate`` is the commitment whose target must have passed, unless it is urgent."""
    ladder = resolved_ladder.ladder
    wanted = event.level or ladder.on_request
    level = next((level for level in ladder.levels if level.name == wanted), None)
    urgent = event.impact in URGENT
    open_from = None if gate is None else gate.due
    # A gate with no deadline in sight (paused) is shut; one that was fulfilled without ever having one is open.
    shut = gate is not None and gate.target is not None
    shut = shut and (event.at < open_from if open_from is not None else gate is not None and gate.verdict == PENDING)
    early = shut and not urgent
    if level is None or not ladder.on_request or not watch.on or early:
        reason = Reason.TOO_EARLY if early else Reason.NOT_OFFERED if watch.on else Reason.SOLVED
        emitter.ladder(
            Kind.REFUSED,
            reason,
            event.at,
            event.id,
            resolved_ladder,
            escalation_state,
            watch,
            level=wanted,
            notify=("customer",),
            allowed_from=open_from if early else None,
            per_event=True,
        )
        return
    escalation_state.last_emitted_at = event.at
    escalation_state.repeats = 0
    again = escalation_state.reached(level, resolved_ladder)
    if not again:
        escalation_state.raised = (*escalation_state.raised, level.name)
    escalation_state.rounds += 1  # its repetitions are counted from here, and are others than those before
    escalation_state.phase = EscalationPhase.ACTIVE
    kind = Kind.REPEATED if again else Kind.RAISED
    _say(
        emitter,
        kind,
        Reason.REQUESTED,
        event.at,
        event.id,
        resolved_ladder,
        escalation_state,
        watch,
        level,
        commitment_state,
        per_event=True,
    )


def falls_due(
    emitter: Emitter,
    instant: int,
    resolved_ladder: ResolvedLadder,
    escalation_state: EscalationState,
    watch: Stopwatch,
    commitment_state: CommitmentState | None,
) -> None:
    """``instant`` is ``escalation_state.next``, and time has passed it."""
    for due in escalation_state.pending(resolved_ladder, watch, commitment_state):
        if due.instant != instant:
            continue
        if due.level is None:
            releases(
                emitter, Reason.QUIET, instant, TIMER, resolved_ladder, escalation_state, watch, phase=EscalationPhase.ENDED
            )
            return
        if due.threshold is not None:
            escalation_state.raised = (*escalation_state.raised, due.level.name)
            escalation_state.repeats = 0
            escalation_state.last_emitted_at = instant
            reason = THRESHOLD_REASON[due.threshold.kind]
            _say(
                emitter,
                Kind.RAISED,
                reason,
                instant,
                TIMER,
                resolved_ladder,
                escalation_state,
                watch,
                due.level,
                commitment_state,
            )
        elif due.level.name == escalation_state.raised[-1]:
            _says_again(emitter, instant, resolved_ladder, escalation_state, watch, due.level, commitment_state)
    escalation_state.look_ahead(resolved_ladder, watch, commitment_state)


def _says_again(
    emitter: Emitter,
    instant: int,
    resolved_ladder: ResolvedLadder,
    escalation_state: EscalationState,
    watch: Stopwatch,
    level: Level,
    commitment_state: CommitmentState | None,
) -> None:
    if escalation_state.phase == EscalationPhase.ACKNOWLEDGED:
        escalation_state.phase = EscalationPhase.ACTIVE
        escalation_state.effective_from = instant
        escalation_state.repeats = 0
        escalation_state.rounds += 1
        reason = Reason.STILL_OPEN
    else:
        escalation_state.repeats += 1
        reason = Reason.NOT_ACKNOWLEDGED
    escalation_state.last_emitted_at = instant
    _say(emitter, Kind.REPEATED, reason, instant, TIMER, resolved_ladder, escalation_state, watch, level, commitment_state)


def _say(
    emitter: Emitter,
    kind: Kind,
    reason: Reason,
    at: int,
    cause: str,
    resolved_ladder: ResolvedLadder,
    escalation_state: EscalationState,
    watch: Stopwatch,
    level: Level,
    commitment_state: CommitmentState | None,
    *,
    per_event: bool = False,
) -> None:
    emitter.ladder(
        kind,
        reason,
        at,
        cause,
        resolved_ladder,
        escalation_state,
        watch,
        level=level.name,
        notify=level.notify,
        due_at=None if commitment_state is None else commitment_state.due,
        count=escalation_state.repeats,
        per_event=per_event,
    )


def _tell_all(
    emitter: Emitter,
    kind: Kind,
    reason: Reason,
    at: int,
    cause: str,
    resolved_ladder: ResolvedLadder,
    escalation_state: EscalationState,
    watch: Stopwatch,
    *,
    due_at: int | None = None,
) -> None:
    told = [role for level in resolved_ladder.ladder.levels if level.name in escalation_state.raised for role in level.notify]
    told_once = tuple(dict.fromkeys(told))
    emitter.ladder(
        kind,
        reason,
        at,
        cause,
        resolved_ladder,
        escalation_state,
        watch,
        level=escalation_state.raised[-1],
        notify=told_once,
        due_at=due_at,
    )


def _means(event: Event, escalation_state: EscalationState) -> bool:
    return not event.level or event.level in escalation_state.raised
