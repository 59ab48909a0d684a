"""Logs payloads that are unmapped or not authentic: at most one line in ``_EVERY`` seconds for each feed and reason.

A line never has a part of the payload or of its headers. The dead letter has the payload, and the page the whole reason.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.feeds.reading import Unmapped

log = logging.getLogger(__name__)

_EVERY: Final = 60.0
_MOST: Final = 1_000
"""Distinct reasons. There are as many as feeds, lines of mappings, and defects of signatures."""


class RefusalLog:
    """The log lines of all feeds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock``: seconds."""
        self._clock: Final = clock
        self._known: Final[dict[tuple[str, str], tuple[float, int]]] = {}
        """Feed and reason to when it was last logged, and how often it has occurred since."""

    def unmapped(self, feed: str, reason: str, why: Unmapped) -> None:
        """``reason``: of the dead letter."""
        place = f", {why.file}:{why.line}" if why.line else ""
        self._add(feed, f"a payload is {reason}{place}; it is kept as a dead letter")

    def unauthentic(self, feed: str, reason: str) -> None:
        """``reason``: as ``stream.feeds.signature.verify`` returns it."""
        self._add(feed, f"a request is not authentic: {reason}")

    def _add(self, feed: str, text: str) -> None:
        now, key = self._clock(), (feed, text)
        logged, more = self._known.get(key, (-_EVERY, 0))
        if now - logged < _EVERY:
            self._known[key] = logged, more + 1
            return
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = now, 0
        log.warning("feed %s: %s%s", feed, text, f"; {more} more since the last such line" if more else "")
