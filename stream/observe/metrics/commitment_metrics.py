"""The series of commitments: all series of one label set together, and all label sets of a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.observe.metrics import catalogue as names
from stream.observe.metrics.families import counter, histogram
from stream.observe.metrics.labels import OTHER

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from stream.observe.metrics.families import Spec
    from stream.observe.metrics.labels import BoundedLabels

LabelSet = tuple[str, ...]
"""Policy, commitment, priority and team, as exposed; and the customer, if there is a label of customers."""
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
        self, metrics: CommitmentMetrics, labels: LabelSet, index: int, team_index: int, commitment_index: int
    ) -> None:
        """The indexes number this label set, and the two smaller label sets that contain it."""
        self.labels: Final = labels
        self.index: Final = index
        self.team_index: Final = team_index
        """Index of its policy, commitment and team, and customer."""
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
        self.time = metrics.time.labels(*labels[:3], *labels[4:])
        self.used = metrics.used.labels(*policy_and_commitment)
        self.paused = metrics.paused.labels(*policy_and_commitment)


class CommitmentMetrics:
    """All label sets of policy, commitment, priority, team and customer. Their number is bounded, whatever tickets contain."""

    def __init__(self, labels: BoundedLabels, registry: CollectorRegistry) -> None:
        self.by_customer: Final = labels.customer is not None
        self.open: Final = self._labelled(names.OPEN)
        """The specification of the gauge of open commitments with these labels, and that of the time left."""
        self.left: Final = self._labelled(names.LEFT)
        self.started = counter(self._labelled(names.STARTED), registry)
        self.decided = counter(self._labelled(names.DECIDED), registry)
        self.retractions = counter(self._labelled(names.RETRACTIONS), registry)
        self.reopened = counter(self._labelled(names.REOPENED), registry)
        self.late_breaches = counter(names.LATE_BREACHES, registry)
        self.provisional_breaches = counter(names.PROVISIONAL_BREACHES, registry)
        self.time = histogram(self._labelled(names.TIME), registry)
        self.used = histogram(names.USED, registry)
        self.paused = histogram(names.PAUSED, registry)
        self.known: Final[dict[LabelSet, CommitmentSeries]] = {}
        """By exposed labels, in the order of their index. Entries are never removed."""
        self.team_indexes: Final[dict[LabelSet, int]] = {}
        """Policy, commitment and team, and customer, to their index."""
        self.commitment_indexes: Final[dict[tuple[str, str], int]] = {}
        """Policy and commitment to their index."""
        self.cache: Final[dict[tuple[str, str, object, object], CommitmentSeries]] = {}
        """By policy, commitment, priority and team as the ticket has them. An answer of ``find`` never changes, so hot paths
        look here first. Empty if there is a label of customers: they are in ``_by_customer``."""
        self._by_customer: Final[dict[tuple[str, str, str, str, str], CommitmentSeries]] = {}
        """By the same and the customer as exposed, of whom there are few."""
        self._labels: Final = labels

    def find(self, policy: str, commitment: str, priority: str, team: str, customer: str) -> CommitmentSeries:
        """Return the series for a ticket's commitment: those of ``other`` once the limit of label sets is reached."""
        customers = self._labels.customer
        if customers is not None:
            customer = customers.label(customer)
            of_customer = policy, commitment, priority, team, customer
            series = self._by_customer.get(of_customer)
            if series is None:
                series = self._find(of_customer)
                if len(self._by_customer) < _CACHE_SIZE:
                    self._by_customer[of_customer] = series
            return series
        key = policy, commitment, priority, team
        series = self.cache.get(key)
        if series is None:
            series = self._find(key)
            if len(self.cache) < _CACHE_SIZE:
                self.cache[key] = series
        return series

    def _labelled(self, spec: Spec) -> Spec:
        """The metric without the label of customers, if there is none."""
        return spec if self.by_customer else spec._replace(labels=tuple(label for label in spec.labels if label != "customer"))

    def _find(self, key: LabelSet) -> CommitmentSeries:
        bounded = self._labels
        policy, commitment = bounded.policy.label(key[0]), bounded.commitment.label(key[1])
        labels: LabelSet = (policy, commitment, bounded.priority.label(key[2]), bounded.team.label(key[3]), *key[4:])
        if labels not in self.known and len(self.known) >= bounded.label_sets:
            labels = (policy, commitment, *[OTHER] * len(key[2:]))
        series = self.known.get(labels)
        if series is None:
            # In this order: a scrape that reads an entry of `known` must find its two other indexes.
            commitment_index = self.commitment_indexes.setdefault((policy, commitment), len(self.commitment_indexes))
            team_index = self.team_indexes.setdefault((policy, commitment, *labels[3:]), len(self.team_indexes))
            # A counter that first appears at 1 shows no increase, so all series of a label set start at 0 together.
            series = self.known[labels] = CommitmentSeries(self, labels, len(self.known), team_index, commitment_index)
        return series
