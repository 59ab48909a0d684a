"""The raised level of an escalation that a list shows beside a commitment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stream.sla.ticket.escalation_state import ACKNOWLEDGED

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.ticket.state import Ticket


class Escalated(NamedTuple):
    """The highest raised level of a ladder that is not over."""

    level: str
    notify: tuple[str, ...]
    """The roles that the level notifies."""
    acknowledged_at: int | None
    """Epoch microseconds; ``None``: nobody has acknowledged it since it was raised last."""


def escalated(ticket: Ticket, policies: PolicySet, commitment: str) -> Escalated | None:
    """The escalation of a commitment, or else one that depends on none. ``policies``: those that judge the ticket.

    Of several the first that is not acknowledged, so that a list never hides one.
    """
    found: list[tuple[bool, bool, Escalated]] = []
    for name, state in ticket.escalations.items():
        if not state.active:
            continue
        epoch = policies.epoch(ticket.watches[state.terms.metric].began)
        resolved = policies.resolved_policy(ticket.fields, epoch).ladders.get(name)
        if resolved is None or resolved.ladder.commitment not in (commitment, ""):
            continue
        at = state.last_emitted_at if state.phase == ACKNOWLEDGED else None
        level = state.highest(resolved)
        shown = Escalated(state.raised[-1], () if level is None else level.notify, at)
        found.append((resolved.ladder.commitment == "", at is not None, shown))
    return min(found, key=lambda one: one[:2])[2] if found else None
