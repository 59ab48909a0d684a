"""The state of a feed, as reported by the reader that reads it to its end."""

from __future__ import annotations

from enum import StrEnum


class FeedState(StrEnum):
    """The state of a feed in a tick, besides the instant up to which it is complete."""

    COMPLETE = "complete"
    """It was read to its end."""
    LAGGING = "lagging"
    """The helpdesk has newer events than the feed."""
    UNREACHABLE = "unreachable"
    """The helpdesk does not answer, so nobody knows."""
    ENDED = "ended"
    """Nobody reads it to its end any more."""
