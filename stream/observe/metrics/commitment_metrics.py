"""The series of commitments: all series of one label set together, and all label sets of a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.observe.metrics import catalogue as names
from stream.observe.metrics.families import counter, histogram
from stream.observe.metrics.labels import LABEL_SETS, OTHER

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from stream.observe.metrics.labels import BoundedLabels

TicketLabels = tuple[str, str, str, str]
"""Policy, commitment, priority and team, as the ticket has them: not bounded yet."""
_CACHE_SIZE: Final = 10_000


class CommitmentSeries:
    """The series of one label set. They are created together, so that each exists at 0 before its first increase."""

    __slots__ = (
        "breached",
        "breaches_retracted",
        "cancelled",
        "commitment_index",
        "deployed_breaches",
        "index",
        "labels",
        "late_breaches",
        "met",
        "met_retracted",
        "others_retracted",
        "paused",
        "provisional_breaches",
        "reopened",
        "reopenings_retracted",
        "started",
        "team_index",
        "time",
        "used",
    )

    def __init__(
        self, metrics: CommitmentMetrics, labels: TicketLabels, index: int, team_index: int, commitment_index: int
    ) -> None:
        """``labels``: as exposed. The indexes number this label set, and the two smaller label sets that contain it."""
        self.labels: Final = labels
        self.index: Final = index
        self.team_index: Final = team_index
        """Index of its policy, commitment and team."""
        self.commitment_index: Final = commitment_index
        """Index of its policy and commitment."""
        policy_and_commitment = labels[:2]
        self.started = metrics.started.labels(*labels)
        self.met = metrics.decided.labels(*labels, "met")
        self.breached = metrics.decided.labels(*labels, "breached")
        self.cancelled = metrics.decided.labels(*labels, "cancelled")
        self.breaches_retracted = metrics.retractions.labels(*labels, "breach")
        self.met_retracted = metrics.retractions.labels(*labels, "met")
        self.reopenings_retracted = metrics.retractions.labels(*labels, "reopening")
        self.others_retracted = metrics.retractions.labels(*labels, "other")
        self.reopened = metrics.reopened.labels(*labels)
        self.late_breaches = metrics.late_breaches.labels(*policy_and_commitment, "event")
        self.deployed_breaches = metrics.late_breaches.labels(*policy_and_commitment, "deployment")
        self.provisional_breaches = metrics.provisional_breaches.labels(*policy_and_commitment)
        self.time = metrics.time.labels(*labels[:3])
        self.used = metrics.used.labels(*policy_and_commitment)
        self.paused = metrics.paused.labels(*policy_and_commitment)


class CommitmentMetrics:
    """All label sets of policy, commitment, priority and team. Their number is bounded, whatever tickets contain."""

    def __init__(self, labels: BoundedLabels, registry: CollectorRegistry) -> None:
        self.started = counter(names.STARTED, registry)
        self.decided = counter(names.DECIDED, registry)
        self.retractions = counter(names.RETRACTIONS, registry)
        self.reopened = counter(names.REOPENED, registry)
        self.late_breaches = counter(names.LATE_BREACHES, registry)
        self.provisional_breaches = counter(names.PROVISIONAL_BREACHES, registry)
        self.time = histogram(names.TIME, registry)
        self.used = histogram(names.USED, registry)
        self.paused = histogram(names.PAUSED, registry)
        self.known: Final[dict[TicketLabels, CommitmentSeries]] = {}
        """By exposed labels, in the order of their index. Entries are never removed."""
        self.team_indexes: Final[dict[tuple[str, str, str], int]] = {}
        """Policy, commitment and team to their index."""
        self.commitment_indexes: Final[dict[tuple[str, str], int]] = {}
        """Policy and commitment to their index."""
        self.cache: Final[dict[tuple[str, str, object, object], CommitmentSeries]] = {}
        """By ``TicketLabels``. An answer of ``find`` never changes, so hot paths look here first."""
        self._labels: Final = labels

    def find(self, policy: str, commitment: str, priority: str, team: str) -> CommitmentSeries:
        """Return the series for a ticket's commitment: those of ``other`` once the limit of label sets is reached."""
        key = policy, commitment, priority, team
        series = self.cache.get(key)
        if series is None:
            series = self._find(key)
            if len(self.cache) < _CACHE_SIZE:
                self.cache[key] = series
        return series

    def _find(self, key: TicketLabels) -> CommitmentSeries:
        bounded = self._labels
        policy, commitment = bounded.policy.label(key[0]), bounded.commitment.label(key[1])
        labels = policy, commitment, bounded.priority.label(key[2]), bounded.team.label(key[3])
        if labels not in self.known and len(self.known) >= LABEL_SETS:
            labels = policy, commitment, OTHER, OTHER
        series = self.known.get(labels)
        if series is None:
            team = labels[3]
            # In this order: a scrape that reads an entry of `known` must find its two other indexes.
            commitment_index = self.commitment_indexes.setdefault((policy, commitment), len(self.commitment_indexes))
            team_index = self.team_indexes.setdefault((policy, commitment, team), len(self.team_indexes))
            # A counter that first appears at 1 shows no increase, so all series of a label set start at 0 together.
            series = self.known[labels] = CommitmentSeries(self, labels, len(self.known), team_index, commitment_index)
        return series
