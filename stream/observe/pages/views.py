"""The data of a worker's pages: immutable values, collected from the worker at one instant.

Instants are epoch microseconds, lengths are microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.deployments.impact import Impact
    from stream.observe.pages.lists import ListPart, ListQuery
    from stream.sla.explain.explanation import Explanation


class PartitionView(NamedTuple):
    """An input partition that this worker owns."""

    number: int
    live: bool
    """Whether timers fire by the clock: all records published before the takeover are processed."""
    watermark: int | None
    """The newest event time since this worker took the partition over."""
    tickets: int
    open_commitments: int
    next_at: int | None
    """The next timer: a deadline, a warning or a level of a ladder."""


class FeedView(NamedTuple):
    """A source, and how its feed stands."""

    source: str
    received: int | None
    """Its newest event; ``None``: none came."""
    complete: int | None
    """Up to when it is complete; ``None``: nobody states it."""
    state: str
    """``complete``, ``lagging``, ``unreachable``, ``silent``, or empty where nobody states it."""
    stale: bool
    """Breaches of its tickets are provisional now."""
    waiting: int
    """Tickets that wait for it."""


class AtRisk(NamedTuple):
    """A running commitment and its deadline."""

    ticket: str
    policy: str
    commitment: str
    priority: str
    team: str
    state: str
    due_at: int
    left: int
    """Time until the deadline, on the clock of its partition; negative if the deadline has passed."""
    timezone: str


class DeploymentView(NamedTuple):
    """A deployment that this worker knows."""

    number: int
    since: int | None
    """The instant from which it holds; ``None``: for all time."""
    kind: str
    by: str
    note: str
    fingerprint: str
    """Of the policies as deployed."""
    replaced: bool
    """A later deployment has taken its place."""
    remaining: int
    """Tickets of this worker that have still to meet it."""
    changes: tuple[str, ...]
    """Lines in words."""


class Neighbour(NamedTuple):
    """A worker of the group and its assigned partitions."""

    url: str
    partitions: tuple[int, ...]


class WorkerView(NamedTuple):
    """The status of a worker."""

    url: str
    at: int
    ready: bool
    status: str
    partitions: tuple[PartitionView, ...]
    at_risk: tuple[AtRisk, ...]
    """The soonest deadlines, soonest first."""
    at_risk_until: int | None
    """The list is complete for deadlines before this instant; ``None``: it has the requested number, or all deadlines."""
    neighbours: tuple[Neighbour, ...]
    deployments: tuple[DeploymentView, ...] = ()
    """The newest ones, the newest first."""
    files_differ: bool = False
    """The policy files of this worker differ from the newest deployment."""
    feeds: tuple[FeedView, ...] = ()
    """By the names of their sources."""


class TicketView(NamedTuple):
    """A ticket of this worker."""

    ticket: str
    partition: int
    live: bool
    fields: Mapping[str, str | list[str]]
    gone: str
    """``merged``, ``deleted``, ``erased`` or empty."""
    explanation: Explanation
    gone_since: int | None = None
    """The time at which it was merged, deleted or erased."""


class Elsewhere(NamedTuple):
    """This worker does not have the ticket."""

    ticket: str
    usual: int
    """The partition of the ticket by the hash that Kafka's own producers use."""
    own: tuple[int, ...]
    asked: frozenset[int]
    """Partitions that were searched, here and by the workers that redirected the request."""
    wanted: int | None
    """The partition to search next."""
    url: str | None
    """The worker that owns it."""
    missing: tuple[int, ...]
    """Partitions that were not searched because their owners are unknown."""


class UnavailableError(Exception):
    """The worker cannot answer now: it is starting, rebalancing or busy. The text gives the reason."""


class RefusedPreviewError(Exception):
    """The worker cannot count what a deployment would do. The text gives the reason, which does not pass by itself."""


Preview = Callable[[bytes], "Impact"]
"""The impact of a deployment, given by its record, on the tickets of a worker. Raises RefusedPreviewError, UnavailableError."""


class View(Protocol):
    """Reads a worker from another thread. Its methods raise ``UnavailableError``."""

    def worker(self) -> WorkerView: ...

    def listed(self, query: ListQuery) -> ListPart:
        """This worker's part of a list."""
        ...

    def neighbours(self) -> tuple[str, ...]:
        """The addresses of the other workers."""
        ...

    def ticket(self, ticket: str, asked: frozenset[int], sent_for: int | None) -> TicketView | Elsewhere:
        """``asked``: partitions searched already; ``sent_for``: the partition for which the request was redirected here."""
        ...
