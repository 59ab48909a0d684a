"""A promise laid over a stopwatch: its target, its deadline, its warnings and its verdict.

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

A little longer than a file here should be: what is kept of a commitment is listed for its copy and for its parts, because
compiled code that unpacks is slow (``docs/internals/adr/0005-compiled.md``).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from stream.sla.calendar.duration import Clock

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


TABLE: Final[dict[Verdict, frozenset[Verdict]]] = {
    Verdict.PENDING: frozenset({Verdict.MET, Verdict.BREACHED, Verdict.CANCELLED, Verdict.MEASURED}),
    Verdict.BREACHED: frozenset({Verdict.MET_LATE}),  # what is breached stays so, whatever ceases to apply
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
    int | None,
    bool,
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


class CommitmentState:
    """How one commitment of one ticket stands."""

    def __init__(  # noqa: PLR0913  an argument an attribute: the stored form fills them by position
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
        decided_by: int | None = None,
        unjudged: bool = False,
    ) -> None:
        self.policy: str = policy
        self.version: int = version
        self.metric: str = metric
        """The metric row whose stopwatch it lies on."""
        self.cycle: int = cycle
        self.verdict: int = verdict
        self.revision: int = revision
        """When the present target was set or the cycle was reopened (epoch microseconds); 0: when the cycle began. Of two
        changes at one instant the second is one microsecond later, so that no two are equal."""
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
        self.decided_by: int | None = decided_by
        """The number of the deployment that was in force when it was decided, once another one is in force."""
        self.unjudged: bool = unjudged
        """A deployment promised it when its deadline had passed already: it has no target in this cycle."""

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
            self.decided_by,
            self.unjudged,
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
            self.decided_by,
            self.unjudged,
        )

    @property
    def clock(self) -> Clock:
        return _BUSINESS if self.business else _WALL

    @property
    def allowance(self) -> int | None:
        """The reading of the stopwatch at the deadline: base, target and extension together."""
        return None if self.target is None else self.rebase_used + self.target + self.extension

    def revise(self, at: int) -> None:
        """What becomes true from now on is about another target, or about a cycle that was reopened."""
        self.revision = max(at, self.revision + 1)

    def decide(self, verdict: int) -> None:
        """Raises ValueError for a verdict that may not follow the present one: our bug."""
        if verdict not in _MAY_FOLLOW[self.verdict]:
            raise ValueError(f"a commitment that is {Verdict(self.verdict).name} cannot become {Verdict(verdict).name}")
        self.verdict = verdict

    def adopt(self, resolved: ResolvedCommitment) -> None:
        """Take the names of what promises it: policy, version and calendar."""
        self.policy = resolved.policy.name
        self.version = resolved.policy.version
        self.calendar = resolved.calendar.name

    def aim(self, resolved: ResolvedCommitment, watch: Stopwatch, at: int) -> None:
        """Take the target that ``resolved`` sets, counting from the instant ``at``."""
        self.adopt(resolved)
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
        if self.unjudged:
            return False
        if resolved.policy.name != self.policy or resolved.policy.version != self.version:
            return True
        if resolved.target is None:
            return self.target is not None
        amount = resolved.target.resolve(resolved.calendar, watch.began)
        business = amount.clock is _BUSINESS
        if amount.micros != self.target or business != self.business:
            return True
        return business and resolved.calendar.name != self.calendar
