"""The state of a commitment on a stopwatch: its target, its deadline, its warnings and its verdict.

The stopwatch knows how long; this knows how long is too long. Rules:

1. Every verdict is reached once a cycle: ``TABLE`` lists what may follow what. Late fulfilment ends a breach and does
   not undo it.
2. A commitment is met when it is fulfilled at or before its deadline, to the microsecond; nothing is rounded.
3. A new target never reaches back: whatever it makes due in the past becomes true at the moment of the change
   (``effective_from``).
4. A warning that would come no earlier than the breach it warns of is not sent.
5. What was decided stays decided: no later change of target, priority or policy alters a verdict. Only a late event, or a
   deployment that undoes or rejudges, can show that it never was so (``stream.sla.engine``). It is reported on the calendar on
   which it was decided (``decided_by``).

Longer than 250 lines because it is one state machine with its targets.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mypy_extensions import mypyc_attr

from stream.sla.calendar.duration import NEVER, Clock
from stream.sla.policy.terms import NO_COMMITMENT_TERMS, ON_WALL, CommitmentTerms
from stream.sla.ticket.stopwatch import Placement

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar
    from stream.sla.policy.resolve import ResolvedCommitment
    from stream.sla.ticket.stopwatch import Stopwatch


class Verdict(IntEnum):
    PENDING = 0
    MET = 1
    BREACHED = 2
    MET_LATE = 3
    """Breached, and fulfilled since."""
    CANCELLED = 4
    MEASURED = 5
    """Fulfilled with nothing promised."""
    HALTED = 6
    """Cancelled because the ticket was merged or deleted: it goes on if that is restored."""


TABLE: Final[dict[Verdict, frozenset[Verdict]]] = {
    Verdict.PENDING: frozenset({Verdict.MET, Verdict.BREACHED, Verdict.CANCELLED, Verdict.MEASURED, Verdict.HALTED}),
    Verdict.BREACHED: frozenset({Verdict.MET_LATE}),  # what is breached stays so, whatever ceases to apply
    # The stopwatch was reopened, or (cancelled) the commitment applies again.
    Verdict.MET: frozenset({Verdict.PENDING}),
    Verdict.MEASURED: frozenset({Verdict.PENDING}),
    Verdict.MET_LATE: frozenset({Verdict.BREACHED}),
    Verdict.CANCELLED: frozenset({Verdict.PENDING}),
    # The ticket was restored, or what was promised was fulfilled or cancelled before that.
    Verdict.HALTED: frozenset({Verdict.PENDING, Verdict.CANCELLED}),
}

# Names and plain integers for what is asked at every event: up to Python 3.11 naming an enum's member costs as much as a call.
PENDING: Final = int(Verdict.PENDING)
MET: Final = int(Verdict.MET)
BREACHED: Final = int(Verdict.BREACHED)
MET_LATE: Final = int(Verdict.MET_LATE)
CANCELLED: Final = int(Verdict.CANCELLED)
MEASURED: Final = int(Verdict.MEASURED)
HALTED: Final = int(Verdict.HALTED)
_MAY_FOLLOW: Final = [frozenset(map(int, TABLE[verdict])) for verdict in Verdict]
_BUSINESS: Final = Clock.BUSINESS
_WALL: Final = Clock.WALL


class Adjustment(NamedTuple):
    """The traces that changes of a target and deployments have left on a commitment; most have none. Instants are epoch
    microseconds, lengths are microseconds on the clock and calendar of the target."""

    rebased_at: int | None = None
    """The instant at which the target began to count, if not with the cycle (``on_change: forward`` and ``reset``)."""
    reset_at: int | None = None
    """The instant at which the cycle began anew (``on_change: reset``): earlier time is shown and not counted."""
    rebase_used: int = 0
    """Used at ``rebased_at``."""
    extension: int = 0
    """Granted on top of the target."""
    elapsed_at_reset: int = 0
    """Used at ``reset_at``."""
    paused_at_reset: int = 0
    """Paused at ``reset_at``."""
    decided_by: int | None = None
    """The number of the deployment that was in force when it was decided, once another one is in force."""
    unjudged: bool = False
    """A deployment promised it when its deadline had passed already: it has no target in this cycle."""
    delay: int = 0
    """Of a target that is a delay in business days, for which the terms have 0: the business time up to its end."""
    not_before: int = 0
    """The end of such a delay, where its business time is used up earlier; else 0. Pauses and extensions only move it on."""
    rebase_ran: int = 0
    """Wall time that the cycle had run at ``rebased_at``, where pauses move the target by their length on the wall; else 0."""


NOT_ADJUSTED: Final = Adjustment()


@mypyc_attr(acyclic=True, free_list_len=1)
class CommitmentState:
    """The state of one commitment of one ticket."""

    __slots__ = ("adjustment", "cycle", "due", "effective_from", "next", "revision", "terms", "verdict", "warned")

    def __init__(  # noqa: PLR0913  an argument an attribute, for copies
        self,
        terms: CommitmentTerms = NO_COMMITMENT_TERMS,
        cycle: int = 0,
        verdict: int = 0,  # PENDING
        revision: int = 0,
        effective_from: int = 0,
        due: int | None = None,
        next: int | None = None,  # noqa: A002  as the attribute
        warned: tuple[str, ...] = (),
        adjustment: Adjustment | None = None,
    ) -> None:
        self.terms: CommitmentTerms = terms
        self.cycle: int = cycle
        """Of the stopwatch; 0: the commitment has not begun."""
        self.verdict: int = verdict
        self.revision: int = revision
        """The instant at which the present target was set or the cycle was reopened (epoch microseconds); 0: when the cycle
        began. Of two changes at one instant the second is one microsecond later, so that no two are equal."""
        self.effective_from: int = effective_from
        """The instant at which the present target took hold (epoch microseconds)."""
        self.due: int | None = due
        """The deadline, while one is in sight; of a breach, the deadline that passed."""
        self.next: int | None = next
        """The next instant at which something becomes true, if no event comes first."""
        self.warned: tuple[str, ...] = warned
        """The warnings that were sent, as the policy writes their thresholds."""
        self.adjustment: Adjustment | None = adjustment
        """``None``: nothing is adjusted."""

    def copy(self) -> CommitmentState:
        """A commitment of its own."""
        return CommitmentState(
            self.terms,
            self.cycle,
            self.verdict,
            self.revision,
            self.effective_from,
            self.due,
            self.next,
            self.warned,
            self.adjustment,
        )

    def parts(self) -> tuple[object, ...]:
        """All that it keeps, to compare two by."""
        own = (self.cycle, self.verdict, self.revision, self.effective_from, self.due, self.next, self.warned)
        return self.terms.parts, own, self.adjustment

    @property
    def adjusted(self) -> Adjustment:
        """The adjustment, if only one of nothing."""
        return NOT_ADJUSTED if self.adjustment is None else self.adjustment

    def adjust(self, **changes: Any) -> None:
        """Change attributes of the adjustment, by their names."""
        adjustment = self.adjusted._replace(**changes)
        self.adjustment = None if adjustment == NOT_ADJUSTED else adjustment

    @property
    def clock(self) -> Clock:
        return self.terms.clock

    @property
    def extended_target(self) -> int | None:
        """Target and extension together, microseconds on ``clock``. ``None``: there is none, or its day never comes."""
        target, adjustment = self.terms.target, self.adjustment
        if target is None or adjustment is None:
            return target
        return target + adjustment.delay + adjustment.extension if adjustment.delay < NEVER else None

    @property
    def allowance(self) -> int | None:
        """The reading of the stopwatch at the deadline: base, target and extension together."""
        target, adjustment = self.terms.target, self.adjustment
        if target is None or adjustment is None:
            return target
        if adjustment.delay >= NEVER:
            return None
        return adjustment.rebase_used + target + adjustment.delay + adjustment.extension

    def share(self, per_mille: int) -> int | None:
        """The reading of the stopwatch at which so much of target and extension is used up."""
        target, adjustment = self.extended_target, self.adjustment
        if target is None:
            return None
        return target * per_mille // 1000 + (0 if adjustment is None else adjustment.rebase_used)

    def elapsed(self, watch: Stopwatch, calendar: Calendar, at: int) -> int:
        """Microseconds used by the cycle up to ``at``, as the target counts them."""
        return watch.elapsed(self.terms.clock, calendar, at, self.placement(watch))

    def placement(self, watch: Stopwatch) -> Placement | None:
        """The place on the calendar at which the time that ran is counted, if pauses move the target by their length on the
        wall; else ``None``."""
        if not self.terms.wall_pauses:
            return None
        adjustment = self.adjustment
        if adjustment is None or adjustment.rebased_at is None:
            return Placement(watch.began, 0)
        return Placement(adjustment.rebased_at, adjustment.rebase_ran)

    def paused_for(self, watch: Stopwatch, calendar: Calendar, at: int) -> int:
        """Microseconds the cycle was paused up to ``at``, as the target counts them."""
        return watch.paused_for(self.terms.pause_clock, calendar, at)

    def revise(self, at: int) -> None:
        """Begin another revision: later facts are about another target, or about a cycle that was reopened."""
        self.revision = max(at, self.revision + 1)

    def decide(self, verdict: int) -> None:
        """Raises ValueError for a verdict that may not follow the present one: our bug."""
        if verdict not in _MAY_FOLLOW[self.verdict]:
            raise ValueError(f"a commitment that is {Verdict(self.verdict).name} cannot become {Verdict(verdict).name}")
        self.verdict = verdict

    def adopt(self, resolved: ResolvedCommitment) -> None:
        """Take the names of its terms: policy, version and calendar."""
        terms = self.terms
        self.terms = resolved.terms.on_metric(terms.metric).with_target(terms.counted, terms.target)

    def target_start(self, watch: Stopwatch) -> int:
        """The instant from which the target counts, months and business days too."""
        adjustment = self.adjustment
        return watch.began if adjustment is None or adjustment.rebased_at is None else adjustment.rebased_at

    def set_target(self, resolved: ResolvedCommitment, watch: Stopwatch, at: int) -> None:
        """Take the target that ``resolved`` sets, counting from the instant ``at``."""
        if resolved.fixed is not None and self.adjustment is None:
            self.terms, self.effective_from = resolved.fixed, at
            return
        clock, target = self.terms.counted, None
        delay = not_before = 0
        if resolved.target is not None:
            amount = resolved.target.resolve(resolved.calendar, self.target_start(watch))
            clock, target = resolved.on_calendar if amount.clock is _BUSINESS else ON_WALL, amount.micros
            if resolved.target.delay is not None:
                target, delay, not_before = 0, amount.micros, amount.not_before
        if delay != self.adjusted.delay or not_before != self.adjusted.not_before:
            self.adjust(delay=delay, not_before=not_before)
        self.terms = resolved.terms.with_target(clock, target)
        self.effective_from = at

    def measure_again(self, calendar: Calendar, watch: Stopwatch, former: CommitmentTerms) -> None:
        """Find anew what was used at ``rebased_at`` and ``reset_at``: the clock or the calendar may be another now.

        ``former``: the terms when it was found before. Where the stretches up to such an instant are added up, it stays as it
        was found, unless it was on another clock or calendar: the sums do not show how much came before an instant.
        """
        adjustment, added_up = self.adjustment, 0
        if adjustment is None:
            return
        if watch.totals is not None and former.counts_like(self.terms):
            added_up = watch.totals.until
        if adjustment.rebased_at is not None and adjustment.rebased_at >= added_up:
            ran = watch.elapsed(_WALL, calendar, adjustment.rebased_at) if self.terms.wall_pauses else 0
            self.adjust(rebase_ran=ran)
            self.adjust(rebase_used=self.elapsed(watch, calendar, adjustment.rebased_at))
        if adjustment.reset_at is not None and adjustment.reset_at >= added_up:
            self.adjust(
                elapsed_at_reset=self.elapsed(watch, calendar, adjustment.reset_at),
                paused_at_reset=self.paused_for(watch, calendar, adjustment.reset_at),
            )

    def differs(self, resolved: ResolvedCommitment, watch: Stopwatch) -> bool:
        """Whether ``resolved`` sets another target, or counts it on another calendar."""
        terms, new, adjustment = self.terms, resolved.terms, self.adjustment
        if terms is resolved.fixed and adjustment is None:
            return False
        if adjustment is not None and adjustment.unjudged:
            return False
        if new.policy != terms.policy or new.version != terms.version:
            return True
        if resolved.target is None:
            return terms.target is not None
        amount = resolved.target.resolve(resolved.calendar, self.target_start(watch))
        clock, adjusted = resolved.on_calendar if amount.clock is _BUSINESS else ON_WALL, self.adjusted
        if clock != terms.counted or (amount.clock is _BUSINESS and new.calendar != terms.calendar):
            return True
        if resolved.target.delay is not None:
            return terms.target != 0 or (amount.micros, amount.not_before) != (adjusted.delay, adjusted.not_before)
        return amount.micros != terms.target
