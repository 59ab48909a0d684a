"""A list as JSON (``schemas/list-page.v1.json``) and as CSV, and back from JSON for the worker that requested it."""

from __future__ import annotations

import csv
import re
from io import StringIO
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec
import orjson

from stream.observe.pages.lists import ListPart, ListRow
from stream.observe.pages.pages_json import ticket_address
from stream.observe.pages.phrasing import when
from stream.wire.instants import NO_END, format_instant, parse_instant

if TYPE_CHECKING:
    from stream.observe.pages.lists import ListQuery, ListView
    from stream.observe.pages.ticket_links import TicketLinks

_FORMULA: Final = re.compile(r'(^[\t\r\n]|^|[;\t\r\n])(?=[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20])')
"""Before text that a spreadsheet takes for a formula, at the beginning of a cell or after what may separate cells: where the
comma is the decimal separator, spreadsheets take semicolons."""


class _Row(msgspec.Struct):
    ticket: str
    state: str
    policy: str
    commitment: str
    due_at: str | None
    seconds_left: float | None
    paused_since: str | None
    priority: str
    team: str
    customer: str
    assignee: str
    timezone: str
    level: str = ""  # an older release lacks it and what follows
    notify: tuple[str, ...] = ()
    acknowledged_at: str | None = None
    reason: str = ""
    why: str = ""


class _Page(msgspec.Struct):
    at: str
    rows: list[_Row]
    matching: int
    tickets: int
    complete: bool


def list_address(query: ListQuery, **more: str) -> str:
    """The path and the parameters of a list."""
    parameters = {column: ",".join(sorted(values)) for column, values in query.where}
    parameters |= {"sort": f"{'-' if query.descending else ''}{query.sort}", "limit": str(query.limit), **more}
    return f"/lists/{query.name}?{urlencode(parameters, safe=',')}"


def as_json(view: ListView, links: TicketLinks) -> bytes:
    """Return the list as one object."""
    return orjson.dumps(
        {
            "list": view.query.name,
            "at": format_instant(view.at),
            "rows": [_plain(row) | {"page": ticket_address(row.ticket), "url": links.url(row.ticket)} for row in view.rows],
            "matching": view.matching,
            "tickets": view.tickets,
            "complete": view.complete,
            "missing": [{"worker": one.worker, "reason": one.reason} for one in view.missing],
        },
        option=orjson.OPT_SORT_KEYS,
    )


def as_csv(view: ListView, links: TicketLinks) -> bytes:
    """Return the rows with a heading, for a spreadsheet: what it would take for a formula begins with an apostrophe.

    Instants and lengths are in whole seconds, as on the page.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*_Row.__struct_fields__, "url"])
    for row in view.rows:
        plain = _plain(_in_seconds(row)) | {"notify": ", ".join(row.notify)}
        cells = [*plain.values(), links.url(row.ticket)]
        writer.writerow([_FORMULA.sub(r"\1'", cell) if isinstance(cell, str) else cell for cell in cells])
    return text.getvalue().encode()


def read_part(worker: str, body: bytes) -> ListPart:
    """The answer of another worker. Raises ValueError and OverflowError, also for what a page cannot show."""
    page = msgspec.json.decode(body, type=_Page)
    rows = [
        ListRow(
            row.ticket,
            row.state,
            row.policy,
            row.commitment,
            None if row.due_at is None else parse_instant(row.due_at, NO_END),
            None if row.seconds_left is None else round(row.seconds_left * 1e6),
            None if row.paused_since is None else parse_instant(row.paused_since),
            row.priority,
            row.team,
            row.customer,
            row.assignee,
            row.timezone,
            row.level,
            row.notify,
            None if row.acknowledged_at is None else parse_instant(row.acknowledged_at),
            row.reason,
            row.why,
        )
        for row in page.rows
    ]
    for row in rows:  # its zones may be others than ours
        when(row.due_at or 0, row.timezone)
        when(row.paused_since or 0, row.timezone)
        when(row.acknowledged_at or 0, row.timezone)
    return ListPart(worker, parse_instant(page.at), tuple(rows), page.matching, page.tickets, page.complete)


def _in_seconds(row: ListRow) -> ListRow:
    """The row with its instants and lengths rounded down to seconds."""
    micros = {name: getattr(row, name) for name in ("due_at", "left", "paused_since", "acknowledged_at")}
    return row._replace(**{name: value - value % 1_000_000 for name, value in micros.items() if value is not None})


def _plain(row: ListRow) -> dict[str, Any]:
    return {
        "ticket": row.ticket,
        "state": row.state,
        "policy": row.policy,
        "commitment": row.commitment,
        "due_at": None if row.due_at is None else format_instant(row.due_at),
        "seconds_left": None if row.left is None else row.left // 1_000_000 if row.left % 1_000_000 == 0 else row.left / 1e6,
        "paused_since": None if row.paused_since is None else format_instant(row.paused_since),
        "priority": row.priority,
        "team": row.team,
        "customer": row.customer,
        "assignee": row.assignee,
        "timezone": row.timezone,
        "level": row.level,
        "notify": row.notify,
        "acknowledged_at": None if row.acknowledged_at is None else format_instant(row.acknowledged_at),
        "reason": row.reason,
        "why": row.why,
    }
