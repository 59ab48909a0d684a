"""The values that a helpdesk can be given: what a record states now, by name. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from stream.sla.effects import Kind

if TYPE_CHECKING:
    from stream.writeback.record import Cycle, Fact, TicketRecord

Value = str | int | bool | None
"""A text, an instant (epoch microseconds), yes or no, or nothing."""

_PAUSES: Final = (Kind.PAUSED,)
_RAISES: Final = frozenset({Kind.RAISED, Kind.REPEATED, Kind.RECURRED})


class Name(StrEnum):
    """The name of a value in a file of a desk."""

    STATE = "state"
    """The worst of the open commitments: overdue, warned, running, paused; none if nothing is open."""
    DUE = "due"
    """The next deadline of a commitment that is not breached."""
    COMMITMENT = "commitment"
    """The commitment of ``due``, or else of ``overdue_since``."""
    OVERDUE = "overdue"
    """A breached commitment is open."""
    OVERDUE_SINCE = "overdue_since"
    """The deadline of the open commitment that was breached first."""
    BREACHED = "breached"
    """A commitment was breached, whether it is open or not."""
    WARNED = "warned"
    """A warning of an open commitment is the newest that is known of it."""
    LEVEL = "level"
    """The level that was raised last, of an escalation that is not over."""
    LADDER = "ladder"
    """The ladder of ``level``."""
    ESCALATED = "escalated"
    """An escalation is not over."""
    ACKNOWLEDGED = "acknowledged"
    """The escalation of ``level`` is acknowledged."""
    TEAM = "team"
    """The team to which the newest functional escalation hands the ticket over."""
    POLICY = "policy"
    PROVISIONAL = "provisional"
    """The values may rest on a part of the ticket's events."""
    EFFECT = "effect"
    """The id of the newest effect."""


INSTANTS: Final = frozenset({Name.DUE, Name.OVERDUE_SINCE})
FLAGS: Final = frozenset({Name.OVERDUE, Name.BREACHED, Name.WARNED, Name.ESCALATED, Name.ACKNOWLEDGED, Name.PROVISIONAL})


def values(record: TicketRecord) -> dict[Name, Value]:
    """All values of a ticket."""
    newest = record.newest()
    open_ = [cycle for cycle in newest if not cycle.ladder and not cycle.over]
    overdue = [cycle for cycle in open_ if cycle.breached]
    ahead = [cycle for cycle in open_ if not cycle.breached]
    next_ = min((c for c in ahead if _due(c) is not None), key=_by_due, default=None)
    first = min((c for c in overdue if _due(c) is not None), key=_by_due, default=None)
    warned = [cycle for cycle in ahead if cycle.last.kind is Kind.WARNED]
    escalation = max(
        (cycle for cycle in newest if cycle.ladder and not cycle.over and _raised(cycle)),
        key=lambda cycle: _newest(cycle).at,
        default=None,
    )
    raised = None if escalation is None else _newest(escalation)
    takes_over = [fact for cycle in record.cycles for fact in cycle.facts if fact.team]
    team = max(takes_over, key=lambda fact: fact.at, default=None)
    return {
        Name.STATE: _state(open_, overdue, warned),
        Name.DUE: None if next_ is None else _due(next_),
        Name.COMMITMENT: next((cycle.name for cycle in (next_, first) if cycle is not None), ""),
        Name.OVERDUE: bool(overdue),
        Name.OVERDUE_SINCE: None if first is None else _due(first),
        Name.BREACHED: any(cycle.breached for cycle in record.cycles),
        Name.WARNED: bool(warned),
        Name.LEVEL: "" if raised is None else raised.level,
        Name.LADDER: "" if escalation is None else escalation.name,
        Name.ESCALATED: escalation is not None,
        Name.ACKNOWLEDGED: escalation is not None and escalation.last.kind in (Kind.ACKNOWLEDGED, Kind.MONITORING),
        Name.TEAM: "" if team is None else team.team,
        Name.POLICY: record.policy,
        Name.PROVISIONAL: any(fact.provisional for cycle in newest if not cycle.over for fact in cycle.facts),
        Name.EFFECT: record.effect,
    }


def _state(open_: list[Cycle], overdue: list[Cycle], warned: list[Cycle]) -> str:
    if overdue:
        return "overdue"
    if warned:
        return "warned"
    if not open_:
        return "none"
    return "paused" if all(cycle.last.kind in _PAUSES for cycle in open_) else "running"


def _due(cycle: Cycle) -> int | None:
    """The deadline as it is known; ``None`` while the clock is paused, unless it was breached."""
    if cycle.breached:
        return next(fact.due for fact in cycle.facts if fact.kind is Kind.BREACHED)
    return None if cycle.last.kind in _PAUSES else cycle.last.due


def _by_due(cycle: Cycle) -> int:
    return _due(cycle) or 0


def _raised(cycle: Cycle) -> bool:
    return any(fact.kind in _RAISES for fact in cycle.facts)


def _newest(cycle: Cycle) -> Fact:
    return next(fact for fact in reversed(cycle.facts) if fact.kind in _RAISES)
