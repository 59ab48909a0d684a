"""A list of tickets as HTML: a form of filters, and a table whose headings sort it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.observe.pages.html import Html, document, row, table, tag
from stream.observe.pages.list_formats import list_address
from stream.observe.pages.lists import FILTERS, TITLES
from stream.observe.pages.page_worker import clock, masthead
from stream.observe.pages.pages_json import ticket_address
from stream.observe.pages.phrasing import left
from stream.wire.counting import many

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.observe.pages.lists import ListQuery, ListRow, ListView
    from stream.observe.pages.ticket_links import TicketLinks

_SORTS: Final = {
    "Due": "due",
    "Paused since": "paused",
    "Ticket": "ticket",
    "Commitment": "commitment",
    "Policy": "policy",
    "Priority": "priority",
    "Team": "team",
    "Customer": "customer",
    "Assignee": "assignee",
}
"""Heading, and by what it sorts."""
_FIELDS: Final = ("Priority", "Team", "Customer", "Assignee")
_COMMITMENT: Final = ("Ticket", "Commitment", "Escalation", "Policy", *_FIELDS)
_HEADS: Final = {
    "breached": ("Time left", "Due", *_COMMITMENT),
    "at-risk": ("Time left", "Due", *_COMMITMENT),
    "paused": ("Paused for", "Paused since", *_COMMITMENT),
    "unmatched": ("Ticket", *_FIELDS, "Why"),
}
"""The columns of each list: a paused commitment has no deadline, and an unmatched ticket no commitment."""
_REFRESH: Final = "60"


def render(view: ListView, links: TicketLinks) -> bytes:
    """Return the page as HTML. It makes the browser load it again every minute."""
    query = view.query
    heads = _HEADS[query.name]
    rows = [row(heads, _cells(one, heads, view.at, links)) for one in view.rows]
    whole = view.at - view.at % 1_000_000
    zone = "" if query.name == "unmatched" else " Each other time is in the zone of its calendar."
    return document(
        TITLES[query.name],
        masthead(),
        tag("h1", TITLES[query.name]),
        tag("p", "All workers as of ", clock(whole, "UTC"), f".{zone}", class_="dim"),
        *_warnings(view),
        _form(query),
        tag("p", _count(view), " ", *_formats(query)),
        table([_sorted(query, head) for head in heads], rows) if rows else tag("p", "None."),
        refresh=_REFRESH,
    )


def _count(view: ListView) -> str:
    shown, matching = len(view.rows), view.matching
    first = f"{shown:,} of {matching:,}" if shown < matching else f"{matching:,}"
    return f"{first} {'entry' if matching == 1 else 'entries'}, {many(view.tickets, 'ticket')} in the list."


def _formats(query: ListQuery) -> list[Html]:
    return [
        tag("a", "JSON", href=list_address(query, format="json")[1:]),
        Html(" "),
        tag("a", "CSV", href=list_address(query, format="csv")[1:]),
    ]


def _warnings(view: ListView) -> list[Html]:
    found = [tag("p", f"The tickets of {one.worker} are missing: {one.reason}.", class_="warn") for one in view.missing]
    if not view.complete and not view.missing:
        found.append(
            tag("p", "The list is long: a worker looks at 5,000 tickets for a page, and there are more.", class_="warn")
        )
    return found


def _form(query: ListQuery) -> Html:
    where = dict(query.where)
    fields = [
        tag(
            "input",
            name=name,
            placeholder=name.capitalize(),
            aria_label=name.capitalize(),
            value=",".join(sorted(where.get(name, ()))),
        )
        for name in FILTERS
        if name.capitalize() in _HEADS[query.name]
    ]
    sort = tag("input", type="hidden", name="sort", value=f"{'-' if query.descending else ''}{query.sort}")
    return tag("form", *fields, sort, tag("button", "Filter"), action=f"lists/{query.name}", method="get", class_="filters")


def _sorted(query: ListQuery, head: str) -> str:
    if (sort := _SORTS.get(head)) is None:
        return head
    active = query.sort == sort
    address = list_address(query._replace(sort=sort, descending=active and not query.descending))
    arrow = (" \N{DOWNWARDS ARROW}" if query.descending else " \N{UPWARDS ARROW}") if active else ""
    return tag("a", head + arrow, href=address[1:])


def _left(time: int) -> str:
    return left(time) if time >= 0 else f"{left(-time)} over"


def _escalation(one: ListRow) -> str:
    if not one.level:
        return ""
    level = one.level + (f" ({', '.join(one.notify)})" if one.notify else "")
    if one.acknowledged_at is None:
        return tag("span", level, ", ", tag("span", "not acknowledged", class_="warn"))
    return tag("span", level, ", acknowledged ", clock(one.acknowledged_at, one.timezone))


def _cells(one: ListRow, heads: Iterable[str], now: int, links: TicketLinks) -> list[str]:
    url = links.url(one.ticket)
    name = tag("a", one.ticket, href=ticket_address(one.ticket)[1:])
    if url is not None:
        # One element: on a narrow screen a cell has two columns, and this is the second.
        name = tag("span", name, " ", tag("a", "open in helpdesk", href=url, class_="dim"))
    class_ = "whole bad" if one.left is not None and one.left < 0 else "whole"
    since = one.paused_since
    cells = {
        "Time left": "" if one.left is None else tag("span", _left(one.left), class_=class_),
        "Due": "" if one.due_at is None else clock(one.due_at, one.timezone),
        "Paused for": "" if since is None else tag("span", left(max(now - since, 0)), class_="whole"),
        "Paused since": "" if since is None else clock(since, one.timezone),
        "Ticket": name,
        "Commitment": one.commitment,
        "Escalation": _escalation(one),
        "Policy": one.policy,
        "Priority": one.priority,
        "Team": one.team,
        "Customer": one.customer,
        "Assignee": one.assignee,
        "Why": one.why,
    }
    return [cells[head] for head in heads]
