"""A promise laid over a stopwatch: its target, its deadline, its warnings and its verdict.

The stopwatch knows how long; this knows how long is too long. Rules:

1. Every verdict is reached once a cycle: ``TABLE`` lists what may follow what. Late fulfilment ends a breach and does
   not undo it.
2. A commitment is met when it is fulfilled at or before its deadline, to the microsecond; nothing is rounded.
3. A new target never reaches back: whatever it makes due in the past becomes true at the moment of the change
   (``effective_from``).
4. A warning that would come no earlier than the breach it warns of is not sent.
5. What was decided stays decided: no later change of target, priority or policy alters a verdict. Only a late event can
   show that it never was so (``stream.sla.engine``).

A little longer than a file here should be: what is kept of a commitment is listed for its copy and for its parts, because
compiled code that unpacks is slow (``docs/internals/adr/0005-compiled.md``).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from stream.sla.calendar.duration import Clock
from stream.sla.policy.policy import ThresholdKind

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar
    from stream.sla.calendar.duration import Amount, Duration
    from stream.sla.policy.policy import Threshold
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


TABLE: Final[dict[Verdict, frozenset[Verdict]]] = {
    Verdict.PENDING: frozenset({Verdict.MET, Verdict.BREACHED, Verdict.CANCELLED, Verdict.MEASURED}),
    Verdict.BREACHED: frozenset({Verdict.MET_LATE, Verdict.CANCELLED}),
    # The stopwatch was reopened, or (cancelled) the promise applies again.
    Verdict.MET: frozenset({Verdict.PENDING}),
    Verdict.MEASURED: frozenset({Verdict.PENDING}),
    Verdict.MET_LATE: frozenset({Verdict.BREACHED}),
    Verdict.CANCELLED: frozenset({Verdict.PENDING}),
}

Stored = tuple[
    str,
    int,
    str,
    int,
    int,
    int,
    int,
    bool,
    int | None,
    int | None,
    int | None,
    int,
    int,
    int,
    int,
    str,
    tuple[str, ...],
    int | None,
    int | None,
]

# Names and plain integers for what is asked at every event: up to Python 3.11 naming an enum's member costs as much as a call.
PENDING: Final = int(Verdict.PENDING)
MET: Final = int(Verdict.MET)
BREACHED: Final = int(Verdict.BREACHED)
MET_LATE: Final = int(Verdict.MET_LATE)
CANCELLED: Final = int(Verdict.CANCELLED)
MEASURED: Final = int(Verdict.MEASURED)
_MAY_FOLLOW: Final = [frozenset(map(int, TABLE[verdict])) for verdict in Verdict]
_WALL: Final = Clock.WALL
_BUSINESS: Final = Clock.BUSINESS
_SHARE: Final = ThresholdKind.SHARE
_USED: Final = ThresholdKind.USED
_LEFT: Final = ThresholdKind.LEFT


class CommitmentState:
    """How one commitment of one ticket stands."""

    def __init__(
        self,
        policy: str,
        version: int,
        metric: str,
        cycle: int,
        verdict: int = 0,  # Verdict.PENDING
        revision: int = 0,
        effective_from: int = 0,
        business: bool = True,
        target: int | None = None,
        rebased_at: int | None = None,
        reset_at: int | None = None,
        rebase_used: int = 0,
        extension: int = 0,
        elapsed_at_reset: int = 0,
        paused_at_reset: int = 0,
        calendar: str = "",
        warned: tuple[str, ...] = (),
        due: int | None = None,
        next: int | None = None,  # noqa: A002  the word of all parts of a ticket
    ) -> None:
        self.policy: str = policy
        self.version: int = version
        self.metric: str = metric
        """The metric row whose stopwatch it lies on."""
        self.cycle: int = cycle
        self.verdict: int = verdict
        self.revision: int = revision
        """Which target of the cycle this is: rises when the target changes or the cycle is reopened."""
        self.effective_from: int = effective_from
        """When the present target took hold (epoch microseconds)."""
        self.business: bool = business
        """Whether the target runs on the calendar rather than on the wall."""
        self.target: int | None = target
        """Microseconds on that clock; ``None``: nothing is promised."""
        self.rebased_at: int | None = rebased_at
        """When the target began to count, if not with the cycle (``on_change: forward`` and ``reset``)."""
        self.reset_at: int | None = reset_at
        """When the cycle began anew (``on_change: reset``): what was before is shown and counted no more."""
        self.rebase_used: int = rebase_used
        """Microseconds used at ``rebased_at``, on the clock and calendar of the target."""
        self.extension: int = extension
        """Microseconds granted on top of the target."""
        self.elapsed_at_reset: int = elapsed_at_reset
        """Microseconds used at ``reset_at``, on the same clock and calendar."""
        self.paused_at_reset: int = paused_at_reset
        """Microseconds paused at ``reset_at``."""
        self.calendar: str = calendar
        self.warned: tuple[str, ...] = warned
        """The warnings that were sent, as the policy writes their marks."""
        self.due: int | None = due
        """The deadline, while one is in sight; of a breach, the deadline that passed."""
        self.next: int | None = next
        """The next instant at which something becomes true, if no event comes first."""

    def copy(self) -> CommitmentState:
        """A commitment of its own."""
        return CommitmentState(
            self.policy,
            self.version,
            self.metric,
            self.cycle,
            self.verdict,
            self.revision,
            self.effective_from,
            self.business,
            self.target,
            self.rebased_at,
            self.reset_at,
            self.rebase_used,
            self.extension,
            self.elapsed_at_reset,
            self.paused_at_reset,
            self.calendar,
            self.warned,
            self.due,
            self.next,
        )

    def parts(self) -> Stored:
        """What the table keeps: the arguments of ``CommitmentState`` in their order."""
        return (
            self.policy,
            self.version,
            self.metric,
            self.cycle,
            self.verdict,
            self.revision,
            self.effective_from,
            self.business,
            self.target,
            self.rebased_at,
            self.reset_at,
            self.rebase_used,
            self.extension,
            self.elapsed_at_reset,
            self.paused_at_reset,
            self.calendar,
            self.warned,
            self.due,
            self.next,
        )

    @property
    def clock(self) -> Clock:
        return _BUSINESS if self.business else _WALL

    @property
    def allowance(self) -> int | None:
        """The reading of the stopwatch at the deadline: base, target and extension together."""
        return None if self.target is None else self.rebase_used + self.target + self.extension

    def decide(self, verdict: int) -> None:
        """Raises ValueError for a verdict that may not follow the present one: our bug."""
        if verdict not in _MAY_FOLLOW[self.verdict]:
            raise ValueError(f"a commitment that is {Verdict(self.verdict).name} cannot become {Verdict(verdict).name}")
        self.verdict = verdict

    def aim(self, resolved: ResolvedCommitment, watch: Stopwatch, at: int) -> None:
        """Take the target that ``resolved`` sets, counting from the instant ``at``."""
        self.policy = resolved.policy.name
        self.version = resolved.policy.version
        self.calendar = resolved.calendar.name
        self.effective_from = at
        if resolved.target is None:
            self.target = None
        else:
            amount = resolved.target.resolve(resolved.calendar, watch.began)
            self.business = amount.clock is _BUSINESS
            self.target = amount.micros

    def measure_again(self, calendar: Calendar, watch: Stopwatch) -> None:
        """Find anew what was used at ``rebased_at`` and ``reset_at``: the clock or the calendar may be another now."""
        if self.rebased_at is not None:
            self.rebase_used = watch.elapsed(self.clock, calendar, self.rebased_at)
        if self.reset_at is not None:
            self.elapsed_at_reset = watch.elapsed(self.clock, calendar, self.reset_at)
            self.paused_at_reset = watch.paused_for(self.clock, calendar, self.reset_at)

    def differs(self, resolved: ResolvedCommitment, watch: Stopwatch) -> bool:
        """Whether ``resolved`` sets another target, or counts it on another calendar."""
        if resolved.policy.name != self.policy or resolved.policy.version != self.version:
            return True
        if resolved.target is None:
            return self.target is not None
        amount = resolved.target.resolve(resolved.calendar, watch.began)
        business = amount.clock is _BUSINESS
        if amount.micros != self.target or business != self.business:
            return True
        return business and resolved.calendar.name != self.calendar

    def look_ahead(self, resolved: ResolvedCommitment, watch: Stopwatch) -> None:
        """Find the deadline and the next instant anew, after anything about the stopwatch or the target has changed."""
        self.next = None
        if self.verdict != PENDING:
            return
        self.due = soonest = None
        if not watch.on:
            return
        if self.target is not None:
            self.due = soonest = watch.reaches(self.rebase_used + self.target + self.extension, self.clock, resolved.calendar)
            if soonest is not None and soonest < self.effective_from:
                soonest = self.effective_from
        for threshold in resolved.warn_at:
            if threshold.text in self.warned:
                continue
            instant = threshold_instant(threshold, self, watch, resolved.calendar)
            # The breach is the first candidate, so a warning that comes no earlier is never the next thing.
            if instant is not None and (soonest is None or instant < soonest):
                soonest = instant
        self.next = soonest

    def aim_again(self, resolved: ResolvedCommitment, watch: Stopwatch, at: int) -> None:
        """The deadline moved at ``at``: warn anew of what lies ahead, not of what was warned of and is past all the same."""
        self.look_ahead(resolved, watch)
        warned = [
            threshold.text
            for threshold in resolved.warn_at
            if threshold.text in self.warned and threshold_instant(threshold, self, watch, resolved.calendar) == at
        ]
        self.warned = tuple(warned)
        self.look_ahead(resolved, watch)

    def warnings_at(self, instant: int, resolved: ResolvedCommitment, watch: Stopwatch) -> list[Threshold]:
        """The warnings that become true at ``instant``."""
        return [
            threshold
            for threshold in resolved.warn_at
            if threshold.text not in self.warned and threshold_instant(threshold, self, watch, resolved.calendar) == instant
        ]


def threshold_instant(
    threshold: Threshold, commitment_state: CommitmentState, watch: Stopwatch, calendar: Calendar
) -> int | None:
    """When a mark on a commitment is reached, never before its target took hold; ``None`` while that is not in sight."""
    instant = _raw_instant(threshold, commitment_state, watch, calendar)
    return instant if instant is None or instant > commitment_state.effective_from else commitment_state.effective_from


def _raw_instant(threshold: Threshold, commitment_state: CommitmentState, watch: Stopwatch, calendar: Calendar) -> int | None:
    if threshold.kind is _SHARE:
        if commitment_state.target is None:
            return None
        used = (
            commitment_state.rebase_used + (commitment_state.target + commitment_state.extension) * threshold.per_mille // 1000
        )
        return watch.reaches(used, commitment_state.clock, calendar)
    amount = resolve(threshold.duration, calendar, watch.began)
    if threshold.kind is _USED:
        before = 0
        if commitment_state.reset_at is not None:
            before = watch.elapsed(amount.clock, calendar, commitment_state.reset_at)
        return watch.reaches(before + amount.micros, amount.clock, calendar)
    signed = -amount.micros if threshold.kind is _LEFT else amount.micros
    allowance = commitment_state.allowance
    if allowance is None:
        return None
    if amount.clock is commitment_state.clock:
        # The same clock: so much of the target left, or so much more used. Pauses are then counted exactly.
        return watch.reaches(max(allowance + signed, 0), amount.clock, calendar)
    if commitment_state.due is None:
        return None
    shifted = calendar.add(commitment_state.due, signed) if amount.clock is _BUSINESS else commitment_state.due + signed
    return max(shifted, watch.since)


def resolve(duration: Duration | None, calendar: Calendar, start: int) -> Amount:
    """The length of a mark. Raises ValueError for a mark without one: such a mark is not built from any policy."""
    if duration is None:
        raise ValueError("a mark that is no share needs a duration")
    return duration.resolve(calendar, start)
