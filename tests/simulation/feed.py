"""The feed of the helpdesk as its puller sees it: publishes how the feed stands, and goes silent, lags or is unreachable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from stream.sla.feed_state import FeedState
from stream.wire.decode import decode
from stream.wire.effect import encode_tick
from stream.wire.incoming import Incoming
from tests.chaos.workload import PARTITIONS, Planned

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence
    from random import Random

    from tests.simulation.helpdesk import Helpdesk

SOURCE: Final = "desk"
"""The source of all events of a run."""
_STATES: Final = (FeedState.COMPLETE, FeedState.COMPLETE, FeedState.LAGGING, FeedState.UNREACHABLE, FeedState.ENDED, None)
"""``None``: silent, its ticks do not come."""
_EVERY: Final = 0.5


class Feed:
    """Up to when it is complete is true: every event up to that instant has been published."""

    def __init__(self, helpdesk: Helpdesk, random: Random, planned: Sequence[Planned], injected: Counter[str]) -> None:
        self._helpdesk: Final = helpdesk
        self._random: Final = random
        self._injected: Final = injected
        self._at: Final = {id(one): at for one in planned if (at := _instant(one)) is not None}
        """When the events happened that will be published."""
        self._recovered = False

    async def report(self) -> None:
        """For ever: publish it."""
        clock = asyncio.get_running_loop().time
        complete, state, until = self._helpdesk.minute(), FeedState.COMPLETE, clock()
        silent = False
        while True:
            if self._recovered:
                state, silent = FeedState.COMPLETE, False
            elif clock() >= until:
                chosen, until = self._random.choice(_STATES), clock() + self._random.uniform(0.5, 4.0)
                silent = chosen is None
                state = chosen or state
                self._injected[f"feed {chosen or 'silent'}"] += 1
            if state is FeedState.COMPLETE and not silent:
                complete = max(complete, self._complete())
            if not silent:
                tick = encode_tick(SOURCE, complete, state)
                self._helpdesk.publish([Planned(0, number, None, tick) for number in range(PARTITIONS)])
            await asyncio.sleep(_EVERY)

    def recover(self) -> None:
        """From now on it is complete again and again."""
        self._recovered = True

    def _complete(self) -> int:
        published = {id(one) for one in self._helpdesk.published}
        waiting = [at for one, at in self._at.items() if one not in published]
        return min([at - 1 for at in waiting] + [self._helpdesk.minute()])


def _instant(one: Planned) -> int | None:
    read = None if one.bad or one.key is None else decode(one.key, one.value, now=None)
    return read.event.at if isinstance(read, Incoming) else None
