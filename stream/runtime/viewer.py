"""Reads the state of a running worker for its pages, in the threads that serve them.

Tickets and timers belong to the event loop, so no other thread reads them. Instead, the loop itself runs a *query*, a function,
between two steps of its tasks. A unit of work that yields has written its changes to the table, so a query finds all of a
change or nothing of it. A query returns immutable bytes and numbers; the thread of the page decodes and explains them. Policies
and calendars are shared: only their caches change, each entry in one step.

Longer than 250 lines because all queries share the limit on the time for which they block the loop.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from functools import partial
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from aiokafka.partitioner import murmur2

from stream.observe.pages.views import (
    AtRisk,
    Elsewhere,
    FeedView,
    Neighbour,
    PartitionView,
    TicketView,
    UnavailableError,
    WorkerView,
)
from stream.runtime.deployment_views import DeploymentViews, known_to
from stream.runtime.feed_views import feed_health, feed_views
from stream.runtime.list_viewer import list_part
from stream.runtime.preview import count_impact
from stream.runtime.settings import ClockMode
from stream.sla.codec import codec
from stream.sla.explain.explain import explain_state
from stream.sla.ticket.state import open_commitments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stream.deployments.impact import Impact
    from stream.observe.pages.lists import ListPart, ListQuery
    from stream.runtime.app import App
    from stream.runtime.partition.shard import Shard
    from stream.sla.doubt import Doubts
    from stream.sla.ticket.state import Ticket

T = TypeVar("T")

LISTED: Final = 50
"""The length of the list of the next deadlines."""
_ENTRIES: Final = (500, 3_000)
"""The numbers of entries of the timer queues that a query reads: few at first, and more only if those are not enough.

Each entry blocks the event loop for about six microseconds, and all of them together for at most ``MAX_BLOCKING``.
"""
MAX_BLOCKING: Final = 0.005
"""The seconds for which one query may block the event loop. It then returns what it has found."""
_CLOCK_EVERY: Final = 32
"""The number of entries between two readings of the clock."""
FRESH: Final = 1.0
"""The seconds for which a view of the worker is reused."""
_PATIENCE: Final = 5.0
"""The seconds to wait for the event loop."""


class _Stored(NamedTuple):
    """A ticket of the table."""

    state: bytes
    partition: int
    live: bool
    clock: int
    doubts: Doubts


class Viewer:
    """The ``stream.observe.pages.views.View`` of an app."""

    def __init__(self, app: App, *, max_blocking: float = MAX_BLOCKING, fresh: float = FRESH) -> None:
        self._app = app
        self._max_blocking = max_blocking
        self._fresh = fresh
        self._taking = threading.Lock()
        self._taken: tuple[float, WorkerView] | None = None
        self._deployments = DeploymentViews()

    def worker(self) -> WorkerView:
        """The state of this worker. Raises UnavailableError."""
        with self._taking:
            if self._taken is None or time.monotonic() - self._taken[0] > self._fresh:
                self._taken = None
                view = self._worker()
                self._taken = time.monotonic(), view
            return self._taken[1]

    def _worker(self) -> WorkerView:
        at, ready, status, partitions, neighbours = self._query(self._state)
        at_risk, until = self._at_risk()
        view = WorkerView(self._app.address, at, ready, status, partitions, at_risk, until, neighbours)
        view = view._replace(feeds=self._query(partial(self._feeds, at)))
        known = self._query(lambda: known_to(self._app))
        if known is None:
            return view
        return view._replace(deployments=self._deployments.of(known), files_differ=known.files_differ)

    def ticket(self, ticket: str, asked: frozenset[int], sent_for: int | None) -> TicketView | Elsewhere:
        """The ticket, or where it may be. Raises UnavailableError."""
        found = self._query(lambda: self._find(ticket, asked, sent_for))
        if isinstance(found, Elsewhere):
            return found
        state = codec.decode(found.state)
        head = state.head
        deployments = self._app.engine.deployments.doubting(found.doubts)
        explanation = explain_state(deployments, state, _as_of(head, found.clock))
        fields = {name: value for name, value in head.fields.items() if name[0] != "@" and value}
        return TicketView(head.id, found.partition, found.live, fields, head.ended_by, explanation, head.ended_at or None)

    def listed(self, query: ListQuery) -> ListPart:
        """This worker's part of a list. Raises UnavailableError."""
        return list_part(self._app, self._query, query, self._soonest)

    def neighbours(self) -> tuple[str, ...]:
        """The addresses of the other workers. Raises UnavailableError."""
        return self._query(lambda: tuple(sorted(set(self._app.workers()) - {self._app.address})))

    def preview(self, record: bytes) -> Impact:
        """The impact of a deployment on the tickets of this worker. Raises RefusedPreviewError, UnavailableError."""
        return count_impact(self._app, self._query, record)

    def _query(self, query: Callable[[], T]) -> T:
        """Let the event loop run the query, and return its result. Raises UnavailableError."""
        loop = self._app.events_loop
        if loop is None:
            raise UnavailableError("the worker is starting")
        answer: Future[T] = Future()

        def run() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                answer.set_result(query())
            except BaseException as error:  # noqa: BLE001  the thread of the page raises it again
                answer.set_exception(error)

        try:
            loop.call_soon_threadsafe(run)
        except RuntimeError as error:
            raise UnavailableError("the worker is stopping") from error
        try:
            return answer.result(_PATIENCE)
        except TimeoutError as error:
            answer.cancel()
            raise UnavailableError(f"the worker is busy: its event loop did not answer within {_PATIENCE:g} s") from error

    def _state(self) -> tuple[int, bool, str, tuple[PartitionView, ...], tuple[Neighbour, ...]]:
        ready, status = self._app.readiness()
        partitions = tuple(_view(shard) for shard in sorted(self._app.shards(), key=lambda shard: shard.number))
        neighbours = tuple(Neighbour(*entry) for entry in sorted(self._app.workers().items()))
        return _wall(), ready, status, partitions, neighbours

    def _feeds(self, at: int) -> tuple[FeedView, ...]:
        """``at``: the wall clock, epoch microseconds."""
        app, shards = self._app, self._app.shards()
        if app.settings.clock is ClockMode.EVENT:
            at = max([shard.watermark for shard in shards], default=at)
        return feed_views(feed_health(shards), at, app.settings.feed_lag_limit)

    def _find(self, ticket: str, asked: frozenset[int], sent_for: int | None) -> _Stored | Elsewhere:
        app, key = self._app, ticket.encode()
        wall = _wall()
        shards = app.shards()
        for shard in shards:
            if (state := shard.tickets.get(key)) is not None:
                return _Stored(state, shard.number, shard.live, shard.clock(wall), shard.doubts)
        own = frozenset(shard.number for shard in shards)
        if app.rebalancing or not app.started or (sent_for is not None and sent_for not in own):
            # Partitions are changing owners: an answer could be wrong, and redirects could go in circles.
            raise UnavailableError("partitions are moving between workers")
        asked |= own
        everything = range(app.settings.partitions)
        usual = (murmur2(key) & 0x7FFF_FFFF) % len(everything)
        left = sorted(set(everything) - asked, key=lambda number: (number != usual, number))
        # A worker that advertises our own address is indistinguishable from us.
        owners = {number: url for url, numbers in app.workers().items() for number in numbers if url != app.address}
        wanted = next((number for number in left if number in owners), None)
        url = None if wanted is None else owners[wanted]
        missing = tuple(sorted(number for number in left if number not in owners))
        return Elsewhere(ticket, usual, tuple(sorted(own)), asked, wanted, url, missing)

    def _at_risk(self) -> tuple[tuple[AtRisk, ...], int | None]:
        """The next deadlines, and the instant up to which the list is complete (``None``: it has all or ``LISTED`` of them).

        No deadline of a ticket is before its instant in the timer queue. So all deadlines before the last entry that was read
        are known, although later entries were not read.
        """
        rows: list[AtRisk] = []
        until: int | None = None
        for count in _ENTRIES:
            entries, until = self._query(partial(self._soonest, count))
            running = [risk for stored, now in entries for risk in self._running(stored, now)]
            rows = [risk for risk in running if until is None or risk.due_at < until]
            rows.sort(key=lambda risk: (risk.due_at, risk.ticket, risk.commitment))
            if until is None or len(rows) >= LISTED:
                return tuple(rows[:LISTED]), None
        return tuple(rows), until

    def _soonest(self, count: int) -> tuple[list[tuple[bytes, int]], int | None]:
        """The tickets of the first ``count`` entries of all timer queues, each with its current time, and the instant of the
        last entry if more follow. Returns fewer entries if they would block the event loop for too long.
        """
        began = time.perf_counter()
        event_time = self._app.settings.clock is ClockMode.EVENT
        wall = _wall()
        entries = merge(*map(_in_order, self._app.shards()))
        found, last = [], None
        for number, (instant, _, key, shard) in enumerate(islice(entries, count)):
            last = instant
            if key and (state := shard.tickets.get(key)) is not None:  # one that was just created is not in the table yet
                found.append((state, shard.watermark if event_time else wall))
            if number % _CLOCK_EVERY == _CLOCK_EVERY - 1 and time.perf_counter() - began > self._max_blocking:
                break
        return found, None if next(entries, None) is None else last

    def _running(self, stored: bytes, now: int) -> list[AtRisk]:
        state = codec.decode(stored)
        now = _as_of(state.head, now)
        # Another deployment than the newest may judge the ticket: the sweep has not reached it, or changes nothing about it.
        calendars = self._app.engine.deployments.known[state.head.deployment].policies.calendars
        found = []
        for name, policy, priority, team, _, word, due, _ in open_commitments(state):
            if word == "running" and due is not None:
                calendar = calendars.get(state.head.commitments[name].terms.calendar)
                zone = "UTC" if calendar is None else calendar.timezone
                found.append(AtRisk(state.head.id, policy, name, priority, team, word, due, due - now, zone))
        return found


def _in_order(shard: Shard) -> Iterator[tuple[int, int, bytes, Shard]]:
    # The partition number orders entries with equal instants.
    return ((instant, shard.number, key, shard) for instant, key in shard.timers.in_order())


def _view(shard: Shard) -> PartitionView:
    return PartitionView(
        shard.number,
        shard.live,
        shard.watermark or None,
        len(shard.tickets),
        shard.open_counts.open,
        shard.timers.soonest(),
    )


def _as_of(head: Ticket, clock: int) -> int:
    """The clock, but not before the ticket's newest event or timer: after a takeover the watermark may be missing."""
    return max(clock, head.last[0] if head.last else 0, 0 if head.last_timer_at is None else head.last_timer_at + 1)


def _wall() -> int:
    return time.time_ns() // 1_000
