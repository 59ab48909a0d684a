"""The page of the gateway: the last outcomes of each feed, as HTML and as JSON. It has no bodies and no header values.

``Accept: application/json`` or ``?format=json`` selects JSON.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import orjson

from stream.observe.pages.html import Html, document, row, table, tag
from stream.observe.pages.limits import Limits, TooManyRequestsError
from stream.observe.pages.page_worker import clock, masthead
from stream.observe.pages.site import Answer, as_page
from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream.gateway.feed import Feed
    from stream.gateway.outcomes import Entry, RecentOutcomes

_COLUMNS: Final = ("When", "Outcome", "Status", "Events", "Bytes", "Milliseconds", "Detail")
_UTC: Final = "UTC"
_GOOD: Final = 300
_BAD: Final = 500


class GatewayPage:
    """Answers requests for the page."""

    def __init__(self, feeds: Mapping[str, Feed], recent: RecentOutcomes, ready: Callable[[], tuple[bool, str]]) -> None:
        self._feeds: Final = feeds
        self._recent: Final = recent
        self._ready: Final = ready
        self._limits: Final = Limits()

    def answer(self, path: str, query: str, accept: str) -> Answer | None:
        """The page at a path; ``None`` if there is no such page."""
        if path != "/":
            return None
        as_json = parse_qs(query).get("format", [""])[-1] == "json" or ("json" in accept and "text/html" not in accept)
        try:
            with self._limits.page():
                return as_page(as_json, self._json() if as_json else self._html())
        except TooManyRequestsError as reason:
            status = HTTPStatus.TOO_MANY_REQUESTS if reason.rate else HTTPStatus.SERVICE_UNAVAILABLE
            body = orjson.dumps({"error": str(reason)}) if as_json else document(status.phrase, tag("p", str(reason)))
            return as_page(as_json, body, status, ("Retry-After", str(reason.wait)))

    def preview(self, record: bytes) -> None:
        """Nothing can be deployed to a gateway."""

    def _json(self) -> bytes:
        good, text = self._ready()
        feeds = [
            {
                "feed": name,
                "mapping": _mapping(feed),
                "scheme": feed.scheme.name if feed.scheme else None,
                "outcomes": [_entry(entry) for entry in self._recent.of(name)],
            }
            for name, feed in self._feeds.items()
        ]
        now = format_instant(time.time_ns() // 1_000)
        return orjson.dumps({"at": now, "ready": good, "status": text, "feeds": feeds})

    def _html(self) -> bytes:
        good, text = self._ready()
        now = time.time_ns() // 1_000
        return document(
            "Gateway",
            masthead(lists=()),
            tag("h1", "Gateway"),
            tag("p", "as of ", clock(now - now % 1_000_000, _UTC)),
            tag("p", tag("span", text, class_="good" if good else "warn")),
            *(part for name, feed in self._feeds.items() for part in self._feed(name, feed)),
        )

    def _feed(self, name: str, feed: Feed) -> list[Html]:
        scheme = feed.scheme.name if feed.scheme else "none: this machine only"
        entries = self._recent.of(name)
        return [
            tag("h2", name),
            tag("p", f"Mapping: {_mapping(feed)}. Signature: {scheme}.", class_="dim"),
            table(_COLUMNS, map(_row, entries)) if entries else tag("p", "No request since the start."),
        ]


def _mapping(feed: Feed) -> str:
    return feed.mapping.name if feed.mapping else "events"


def _row(entry: Entry) -> Html:
    class_ = "good" if entry.status < _GOOD else "bad" if entry.status >= _BAD else "warn"
    cells = (
        clock(entry.at - entry.at % 1_000, _UTC),
        tag("span", entry.outcome.value, class_=class_),
        str(int(entry.status)),
        str(entry.events),
        str(entry.size),
        f"{entry.micros / 1e3:.1f}",
        entry.detail,
    )
    return row(_COLUMNS, cells)


def _entry(entry: Entry) -> dict[str, object]:
    return {
        "at": format_instant(entry.at),
        "outcome": entry.outcome.value,
        "status": int(entry.status),
        "events": entry.events,
        "bytes": entry.size,
        "seconds": entry.micros / 1e6,
        "detail": entry.detail,
    }
