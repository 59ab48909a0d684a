"""The pace of requests to a desk, and the pause after a failure. Pure: time is an argument, in seconds."""

from __future__ import annotations

from collections import deque
from typing import Final

TICKET_SECONDS: Final = 600.0
TICKET_WRITES: Final = 20
"""Writes to one ticket in ``TICKET_SECONDS``. Zendesk refuses more than 30 of one account."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 300.0


class Pace:
    """Evenly spaced requests to one desk, and growing pauses while it fails."""

    def __init__(self, a_minute: int) -> None:
        self._gap: Final = 60.0 / a_minute
        self._free = 0.0
        """The earliest time of the next request."""
        self._pause = 0.0
        self.paused_until = 0.0

    @property
    def failing(self) -> bool:
        return self._pause > 0

    def reserve(self, now: float) -> float:
        """Book a request; when it may be sent."""
        at = max(now, self._free)
        self._free = at + self._gap
        return at

    def failed(self, now: float, after: float) -> float:
        """The desk has failed, and demands to wait for ``after`` seconds, or demands nothing; for how long it is left alone."""
        self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _LONGEST_PAUSE)
        self.paused_until = max(self.paused_until, now + max(self._pause, after))
        return self.paused_until - now

    def answered(self) -> None:
        self._pause = 0.0


class TicketLimit:
    """The writes to each ticket of a desk in the last ``TICKET_SECONDS``."""

    def __init__(self) -> None:
        self._written: Final[dict[str, deque[float]]] = {}

    def wait(self, ticket: str, now: float) -> float:
        """The seconds until the ticket may be written; 0: now."""
        times = self._written.get(ticket)
        if times is None:
            return 0.0
        while times and times[0] <= now - TICKET_SECONDS:
            times.popleft()
        if not times:
            del self._written[ticket]
            return 0.0
        return times[0] + TICKET_SECONDS - now if len(times) >= TICKET_WRITES else 0.0

    def written(self, ticket: str, now: float) -> None:
        self._written.setdefault(ticket, deque()).append(now)
        if len(self._written) > 1 << 16:
            for each in [*self._written]:
                self.wait(each, now)
