"""The terms of a policy that the state of a commitment or an escalation keeps.

Tickets that are alike share these objects: ``of`` returns the same one for the same values.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import mypyc_attr

from stream.sla.calendar.duration import Clock

_MOST: Final = 10_000
"""Terms that are remembered; a helpdesk has hundreds."""

ON_WALL: Final = 0
ON_CALENDAR: Final = 1
ON_CALENDAR_PAUSED_ON_WALL: Final = 2
"""The clock of a target. Part of the stored form."""


@mypyc_attr(acyclic=True)
class CommitmentTerms:
    """The terms of one commitment. Never changed."""

    def __init__(self, policy: str, version: int, metric: str, calendar: str, clock: int, target: int | None) -> None:
        self.policy: Final = policy
        self.version: Final = version
        self.metric: Final = metric
        """The metric whose stopwatch the commitment lies on."""
        self.calendar: Final = calendar
        self.business: Final = clock != ON_WALL
        """Whether the target runs on the calendar rather than on the wall."""
        self.wall_pauses: Final = clock == ON_CALENDAR_PAUSED_ON_WALL
        """It runs on the calendar, and each pause moves the deadline by its length on the wall."""
        self.clock: Final = Clock.BUSINESS if self.business else Clock.WALL
        """The clock of the target."""
        self.pause_clock: Final = Clock.WALL if self.wall_pauses else self.clock
        """The clock of its pauses."""
        self.counted: Final = clock
        """Both in one number."""
        self.target: Final = target
        """Microseconds on that clock; ``None``: nothing is promised."""
        self.parts: Final[tuple[object, ...]] = (policy, version, metric, calendar, clock, target)
        """The arguments of ``CommitmentTerms`` in their order."""
        self._hash: Final = hash(self.parts)

    @staticmethod
    def of(policy: str, version: int, metric: str, calendar: str, clock: int, target: int | None) -> CommitmentTerms:
        """The terms with these values. ``clock``: one of the numbers below."""
        key = (policy, version, metric, calendar, clock, target)
        terms = _commitment_terms.get(key)
        if terms is None:
            if len(_commitment_terms) >= _MOST:
                _commitment_terms.clear()
            terms = _commitment_terms[key] = CommitmentTerms(policy, version, metric, calendar, clock, target)
        return terms

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CommitmentTerms) and self.parts == other.parts

    def __hash__(self) -> int:
        return self._hash

    def counts_like(self, other: CommitmentTerms) -> bool:
        """Whether both count on the same stopwatch in the same way: on the wall, or on the calendar of that name."""
        same_calendar = not self.business or self.calendar == other.calendar
        return self.metric == other.metric and self.counted == other.counted and same_calendar

    def on_metric(self, metric: str) -> CommitmentTerms:
        """The same terms on the stopwatch of another metric."""
        return CommitmentTerms.of(self.policy, self.version, metric, self.calendar, self.counted, self.target)

    def with_target(self, clock: int, target: int | None) -> CommitmentTerms:
        """The same with another target, counted in another way."""
        return CommitmentTerms.of(self.policy, self.version, self.metric, self.calendar, clock, target)


@mypyc_attr(acyclic=True)
class EscalationTerms:
    """The ladder of one escalation. Never changed."""

    def __init__(self, policy: str, version: int, metric: str) -> None:
        self.policy: Final = policy
        self.version: Final = version
        self.metric: Final = metric
        """The metric on whose stopwatch the escalation stands."""
        self.parts: Final[tuple[object, ...]] = (policy, version, metric)
        """The arguments of ``EscalationTerms`` in their order."""
        self._hash: Final = hash(self.parts)

    @staticmethod
    def of(policy: str, version: int, metric: str) -> EscalationTerms:
        """The terms with these values."""
        key = (policy, version, metric)
        terms = _escalation_terms.get(key)
        if terms is None:
            if len(_escalation_terms) >= _MOST:
                _escalation_terms.clear()
            terms = _escalation_terms[key] = EscalationTerms(policy, version, metric)
        return terms

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EscalationTerms) and self.parts == other.parts

    def __hash__(self) -> int:
        return self._hash

    def on_metric(self, metric: str) -> EscalationTerms:
        """The same ladder on the stopwatch of another metric."""
        return EscalationTerms.of(self.policy, self.version, metric)


_commitment_terms: Final[dict[tuple[str, int, str, str, int, int | None], CommitmentTerms]] = {}
_escalation_terms: Final[dict[tuple[str, int, str], EscalationTerms]] = {}
NO_COMMITMENT_TERMS: Final = CommitmentTerms("", 0, "", "", ON_CALENDAR, None)
"""Of a commitment that has not begun."""
NO_ESCALATION_TERMS: Final = EscalationTerms("", 0, "")
"""Of an escalation that has not begun."""
