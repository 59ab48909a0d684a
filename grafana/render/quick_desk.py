"""A desk whose promises are seconds, so that deadlines pass by the clock while one looks: for the picture of the detector."""

from __future__ import annotations

import time
from random import Random
from typing import Final

from stream.demo.feed import FeedRecord
from stream.sla.events import Event
from stream.wire.effect import encode_event

POLICY: Final = """
policies:
  - policy: quick
    version: 1
    applies_to: always
    calendar: 24x7
    commitments:
      - {metric: first_response, objective: 90%, target: {p1: 3s, default: 8s}, warn_at: 75%}
      - {metric: resolution, objective: 80%, target: {p1: 10s, default: 20s}}
"""
_A_SECOND: Final = 12
"""Tickets."""
_SECOND: Final = 1_000_000


def feed(seconds: float) -> list[FeedRecord]:
    """Tickets from now on for so many seconds; one in four is answered late, and one in ten solved late."""
    dice, start = Random(7), time.time_ns() // 1_000  # noqa: S311  the same every time, on purpose
    records = []
    for number in range(int(seconds * _A_SECOND)):
        ticket, at = f"desk/{number}", start + dice.randrange(int(seconds * _SECOND))
        answered = at + int(dice.choice((1, 1.5, 2, 9)) * _SECOND)
        solved = answered + dice.randrange(1, 12) * _SECOND
        fields: dict[str, str | list[str]] = {"status": "open", "priority": f"p{1 + number % 3}"}
        events = [
            Event(at=at, id=f"{number}c", type="ticket.created", source="desk", fields=fields),
            Event(at=answered, id=f"{number}a", type="comment.added", source="desk", actor="agent", public=True),
            Event(at=solved, id=f"{number}s", type="ticket.changed", source="desk", fields={"status": "solved"}),
        ]
        records += [FeedRecord(event.at, ticket.encode(), encode_event(ticket, event), False) for event in events]
    return sorted(record for record in records if record.at < start + seconds * _SECOND)
