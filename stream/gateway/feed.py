"""A feed as the gateway serves it, and a request to it. No type of the web server is in here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.feeds.mapping import FeedMapping
    from stream.feeds.signature import Scheme

EVENTS: Final = "events"
"""The name of the mapping of events that are in our own contract already."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A named source of ticket events."""

    name: str
    mapping: FeedMapping | None
    """``None``: the payloads are events in our own contract."""
    scheme: Scheme | None
    """The scheme of the requests' signatures; ``None``: they have none."""
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    """The newest first; several while a secret is being replaced."""
    erases: bool = False
    """Whether events in our own contract may erase tickets, which cannot be undone."""


class Received(NamedTuple):
    """A request to a feed."""

    method: str
    path: str
    """As the request has it, with its escapes."""
    query: str
    headers: Mapping[str, str]
    """By names in lower case. The values of a repeated header are separated by a comma and a space."""
    body: bytes = b""
