"""The rules of ``breachwatch notify`` as data: which effects become messages, and where these go. Lengths are microseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from stream.sla.effects import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

_MINUTE: Final = 60_000_000
_DAY: Final = 24 * 60 * _MINUTE

USUAL_KINDS: Final = frozenset({Kind.WARNED, Kind.BREACHED, Kind.RAISED, Kind.REPEATED, Kind.RECURRED})
"""The types of effect of a route that names none."""


@dataclass(frozen=True, slots=True)
class Storm:
    """More than ``most`` messages within ``within`` become one summary."""

    most: int
    within: int


USUAL_STORM: Final = Storm(20, 5 * _MINUTE)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Daily hours in which nothing is sent; the messages wait until they end."""

    begin: int
    """Minute of the day."""
    end: int
    """Minute of the day; before ``begin``, it is on the next day."""
    days: frozenset[int]
    """Days of the week, Monday 0, that are quiet as a whole."""
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Destination:
    """The target of messages: a service that Apprise reaches, or a webhook."""

    name: str
    apprise: str = ""
    """Reference to the secret URL, ``env:NAME`` or ``file:PATH``; empty for a webhook."""
    webhook: str = ""
    """The URL, or a reference to it."""
    secrets: tuple[str, ...] = ()
    """References to the secrets that sign the requests of a webhook, the newest first."""
    storm: Storm | None = USUAL_STORM
    """``None``: messages are never put together."""
    quiet: Quiet | None = None
    give_up_after: int = 3 * _DAY


@dataclass(frozen=True, slots=True)
class Match:
    """Conditions on an effect. An empty one holds always; of several values of a condition one must be equal."""

    kinds: frozenset[Kind] = USUAL_KINDS
    policies: frozenset[str] = frozenset()
    commitments: frozenset[str] = frozenset()
    ladders: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    """Of the roles that the effect names."""
    fields: tuple[tuple[str, frozenset[str]], ...] = ()
    """Ticket fields, each with its values."""
    page: bool | None = None
    """Whether a single breach pages by the policy; ``None``: either."""


@dataclass(frozen=True, slots=True)
class Route:
    """Effects that match, and the destinations that get them."""

    match: Match = field(default_factory=Match)
    to: tuple[str, ...] = ()
    """Names of destinations."""
    to_roles: bool = False
    """Whether the holders of the roles that an effect names get it too."""
    late: bool = False
    """Whether effects that correct the past are sent."""
    provisional: bool = True
    """Whether provisional effects are sent. If not, they are sent when they are confirmed."""
    last: bool = False
    """Whether the routes below are left out for what matches here."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The destinations of a role, for the tickets that match."""

    role: str
    fields: tuple[tuple[str, frozenset[str]], ...]
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """Valid rules."""

    destinations: Mapping[str, Destination]
    routes: tuple[Route, ...]
    holders: tuple[Holder, ...] = ()
    """Of those for a role that match a ticket, the first counts."""
    ticket_url: str = ""
    """Template with ``{ticket}`` or ``{number}``; empty: messages have no link."""
    zone: ZoneInfo | None = None
    """The zone of times in messages; ``None``: that of the commitment."""
    max_age: int = 7 * _DAY
    """Effects that were published longer ago are history, and are not sent."""
