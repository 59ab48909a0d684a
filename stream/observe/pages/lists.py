"""The lists of tickets: what was requested, which rows that is, and how the parts of several workers become one list.

Instants are epoch microseconds, lengths are microseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sla.events import as_one_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TITLES: Final = {
    "breached": "Breached and still open",
    "at-risk": "At risk: running, the soonest deadline first",
    "paused": "Paused, the longest first",
    "unmatched": "Open, and nothing is promised",
}
"""Every list, with its heading."""
FILTERS: Final = ("team", "priority", "customer", "assignee", "policy", "commitment")
"""Columns by which a list can be filtered; several values are separated by commas."""
SORTS: Final = ("due", "paused", "ticket", *FILTERS)
_FIRST_SORT: Final = {"paused": "paused", "unmatched": "ticket"}
"""What a list is sorted by unless its address states it, if that is not the deadline."""
FORMATS: Final = ("json", "csv")
SCOPE: Final = "scope"
OWN: Final = "worker"
"""Value of the parameter ``scope``: only the tickets of the worker that gets the request."""
PARAMETERS: Final = (*FILTERS, "sort", "limit", "format", SCOPE)
MOST_ROWS: Final = 500
"""Of a page; the first ones in the order that was requested."""
ROWS: Final = 100
_LAST: Final = 1 << 62


class ListQuery(NamedTuple):
    """The parameters of a request."""

    name: str
    where: tuple[tuple[str, frozenset[str]], ...] = ()
    """Column and the values that are wanted."""
    sort: str = "due"
    descending: bool = False
    limit: int = ROWS


class ListRow(NamedTuple):
    """A commitment in a list; a ticket without one in the list of unmatched tickets."""

    ticket: str
    state: str
    policy: str
    commitment: str
    due_at: int | None
    left: int | None
    """Time until the deadline on the clock of the partition, negative after it."""
    paused_since: int | None
    priority: str
    team: str
    customer: str
    assignee: str
    timezone: str
    level: str = ""
    """The highest raised level of its escalation; empty: none is raised, or it is over."""
    notify: tuple[str, ...] = ()
    """The roles that the level notifies."""
    acknowledged_at: int | None = None
    """When the level was acknowledged; ``None``: nobody has since it was raised last."""
    reason: str = ""
    """Of an unmatched ticket: the first reason that it has no deadline, as ``NoDeadline``."""
    why: str = ""
    """All its reasons in sentences."""


class ListPart(NamedTuple):
    """One worker's part of a list."""

    worker: str
    at: int
    rows: tuple[ListRow, ...]
    matching: int
    """Rows that match the filters; more than ``rows`` if it was asked for fewer."""
    tickets: int
    """In the list, before filters."""
    complete: bool
    """Every ticket of the list was looked at."""


class Missing(NamedTuple):
    """A worker of which the list has nothing."""

    worker: str
    reason: str


class ListView(NamedTuple):
    """A list over all workers that answered."""

    query: ListQuery
    at: int
    rows: tuple[ListRow, ...]
    matching: int
    """Rows that match the filters; more than ``rows`` if these are cut at the limit."""
    tickets: int
    complete: bool
    missing: tuple[Missing, ...]


def read_query(name: str, asked: Mapping[str, str]) -> ListQuery:
    """The query of an address. Raises ValueError with the problem.

    A filter with a misspelt name would show the tickets of everybody. Another worker may be newer, and ask for more.
    """
    unknown = sorted(asked.keys() - set(PARAMETERS))
    if unknown and asked.get(SCOPE) != OWN:
        raise ValueError(f"a list has no parameter {unknown[0]!r}: use {', '.join(PARAMETERS)}")
    if (form := asked.get("format")) is not None and form not in FORMATS:
        raise ValueError(f"a list has no format {form!r}: use {' or '.join(FORMATS)}, or leave it out for a page")
    given = [(column, frozenset(filter(None, map(str.strip, asked.get(column, "").split(","))))) for column in FILTERS]
    where = [(column, values) for column, values in given if values]
    sort = asked.get("sort", _FIRST_SORT.get(name, "due"))
    column = sort.removeprefix("-")
    if column not in SORTS:
        raise ValueError(f"a list cannot be sorted by {column!r}: use one of {', '.join(SORTS)}, with - before it to reverse")
    limit = asked.get("limit", str(ROWS))
    if not (limit.isascii() and limit.isdecimal() and 0 < int(limit) <= MOST_ROWS):
        raise ValueError(f"limit is a number from 1 to {MOST_ROWS}")
    return ListQuery(name, tuple(where), column, sort != column, int(limit))


def matches(row: ListRow, query: ListQuery) -> bool:
    """Whether a row is wanted."""
    return all(getattr(row, column) in values for column, values in query.where)


def field(fields: Mapping[str, str | list[str]], name: str) -> str:
    """A field of a ticket as a cell."""
    return as_one_text(fields.get(name, ""))


def first(query: ListQuery, rows: Iterable[ListRow]) -> tuple[ListRow, ...]:
    """As many rows as are wanted, in the order that is wanted."""
    found = sorted(rows, key=lambda row: (row.ticket, row.commitment))
    found.sort(key=lambda row: _order(row, query.sort), reverse=query.descending)
    return tuple(found[: query.limit])


def merged(query: ListQuery, parts: Iterable[ListPart], missing: Iterable[Missing] = ()) -> ListView:
    """One list of the parts."""
    parts = list(parts)
    absent = tuple(missing)
    return ListView(
        query,
        max((part.at for part in parts), default=0),
        first(query, (row for part in parts for row in part.rows)),
        sum(part.matching for part in parts),
        sum(part.tickets for part in parts),
        all(part.complete for part in parts) and not absent,
        absent,
    )


def _order(row: ListRow, sort: str) -> tuple[int, str]:
    if sort == "due":
        return _LAST if row.due_at is None else row.due_at, ""
    if sort == "paused":
        return _LAST if row.paused_since is None else row.paused_since, ""
    return 0, str(getattr(row, sort))
