"""A ticket whose old events are arriving."""

from __future__ import annotations

from typing import NamedTuple


class Settling(NamedTuple):
    """Up to where effects were published, and when the rest follows; ``stream.sla.settling`` has the rules. Instants are epoch
    microseconds. The events that wait are those of the history that have an ``arrived``."""

    until: int
    """Of what was true without the events that wait, everything before this instant was published."""
    deployment: int
    """The number of the deployment that judged it."""
    arrived: int
    """The arrival in Kafka of the newest event that waits."""
    settles_at: int
    """The end of settling, if no older event comes."""
