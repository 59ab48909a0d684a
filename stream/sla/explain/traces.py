"""The traces of an explanation: each cycle of a stopwatch, each commitment and each ladder in it, as they were last seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from stream.sla.calendar.duration import NEVER, Clock
from stream.sla.effects import Reason
from stream.sla.explain.explanation import Outcome
from stream.sla.policy.policy import ThresholdKind
from stream.sla.ticket.thresholds import resolve

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar
    from stream.sla.explain.explanation import Moment
    from stream.sla.explain.spans import Why
    from stream.sla.explain.terms import Term
    from stream.sla.policy.policy import Threshold
    from stream.sla.policy.resolve import ResolvedLadder
    from stream.sla.ticket.commitment_state import CommitmentState
    from stream.sla.ticket.escalation_state import EscalationState
    from stream.sla.ticket.stopwatch import Placement, Stopwatch

Key = tuple[str, str, int]
"""Commitment or ladder, metric, cycle."""


def key_of(name: str, part: CommitmentState | EscalationState) -> Key:
    return name, part.terms.metric, part.cycle


@dataclass(slots=True)
class CycleTrace:
    """One cycle of a stopwatch."""

    watch: Stopwatch
    """As it was last seen in this cycle."""
    why: dict[int, Why] = field(default_factory=dict)
    """Its changes, by instant."""


@dataclass(slots=True)
class CommitmentTrace:
    """One commitment in one cycle."""

    name: str
    commitment_state: CommitmentState
    calendar: Calendar
    timer: bool
    cycle_trace: CycleTrace
    delay: str = ""
    """The target as the policy writes it, where it ends on a business day."""
    closed: int | None = None
    """Since when it waits for nothing any more."""
    verdict: Outcome = Outcome.PENDING
    reason: Reason | None = None
    terms: tuple[Term, ...] = ()
    moments: list[Moment] = field(default_factory=list)

    def leave(self, at: int) -> None:
        """It goes on under another name, or on another metric."""
        self.closed = at if self.closed is None else self.closed
        if self.verdict is Outcome.PENDING:  # unless an effect of this step states how it ended
            self.verdict, self.reason = Outcome.CARRIED_OVER, Reason.FIELD_CHANGED


class LevelTarget(NamedTuple):
    """The instant of a level."""

    resolved_ladder: ResolvedLadder
    threshold: Threshold
    clock: Clock
    micros: int | None
    """The reading of the stopwatch, where it is one that decides."""
    placement: Placement | None = None
    """As in ``Stopwatch.elapsed``."""

    @staticmethod
    def of(
        threshold: Threshold, resolved_ladder: ResolvedLadder, watch: Stopwatch, commitment_state: CommitmentState | None
    ) -> LevelTarget:
        """``commitment_state``: of the commitment that the ladder stands on, if it stands on one."""
        calendar = resolved_ladder.calendar
        placement = None if commitment_state is None else commitment_state.placement(watch)
        if threshold.kind is ThresholdKind.USED:
            amount = resolve(threshold.duration, calendar, watch.began)
            micros = amount.micros if amount.micros < NEVER else None
            return LevelTarget(
                resolved_ladder, threshold, amount.clock, micros, placement if amount.clock is Clock.BUSINESS else None
            )
        if commitment_state is None or (allowance := commitment_state.allowance) is None:
            return LevelTarget(resolved_ladder, threshold, Clock.BUSINESS, None)
        clock = commitment_state.clock
        if threshold.kind is ThresholdKind.SHARE:
            return LevelTarget(resolved_ladder, threshold, clock, commitment_state.share(threshold.per_mille), placement)
        amount = resolve(threshold.duration, calendar, watch.began)
        relative = threshold.duration is not None and threshold.duration.delay is not None
        if relative or amount.clock is not clock:
            return LevelTarget(resolved_ladder, threshold, clock, None, placement)
        signed = amount.micros if threshold.kind is ThresholdKind.AFTER else -amount.micros
        return LevelTarget(resolved_ladder, threshold, clock, max(allowance + signed, 0), placement)


@dataclass(slots=True)
class LadderTrace:
    """One ladder in one cycle."""

    name: str
    escalation_state: EscalationState
    resolved_ladder: ResolvedLadder
    cycle_trace: CycleTrace
    closed: int | None = None
    level_targets: dict[str, LevelTarget] = field(default_factory=dict)
    """By level, as they were while it was not yet raised."""
    moments: list[Moment] = field(default_factory=list)

    def leave(self, at: int) -> None:
        """It goes on under another name, or on another metric."""
        self.closed = at if self.closed is None else self.closed
