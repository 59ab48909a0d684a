"""Lives of tickets as a helpdesk's feed has them, interleaved in the order of their instants.

A ticket is opened, assigned, answered (one in five late), discussed, put on pending while the customer is asked and taken up
again when he answers; some wait on hold, some change priority or team; it is solved, sometimes reopened, mostly closed.
About eleven events each. Instants are epoch microseconds.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

from stream.sla.events import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

START: Final = 1_762_000_000_000_000
MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE
EVERY: Final = 16_000_000
"""A ticket is opened every so often; with lives of a day and a half some 8,000 are under way at a time."""


def feed(tickets: int, start: int = START, seed: int = 7) -> list[tuple[str, Event]]:
    """Ticket and event, in the order in which they happened: the same from run to run."""
    dice = Random(seed)
    lives = [
        (event.at, number, step, event)
        for number in range(tickets)
        for step, event in enumerate(life(number, start + number * EVERY, dice))
    ]
    lives.sort(key=lambda one: one[:3])
    return [(f"desk/{number}", event) for _, number, _, event in lives]


def life(number: int, at: int, dice: Random) -> Iterator[Event]:
    """The events of one ticket that is opened ``at``."""
    fields = {
        "status": "new",
        "contract": "priority-support",
        "sender": "registered",
        "priority": dice.choices(("p1", "p2", "p3", "p4"), (5, 15, 40, 40))[0],
        "channel": dice.choices(("ticket", "email", "chat", "phone"), (40, 35, 15, 10))[0],
        "category": f"category-{dice.randrange(12)}",
        "customer": f"customer-{dice.randrange(500)}",
        "team": f"team-{dice.randrange(7)}",
    }
    steps = 0

    def event(kind: Any, after: float, **more: Any) -> Event:
        nonlocal at, steps
        at += int(after)
        steps += 1
        return Event(at=at, id=f"{number}-{steps}", type=kind, source="desk", **more)

    def changed(after: float, **fields: str) -> Event:
        return event("ticket.changed", after, fields=fields, actor="agent")

    yield event("ticket.created", 0, fields=fields, actor="customer")
    yield changed(dice.uniform(1, 20) * MINUTE, assignee=f"agent-{dice.randrange(60)}", status="open")
    answered_after = dice.uniform(9, 30) * HOUR if dice.random() < 0.2 else dice.uniform(2, 25) * MINUTE
    yield event("comment.added", answered_after, actor="agent", public=True)
    if dice.random() < 0.15:
        yield changed(dice.uniform(1, 60) * MINUTE, priority=dice.choice(("p1", "p2", "p3")))
    for _ in range(dice.choices((0, 1, 2, 3), (25, 40, 25, 10))[0]):
        yield event("comment.added", dice.uniform(5, 90) * MINUTE, actor="agent", public=True)
        yield changed(1_000_000, status="pending")
        yield event("comment.added", dice.uniform(0.5, 20) * HOUR, actor="customer", public=True)
        yield changed(1_000_000, status="open")
    if dice.random() < 0.12:
        yield changed(dice.uniform(5, 90) * MINUTE, status="on_hold")
        yield changed(dice.uniform(1, 20) * HOUR, status="open")
    if dice.random() < 0.1:
        yield changed(dice.uniform(5, 90) * MINUTE, team=f"team-{dice.randrange(7)}")
    yield event("comment.added", dice.uniform(1, 120) * MINUTE, actor="agent")
    yield changed(dice.uniform(1, 120) * MINUTE, status="solved")
    if dice.random() < 0.06:
        yield event("comment.added", dice.uniform(1, 10) * HOUR, actor="customer", public=True)
        yield changed(1_000_000, status="open")
        yield changed(dice.uniform(1, 5) * HOUR, status="solved")
    if dice.random() < 0.7:
        yield changed(dice.uniform(1, 24) * HOUR, status="closed")
