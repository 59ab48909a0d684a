"""Pulls all resources of a feed, once or again and again."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError

from stream.pull.errors import ApiError, ForbiddenError, UnauthorizedError
from stream.pull.outcome import Outcome
from stream.pull.passes import pull

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from stream.pull.api import Cursor, Resource
    from stream.pull.feed_ticks import FeedTicks
    from stream.pull.passes import Feed, SaveCursor

_log: Final = logging.getLogger(__name__)


async def pull_all(
    feed: Feed, resources: Sequence[Resource], since: int, cursors: Mapping[str, Cursor], save: SaveCursor
) -> Outcome:
    """One pass over each resource, one after the other. ``since``: where those without a cursor begin, epoch microseconds.

    A resource that fails does not stop the others. Raises UnauthorizedError, and as the output and ``save`` do.
    """
    outcome = Outcome(feed.clock())
    for resource in resources:
        cursor = cursors.get(resource.name)
        begin = since if cursor is None else cursor.updated_at - resource.look_back
        try:
            outcome.counts.add(await pull(feed, resource, max(begin, 0), cursor, save))
        except UnauthorizedError:
            raise
        except ApiError as error:
            outcome.failed[resource.name] = error
    return outcome


class Following:
    """Pulls every ``interval`` seconds, until it is cancelled."""

    def __init__(
        self,
        interval: float,
        one_pass: Callable[[], Awaitable[Outcome]],
        reconnect: Callable[[], Awaitable[None]],
        ticks: FeedTicks,
    ) -> None:
        """``reconnect``: connects to Kafka again after a KafkaError."""
        self._interval: Final = interval
        self._one_pass: Final = one_pass
        self._reconnect: Final = reconnect
        self._ticks: Final = ticks
        self._failing = dict[str, str]()
        """The problem of each resource, as it was logged."""

    async def run(self) -> None:
        """Raises UnauthorizedError and ``stream.pull.cursor_log.TakenOverError``. While Kafka is away, it tries again."""
        broken = False
        while True:
            began = time.monotonic()
            try:
                if broken:
                    await self._reconnect()
                    broken = False
                outcome = await self._one_pass()
                self._log(outcome)
                await self._ticks.after(outcome)
            except KafkaError as error:
                broken = True
                _log.error("Kafka: %s; what was pulled in this pass is pulled again", error)
            await asyncio.sleep(max(0.0, began + self._interval - time.monotonic()))

    def _log(self, outcome: Outcome) -> None:
        """Log what was pulled, and each failure when it begins and ends."""
        counts = outcome.counts
        if counts.events or counts.unmapped:
            _log.info("%d events from %d documents, %d not mapped", counts.events, counts.documents, counts.unmapped)
        now = {name: str(error) for name, error in outcome.failed.items()}
        for name, text in now.items():
            if self._failing.get(name) != text:
                level = logging.WARNING if isinstance(outcome.failed[name], ForbiddenError) else logging.ERROR
                _log.log(level, "%s is left out in this pass: %s", name, text)
        for name in self._failing.keys() - now.keys():
            _log.info("%s was read to its end again", name)
        self._failing = now
