"""Describes a raised level: the roles that it notified, who acknowledged it, and whether it was released.

Rules:

1. An acknowledgement and a release concern every level that the ladder has raised before.
2. A level that is raised again, by time or on request, waits for an acknowledgement again. So does every level of a ladder that
   comes back.
3. An acknowledgement holds the levels above as long as the escalation is acknowledged.
4. Where the history is cut, the state of the escalation has the instant, and nothing else is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sla.effects import Kind
from stream.sla.explain.explanation import Acknowledgement, Release
from stream.sla.ticket.escalation_state import ACKNOWLEDGED, MONITORING, EscalationPhase

if TYPE_CHECKING:
    from stream.sla.explain.explanation import Moment
    from stream.sla.explain.traces import LadderTrace
    from stream.sla.policy.policy import Level

_OVER: Final = (EscalationPhase.RELEASED, EscalationPhase.ENDED, EscalationPhase.WITHDRAWN)


class Raised(NamedTuple):
    """The status of a level."""

    notify: tuple[str, ...]
    """The roles that it notified, or will notify."""
    acknowledged: Acknowledgement | None = None
    released: Release | None = None
    monitored_until: int | None = None


def raised(ladder_trace: LadderTrace, level: Level) -> Raised:
    """The status of a level of a ladder in a cycle."""
    state = ladder_trace.escalation_state
    if level.name not in state.raised and state.phase != ACKNOWLEDGED:
        return Raised(level.notify)
    notify, acknowledged, released = level.notify, None, None
    for moment in ladder_trace.moments:
        if moment.expected:
            break
        if moment.kind is Kind.RECURRED or _raises(moment, level):
            acknowledged = released = None
            notify = moment.notify if moment.level == level.name and moment.kind is not Kind.RECURRED else notify
        elif moment.kind is Kind.ACKNOWLEDGED:
            acknowledged = Acknowledgement(at=moment.at, actor=moment.actor, role=moment.role, cause=moment.cause)
        elif moment.kind is Kind.RELEASED:
            released = Release(at=moment.at, reason=moment.reason, cause=moment.cause)
    if state.phase == ACKNOWLEDGED and acknowledged is None:
        acknowledged = Acknowledgement(at=state.last_emitted_at)
    elif state.phase in _OVER and released is None:
        released = Release(at=state.rounds)
    return Raised(notify, acknowledged, released, state.monitored_until if state.phase == MONITORING else None)


def _raises(moment: Moment, level: Level) -> bool:
    return moment.level == level.name and moment.kind in (Kind.RAISED, Kind.REPEATED)
