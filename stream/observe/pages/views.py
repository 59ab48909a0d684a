"""What a worker's pages show, as values: taken in one look at the worker, and never changed afterwards.

Instants are epoch microseconds, lengths are microseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.sla.explain.explanation import Explanation


class PartitionView(NamedTuple):
    """An input partition this worker owns."""

    number: int
    live: bool
    """Whether deadlines pass by the clock: everything published before it was taken over is processed."""
    watermark: int | None
    """The newest instant its feed has shown since this worker has it."""
    tickets: int
    open_commitments: int
    next_at: int | None
    """When the next ticket is looked at: a deadline, a warning or a level of a ladder."""


class AtRisk(NamedTuple):
    """A commitment that is running, and its deadline."""

    ticket: str
    policy: str
    commitment: str
    priority: str
    team: str
    state: str
    due_at: int
    left: int
    """Until the deadline, on the clock that its partition goes by; negative where that has passed it."""
    timezone: str


class Neighbour(NamedTuple):
    """A worker of the group and the partitions it was assigned."""

    url: str
    partitions: tuple[int, ...]


class WorkerView(NamedTuple):
    """All a worker says of itself."""

    url: str
    at: int
    ready: bool
    status: str
    partitions: tuple[PartitionView, ...]
    at_risk: tuple[AtRisk, ...]
    """The soonest deadlines, soonest first."""
    at_risk_until: int | None
    """The list is complete for deadlines before this instant; ``None``: it has the wanted number, or all there are."""
    neighbours: tuple[Neighbour, ...]


class TicketView(NamedTuple):
    """A ticket of this worker."""

    ticket: str
    partition: int
    live: bool
    fields: Mapping[str, str | list[str]]
    gone: str
    """``merged``, ``deleted`` or nothing."""
    explanation: Explanation


class Elsewhere(NamedTuple):
    """This worker does not have the ticket."""

    ticket: str
    usual: int
    """The partition that the usual hashing of Kafka's producers puts the ticket into."""
    own: tuple[int, ...]
    asked: frozenset[int]
    """Partitions that were looked into, here and by the workers that sent the question on."""
    wanted: int | None
    """The partition to be looked into next."""
    url: str | None
    """The worker that has it."""
    missing: tuple[int, ...]
    """Partitions that were not looked into, and of which no owner is known."""


class UnavailableError(Exception):
    """The worker cannot answer at present: it starts, a rebalance is under way, or it is busy. The text says which."""


class View(Protocol):
    """Looks at a worker from another thread. Both raise ``UnavailableError``."""

    def worker(self) -> WorkerView: ...

    def ticket(self, ticket: str, asked: frozenset[int], sent_for: int | None) -> TicketView | Elsewhere:
        """``asked``: partitions looked into already; ``sent_for``: the one for which the question was sent here."""
        ...
