"""The effect of a signal of the stopwatch, an event about the escalation or the passing of time on a ladder.

Longer than 250 lines because it is one state machine: each rule is read beside those that it excludes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy_extensions import mypyc_attr

from stream.sla.calendar.duration import Clock
from stream.sla.effect_ids import stem
from stream.sla.effects import THRESHOLD_REASON, Effect, Kind, Reason
from stream.sla.ticket.commitment_state import PENDING
from stream.sla.ticket.escalation_state import ACKNOWLEDGED, ACTIVE, WITHDRAWN, Due, EscalationPhase, EscalationState, shift
from stream.sla.ticket.stopwatch import CANCEL, HALT, REOPEN, RESTART, RESTORE, STOP

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.policy import Level
    from stream.sla.policy.resolve import ResolvedLadder
    from stream.sla.ticket.commitment_state import CommitmentState
    from stream.sla.ticket.stopwatch import Signal, Stopwatch
    from stream.sla.transition.draft import Waiting
    from stream.sla.transition.emitter import Emitter

URGENT: Final = frozenset({"production", "business_risk"})
"""Impacts for which a customer may ask at any time."""
_HANDS_OVER: Final = frozenset({Kind.RAISED, Kind.REPEATED, Kind.RECURRED})
"""Kinds after which the team that the level names has the ticket."""
_BUSINESS: Final = Clock.BUSINESS
_FIELD_CHANGED: Final = Reason.FIELD_CHANGED
_NONE_WAITS: Final[Waiting] = {}
"""Never added to."""


@mypyc_attr(acyclic=True)
class Notification:
    """The keys that an effect of an escalation adds to its kind and reason."""

    __slots__ = ("allowed_from", "due_at", "level", "notify", "repetition")

    def __init__(
        self,
        level: str,
        notify: tuple[str, ...],
        due_at: int | None = None,
        repetition: int = 0,
        allowed_from: int | None = None,
    ) -> None:
        self.level: Final = level
        self.notify: Final = notify
        self.due_at: Final = due_at
        self.repetition: Final = repetition
        """The number of repetitions of the level, which distinguishes the repetitions of a round."""
        self.allowed_from: Final = allowed_from


@mypyc_attr(acyclic=True, free_list_len=1)
class EscalationMachine:
    """One escalation of a ticket while an event or an instant works on it: its ladder, its state, its stopwatch.

    It changes ``escalation_state``, which must be the ticket's own, or a new one of cycle 0 where an escalation has not begun.
    ``emitter`` knows when and why.
    """

    __slots__ = ("commitment_state", "emitter", "escalation_state", "resolved_ladder", "watch")

    def __init__(
        self,
        emitter: Emitter,
        resolved_ladder: ResolvedLadder,
        escalation_state: EscalationState,
        watch: Stopwatch,
        commitment_state: CommitmentState | None,
    ) -> None:
        self.emitter = emitter
        self.resolved_ladder = resolved_ladder
        self.escalation_state = escalation_state
        self.watch = watch
        self.commitment_state = commitment_state
        """The commitment that the ladder stands on; ``None`` where it stands on none, or that has not begun."""

    @property
    def open(self) -> bool:
        """Not withdrawn."""
        return self.escalation_state.phase != WITHDRAWN

    @property
    def going_on(self) -> bool:
        """Its stopwatch is on, so that what was raised stays raised where it moves to another metric by a deployment."""
        watch = self.emitter.ticket.watches[self.escalation_state.terms.metric]
        return watch.on and watch.cycle == self.escalation_state.cycle

    @property
    def may_begin_again(self) -> bool:
        """A withdrawn escalation continues."""
        return True

    def differs(self) -> bool:
        """A ladder has no target: whatever else its terms are, ``refresh`` takes them."""
        return False

    def on_signal(self, signal: Signal, reason: Reason) -> None:
        """The ladder's stopwatch gets a signal. To be called before the stopwatch takes an ending, after it takes another."""
        monitoring = self.resolved_ladder.ladder.monitoring
        if signal is REOPEN:
            self._reopen()
        elif (
            signal is STOP
            and self.escalation_state.active
            and monitoring is not None
            and (until := shift(self.emitter.at, monitoring, self.resolved_ladder.calendar)) is not None
        ):
            self._enter(EscalationPhase.MONITORING)
            self.escalation_state.next = self.escalation_state.monitored_until = until
            self._emit_to_all(Kind.MONITORING, reason, due_at=until)
        elif signal is HALT:
            self.release(reason, EscalationPhase.WITHDRAWN)
        elif signal is RESTORE and self.escalation_state.phase == WITHDRAWN:
            self._recur(Reason.RESTORED)
        elif signal in (STOP, RESTART, CANCEL):
            self.release(reason)

    def _reopen(self) -> None:
        escalation_state = self.escalation_state
        begins_anew = escalation_state.phase == EscalationPhase.ENDED or not escalation_state.raised
        escalation_state.effective_from = self.emitter.at
        escalation_state.repeats = 0
        self._enter(EscalationPhase.ACTIVE)
        if begins_anew:
            escalation_state.raised = escalation_state.passed_over = ()
        else:
            self._emit_to_all(Kind.RECURRED, Reason.RECURRENCE)

    def begin(self) -> None:
        """A cycle has begun, or the ladder has begun to apply: a new state, or after a withdrawal the old one at its level."""
        before, resolved_ladder, watch = self.escalation_state, self.resolved_ladder, self.watch
        if before.terms.metric == resolved_ladder.metric and before.cycle == watch.cycle:
            self._recur(_FIELD_CHANGED if self.emitter.deployment is None else Reason.POLICY_CHANGED)
        else:
            if before.cycle:
                self.escalation_state = EscalationState()
                if before.terms.metric != resolved_ladder.metric:
                    self.escalation_state.rounds = before.rounds
                    self.escalation_state.next_round(self.emitter.at)
            elif self.emitter.renamed_since(resolved_ladder.name, watch.began):
                before.next_round(self.emitter.at)
            self.escalation_state.terms, self.escalation_state.cycle = resolved_ladder.terms, watch.cycle
            self.emitter.ticket.escalations[resolved_ladder.name] = self.escalation_state
        if self.emitter.deployment is None:
            self.refresh()
        else:
            self._refresh_and_raise_highest_past()

    def _recur(self, reason: Reason) -> None:
        """A withdrawn escalation continues at its level."""
        self.escalation_state.repeats = 0
        self._enter(EscalationPhase.ACTIVE)
        self._emit_to_all(Kind.RECURRED, reason)

    def retarget(self) -> None:
        """Its stopwatch begins another cycle, or another stopwatch counts it: what was raised before is over."""
        before = self.emitter.ticket.watches[self.escalation_state.terms.metric]
        EscalationMachine(self.emitter, self.resolved_ladder, self.escalation_state, before, self.commitment_state).release(
            Reason.RESTARTED if self.emitter.deployment is None else Reason.POLICY_CHANGED
        )
        self.begin()

    def withdraw(self, reason: Reason) -> None:
        """The ladder does not apply to the ticket any more. If it applies again, it goes on."""
        self.release(reason, EscalationPhase.WITHDRAWN)

    def redeploy(self, waiting: Waiting) -> None:
        """A deployment may have changed its levels, or the metric on which it stands. ``waiting``: levels that were due before
        it, and are raised when business hours begin."""
        self.escalation_state.terms = self.escalation_state.terms.on_metric(self.resolved_ladder.metric)
        self.escalation_state.cycle = self.watch.cycle
        self._refresh_and_raise_highest_past(waiting)

    def _refresh_and_raise_highest_past(self, waiting: Waiting = _NONE_WAITS) -> None:
        """Of the levels that are past by a deployment only the highest is raised: of those that may be raised now, and of those
        that wait for business hours. A level that is due at this very instant is not past, nor is one whose business hours
        begin at it: time raises them, whether the deployment touches the ticket or not."""
        escalation_state, at = self.escalation_state, self.emitter.at
        passed = escalation_state.passed(at, self.resolved_ladder, self.watch, self.commitment_state)
        escalation_state.passed_over = tuple([name for name in escalation_state.passed_over if name in passed])
        self.refresh()
        now: list[Due] = []
        later: list[str] = []
        for due in escalation_state.pending(self.resolved_ladder, self.watch, self.commitment_state):
            if due.threshold is None or due.level is None or due.level.name not in passed:
                continue
            if due.instant == at:
                if waiting.get(due.level.name) == at:
                    continue
                now.append(due)
            elif due.level.name not in waiting:
                later.append(due.level.name)
        escalation_state.passed_over += tuple(later[:-1])
        if now:
            self._raise(now[-1])
        if now or later:
            self.reschedule()

    def release(self, reason: Reason, phase: EscalationPhase = EscalationPhase.RELEASED) -> None:
        """The escalation is over: everybody who was notified of it is notified of its end."""
        escalation_state = self.escalation_state
        escalation_state.next = None
        if escalation_state.active:
            escalation_state.next_round(self.emitter.at)
            escalation_state.phase = phase
            self._emit_to_all(Kind.RELEASED, reason)

    def on_acknowledgement(self, event: Event) -> None:
        """Somebody has taken the escalation on. An acknowledgement of nothing is not an error, and emits nothing."""
        if self.escalation_state.active and self.escalation_state.phase == ACTIVE and self._is_meant(event):
            self._enter(EscalationPhase.ACKNOWLEDGED)
            self._emit_to_all(Kind.ACKNOWLEDGED, Reason.ACKNOWLEDGED)

    def on_release(self, event: Event) -> None:
        """Somebody has ended the escalation by hand."""
        if self.escalation_state.active and self._is_meant(event):
            self.release(Reason.DE_ESCALATED)

    def answers(self, event: Event) -> bool:
        """Whether this ladder is the one to answer a customer's request."""
        ladder = self.resolved_ladder.ladder
        return bool(ladder.on_request) and (not event.level or any(level.name == event.level for level in ladder.levels))

    def on_request(self, event: Event, gate: CommitmentState | None) -> None:
        """A customer asks for an escalation. ``gate``: the commitment whose target must have passed, unless it is urgent."""
        ladder, escalation_state = self.resolved_ladder.ladder, self.escalation_state
        wanted = event.level or ladder.on_request
        level = next((level for level in ladder.levels if level.name == wanted), None)
        open_from = None if gate is None else gate.due
        # A gate with no deadline in sight (paused) is shut; one that was fulfilled without ever having one is open.
        shut = gate is not None and gate.terms.target is not None
        shut = shut and (event.at < open_from if open_from is not None else gate is not None and gate.verdict == PENDING)
        early = shut and event.impact not in URGENT
        if level is None or not ladder.on_request or not self.watch.on or early:
            reason = Reason.TOO_EARLY if early else Reason.NOT_OFFERED if self.watch.on else Reason.SOLVED
            refusal = Notification(wanted, ("customer",), allowed_from=open_from if early else None)
            self._emit(Kind.REFUSED, reason, refusal, per_event=True)
            return
        again = escalation_state.reached(level, self.resolved_ladder)
        if not again:
            escalation_state.raised = (*escalation_state.raised, level.name)
        escalation_state.repeats = 0
        self._enter(EscalationPhase.ACTIVE)  # its repetitions are counted from here, and are others than those before
        self._emit_level(Kind.REPEATED if again else Kind.RAISED, Reason.REQUESTED, level, per_event=True)

    def on_due(self) -> None:
        """Time has passed ``escalation_state.next``, which is the instant of ``emitter``."""
        escalation_state, instant = self.escalation_state, self.emitter.at
        for due in escalation_state.pending(self.resolved_ladder, self.watch, self.commitment_state):
            if due.instant != instant:
                continue
            if due.level is None:
                self.release(Reason.QUIET, EscalationPhase.ENDED)
                return
            if due.threshold is not None:
                self._raise(due)
            elif due.level.name == escalation_state.raised[-1]:
                self._repeat(due.level)
        self.reschedule()

    def _raise(self, due: Due) -> None:
        escalation_state, level, threshold = self.escalation_state, due.level, due.threshold
        if level is None or threshold is None:
            raise ValueError("a repetition, or the end of a monitoring period, raises no level")
        escalation_state.raised = (*escalation_state.raised, level.name)
        if escalation_state.passed_over:
            levels = [each.name for each in self.resolved_ladder.ladder.levels]
            above = levels[levels.index(level.name) :]
            escalation_state.passed_over = tuple([name for name in escalation_state.passed_over if name in above])
        escalation_state.repeats = 0
        escalation_state.last_emitted_at = self.emitter.at
        self._emit_level(Kind.RAISED, THRESHOLD_REASON[threshold.kind], level)

    def _repeat(self, level: Level) -> None:
        escalation_state = self.escalation_state
        if escalation_state.phase == ACKNOWLEDGED:
            escalation_state.effective_from = self.emitter.at
            escalation_state.repeats = 0
            self._enter(EscalationPhase.ACTIVE)
            reason = Reason.STILL_OPEN
        else:
            escalation_state.repeats += 1
            escalation_state.last_emitted_at = self.emitter.at
            reason = Reason.NOT_ACKNOWLEDGED
        self._emit_level(Kind.REPEATED, reason, level)

    def refresh(self) -> None:
        """The ladder applies, and its thresholds may be others than before."""
        self.escalation_state.effective_from = max(self.escalation_state.effective_from, self.emitter.at)
        self.reschedule()

    def reschedule(self) -> None:
        """Find the next instant anew, after anything about the stopwatch, the commitment or the levels has changed."""
        self.escalation_state.reschedule(self.resolved_ladder, self.watch, self.commitment_state)

    def _enter(self, phase: EscalationPhase) -> None:
        """Begin the next round of the escalation."""
        self.escalation_state.phase = phase
        self.escalation_state.last_emitted_at = self.emitter.at
        self.escalation_state.next_round(self.emitter.at)

    def _is_meant(self, event: Event) -> bool:
        return not event.level or event.level in self.escalation_state.raised

    def _emit_level(self, kind: Kind, reason: Reason, level: Level, *, per_event: bool = False) -> None:
        """To those whom the level notifies."""
        due_at = None if self.commitment_state is None else self.commitment_state.due
        self._emit(
            kind, reason, Notification(level.name, level.notify, due_at, self.escalation_state.repeats), per_event=per_event
        )

    def _emit_to_all(self, kind: Kind, reason: Reason, *, due_at: int | None = None) -> None:
        """To everybody who was notified of a level."""
        raised = self.escalation_state.raised
        roles = [role for level in self.resolved_ladder.ladder.levels if level.name in raised for role in level.notify]
        self._emit(kind, reason, Notification(raised[-1], tuple(dict.fromkeys(roles)), due_at))

    def _emit(self, kind: Kind, reason: Reason, notification: Notification, *, per_event: bool = False) -> None:
        """``per_event``: the same may happen again in this cycle, so that its cause distinguishes one from the other."""
        emitter, escalation_state, resolved_ladder, watch = (
            self.emitter,
            self.escalation_state,
            self.resolved_ladder,
            self.watch,
        )
        at, cause, ticket = emitter.at, emitter.cause, emitter.ticket.id
        ladder, policy, calendar = resolved_ladder.ladder, resolved_ladder.policy, resolved_ladder.calendar
        level = notification.level
        occasion = (escalation_state.terms.metric, escalation_state.cycle, escalation_state.rounds)
        doubt = emitter.doubt(watch.began) if emitter.timeline.doubts else None
        emitter.effects.append(
            Effect(
                stem(
                    ticket,
                    ladder.name,
                    occasion,
                    kind,
                    f"{level}#{notification.repetition}",
                    emitter.occurrence if per_event else "",
                ),
                kind,
                at,
                emitter.now,
                ticket,
                policy.name,
                policy.version,
                ladder.commitment,
                ladder.name,
                ladder.kind,
                level,
                resolved_ladder.teams.get(level, "") if kind in _HANDS_OVER else "",
                notification.notify,
                ladder.owner,
                escalation_state.cycle,
                reason,
                cause,
                notification.due_at,
                notification.allowed_from,
                watch.elapsed(_BUSINESS, calendar, at),
                watch.paused_for(_BUSINESS, calendar, at),
                None,  # target
                calendar.name,
                calendar.timezone,
                False,  # page
                False,  # late
                emitter.deployment,
                doubt is not None,
                doubt,
                emitter.shown_fields(),
            )
        )
