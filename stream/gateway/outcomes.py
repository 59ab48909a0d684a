"""The outcomes of the last requests to a feed, for a page. They have no bodies and no header values."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

LAST: Final = 20
"""The number of outcomes that are kept of each feed."""


class Outcome(StrEnum):
    """The outcome of a request. Metrics, logs and pages use these words."""

    ACCEPTED = "accepted"
    """All of its events are in Kafka."""
    SKIPPED = "skipped"
    """The mapping covers it, and it has no event."""
    UNMAPPED = "unmapped"
    """The mapping does not cover it: it is a dead letter."""
    UNAUTHENTIC = "unauthentic"
    """Its signature is wrong, missing or too old."""
    UNSUPPORTED = "unsupported"
    """It is not JSON in UTF-8, or it is compressed."""
    TOO_LARGE = "too_large"
    SLOW = "slow"
    """Its body did not come in time."""
    REFUSED = "refused"
    """Its method or its address is wrong."""
    UNAVAILABLE = "unavailable"
    """Kafka did not acknowledge in time: the sender has to repeat it."""


AUTHENTIC: Final = frozenset({Outcome.ACCEPTED, Outcome.SKIPPED, Outcome.UNMAPPED, Outcome.UNAVAILABLE})


class Entry(NamedTuple):
    """One request and what became of it."""

    at: int
    """Time of the answer, epoch microseconds."""
    outcome: Outcome
    status: int
    size: int
    """Bytes of the body."""
    events: int
    detail: str
    """The reason, for people; empty where the outcome is the whole reason."""
    micros: int
    """Duration of the answer, from the arrival of the whole body."""


class RecentOutcomes:
    """The last outcomes of each feed. Those before authentication are kept apart, so that a flood of them hides no others.

    The event loop adds, and the threads of the pages read.
    """

    def __init__(self, feeds: Iterable[str]) -> None:
        self._lock: Final = Lock()
        self._entries: Final = {feed: (deque[Entry](maxlen=LAST), deque[Entry](maxlen=LAST)) for feed in feeds}

    def add(self, feed: str, entry: Entry) -> None:
        with self._lock:
            self._entries[feed][entry.outcome in AUTHENTIC].append(entry)

    def of(self, feed: str) -> list[Entry]:
        """The last outcomes, the newest first: at most ``LAST`` authentic ones, and as many others."""
        with self._lock:
            refused, authentic = self._entries[feed]
            return sorted([*refused, *authentic], key=lambda entry: -entry.at)
