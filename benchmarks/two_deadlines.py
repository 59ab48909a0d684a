"""A ticket with two deadlines, as plainly as it can be written: for the raw loop, and for the breaches that are expected.

The work is that of ``benchmarks/cycle.py``: a first response and a resolution, each with a target by priority, both paused
while the ticket is pending. Instants are epoch microseconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from cycle import FIRST, LAST

if TYPE_CHECKING:
    from collections.abc import Iterable

RESPONSE: Final = "first_response"
RESOLUTION: Final = "resolution"
NEVER: Final = 1 << 62

Breach = tuple[str, str, int]
"""Ticket, commitment, and the deadline that passed."""
Ticket = dict[str, Any]
"""What is kept of a ticket. ``due``: the deadlines that may still pass, by commitment."""


def instant(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000) * 1_000


def soonest(ticket: Ticket) -> int:
    """The next deadline to pass; ``NEVER``: none does, or not before the next event."""
    due = ticket["due"]
    return NEVER if ticket["since"] or not due else min(due.values())


def passed(ticket: Ticket, now: int) -> list[Breach]:
    """The breaches up to and at ``now`` that were not found before."""
    if soonest(ticket) > now:
        return []
    due = ticket["due"]
    found = [(ticket["id"], name, at) for name, at in due.items() if at <= now]
    for _, name, _ in found:
        del due[name]
    return found


def change(ticket: Ticket | None, event: dict[str, Any], now: int) -> Ticket:
    """The ticket after an event that happened at ``now``; ``None``: there was none."""
    fields = event.get("fields", {})
    if ticket is None:
        priority = fields["priority"]
        due = {RESPONSE: now + FIRST[priority], RESOLUTION: now + LAST[priority]}
        return {"id": event["ticket"], "fields": fields, "opened": now, "paused": 0, "since": 0, "due": due}
    due, kept = ticket["due"], ticket["fields"]
    kept.update(fields)
    if "priority" in fields:
        begun = ticket["opened"] + ticket["paused"]
        for name, targets in ((RESPONSE, FIRST), (RESOLUTION, LAST)):
            if name in due:
                due[name] = begun + targets[kept["priority"]]
    status = fields.get("status")
    if status == "pending":
        ticket["since"] = ticket["since"] or now
    elif status and ticket["since"]:
        length = now - ticket["since"]
        ticket["since"], ticket["paused"] = 0, ticket["paused"] + length
        for name in due:
            due[name] += length
    if status == "solved":
        due.clear()
    elif event["type"] == "comment.added" and event["actor"]["kind"] == "agent":
        due.pop(RESPONSE, None)
    return ticket


def expected(events: Iterable[dict[str, Any]]) -> set[Breach]:
    """All breaches once every open deadline has passed. ``events``: in the order of their instants."""
    tickets: dict[str, Ticket] = {}
    found: set[Breach] = set()
    for event in events:
        now, name = instant(event["at"]), event["ticket"]
        if name in tickets:
            found.update(passed(tickets[name], now))
        tickets[name] = change(tickets.get(name), event, now)
    for ticket in tickets.values():
        found.update(passed(ticket, NEVER - 1))
    return found
