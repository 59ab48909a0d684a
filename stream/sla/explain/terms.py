"""The terms of a commitment that change how its deadline is found or kept, for an explanation."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from stream.sla.calendar.duration import Clock
from stream.sla.policy.conditions import IN_HOURS, OUT_OF_HOURS
from stream.sla.policy.terms import ON_CALENDAR

if TYPE_CHECKING:
    from stream.sla.policy.resolve import ResolvedCommitment


class Term(StrEnum):
    """One of them. A commitment without any has the usual terms."""

    MET_ONLY_BEFORE = "met_only_before_the_deadline"
    """``at_deadline: breached``."""
    PAUSES_ON_THE_WALL = "pauses_on_the_wall"
    """``pause_time: wall``, of a target in business time."""
    STARTED_AT_DATE = "started_at_a_date"
    """``starts_at``: the date of a ticket field started its clock."""
    STARTED_IN_HOURS = "started_in_hours"
    """Its target, or whether it applies, depends on how its clock started."""
    STARTED_OUT_OF_HOURS = "started_out_of_hours"


_STARTED: Final = {IN_HOURS: Term.STARTED_IN_HOURS, OUT_OF_HOURS: Term.STARTED_OUT_OF_HOURS}


def terms_of(resolved: ResolvedCommitment) -> tuple[Term, ...]:
    """Those of a commitment, in the order of ``Term``."""
    found = []
    if resolved.strict:
        found.append(Term.MET_ONLY_BEFORE)
    if resolved.on_calendar != ON_CALENDAR and resolved.target is not None and resolved.target.clock is Clock.BUSINESS:
        found.append(Term.PAUSES_ON_THE_WALL)
    if resolved.commitment.metric.starts_at:
        found.append(Term.STARTED_AT_DATE)
    if resolved.started:
        found.append(_STARTED[resolved.started])
    return tuple(found)
