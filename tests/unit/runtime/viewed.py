"""A worker as a viewer sees it, without a broker."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from stream.runtime.partition.ticket_lists import TicketLists
from stream.runtime.recovery.tickets import Tickets
from stream.runtime.settings import Settings
from stream.runtime.timers import TimerQueue
from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.feed_health import Feeds
from stream.sla.ticket.listing import lists_of
from stream.sla.ticket.state import open_commitments

if TYPE_CHECKING:
    from stream.runtime.deployments import DeploymentFollower
    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.policy.timeline import Deployments
    from stream.sla.ticket.state import State


class Worker:
    """The attributes of an app that a viewer reads, with an event loop of its own."""

    def __init__(self, policies: PolicySet | Deployments) -> None:
        self.settings = Settings(policies=("shop",), clock="event", partitions=4)  # type: ignore[arg-type]
        self.engine = Engine(policies)
        self.deployments: DeploymentFollower | None = None
        self.partitions: dict[int, Any] = {}
        self.address = "http://one:9300"
        self.rebalancing, self.started = False, True
        self.map: dict[str, tuple[int, ...]] = {self.address: ()}
        self.events_loop: asyncio.AbstractEventLoop | None = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.events_loop.run_forever)
        self._thread.start()

    def readiness(self) -> tuple[bool, str]:
        return True, "live"

    def shards(self) -> list[Any]:
        return list(self.partitions.values())

    def workers(self) -> dict[str, tuple[int, ...]]:
        return self.map

    def own(self, number: int) -> Any:
        partition = SimpleNamespace(
            number=number,
            live=True,
            watermark=0,
            tickets=Tickets(),
            open_counts=SimpleNamespace(open=0),
            timers=TimerQueue(),
            clock=lambda wall: 0,
            sweep=None,
            swept=0,
            feeds=Feeds(),
            doubts=(),
            lists=TicketLists(),
        )
        return self.partitions.setdefault(number, partition)

    def take(self, number: int, name: str, *events: Event) -> None:
        state = None
        for event in events:
            state = self.engine.apply(state, name, event, event.at).state
        assert state is not None
        self.keep(number, name, state)

    def keep(self, number: int, name: str, state: State) -> None:
        partition = self.own(number)
        key = name.encode()
        before = codec.decode(partition.tickets[key]).wake_at if key in partition.tickets else None
        partition.tickets[key] = codec.encode(state)
        partition.timers.move(key, before, state.wake_at)
        partition.lists.put(name.encode(), lists_of(state))
        partition.open_counts.open += len(open_commitments(state))

    def close(self) -> None:
        if self.events_loop is not None:
            self.events_loop.call_soon_threadsafe(self.events_loop.stop)
            self._thread.join()
            self.events_loop.close()
