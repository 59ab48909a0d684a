"""How a feed stands, by the word of whoever reads it to its end."""

from __future__ import annotations

from enum import StrEnum


class FeedState(StrEnum):
    """What a tick states of its feed besides the instant up to which it is complete."""

    COMPLETE = "complete"
    """It was read to its end."""
    LAGGING = "lagging"
    """The helpdesk has newer events than the feed."""
    UNREACHABLE = "unreachable"
    """The helpdesk does not answer, so nobody knows."""
    ENDED = "ended"
    """Nobody reads it to its end any more."""
