"""Publishes how a feed that is followed stands: complete, lagging or unreachable, to every partition, twice a minute.

| tick | when |
|---|---|
| ``complete`` | a pass has read everything to its end |
| ``unreachable`` | the helpdesk did not answer in the newest pass |
| ``lagging`` | a pass failed for another reason, or takes longer than three intervals: the helpdesk may have newer events |

A puller that stops states nothing: until it is back, its feed is silent. ``ended`` is for operators who give a feed up.
The instant of every tick is that of the newest complete pass, less the longest look-back. Before the first there are no ticks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError

from stream.sla.feed_state import FeedState
from stream.wire.effect import encode_tick

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from stream.pull.outcome import Outcome

_log: Final = logging.getLogger(__name__)

EVERY: Final = 30.0
"""Seconds between two ticks."""
_INTERVALS: Final = 3


class FeedTicks:
    """The health of a feed. Raises ``aiokafka.errors.KafkaError`` where it publishes, except in ``run``."""

    def __init__(
        self, source: str, look_back: int, interval: float, publish: Callable[[bytes], Awaitable[None]], complete_to: int | None
    ) -> None:
        """``publish`` writes a tick to every partition, and waits until it is there. ``complete_to``: from before the start."""
        self._source: Final = source
        self._look_back: Final = look_back
        self._publish: Final = publish
        self._longest: Final = _INTERVALS * interval
        self._complete_to = complete_to
        self._state = FeedState.LAGGING
        self._since = time.monotonic()
        """The end of the newest pass."""

    async def after(self, outcome: Outcome) -> None:
        """A pass has ended, and all its events are published."""
        self._since = time.monotonic()
        if outcome.complete:
            self._state, self._complete_to = FeedState.COMPLETE, outcome.began - self._look_back
        else:
            self._state = FeedState.LAGGING if outcome.reached else FeedState.UNREACHABLE
        await self._tick(self._state)

    async def run(self) -> None:
        """Repeat the state until it is cancelled. While Kafka is away nothing is published."""
        while True:
            await asyncio.sleep(EVERY)
            slow = self._state is FeedState.COMPLETE and time.monotonic() - self._since > self._longest
            try:
                await self._tick(FeedState.LAGGING if slow else self._state)
            except KafkaError as error:
                _log.info("Kafka: %s; the next tick is due in %.0f s", error, EVERY)

    async def _tick(self, state: FeedState) -> None:
        if self._complete_to is not None:
            await self._publish(encode_tick(self._source, self._complete_to, state))
