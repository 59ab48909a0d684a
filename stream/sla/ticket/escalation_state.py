"""Ladders: which level is due, on which stopwatch, and when.

A ladder stands on a stopwatch of its own, or on that of a commitment; then its thresholds may lie before and after the
deadline.
Rules:

1. Levels are raised upwards only, each once a cycle; a change that makes several due raises them in order.
2. The highest raised level is repeated by its policy, until it is acknowledged, a higher one is raised, or all is solved.
3. An acknowledgement holds the ladder. Where ``raise_again_after`` is set and the ticket is then still not solved, the level
   is raised again and the ladder goes on.
4. A level for business hours waits for the next opening; it is neither dropped nor raised twice.
5. Solving ends the escalation, at once or after a monitoring period. A reopening within the period (or, without one, at any
   time) brings it back at its level; a reopening after a quiet period begins a new one.
6. A ladder that ceases to apply is released, also while it is monitored. It comes back when it applies again, or, if the ticket
   is solved by then, with the reopening.

Longer than 250 lines because it is one state machine with its times.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from mypy_extensions import mypyc_attr

from stream.sla.calendar.duration import Clock
from stream.sla.policy.policy import ThresholdKind
from stream.sla.policy.terms import NO_ESCALATION_TERMS, EscalationTerms
from stream.sla.ticket.commitment_state import BREACHED, PENDING
from stream.sla.ticket.thresholds import resolve, threshold_crossing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.sla.calendar.calendar import Calendar
    from stream.sla.calendar.duration import Duration
    from stream.sla.policy.policy import Level, Threshold
    from stream.sla.policy.resolve import ResolvedLadder
    from stream.sla.ticket.commitment_state import CommitmentState
    from stream.sla.ticket.stopwatch import Stopwatch


class EscalationPhase(IntEnum):
    """The phase of an escalation."""

    ACTIVE = 0
    ACKNOWLEDGED = 1
    MONITORING = 2
    """Solved, and watched for a recurrence."""
    RELEASED = 3
    """Over; a reopening brings it back."""
    ENDED = 4
    """Over for good; a reopening begins a new one."""
    WITHDRAWN = 5
    """No longer applies; goes on when it applies again."""


# Names and plain integers for what is asked at every event: up to Python 3.11 naming an enum's member costs as much as a call.
ACTIVE: Final = int(EscalationPhase.ACTIVE)
ACKNOWLEDGED: Final = int(EscalationPhase.ACKNOWLEDGED)
MONITORING: Final = int(EscalationPhase.MONITORING)
WITHDRAWN: Final = int(EscalationPhase.WITHDRAWN)
_BUSINESS: Final = Clock.BUSINESS
_USED: Final = ThresholdKind.USED


@mypyc_attr(acyclic=True)
class Due:
    """The next action of a ladder, if no event comes first."""

    __slots__ = ("instant", "level", "threshold")

    def __init__(self, instant: int, level: Level | None, threshold: Threshold | None) -> None:
        self.instant: Final = instant
        self.level: Final = level
        """``None``: the monitoring period ends."""
        self.threshold: Final = threshold
        """``None`` for a repetition, and for what follows an acknowledgement."""


@mypyc_attr(acyclic=True)
class EscalationState:
    """The state of one ladder on one ticket."""

    __slots__ = (
        "cycle",
        "effective_from",
        "last_emitted_at",
        "monitored_until",
        "next",
        "passed_over",
        "phase",
        "raised",
        "repeats",
        "rounds",
        "terms",
    )

    def __init__(self, terms: EscalationTerms = NO_ESCALATION_TERMS, cycle: int = 0) -> None:
        self.terms: EscalationTerms = terms
        self.cycle: int = cycle
        """Of the stopwatch; 0: the escalation has not begun."""
        self.effective_from: int = 0
        """The instant at which the present times of its levels took hold (epoch microseconds)."""
        self.raised: tuple[str, ...] = ()
        """Names of the levels that were raised, in order."""
        self.passed_over: tuple[str, ...] = ()
        """Names of levels that a deployment made past. They are not raised, because a higher one of these is as soon as it may
        be."""
        self.phase: int = ACTIVE
        self.last_emitted_at: int = 0
        """The instant at which the highest level was last emitted, acknowledged, or put under monitoring (epoch microseconds).
        """
        self.monitored_until: int = 0
        """The end of the monitoring period, once it has begun (epoch microseconds)."""
        self.repeats: int = 0
        """The number of repetitions of the highest level."""
        self.rounds: int = 0
        """The instant of the last acknowledgement, release or recurrence (epoch microseconds), 0 before the first. The facts of
        a round are known by it. Of two at one instant the second is one microsecond later."""
        self.next: int | None = None
        """The next instant at which something is emitted, if no event comes first."""

    def copy(self) -> EscalationState:
        """A ladder of its own."""
        copy = EscalationState(self.terms, self.cycle)
        copy.effective_from, copy.raised, copy.phase, copy.next = self.effective_from, self.raised, self.phase, self.next
        copy.last_emitted_at, copy.monitored_until = self.last_emitted_at, self.monitored_until
        copy.repeats, copy.rounds, copy.passed_over = self.repeats, self.rounds, self.passed_over
        return copy

    def parts(self) -> tuple[object, ...]:
        """All that it keeps, to compare two by."""
        since = (self.effective_from, self.last_emitted_at, self.monitored_until, self.rounds)
        levels = (self.raised, self.passed_over) if self.passed_over else self.raised
        return self.terms.parts, self.cycle, self.phase, levels, self.repeats, since, self.next

    def next_round(self, at: int) -> None:
        """Begin another round: later facts belong to it."""
        self.rounds = max(at, self.rounds + 1)

    @property
    def active(self) -> bool:
        """Some level was raised and the escalation is not over."""
        return bool(self.raised) and self.phase <= MONITORING

    def reschedule(self, resolved_ladder: ResolvedLadder, watch: Stopwatch, commitment_state: CommitmentState | None) -> None:
        """Find the next instant anew, after anything about the stopwatch, the commitment or the levels has changed."""
        soonest = None
        for due in self.pending(resolved_ladder, watch, commitment_state):
            if soonest is None or due.instant < soonest:
                soonest = due.instant
        self.next = soonest

    def pending(self, resolved_ladder: ResolvedLadder, watch: Stopwatch, commitment_state: CommitmentState | None) -> list[Due]:
        """All that is in sight, in the order of the policy: levels first, then the repetition of the highest."""
        calendar, ladder = resolved_ladder.calendar, resolved_ladder.ladder
        if self.phase == MONITORING:
            return [Due(self.monitored_until, None, None)]
        if not watch.on or self.phase > ACKNOWLEDGED or not _may_escalate(resolved_ladder, commitment_state):
            return []
        highest = self.highest(resolved_ladder)
        if self.phase == ACKNOWLEDGED:
            if ladder.raise_again_after is None or highest is None:
                return []
            allowed = self._again(ladder.raise_again_after, highest, calendar)
            return [] if allowed is None else [Due(allowed, highest, None)]
        found = []
        for level, threshold in self._above(resolved_ladder):
            if level.name in self.passed_over:
                continue
            instant = self._instant(threshold, resolved_ladder, watch, commitment_state)
            allowed = None if instant is None else _when_allowed(instant, level, calendar)
            if allowed is not None:
                found.append(Due(allowed, level, threshold))
        if highest is not None and highest.repeat_every is not None and self.repeats < highest.max_repeats:
            allowed = self._again(highest.repeat_every, highest, calendar)
            if allowed is not None:
                found.append(Due(allowed, highest, None))
        return found

    def _again(self, wait: Duration, highest: Level, calendar: Calendar) -> int | None:
        """The instant of the next repetition of the highest level, so long after it was last emitted."""
        again = shift(self.last_emitted_at, wait, calendar)
        return None if again is None else _when_allowed(max(again, self.effective_from), highest, calendar)

    def highest(self, resolved_ladder: ResolvedLadder) -> Level | None:
        """The highest level raised; ``None`` before the first."""
        return (
            next((level for level in resolved_ladder.ladder.levels if level.name == self.raised[-1]), None)
            if self.raised
            else None
        )

    def reached(self, level: Level, resolved_ladder: ResolvedLadder) -> bool:
        """The level, or one above it, was raised."""
        if not self.raised:
            return False
        levels = resolved_ladder.ladder.levels
        return any(upper.name in self.raised for upper in levels[levels.index(level) :])

    def _above(self, resolved_ladder: ResolvedLadder) -> Sequence[tuple[Level, Threshold]]:
        if not self.raised:
            return resolved_ladder.levels
        return [(level, threshold) for level, threshold in resolved_ladder.levels if not self.reached(level, resolved_ladder)]

    def passed(
        self, at: int, resolved_ladder: ResolvedLadder, watch: Stopwatch, commitment_state: CommitmentState | None
    ) -> list[str]:
        """Names of the levels above the highest raised whose times lie before an instant, whenever they took hold, in order."""
        names = []
        for level, threshold in self._above(resolved_ladder):
            instant = _time(threshold, resolved_ladder, watch, commitment_state, passed=True)
            if instant is not None and instant < at:
                names.append(level.name)
        return names

    def waiting(
        self, at: int, resolved_ladder: ResolvedLadder, watch: Stopwatch, commitment_state: CommitmentState | None
    ) -> dict[str, int | None]:
        """The levels whose times lie before an instant and that are still to be raised, because they wait for an opening: by
        name, that opening (epoch microseconds); ``None``: there is none."""
        if self.phase != ACTIVE or not any(level.only_in_business_hours for level, _ in resolved_ladder.levels):
            return {}
        if not watch.on or not _may_escalate(resolved_ladder, commitment_state):
            return {}
        passed = self.passed(at, resolved_ladder, watch, commitment_state)
        openings = {due.level.name: due.instant for due in self.pending(resolved_ladder, watch, commitment_state) if due.level}
        return {name: openings.get(name) for name in passed if name not in self.passed_over}

    def _instant(
        self, threshold: Threshold, resolved_ladder: ResolvedLadder, watch: Stopwatch, commitment_state: CommitmentState | None
    ) -> int | None:
        instant = _time(threshold, resolved_ladder, watch, commitment_state)
        if instant is None:
            return None
        if commitment_state is not None and resolved_ladder.ladder.commitment and instant < commitment_state.effective_from:
            instant = commitment_state.effective_from
        return max(self.effective_from, instant)


def _time(
    threshold: Threshold,
    resolved_ladder: ResolvedLadder,
    watch: Stopwatch,
    commitment_state: CommitmentState | None,
    *,
    passed: bool = False,
) -> int | None:
    if resolved_ladder.ladder.commitment:
        return (
            None
            if commitment_state is None
            else threshold_crossing(threshold, commitment_state, watch, resolved_ladder.calendar, passed=passed)
        )
    if threshold.kind is _USED:
        amount = resolve(threshold.duration, resolved_ladder.calendar, watch.began)
        return watch.reaches(amount.micros, amount.clock, resolved_ladder.calendar, amount.not_before)
    return None


def _may_escalate(resolved_ladder: ResolvedLadder, commitment_state: CommitmentState | None) -> bool:
    return not resolved_ladder.ladder.commitment or (
        commitment_state is not None and (commitment_state.verdict == PENDING or commitment_state.verdict == BREACHED)
    )


def shift(instant: int, duration: Duration, calendar: Calendar) -> int | None:
    """``instant`` plus a duration, on the wall or on the calendar, by its unit; ``None`` if that is not open so long."""
    if duration.delay is not None:
        return duration.delay.end(calendar, instant)
    amount = duration.resolve(calendar, instant)
    return calendar.after(instant, amount.micros) if amount.clock is _BUSINESS else instant + amount.micros


def _when_allowed(instant: int, level: Level, calendar: Calendar) -> int | None:
    """The next opening for a level that speaks only in business hours; ``None`` if there is none."""
    if not level.only_in_business_hours or calendar.is_open(instant):
        return instant
    # The instant after which business time passes again: one microsecond of it, less that microsecond.
    passed = calendar.after(instant, 1)
    return None if passed is None else passed - 1
