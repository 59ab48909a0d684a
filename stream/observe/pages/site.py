"""Maps addresses to pages, as HTML for people and as JSON for programs.

    /                 the worker: its partitions, the soonest deadlines, the other workers
    /tickets/<id>     a ticket: fields, deadlines with their explanation, escalations
    /tickets?id=<id>  the same, for the form on the first page
    /lists/<name>     the tickets of all workers that people work through: breached, at-risk, paused, unmatched; also as CSV

    POST /deployments/preview  what a deployment would do to the tickets of this worker, as JSON; the body is its record

``Accept: application/json`` or ``?format=json`` selects JSON. The page of a ticket of another worker is fetched from there; if
that fails, the request is redirected.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import parse_qs, quote, unquote, urlencode

import msgspec

from stream.observe.pages import list_formats, page_list, page_ticket, page_worker, pages_json
from stream.observe.pages.html import POLICY, below, document, tag
from stream.observe.pages.limits import Limits, TooManyRequestsError
from stream.observe.pages.lists import OWN, SCOPE, TITLES, merged, read_query
from stream.observe.pages.ticket_links import TicketLinks
from stream.observe.pages.views import Elsewhere, RefusedPreviewError, UnavailableError

if TYPE_CHECKING:
    from stream.observe.pages.neighbours import Neighbours
    from stream.observe.pages.views import Preview, View

_JSON: Final = "application/json"
_HTML: Final = "text/html; charset=utf-8"
_CSV: Final = "text/csv; charset=utf-8"
_TICKETS: Final = "/tickets"
_LISTS: Final = "/lists/"
_RETRY_AFTER: Final = "2"
"""Seconds."""
# A page shows customer data as of now, so it must not be cached, and its address must not be sent to other sites.
_ALWAYS: Final = (("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"), ("Vary", "Accept"))
# Partition numbers in the parameters `asked` and `for`, which only other workers send.
_NUMBERS: Final = re.compile(r"[0-9]{1,4}(,[0-9]{1,4})*")


class Answer(NamedTuple):
    """The response to a request."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Pages(Protocol):
    """Answers requests for pages."""

    def answer(self, path: str, query: str, accept: str) -> Answer | None:
        """The page at a path, as the request has it; ``None`` if there is no such page."""

    def preview(self, record: bytes) -> Answer | None:
        """The impact of the proposed deployment; ``None`` if there is nothing to deploy."""


class Site:
    """Answers requests for the pages of a worker."""

    def __init__(
        self,
        view: View,
        limits: Limits | None = None,
        preview: Preview | None = None,
        neighbours: Neighbours | None = None,
        links: TicketLinks | None = None,
        prefix: str = "",
    ) -> None:
        """``preview``: ``None`` where nothing can be deployed. ``neighbours``: ``None`` where there is one worker.

        ``prefix``: path below which a proxy shows the pages, such as ``/sla``.
        """
        self._prefix = prefix
        self._view = view
        self._neighbours = neighbours
        self._links = links or TicketLinks()
        self._preview = preview
        self._limits = limits or Limits()
        self._previewing = Lock()

    def answer(self, path: str, query: str, accept: str) -> Answer | None:
        """Return the page at a path, as the request has it; ``None`` if there is no such page."""
        found = self._answer(path, query, accept)
        if found is None or not self._prefix or found.content_type != _HTML:
            return found
        return found._replace(body=below(self._prefix, found.body))

    def _answer(self, path: str, query: str, accept: str) -> Answer | None:
        asked = {name: values[-1] for name, values in parse_qs(query).items()}
        as_json = asked.get("format") == "json" or (_JSON in accept and "text/html" not in accept)
        if path == _TICKETS:
            return self._asked_for(asked, as_json)
        if path.startswith(f"{_TICKETS}/"):
            return self._page(unquote(path.removeprefix(f"{_TICKETS}/")), asked, as_json)
        if path.startswith(_LISTS):
            return self._list_page(path.removeprefix(_LISTS), asked, as_json)
        return self._page(None, asked, as_json) if path == "/" else None

    def _asked_for(self, asked: dict[str, str], as_json: bool) -> Answer:
        """The ticket whose id somebody has typed. Spaces at its ends belong to it only if no ticket is found without them."""
        typed = asked.get("id", "")
        answer = self._page(typed.strip(), asked, as_json)
        if answer.status == HTTPStatus.NOT_FOUND and typed != typed.strip():
            exact = self._page(typed, asked, as_json)
            return answer if exact.status == HTTPStatus.NOT_FOUND else exact
        return answer

    def _page(self, ticket: str | None, asked: dict[str, str], as_json: bool) -> Answer:
        """The page of a ticket; ``None``: of the worker."""
        try:
            with self._limits.page():
                if ticket is None:
                    return self._worker(as_json)
                found = self._ticket(ticket, asked, as_json)
            # Outside of the limits, as for lists.
            return found if isinstance(found, Answer) else self._elsewhere(ticket, found, as_json)
        except (UnavailableError, TooManyRequestsError) as reason:
            return _unavailable(as_json, reason)

    def _list_page(self, name: str, asked: dict[str, str], as_json: bool) -> Answer | None:
        if name not in TITLES:
            return None
        try:
            query = read_query(name, asked)
        except ValueError as error:
            return _problem(as_json, HTTPStatus.BAD_REQUEST, f"{error}.")
        try:
            with self._limits.page():
                part = self._view.listed(query)
            # Outside of the limits: while others are awaited nothing is done here, and they have limits of their own.
            others = () if asked.get(SCOPE) == OWN or self._neighbours is None else self._view.neighbours()
            parts, missing = self._neighbours.ask(others, query) if others and self._neighbours else ([], [])
        except (UnavailableError, TooManyRequestsError) as reason:
            return _unavailable(as_json, reason)
        view = merged(query, [part, *parts], missing)
        if asked.get("format") == "csv":
            file = ("Content-Disposition", f'attachment; filename="{name}.csv"')
            return Answer(HTTPStatus.OK, _CSV, list_formats.as_csv(view, self._links), (file, *_ALWAYS))
        return as_page(as_json, list_formats.as_json(view, self._links) if as_json else page_list.render(view, self._links))

    def preview(self, record: bytes) -> Answer:
        """Count what a deployment would do to the tickets of this worker, for ``breachwatch deploy``. One at a time."""
        if self._preview is None:
            return _problem(True, HTTPStatus.NOT_FOUND, "Nothing can be deployed here.")
        if not self._previewing.acquire(blocking=False):
            return _problem(True, HTTPStatus.SERVICE_UNAVAILABLE, "Another preview is running.", ("Retry-After", "10"))
        try:
            return as_page(True, msgspec.json.encode(self._preview(record)))
        except RefusedPreviewError as reason:
            return _problem(True, HTTPStatus.CONFLICT, f"Not counted: {reason}.")
        except UnavailableError as reason:
            return _unavailable(True, reason)
        finally:
            self._previewing.release()

    def _worker(self, as_json: bool) -> Answer:
        view = self._view.worker()
        return as_page(as_json, pages_json.worker(view) if as_json else page_worker.render(view))

    def _ticket(self, ticket: str, asked: dict[str, str], as_json: bool) -> Answer | Elsewhere:
        sent_for = _numbers(asked.get("for", ""))
        found = self._view.ticket(ticket, _numbers(asked.get("asked", "")), next(iter(sent_for), None))
        if isinstance(found, Elsewhere):
            return found
        return as_page(
            as_json, pages_json.ticket(found) if as_json else page_ticket.render(found, self._links.url(found.ticket))
        )

    def _elsewhere(self, ticket: str, found: Elsewhere, as_json: bool) -> Answer:
        if found.url is not None:
            query = {"asked": ",".join(map(str, sorted(found.asked))), "for": str(found.wanted)}
            query |= {"format": "json"} if as_json else {}
            path = f"{_TICKETS}/{quote(ticket, safe='')}?{urlencode(query, safe=',')}"
            page = None if self._neighbours is None else self._neighbours.page(found.url, path)
            if page is not None:
                return as_page(as_json, page.body, HTTPStatus(page.status))
            where = found.url + path
            text = f"Ticket {ticket} is not on this worker; partition {found.wanted} is on {found.url}."
            return _problem(as_json, HTTPStatus.TEMPORARY_REDIRECT, text, ("Location", where))
        if found.missing:
            text = (
                f"Ticket {ticket} is not in partitions {_listed(found.asked)}. Usually it would be in partition {found.usual}. "
                f"This worker does not know the address of the owner of partitions {_listed(found.missing)}: the owner has not "
                f"joined yet, or it advertises the same address as this worker (setting 'advertise'). The log line "
                f"'ready: ... partitions' of each worker names its partitions."
            )
            return _problem(as_json, HTTPStatus.SERVICE_UNAVAILABLE, text, ("Retry-After", _RETRY_AFTER))
        return _problem(as_json, HTTPStatus.NOT_FOUND, f"Unknown ticket {ticket!r}: it is in none of the partitions.")


def _unavailable(as_json: bool, reason: UnavailableError | TooManyRequestsError) -> Answer:
    """The answer while the page cannot be made, with the time after which to ask again."""
    status, wait = HTTPStatus.SERVICE_UNAVAILABLE, _RETRY_AFTER
    if isinstance(reason, TooManyRequestsError):
        status, wait = HTTPStatus.TOO_MANY_REQUESTS if reason.rate else status, str(reason.wait)
    return _problem(as_json, status, f"Not available now: {reason}.", ("Retry-After", wait))


def _numbers(text: str) -> frozenset[int]:
    return frozenset(map(int, text.split(","))) if _NUMBERS.fullmatch(text) else frozenset()


def _listed(numbers: frozenset[int] | tuple[int, ...]) -> str:
    return ", ".join(map(str, sorted(numbers))) or "none"


def as_page(as_json: bool, body: bytes, status: HTTPStatus = HTTPStatus.OK, *headers: tuple[str, str]) -> Answer:
    """The response with a page as JSON or HTML."""
    policy = () if as_json else (("Content-Security-Policy", POLICY),)
    return Answer(status, _JSON if as_json else _HTML, body, (*headers, *_ALWAYS, *policy))


def _problem(as_json: bool, status: HTTPStatus, text: str, *headers: tuple[str, str]) -> Answer:
    if as_json:
        return as_page(as_json, pages_json.problem(text), status, *headers)
    body = document(status.phrase, page_worker.masthead(), tag("h1", status.phrase), tag("p", text))
    return as_page(as_json, body, status, *headers)
