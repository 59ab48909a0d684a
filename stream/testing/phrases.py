"""The phrases of a story, and the events that they stand for (``docs/guides/stories.md``)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from stream.sla.feed_state import FeedState


class StoryError(ValueError):
    """A story is invalid. The message names the part and what is expected there."""


_ACTORS = r"(customer|agent|bot|vendor|system)"
_AS = r"(?: as (\S+))?"
_Build = Callable[[re.Match[str]], dict[str, Any]]
_PHRASES: Final[tuple[tuple[str, _Build], ...]] = (
    (rf"created(?: by {_ACTORS}{_AS})?", lambda m: {"type_": "ticket.created", "actor": m[1], "role": m[2] or ""}),
    (
        rf"{_ACTORS} (?:writes|answers){_AS}",
        lambda m: {"type_": "comment.added", "actor": m[1], "role": m[2] or "", "public": True},
    ),
    (rf"{_ACTORS} notes{_AS}", lambda m: {"type_": "comment.added", "actor": m[1], "role": m[2] or "", "public": False}),
    (
        r"(\S+) becomes (.+?)(?: by (\w+))?",
        lambda m: {"type_": "ticket.changed", "fields": {m[1]: "" if m[2] == "nothing" else m[2]}, "actor": m[3]},
    ),
    (r"merged into (\S+)", lambda m: {"type_": "ticket.merged", "into": m[1]}),
    (r"deleted", lambda _: {"type_": "ticket.deleted"}),
    (r"restored", lambda _: {"type_": "ticket.restored"}),
    (r"waits for (\S+)", lambda m: {"type_": "dependency.started", "party": m[1]}),
    (r"(\S+) delivers", lambda m: {"type_": "dependency.ended", "party": m[1]}),
    (
        r"(\S+) is extended by (\S+): (.+)",
        lambda m: {"type_": "extension.granted", "commitment": m[1], "by": m[2]},
    ),
    (r"(customer|manager) accepts", lambda m: {"type_": "resolution.accepted", "by": m[1]}),
    (
        r"customer asks for escalation(?: to (\S+))?(?: \((production|business_risk)\))?",
        lambda m: {"type_": "escalation.requested", "actor": "customer", "level": m[1] or "", "impact": m[2] or ""},
    ),
    (r"(\S+) is acknowledged", lambda m: {"type_": "escalation.acknowledged", "actor": "agent", "level": m[1]}),
    (r"(\S+) is released", lambda m: {"type_": "escalation.released", "actor": "agent", "level": m[1]}),
)

_FEED: Final = {
    "is complete": FeedState.COMPLETE,
    "lags": FeedState.LAGGING,
    "is unreachable": FeedState.UNREACHABLE,
    "ends": FeedState.ENDED,
}
_OF_A_FEED: Final = re.compile(rf"feed(?: (\S+?))? ({'|'.join(_FEED)})")


def phrase(text: str) -> dict[str, Any]:
    """Return the arguments for ``event`` that a phrase stands for. Raises StoryError for an unknown phrase."""
    for pattern, build in _PHRASES:
        match = re.fullmatch(pattern, text)
        if match:
            return build(match)
    raise StoryError(f"{text!r} is not a known phrase; docs/guides/stories.md lists the phrases")


def feed_phrase(text: str) -> tuple[str, FeedState] | None:
    """Return the source that a phrase is about, empty for the story's own, and its state; ``None`` for another phrase."""
    match = _OF_A_FEED.fullmatch(text)
    return None if match is None else (match[1] or "", _FEED[match[2]])
