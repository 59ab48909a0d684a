"""The interface to the API of a helpdesk, from which a feed is pulled. ``stream.pull.apis`` has one module for each.

A *resource* is one list of an API, such as the transactions of Request Tracker. It is read from an instant to its end, page by
page. The mapping of the feed reads the payload of each *document* on a page.

To add an API:

1. Write ``stream/pull/apis/<name>.py`` with a constant ``API: Api``, and add its name to ``stream.pull.apis.NAMES``.
2. Write a class for each resource, with ``name``, ``look_back`` and ``pages``. It uses the ``Client`` that it is given, which
   keeps the pace, repeats what failed and raises what cannot be repeated. It never sleeps or retries itself.
3. ``pages`` begins at ``since``, inclusive, and ends when the API has no more. An API that only pages by a time uses
   ``stream.pull.pages.by_time``, which neither skips nor repeats a document when several have the same time, and cannot loop.
4. State ``Page.up_to`` if the pages are in the order of ``updated_at``: a puller that dies then continues there. Leave it out
   if they are not: it then continues where the pass before began.
5. ``look_back`` covers what the API shows late: transactions that are committed out of order, a minute that it leaves out,
   queries that only have minutes.
6. The payload of a document is in the form that the helpdesk pushes, if it can be, so that the same rules of the mapping read
   both. Otherwise it has the keys ``resource``, ``document`` (as the API answered it) and ``lookups``: what the mapping cannot
   find in the document, such as the kind of a user. In both cases ids of events come from what push and API both have.
7. Test it against a server of its own on loopback, with the fixture of ``tests/unit/pull/fake_api.py``: two pages, equal
   timestamps over a page, a document that changes between two pages, 429 with ``Retry-After``, 403 on one resource.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from stream.pull.client import Client


class Cursor(NamedTuple):
    """The newest document that was read of a resource."""

    updated_at: int
    """Epoch microseconds, by the clock of the helpdesk."""
    id: str


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a resource."""

    id: str
    """Unique in its resource."""
    updated_at: int
    """Time of the last change, epoch microseconds, by the clock of the helpdesk."""
    payload: Any
    """The value that the mapping reads. Where an API has no form of its own for it: ``payload(resource, body, lookups)``."""

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.updated_at, self.id)


def payload(resource: str, body: object, **lookups: object) -> dict[str, Any]:
    """The value that a mapping reads, made of a document as the API answered it. ``lookups``: further answers that it needs."""
    return {"resource": resource, "document": body, "lookups": lookups}


@dataclass(frozen=True, slots=True)
class Page:
    """Some documents of a resource, in any order."""

    documents: Sequence[Document]
    up_to: Cursor | None = None
    """Everything up to here was on this page or before it. ``None``: that is only known at the end."""


class Resource(Protocol):
    """One list of an API. It may remember, from one pass to the next, what it requested."""

    @property
    def name(self) -> str: ...

    @property
    def look_back(self) -> int:
        """The time before its cursor at which a pass begins, microseconds."""

    def pages(self, since: int) -> AsyncIterator[Page]:
        """All documents that were changed at ``since`` (epoch microseconds) or later.

        Raises ``stream.pull.client.ApiError``.
        """


@dataclass(frozen=True, slots=True)
class Api:
    """The API of a helpdesk."""

    name: str
    credentials: str
    """The required contents of ``--credentials``, for messages: ``an API key``."""
    headers: Callable[[str], Mapping[str, str]]
    """The headers that log in, from the text of the credentials. Raises ValueError if they do not have the form."""
    resources: Callable[[Client], Sequence[Resource]]
    per_minute: int | None = None
    """The most requests a minute, if the API has a limit that every plan shares."""


def basic(text: str) -> Mapping[str, str]:
    """Headers of the basic scheme, from ``user:password``. Raises ValueError."""
    from base64 import b64encode

    if ":" not in text:
        raise ValueError("they must be user:password")
    return {"Authorization": "Basic " + b64encode(text.encode()).decode()}
