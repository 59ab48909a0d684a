"""Clocks that wait for the date of a ticket field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.calendar.zone import UTC_ZONE
from stream.sla.explain.explanation import Waiting
from stream.sla.policy.date_problems import date_problem
from stream.sla.policy.metric import base_name
from stream.sla.transition.start_dates import date_of, starting

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.ticket.state import Ticket


def waiting(ticket: Ticket, policies: PolicySet) -> tuple[Waiting, ...]:
    """The clocks of a ticket that a commitment or a ladder uses, that start at a date and have never started."""
    resolved = policies.resolved_policy(ticket.fields, policies.epoch(ticket.last[0])) if ticket.last is not None else None
    if resolved is None or not ticket.started or ticket.ended_by:
        return ()
    soon = starting(ticket, policies)
    found = []
    for name in policies.dated:
        if name in ticket.watches or not (name in resolved.commitments_on or name in resolved.ladders_on):
            continue
        triggers = policies.triggers[name]
        metric = triggers.metric
        found.append(
            Waiting(
                metric=base_name(name),
                field=metric.starts_at,
                zone=(metric.zone or UTC_ZONE).name,
                starts=date_of(triggers, None, ticket.fields) if name in soon else None,
                problem=date_problem(metric, ticket.fields),
            )
        )
    return tuple(found)
