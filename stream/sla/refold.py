"""A ticket folded again from its history: to all that is true of it up to an instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stream.sla.policy.timeline import SINCE_EVER
from stream.sla.transition.evolve import Transition, judged_up_to, new_ticket

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.timeline import Timeline
    from stream.sla.ticket.state import State, Ticket


class Extent(NamedTuple):
    """The progress of a ticket."""

    until: int
    """Everything before this instant has been found (epoch microseconds), and nothing that time alone makes true from it on."""
    deployment: int
    """The number of the deployment that judges it."""


def extent(head: Ticket) -> Extent:
    newest = head.last[0] if head.last is not None else 0
    return Extent(newest if head.last_timer_at is None else max(newest, head.last_timer_at + 1), head.deployment)


def replay(timeline: Timeline, state: State, events: list[Event], now: int) -> Transition:
    """The ticket from its base on, after these events, by that timeline."""
    whole = state.base is None

    def past(at: int) -> list[Event] | None:
        return [event for event in events if event.at < at] if whole else None

    start = new_ticket(state.head.id, timeline) if state.base is None else state.base.copy()
    transition = Transition(timeline, start, now, past)
    for event in events:
        transition.event(event)
    return transition


def refold(timeline: Timeline, state: State, events: list[Event], now: int, reached: Extent) -> Transition:
    """The ticket from its base on, with these events, up to where it had come: to all that is true of it, by that timeline."""
    transition = replay(timeline, state, events, now)
    judged_until = SINCE_EVER if state.base is None else judged_up_to(state.base, timeline.known)
    transition.meet(max(reached.until - 1, timeline.known[reached.deployment].at, judged_until))
    transition.time(reached.until)
    return transition
