"""What a signal of the stopwatch, an event about the escalation or the passing of time means to a ladder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.effects import Kind, Reason
from stream.sla.ticket.commitment_state import PENDING
from stream.sla.ticket.escalation_state import Climb, Holding, shift
from stream.sla.ticket.stopwatch import CANCEL, REOPEN, RESTART, STOP
from stream.sla.transition.emitter import MARK_REASON, TIMER

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.policy import Level
    from stream.sla.policy.resolve import Rungs
    from stream.sla.ticket.commitment_state import CommitmentState
    from stream.sla.ticket.stopwatch import Signal, Stopwatch
    from stream.sla.transition.emitter import Voice

URGENT = frozenset({"production", "business_risk"})
"""Impacts for which a customer may ask at any time."""


def turns(
    voice: Voice, signal: Signal, reason: Reason, at: int, cause: str, rungs: Rungs, climb: Climb, watch: Stopwatch
) -> None:
    """The ladder's stopwatch got a signal at ``at``. Called before the stopwatch takes an ending, after it takes another."""
    if signal is REOPEN:
        _reopens(voice, at, cause, rungs, climb, watch)
    elif signal is STOP and climb.active and rungs.ladder.monitoring is not None:
        climb.holding = Holding.MONITORING
        climb.said = at
        climb.turn += 1
        climb.next = climb.watched_until = shift(at, rungs.ladder.monitoring, rungs.calendar)
        _tell_all(voice, Kind.MONITORING, reason, at, cause, rungs, climb, watch, due_at=climb.watched_until)
    elif signal in (STOP, RESTART, CANCEL):
        releases(voice, reason, at, cause, rungs, climb, watch)


def _reopens(voice: Voice, at: int, cause: str, rungs: Rungs, climb: Climb, watch: Stopwatch) -> None:
    climb.turn += 1
    climb.floor = at
    climb.repeats = 0
    climb.said = at
    if climb.holding == Holding.QUIET or not climb.raised:
        climb.raised = ()
        climb.holding = Holding.CLIMBING
        return
    climb.holding = Holding.CLIMBING
    _tell_all(voice, Kind.RECURRED, Reason.RECURRENCE, at, cause, rungs, climb, watch)


def returns(voice: Voice, at: int, cause: str, rungs: Rungs, climb: Climb, watch: Stopwatch) -> None:
    """A ladder that had ceased to apply applies again: it goes on at its level."""
    climb.holding = Holding.CLIMBING
    climb.turn += 1
    climb.said = at
    climb.repeats = 0
    _tell_all(voice, Kind.RECURRED, Reason.FIELD_CHANGED, at, cause, rungs, climb, watch)


def releases(
    voice: Voice,
    reason: Reason,
    at: int,
    cause: str,
    rungs: Rungs,
    climb: Climb,
    watch: Stopwatch,
    *,
    holding: Holding = Holding.RELEASED,
) -> None:
    """The escalation is over: everybody who was told of it is told so."""
    climb.next = None
    if climb.active:
        climb.turn += 1
        climb.holding = holding
        _tell_all(voice, Kind.RELEASED, reason, at, cause, rungs, climb, watch)


def acknowledges(voice: Voice, event: Event, rungs: Rungs, climb: Climb, watch: Stopwatch) -> None:
    """Somebody has taken the escalation on. Nothing to acknowledge is no error: such an event says nothing."""
    if climb.active and climb.holding == Holding.CLIMBING and _means(event, climb):
        climb.holding = Holding.ACKNOWLEDGED
        climb.said = event.at
        climb.turn += 1
        _tell_all(voice, Kind.ACKNOWLEDGED, Reason.ACKNOWLEDGED, event.at, event.id, rungs, climb, watch)


def de_escalates(voice: Voice, event: Event, rungs: Rungs, climb: Climb, watch: Stopwatch) -> None:
    """Somebody has ended the escalation by hand."""
    if climb.active and _means(event, climb):
        releases(voice, Reason.DE_ESCALATED, event.at, event.id, rungs, climb, watch)


def takes(event: Event, rungs: Rungs) -> bool:
    """Whether a ladder is the one to answer a customer's request."""
    ladder = rungs.ladder
    return bool(ladder.on_request) and (not event.level or any(level.name == event.level for level in ladder.levels))


def asks(
    voice: Voice,
    event: Event,
    rungs: Rungs,
    climb: Climb,
    watch: Stopwatch,
    gate: CommitmentState | None,
    commitment_state: CommitmentState | None,
) -> None:
    """A customer asks for an escalation. ``gate`` is the commitment whose target must have passed, unless it is urgent."""
    ladder = rungs.ladder
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
        voice.ladder(
            Kind.REFUSED,
            reason,
            event.at,
            event.id,
            rungs,
            climb,
            watch,
            level=wanted,
            notify=("customer",),
            allowed_from=open_from if early else None,
            per_event=True,
        )
        return
    climb.said = event.at
    climb.repeats = 0
    again = climb.reached(level, rungs)
    if not again:
        climb.raised = (*climb.raised, level.name)
    climb.turn += 1  # its repetitions are counted from here, and are others than those before
    climb.holding = Holding.CLIMBING
    kind = Kind.REPEATED if again else Kind.RAISED
    _say(voice, kind, Reason.REQUESTED, event.at, event.id, rungs, climb, watch, level, commitment_state, per_event=True)


def falls_due(
    voice: Voice, instant: int, rungs: Rungs, climb: Climb, watch: Stopwatch, commitment_state: CommitmentState | None
) -> None:
    """``instant`` is ``climb.next``, and time has passed it."""
    for due in climb.pending(rungs, watch, commitment_state):
        if due.instant != instant:
            continue
        if due.level is None:
            releases(voice, Reason.QUIET, instant, TIMER, rungs, climb, watch, holding=Holding.QUIET)
            return
        if due.mark is not None:
            climb.raised = (*climb.raised, due.level.name)
            climb.repeats = 0
            climb.said = instant
            reason = MARK_REASON[due.mark.kind]
            _say(voice, Kind.RAISED, reason, instant, TIMER, rungs, climb, watch, due.level, commitment_state)
        elif due.level.name == climb.raised[-1]:
            _says_again(voice, instant, rungs, climb, watch, due.level, commitment_state)
    climb.look_ahead(rungs, watch, commitment_state)


def _says_again(
    voice: Voice,
    instant: int,
    rungs: Rungs,
    climb: Climb,
    watch: Stopwatch,
    level: Level,
    commitment_state: CommitmentState | None,
) -> None:
    if climb.holding == Holding.ACKNOWLEDGED:
        climb.holding = Holding.CLIMBING
        climb.floor = instant
        climb.repeats = 0
        climb.turn += 1
        reason = Reason.STILL_OPEN
    else:
        climb.repeats += 1
        reason = Reason.NOT_ACKNOWLEDGED
    climb.said = instant
    _say(voice, Kind.REPEATED, reason, instant, TIMER, rungs, climb, watch, level, commitment_state)


def _say(
    voice: Voice,
    kind: Kind,
    reason: Reason,
    at: int,
    cause: str,
    rungs: Rungs,
    climb: Climb,
    watch: Stopwatch,
    level: Level,
    commitment_state: CommitmentState | None,
    *,
    per_event: bool = False,
) -> None:
    voice.ladder(
        kind,
        reason,
        at,
        cause,
        rungs,
        climb,
        watch,
        level=level.name,
        notify=level.notify,
        due_at=None if commitment_state is None else commitment_state.due,
        count=climb.repeats,
        per_event=per_event,
    )


def _tell_all(
    voice: Voice,
    kind: Kind,
    reason: Reason,
    at: int,
    cause: str,
    rungs: Rungs,
    climb: Climb,
    watch: Stopwatch,
    *,
    due_at: int | None = None,
) -> None:
    told = [role for level in rungs.ladder.levels if level.name in climb.raised for role in level.notify]
    told_once = tuple(dict.fromkeys(told))
    voice.ladder(kind, reason, at, cause, rungs, climb, watch, level=climb.raised[-1], notify=told_once, due_at=due_at)


def _means(event: Event, climb: Climb) -> bool:
    return not event.level or event.level in climb.raised
