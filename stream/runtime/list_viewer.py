"""Reads the lists of a worker's tickets, in the threads that serve its pages; ``stream.runtime.viewer`` has the rules."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from stream.observe.pages.lists import ListPart, ListRow, field, first, matches
from stream.observe.pages.reasons import reasons
from stream.sla.codec import codec
from stream.sla.explain.escalated import escalated
from stream.sla.explain.without_deadline import without_deadline
from stream.sla.ticket.state import open_commitments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.observe.pages.lists import ListQuery
    from stream.runtime.app import App
    from stream.runtime.partition.shard import Shard
    from stream.sla.ticket.state import State, Ticket

T = TypeVar("T")

MOST_TICKETS: Final = 5_000
"""Tickets that a page examines; each takes about 50 microseconds in the thread of the page."""
_AT_ONCE: Final = 1_000
"""Tickets that one query takes from the event loop, in about half a millisecond."""
_STATES: Final = {"breached": "breached", "paused": "paused", "at-risk": "running"}


class Query(Protocol):
    """Lets the event loop run a function, and returns its result. Raises UnavailableError."""

    def __call__(self, query: Callable[[], T]) -> T: ...


Soonest = Callable[[int], tuple[list[tuple[bytes, int]], int | None]]
"""The states of the first tickets by their timers with their clocks, and the instant before which no deadline is missing."""


def list_part(app: App, query: Query, asked: ListQuery, soonest: Soonest) -> ListPart:
    """This worker's part of a list. Raises UnavailableError."""
    at = time.time_ns() // 1_000
    if asked.name == "at-risk":
        entries, until = query(lambda: soonest(MOST_TICKETS))
        rows = [row for row in _all_rows(app, entries, asked) if until is None or (row.due_at or 0) < until]
        return _part(app, at, rows, asked, len({row.ticket for row in rows}), complete=until is None)
    keys = query(lambda: [(shard, key) for shard in app.shards() for key in shard.lists.of(asked.name)])
    entries, some = [], iter(keys[:MOST_TICKETS])
    while part := list(islice(some, _AT_ONCE)):
        entries += query(partial(_stored, part, at))
    complete = len(keys) <= MOST_TICKETS
    if asked.name == "unmatched":
        heads = {head.id: head for head in [codec.decode(stored).head for stored, _ in entries]}
        listed = _part(app, at, [_unmatched(head) for head in heads.values()], asked, len(keys), complete=complete)
        # Only of the rows that are shown, because a reason costs more than a row.
        return listed._replace(rows=tuple([_with_reason(app, row, heads[row.ticket]) for row in first(asked, listed.rows)]))
    return _part(app, at, _all_rows(app, entries, asked), asked, len(keys), complete=complete)


def _stored(keys: list[tuple[Shard, bytes]], wall: int) -> list[tuple[bytes, int]]:
    """Tickets that are still there, with their clocks."""
    return [(state, shard.clock(wall)) for shard, key in keys if (state := shard.tickets.get(key)) is not None]


def _part(app: App, at: int, rows: list[ListRow], asked: ListQuery, tickets: int, *, complete: bool) -> ListPart:
    found = tuple(row for row in rows if matches(row, asked))
    return ListPart(app.address, at, found, len(found), tickets, complete)


def _all_rows(app: App, entries: list[tuple[bytes, int]], asked: ListQuery) -> list[ListRow]:
    return [row for stored, clock in entries for row in _rows(app, codec.decode(stored), clock, asked.name)]


def _columns(head: Ticket) -> tuple[str, str, str, str]:
    fields = head.fields
    return field(fields, "priority"), field(fields, "team"), field(fields, "customer"), field(fields, "assignee")


def _unmatched(head: Ticket) -> ListRow:
    return ListRow(head.id, "unmatched", "", "", None, None, None, *_columns(head), "UTC")


def _with_reason(app: App, row: ListRow, head: Ticket) -> ListRow:
    found = without_deadline(head, app.engine.deployments.known[head.deployment].policies)
    return row._replace(reason=found[0].reason if found else "", why="; ".join(reasons(found, row.timezone)))


def _rows(app: App, state: State, clock: int, name: str) -> Iterator[ListRow]:
    head = state.head
    columns = _columns(head)
    # Another deployment than the newest may judge the ticket: the sweep has not reached it, or changes nothing about it.
    policies = app.engine.deployments.known[head.deployment].policies
    for one in open_commitments(state):
        if one.state != _STATES[name]:
            continue
        terms = head.commitments[one.commitment].terms
        calendar, level = policies.calendars.get(terms.calendar), escalated(head, policies, one.commitment)
        watch = head.watches[terms.metric]
        yield ListRow(
            head.id,
            one.state,
            one.policy,
            one.commitment,
            one.due_at,
            None if one.due_at is None else one.due_at - clock,
            watch.since if one.state == "paused" else None,
            *columns,
            "UTC" if calendar is None else calendar.timezone,
            *(("", (), None) if level is None else level),
        )
