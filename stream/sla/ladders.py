"""What a signal of the stopwatch, a change of the plan or the passing of time means to an escalation ladder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.effects import Kind, Reason
from stream.sla.stopwatch import Signal
from stream.sla.voice import MARK_REASON, TIMER

if TYPE_CHECKING:
    from stream.sla.commitment import Pledge
    from stream.sla.escalation import Climb
    from stream.sla.policy import Rungs
    from stream.sla.stopwatch import Stopwatch
    from stream.sla.voice import Voice


def turns(
    voice: Voice, signal: Signal, reason: Reason, at: int, cause: str, rungs: Rungs, climb: Climb, watch: Stopwatch
) -> None:
    """The ladder's stopwatch got a signal at ``at``. Called before the stopwatch takes it, except for a reopening."""
    if signal is Signal.REOPEN:
        if climb.released and climb.raised:
            climb.released = False
            climb.turn += 1
            climb.floor = at
            level = climb.raised[-1]
            told = _told(rungs, climb)
            voice.ladder(Kind.RECURRED, Reason.RECURRENCE, at, cause, rungs, climb, watch, level=level, notify=told)
    elif signal in (Signal.STOP, Signal.RESTART, Signal.CANCEL):
        releases(voice, reason, at, cause, rungs, climb, watch)


def releases(voice: Voice, reason: Reason, at: int, cause: str, rungs: Rungs, climb: Climb, watch: Stopwatch) -> None:
    """The escalation is over: everybody who was told of it is told so."""
    climb.next = None
    if climb.raised and not climb.released:
        climb.released = True
        level = climb.raised[-1]
        voice.ladder(Kind.RELEASED, reason, at, cause, rungs, climb, watch, level=level, notify=_told(rungs, climb))


def falls_due(voice: Voice, instant: int, rungs: Rungs, climb: Climb, watch: Stopwatch, pledge: Pledge | None) -> None:
    """``instant`` is ``climb.next``, and time has passed it."""
    due_at = None if pledge is None else pledge.due
    for level, mark, at in climb.pending(rungs, watch, pledge):
        if at == instant:
            climb.raised.append(level.name)
            voice.ladder(
                Kind.RAISED,
                MARK_REASON[mark.kind],
                instant,
                TIMER,
                rungs,
                climb,
                watch,
                level=level.name,
                notify=level.notify,
                due_at=due_at,
            )
    climb.look_ahead(rungs, watch, pledge)


def _told(rungs: Rungs, climb: Climb) -> tuple[str, ...]:
    told = [role for level in rungs.ladder.levels if level.name in climb.raised for role in level.notify]
    return tuple(dict.fromkeys(told))
