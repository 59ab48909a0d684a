"""The effect of a signal of the stopwatch, a change of the terms or the passing of time on a commitment.

Longer than 250 lines because it is one state machine: each rule is read beside those that it excludes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy_extensions import mypyc_attr

from stream.sla.calendar.duration import Duration
from stream.sla.effect_ids import stem
from stream.sla.effects import ROUTINE, THRESHOLD_REASON, UNDOES, Effect, Kind, Reason
from stream.sla.policy.policy import OnChange
from stream.sla.ticket.commitment_state import BREACHED, CANCELLED, HALTED, MEASURED, MET, MET_LATE, PENDING, CommitmentState
from stream.sla.ticket.stopwatch import CANCEL, HALT, PAUSE, PAUSED, REOPEN, RESTORE, RESUME, RUNNING, STOP
from stream.sla.ticket.thresholds import threshold_instant
from stream.sla.transition.emitter import calendar_of

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.policy import Threshold
    from stream.sla.policy.resolve import ResolvedCommitment
    from stream.sla.policy.terms import CommitmentTerms
    from stream.sla.ticket.stopwatch import Signal, Stopwatch
    from stream.sla.transition.emitter import Emitter

# What is emitted at every ticket: up to Python 3.11 naming an enum's member costs as much as a call, and compiled code looks up
# the name of what a module gives that is not compiled.
_effect: Final = Effect
_ROUTINE: Final = ROUTINE
_UNDOES: Final = UNDOES
_STARTED: Final = Kind.STARTED
_PAUSED: Final = Kind.PAUSED
_RESUMED: Final = Kind.RESUMED
_MET: Final = Kind.MET
_MEASURED: Final = Kind.MEASURED
_FULFILLED: Final = Reason.FULFILLED
_NO_TARGET: Final = Reason.NO_TARGET
_BY_PAUSE: Final = Reason.PAUSE_CONDITION
_BY_RESUME: Final = Reason.RESUME_CONDITION
_BY_REOPENING: Final = Reason.REOPENED
_CLOCK_STARTED: Final = Reason.CLOCK_STARTED
_FIELD_CHANGED: Final = Reason.FIELD_CHANGED


@mypyc_attr(acyclic=True, free_list_len=1)
class CommitmentMachine:
    """One commitment of a ticket while an event or an instant works on it: its terms, its state, its stopwatch.

    It changes ``commitment_state``, which must be the ticket's own, or a new one of cycle 0 where a commitment has not begun.
    ``emitter`` knows when and why.
    """

    __slots__ = ("commitment_state", "emitter", "resolved", "watch")

    def __init__(
        self, emitter: Emitter, resolved: ResolvedCommitment, commitment_state: CommitmentState, watch: Stopwatch
    ) -> None:
        self.emitter = emitter
        self.resolved = resolved
        self.commitment_state = commitment_state
        self.watch = watch

    @property
    def open(self) -> bool:
        """Not decided."""
        return self.commitment_state.verdict == PENDING

    @property
    def going_on(self) -> bool:
        """It goes on where it moves to another metric by a deployment."""
        return True

    @property
    def may_begin_again(self) -> bool:
        """It ended in its cycle, and may apply again in the same cycle."""
        return self.commitment_state.verdict in (CANCELLED, HALTED, MET, MEASURED)

    def differs(self) -> bool:
        """Whether the terms set another target, or count it on another calendar, than those it stands on."""
        return self.commitment_state.differs(self.resolved, self.watch)

    def on_end(self, signal: Signal, reason: Reason) -> None:
        """The stopwatch is about to stop, restart, or be cancelled or halted."""
        commitment_state = self.commitment_state
        if signal is CANCEL or signal is HALT:
            if commitment_state.verdict == PENDING:
                commitment_state.decide(HALTED if signal is HALT else CANCELLED)
                self.emit(Kind.CANCELLED, reason)
            elif commitment_state.verdict == HALTED:
                commitment_state.decide(CANCELLED)
        elif self.resolved.timer:
            if commitment_state.verdict == PENDING:
                commitment_state.decide(CANCELLED)
                self.emit(Kind.CANCELLED, _FULFILLED if signal is STOP else Reason.NO_LONGER_APPLIES)
                if signal is not STOP:
                    self.emitter.restarted.append((commitment_state, self.emitter.effects[-1]))
        else:
            self._fulfil()
        commitment_state.next = None

    def _fulfil(self) -> None:
        commitment_state = self.commitment_state
        if commitment_state.verdict == PENDING:
            if commitment_state.terms.target is None:
                commitment_state.decide(MEASURED)
                self.emit(_MEASURED, _NO_TARGET if not commitment_state.adjusted.unjudged else Reason.PAST_WHEN_PROMISED)
            elif self._is_past(self.emitter.at):
                # Time was let pass up to here, so only a target that changed at this very instant can have got by.
                self.breach()
            else:
                commitment_state.decide(MET)
                self.emit(_MET, _FULFILLED)
        if commitment_state.verdict == BREACHED:
            commitment_state.decide(MET_LATE)
            self.emit(Kind.MET_LATE, Reason.FULFILLED_LATE)

    def on_move(self, signal: Signal) -> None:
        """The stopwatch was paused, resumed, reopened or restored."""
        commitment_state = self.commitment_state
        if signal is REOPEN or signal is RESTORE:
            commitment_state.revise(self.emitter.at)
            if signal is REOPEN and commitment_state.verdict == MET_LATE:
                commitment_state.decide(BREACHED)
            elif commitment_state.verdict in ((MET, MEASURED) if signal is REOPEN else (HALTED,)):
                commitment_state.decide(PENDING)
                commitment_state.adjust(decided_by=None)
                commitment_state.effective_from = self.emitter.at
            if commitment_state.verdict == PENDING:
                if commitment_state.differs(self.resolved, self.watch):
                    self.retarget()  # the fields or the policies changed while it was stopped
                else:
                    former = commitment_state.terms
                    commitment_state.adopt(self.resolved)
                    if not commitment_state.adjusted.unjudged:  # its calendar may have changed
                        commitment_state.measure_again(self.resolved.calendar, self.watch, former)
        if commitment_state.verdict != PENDING:
            return
        self._find_due()  # the next instant is found when the terms are applied to the stopwatches that got signals
        if signal is PAUSE:
            self.emit(_PAUSED, _BY_PAUSE, per_event=True)
        elif signal is RESUME:
            self.emit(_RESUMED, _BY_RESUME, per_event=True)
        elif signal is REOPEN:
            self.emit(_RESUMED, _BY_REOPENING, per_event=True)
        elif signal is RESTORE:
            self.emit(_RESUMED, Reason.RESTORED, per_event=True)

    def on_due(self) -> None:
        """Time has passed ``commitment_state.next``, which is the instant of ``emitter``."""
        commitment_state, instant = self.commitment_state, self.emitter.at
        ends = self._breach_instant() == instant
        due = max(instant, commitment_state.due or instant)
        if ends and due == instant:
            self.breach()
            return
        reached = [
            threshold
            for threshold in self.resolved.warn_at
            if threshold.text not in commitment_state.warned and self._reached(threshold) == instant
        ]
        for threshold in reached:
            commitment_state.warned = (*commitment_state.warned, threshold.text)
            self.emit(Kind.WARNED, THRESHOLD_REASON[threshold.kind], threshold)
        if ends:
            self.emitter.at = due
            self.breach()
            self.emitter.at = instant
        else:
            self.reschedule()

    def on_extension(self, event: Event) -> None:
        """More time was granted. Extensions add up to the policy's cap and no further; a refusal is emitted too."""
        commitment_state = self.commitment_state
        cap = self.resolved.commitment.extension_cap
        wanted = Duration.parse(event.by).resolve(self.resolved.calendar, self.watch.began)
        room = None if cap is None else cap.resolve(self.resolved.calendar, self.watch.began)
        allowed = 0
        if room is not None and room.clock is commitment_state.clock is wanted.clock:
            allowed = min(wanted.micros, room.micros - commitment_state.adjusted.extension)
        if commitment_state.verdict != PENDING or commitment_state.terms.target is None or not self.watch.on or allowed <= 0:
            self.emit(Kind.EXTENSION_REFUSED, Reason.NO_EXTENSION, per_event=True)
            return
        commitment_state.adjust(extension=commitment_state.adjusted.extension + allowed)
        commitment_state.revise(self.emitter.at)
        commitment_state.effective_from = self.emitter.at
        self._move_deadline()
        self.emit(Kind.RETARGETED, Reason.EXTENSION, per_event=True)

    def begin(self) -> None:
        """A cycle has begun, or the commitment has begun to apply: a new state takes the place of one that has a cycle."""
        before, resolved, watch = self.commitment_state, self.resolved, self.watch
        if self.emitter.restarted:
            self.emitter.begins_again(before)
        if before.cycle:
            commitment_state = self.commitment_state = CommitmentState()
            if before.terms.metric != resolved.metric or before.cycle == watch.cycle:
                commitment_state.revision = before.revision
                commitment_state.revise(self.emitter.at)
        else:
            commitment_state = before
        commitment_state.cycle = watch.cycle
        if self.emitter.renamed_since(resolved.name, watch.began):
            commitment_state.revise(self.emitter.at)
        self.emitter.ticket.commitments[resolved.name] = commitment_state
        commitment_state.set_target(resolved, watch, self.emitter.at)
        self.reschedule()
        reason = _CLOCK_STARTED if watch.began == self.emitter.at else _FIELD_CHANGED
        if self.emitter.deployment is not None:
            reason = Reason.POLICY_CHANGED
            if self._is_past(self.emitter.at):
                # Else a commitment that is added would breach every old ticket, and a renamed one would breach a second time.
                reason = Reason.PAST_WHEN_PROMISED
                commitment_state.adjust(unjudged=True)
                commitment_state.terms = commitment_state.terms.with_target(commitment_state.terms.counted, None)
                self.reschedule()
        self.emit(_STARTED, reason)
        if watch.phase == PAUSED:
            self.emit(_PAUSED, _BY_PAUSE, per_event=True)

    def retarget(self) -> None:
        """Another target applies to the ticket's fields now: swap the target by the commitment's ``on_change``."""
        commitment_state, resolved, at = self.commitment_state, self.resolved, self.emitter.at
        former = commitment_state.terms
        commitment_state.revise(at)
        commitment_state.adjust(unjudged=False)  # it moves to another metric or cycle
        mode = resolved.commitment.on_change
        self._set_target(rebases=mode is not OnChange.CARRY)
        if mode is OnChange.RESET:
            commitment_state.adjust(extension=0, reset_at=at)
            commitment_state.warned = ()
        commitment_state.measure_again(resolved.calendar, self.watch, former)
        self._move_deadline()
        self.emit(Kind.RETARGETED, _FIELD_CHANGED, per_event=True)

    def _set_target(self, *, rebases: bool = False) -> None:
        """Take the target that is wanted now. What was granted stands: where the clock is another, as the same shift of the
        deadline. ``rebases``: the target counts from now on."""
        commitment_state, resolved, watch, at = self.commitment_state, self.resolved, self.watch, self.emitter.at
        extension, terms = commitment_state.adjusted.extension, commitment_state.terms
        deadline: int | None = None
        before = resolved.calendar
        if extension:
            before = self.emitter.timeline.known[self.emitter.ticket.deployment].policies.calendars[terms.calendar]
            old_watch = self.emitter.ticket.watches.get(terms.metric, watch)
            allowed = commitment_state.allowance
            if allowed is not None:
                not_before = commitment_state.adjusted.not_before
                deadline = old_watch.reaches(
                    allowed - extension,
                    commitment_state.clock,
                    before,
                    not_before,
                    False,
                    commitment_state.placement(old_watch),
                )
        commitment_state.cycle = watch.cycle
        if rebases:
            commitment_state.adjust(rebased_at=at)
        commitment_state.set_target(resolved, watch, at)
        if extension and commitment_state.terms.business != terms.business:
            start = at if deadline is None else deadline
            if terms.business:
                moved = before.after(start, extension)
                commitment_state.adjust(extension=extension if moved is None else moved - start)
            else:
                commitment_state.adjust(extension=resolved.calendar.measure(start, start + extension))

    def redeploy(self, former: ResolvedCommitment | None) -> None:
        """A deployment may have changed anything about it: measure it whole by the set in force from now on, and emit what
        changed of its deadline, target, policy and calendar. ``former``: what applied under its name by the set before.

        The elapsed time is always carried: ``on_change`` is for changes of fields.
        """
        commitment_state, resolved, at = self.commitment_state, self.resolved, self.emitter.at
        before, terms = self._shown(), commitment_state.terms
        if commitment_state.adjusted.unjudged:
            commitment_state.terms = commitment_state.terms.on_metric(resolved.metric)
            commitment_state.adopt(resolved)
            commitment_state.cycle = self.watch.cycle
        else:
            self._set_target()
            commitment_state.measure_again(resolved.calendar, self.watch, terms)
        self.reschedule()
        if (former is None or former.name == resolved.name) and self._shown() == before:
            return
        commitment_state.revise(at)
        self._move_deadline()
        self.emit(Kind.RETARGETED, self._why_redeployed(former), per_event=True)
        if self._is_past(at):
            self.breach()

    def _shown(self) -> tuple[int | None, int, CommitmentTerms]:
        state = self.commitment_state
        return state.due, state.adjusted.delay, state.terms

    def _why_redeployed(self, former: ResolvedCommitment | None) -> Reason:
        resolved = self.resolved
        if former is None or former.target != resolved.target or former.policy.version != resolved.policy.version:
            return Reason.POLICY_CHANGED
        if former.on_calendar != resolved.on_calendar:
            return Reason.POLICY_CHANGED
        renamed = former.name != resolved.name or former.policy.name != resolved.policy.name
        if not renamed:
            return Reason.CALENDAR_CHANGED if former.metric == resolved.metric else Reason.POLICY_CHANGED
        return Reason.RENAMED if former.calendar.name == resolved.calendar.name else Reason.POLICY_CHANGED

    def refresh(self) -> None:
        """The target is the same; the warnings may be others, and the calendar where the target does not run on it."""
        if self.commitment_state.terms.calendar != self.resolved.calendar.name:
            self.commitment_state.adopt(self.resolved)
        self.commitment_state.effective_from = max(self.commitment_state.effective_from, self.emitter.at)
        self.reschedule()

    def withdraw(self, reason: Reason) -> None:
        """Nothing of that name is promised to the ticket any more."""
        self.commitment_state.decide(CANCELLED)
        self.commitment_state.next = None
        self.emit(Kind.CANCELLED, reason)

    def breach(self) -> None:
        """The deadline has passed: now, or earlier than the instant at which its target took hold."""
        commitment_state = self.commitment_state
        commitment_state.decide(BREACHED)
        commitment_state.next = None
        late = commitment_state.due is not None and commitment_state.due < self.emitter.at
        usual = Reason.TARGET_REACHED if self.resolved.strict else Reason.TARGET_PASSED
        reason = Reason.RETARGETED_PAST_DUE if late else usual
        self.emit(Kind.ELAPSED if self.resolved.timer else Kind.BREACHED, reason)

    def _is_past(self, at: int) -> bool:
        """Whether the deadline has passed at ``at``; if reached is breached, also whether it is at ``at``."""
        due = self.commitment_state.due
        return due is not None and (due < at or (due == at and self.resolved.strict))

    def _breach_instant(self) -> int | None:
        """The instant of the timer of the breach; ``None`` while no deadline is in sight.

        What time makes true at an instant comes after the events at it. Where reached is breached, the breach comes before
        them, so its timer is the last instant before the deadline.
        """
        commitment_state, due = self.commitment_state, self.commitment_state.due
        if due is None:
            return None
        return max(due - 1 if self.resolved.strict else due, commitment_state.effective_from)

    def _find_due(self) -> None:
        commitment_state, phase = self.commitment_state, self.watch.phase
        terms, adjustment = commitment_state.terms, commitment_state.adjustment
        used = terms.target if adjustment is None else commitment_state.allowance
        if used is None or (phase != RUNNING and phase != PAUSED):
            commitment_state.due = None
        else:
            commitment_state.due = self.watch.reaches(
                used,
                terms.clock,
                self.resolved.calendar,
                0 if adjustment is None else adjustment.not_before,
                self.resolved.strict,
                commitment_state.placement(self.watch) if terms.wall_pauses else None,
            )

    def reschedule(self) -> None:
        """Find the deadline and the next instant anew, after anything about the stopwatch or the target has changed."""
        commitment_state, watch, resolved = self.commitment_state, self.watch, self.resolved
        commitment_state.next = None
        if commitment_state.verdict != PENDING:
            return
        self._find_due()
        adjustment, phase = commitment_state.adjustment, watch.phase
        if (phase != RUNNING and phase != PAUSED) or (adjustment is not None and adjustment.unjudged):
            return
        soonest = self._breach_instant()
        for threshold in resolved.warn_at:
            if threshold.text in commitment_state.warned:
                continue
            instant = threshold_instant(threshold, commitment_state, watch, resolved.calendar)
            # The breach is the first candidate, so a warning that comes no earlier is never the next thing.
            if instant is not None and (soonest is None or instant < soonest):
                soonest = instant
        commitment_state.next = soonest

    def _move_deadline(self) -> None:
        """The deadline has moved: find it, and warn anew of what lies ahead, not of what is past all the same."""
        self.reschedule()
        commitment_state, at = self.commitment_state, self.emitter.at
        warned = [
            threshold.text
            for threshold in self.resolved.warn_at
            if threshold.text in commitment_state.warned and self._reached(threshold) == at
        ]
        commitment_state.warned = tuple(warned)
        self.reschedule()

    def _reached(self, threshold: Threshold) -> int | None:
        return threshold_instant(threshold, self.commitment_state, self.watch, self.resolved.calendar)

    def emit(self, kind: Kind, reason: Reason, threshold: Threshold | None = None, *, per_event: bool = False) -> None:
        """``per_event``: the same may happen again in this cycle, so that its cause distinguishes one from the other."""
        emitter, commitment_state = self.emitter, self.commitment_state
        watch, name = self.watch, self.resolved.name
        # ``is_routine``, written out: it is not compiled, and most of what an event makes true is routine.
        if not emitter.routine and kind in _ROUTINE and reason not in _UNDOES and emitter.deployment is None:
            return
        at, ticket = emitter.at, emitter.ticket.id
        text = "" if threshold is None else threshold.text
        terms, adjustment = commitment_state.terms, commitment_state.adjustment
        # Once decided, a commitment is reported on the calendar by which it was decided, whatever the fields select now.
        if adjustment is None:
            calendar = emitter.calendars[terms.calendar]
        else:
            calendar = calendar_of(commitment_state, emitter.calendars, emitter.timeline.known)
        # ``commitment_state.elapsed`` and ``paused_for``, written out.
        elapsed = watch.elapsed(terms.clock, calendar, at, commitment_state.placement(watch) if terms.wall_pauses else None)
        paused = watch.paused_for(terms.pause_clock, calendar, at)
        target = terms.target
        if adjustment is not None:
            elapsed -= adjustment.elapsed_at_reset
            paused -= adjustment.paused_at_reset
            target = commitment_state.extended_target
        occasion = (terms.metric, commitment_state.cycle, commitment_state.revision)
        doubt = emitter.doubt(watch.began) if emitter.timeline.doubts else None
        emitter.effects.append(
            # By position: twenty names of arguments cost four times what the effect itself does.
            _effect(
                stem(ticket, name, occasion, kind, text, emitter.occurrence if per_event else ""),
                kind,
                at,
                emitter.now,
                ticket,
                terms.policy,
                terms.version,
                name,
                "",  # ladder
                None,  # escalation_kind
                text,
                "",  # assign_to
                (),  # notify
                "",  # owner
                commitment_state.cycle,
                reason,
                emitter.cause,
                commitment_state.due,
                None,  # allowed_from
                elapsed,
                paused,
                target,
                calendar.name,
                calendar.timezone,
                self.resolved.page and kind is Kind.BREACHED,
                False,  # late
                emitter.deployment,
                doubt is not None,
                doubt,
                emitter.shown_fields(),
            )
        )
