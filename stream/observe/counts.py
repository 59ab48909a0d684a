"""Everything that is counted of one label set, together, and all label sets of a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.observe import catalogue as names
from stream.observe.labels import LABEL_SETS, OTHER
from stream.observe.spec import counter, histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from stream.observe.labels import Vocabularies

Said = tuple[str, str, str, str]
"""Policy, commitment, priority and team, as tickets say them."""
_REMEMBERED: Final = 10_000
"""How many of them need not be looked up again."""


class Counts:
    """The counters of one label set; made together, so that each exists at 0 before it is needed."""

    __slots__ = (
        "breached",
        "breaches_retracted",
        "cancelled",
        "labels",
        "late_breaches",
        "met",
        "met_retracted",
        "number",
        "others_retracted",
        "paused",
        "reopened",
        "reopenings_retracted",
        "started",
        "time",
        "used",
        "what",
        "whom",
    )

    def __init__(self, sets: LabelSets, labels: Said, number: int, whom: int, what: int) -> None:
        """``labels``: as they are shown. The numbers are those of the label set and, apart, of those it is a part of."""
        self.labels: Final = labels
        self.number: Final = number
        self.whom: Final = whom
        """Of its policy, commitment and team."""
        self.what: Final = what
        """Of its policy and commitment."""
        policy_and_commitment = labels[:2]
        self.started = sets.started.labels(*labels)
        self.met = sets.decided.labels(*labels, "met")
        self.breached = sets.decided.labels(*labels, "breached")
        self.cancelled = sets.decided.labels(*labels, "cancelled")
        self.breaches_retracted = sets.retractions.labels(*labels, "breach")
        self.met_retracted = sets.retractions.labels(*labels, "met")
        self.reopenings_retracted = sets.retractions.labels(*labels, "reopening")
        self.others_retracted = sets.retractions.labels(*labels, "other")
        self.reopened = sets.reopened.labels(*labels)
        self.late_breaches = sets.late_breaches.labels(*policy_and_commitment)
        self.time = sets.time.labels(*policy_and_commitment)
        self.used = sets.used.labels(*policy_and_commitment)
        self.paused = sets.paused.labels(*policy_and_commitment)


class LabelSets:
    """All label sets by policy, commitment, priority and team, of which there is an end whatever tickets say."""

    def __init__(self, words: Vocabularies, registry: CollectorRegistry) -> None:
        self.started = counter(names.STARTED, registry)
        self.decided = counter(names.DECIDED, registry)
        self.retractions = counter(names.RETRACTIONS, registry)
        self.reopened = counter(names.REOPENED, registry)
        self.late_breaches = counter(names.LATE_BREACHES, registry)
        self.time = histogram(names.TIME, registry)
        self.used = histogram(names.USED, registry)
        self.paused = histogram(names.PAUSED, registry)
        self.known: Final[dict[Said, Counts]] = {}
        """By their labels as they are shown; none is ever removed, and the one numbered 0 is the first."""
        self.whom: Final[dict[tuple[str, str, str], int]] = {}
        """Policy, commitment and team to their number."""
        self.what: Final[dict[tuple[str, str], int]] = {}
        """Policy and commitment to their number."""
        self.remembered: Final[dict[tuple[str, str, object, object], Counts]] = {}
        """By what tickets say (``Said``): what ``find`` once answered stays the answer, and need not be asked for."""
        self._words: Final = words

    def find(self, policy: str, commitment: str, priority: str, team: str) -> Counts:
        """The counts under which a ticket's commitment goes; those of ``other`` when there is no room for more."""
        said = policy, commitment, priority, team
        counts = self.remembered.get(said)
        if counts is None:
            counts = self._find(said)
            if len(self.remembered) < _REMEMBERED:
                self.remembered[said] = counts
        return counts

    def _find(self, said: Said) -> Counts:
        words = self._words
        policy, commitment = words.policy.label(said[0]), words.commitment.label(said[1])
        labels = policy, commitment, words.priority.label(said[2]), words.team.label(said[3])
        if labels not in self.known and len(self.known) >= LABEL_SETS:
            labels = policy, commitment, OTHER, OTHER
        counts = self.known.get(labels)
        if counts is None:
            team = labels[3]
            # In this order: a scrape that finds one of the first finds its policy and commitment as well.
            what = self.what.setdefault((policy, commitment), len(self.what))
            whom = self.whom.setdefault((policy, commitment, team), len(self.whom))
            # A counter born at 1 shows no increase: all of a label set begin at 0, long before the first verdict.
            counts = self.known[labels] = Counts(self, labels, len(self.known), whom, what)
        return counts
