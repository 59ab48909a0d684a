"""Finds the effects of a ticket that are not certain, because events of it may be missing.

A *doubt* holds for a whole partition, from an instant on. An effect is *provisional* if a doubt covers it: it becomes true at
the instant or later, and both of these are not the case:

1. After the instant the ticket was created, or one event of it gave its status and every other field that is known of it. So
   what a missing event changed about its fields is known again.
2. The cycle of the stopwatch began at that event or later. So no missing event can have stopped or paused it.

What became true before the instant is certain, whenever it is found. Whether an effect is provisional is not a part of its id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from stream.sla.effects import ProvisionalReason


class Doubt(NamedTuple):
    """From this instant on (epoch microseconds) events of a partition's tickets may be missing."""

    since: int
    reason: ProvisionalReason


Doubts = tuple[Doubt, ...]


def covering(doubts: Doubts, at: int, whole_at: int | None, began: int) -> ProvisionalReason | None:
    """Why what becomes true at ``at`` is not certain; ``None``: it is.

    ``whole_at``: the last event that gave the whole ticket. ``began``: when the cycle began. Epoch microseconds.
    """
    for doubt in doubts:
        since = doubt.since
        if since <= at and (whole_at is None or whole_at <= since or began < whole_at):
            return doubt.reason
    return None
