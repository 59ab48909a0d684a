"""Clocks that start at a date field (``starts_at``): when the date lets a stopwatch start.

Rules:

1. Such a stopwatch starts when its date has come, ``starts`` holds, and neither ``stops`` nor ``cancels`` does. So it starts at
   the date itself if no event comes first; otherwise with the event after which the last of these is true.
2. While it has not started, a new value of the field takes the place of the old one. Once it has started, it does not matter.
3. What happens at the very instant of the date comes before the start.
4. A stopwatch that was stopped or cancelled begins a new cycle (``again: cycle``) only at a date after that.
5. A value that is not a date counts as missing.

Nothing of it is stored: it follows from the ticket's fields and stopwatches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.effects import TIMER
from stream.sla.events import Event
from stream.sla.ticket.stopwatch import IDLE

if TYPE_CHECKING:
    from stream.sla.policy.conditions import Fields
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.policy.triggers import MetricTriggers
    from stream.sla.ticket.state import Ticket
    from stream.sla.ticket.stopwatch import Stopwatch


def date_of(triggers: MetricTriggers, watch: Stopwatch | None, fields: Fields) -> int | None:
    """The date at which a stopwatch that is not on may start (epoch microseconds); ``None``: it has none, or none any more."""
    date = triggers.date(fields)
    if date is None or watch is None or watch.phase == IDLE:
        return date
    return date if triggers.begins_again(watch.phase) and date > watch.since else None


def next_start(ticket: Ticket, policies: PolicySet, at: int) -> int | None:
    """The soonest instant from ``at`` on at which a stopwatch starts, if no event comes first."""
    soonest: int | None = None
    for metric in starting(ticket, policies):
        date = date_of(policies.triggers[metric], ticket.watches.get(metric), ticket.fields)
        if date is not None and date >= at and (soonest is None or date < soonest):
            soonest = date
    return soonest


def starting(ticket: Ticket, policies: PolicySet) -> list[str]:
    """The metrics whose stopwatch starts as soon as its date has come."""
    if not ticket.started or ticket.ended_by:
        return []
    fields = {name: value for name, value in ticket.fields.items() if name != "@begun"}
    found = []
    for metric in policies.dated:
        watch, triggers = ticket.watches.get(metric), policies.triggers[metric]
        if date_of(triggers, watch, fields) is not None and triggers.may_start(no_event(0), fields):
            found.append(metric)
    return found


def no_event(at: int) -> Event:
    """An event of no type, so that no condition about events holds."""
    return Event(at, TIMER, "", "")  # type: ignore[arg-type]  # of no type
