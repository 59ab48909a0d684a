"""Watches the engine fold a ticket, and writes down what every event and every instant changed.

Nothing is decided here. The events go through ``Transition`` one by one, and between them each instant at which time alone
makes something true; what ``Transition`` leaves behind after each is compared with what was before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from stream.sla.calendar.duration import Clock
from stream.sla.effects import KINDS, TIMER, Effect, Kind, Reason, deployment_cause
from stream.sla.explain.change import what_changed
from stream.sla.explain.explanation import Moment, Outcome
from stream.sla.explain.spans import Why
from stream.sla.policy.policy import ThresholdKind
from stream.sla.ticket.commitment_state import CommitmentState, Verdict
from stream.sla.ticket.escalation_state import EscalationState
from stream.sla.ticket.state import Ticket
from stream.sla.ticket.thresholds import resolve
from stream.sla.transition.evolve import Transition

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar
    from stream.sla.events import Event
    from stream.sla.policy.policy import Threshold
    from stream.sla.policy.resolve import PolicySet, ResolvedLadder
    from stream.sla.policy.timeline import Deployment, Timeline
    from stream.sla.ticket.stopwatch import Stopwatch

T = TypeVar("T", CommitmentState, EscalationState)
Key = tuple[str, str, int]
"""Commitment or ladder, metric row, cycle."""

_FOREVER: Final = 1 << 62
DEPLOYED: Final = "policies deployed"
"""The change that a deployment is, in an explanation."""
_OPEN: Final = (Verdict.PENDING, Verdict.BREACHED)
_WORDS: Final = {
    Verdict.PENDING: Outcome.PENDING,
    Verdict.MET: Outcome.MET,
    Verdict.BREACHED: Outcome.BREACHED,
    Verdict.MET_LATE: Outcome.MET_LATE,
    Verdict.CANCELLED: Outcome.CANCELLED,
    Verdict.MEASURED: Outcome.MEASURED,
    Verdict.HALTED: Outcome.CANCELLED,
}


@dataclass(slots=True)
class CycleTrace:
    """One cycle of a stopwatch."""

    watch: Stopwatch
    """As it was last seen in this cycle."""
    why: dict[int, Why] = field(default_factory=dict)
    """What changed it, by instant."""


@dataclass(slots=True)
class CommitmentTrace:
    """One commitment in one cycle."""

    name: str
    commitment_state: CommitmentState
    calendar: Calendar
    timer: bool
    cycle_trace: CycleTrace
    closed: int | None = None
    """Since when it waits for nothing any more."""
    verdict: Outcome = Outcome.PENDING
    reason: Reason | None = None
    moments: list[Moment] = field(default_factory=list)


class LevelTarget(NamedTuple):
    """When a level is raised."""

    resolved_ladder: ResolvedLadder
    threshold: Threshold
    clock: Clock
    micros: int | None
    """The reading of the stopwatch, where it is one that decides."""


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


class Recorder:
    """What became of one ticket. ``start``: the ticket before the first event that is consumed."""

    def __init__(self, timeline: Timeline, start: Ticket, events: list[Event]) -> None:
        """``events``: those that are to be applied, for rows that a deployment builds from them."""
        self.timeline = timeline
        self.ticket = start
        self._whole = start.last is None
        self._events = events
        self.commitment_traces: dict[Key, CommitmentTrace] = {}
        self.ladder_traces: dict[Key, LadderTrace] = {}
        self._cycle_traces: dict[tuple[str, int], CycleTrace] = {}
        for metric, watch in start.watches.items():
            if watch.cycle:
                self._cycle_traces[metric, watch.cycle] = CycleTrace(watch)
        self._see(Ticket(start.id), start, start.last[0] if start.last else 0)
        # What had ended before the history, at an instant nobody knows any more, cannot be explained.
        self.commitment_traces = {
            key: commitment_traces
            for key, commitment_traces in self.commitment_traces.items()
            if commitment_traces.closed is None or not commitment_traces.cycle_trace.watch.on
        }
        ended: list[CommitmentTrace | LadderTrace] = [*self.commitment_traces.values(), *self.ladder_traces.values()]
        for part in ended:
            if part.closed is not None:
                part.closed = part.cycle_trace.watch.since

    def apply(self, event: Event) -> None:
        """Take the next event, in the order of their keys."""
        self.pass_time(event.at)
        self._meet(event.at)
        before = self.ticket
        transition = Transition(self.timeline, before.copy(), event.at)
        transition.event(event)
        self.ticket = transition.ticket
        self._note(
            before,
            transition.emitter.effects,
            Why(event.id, what_changed(event, before.fields, transition.ticket.fields)),
            event.at,
        )

    def pass_time(self, until: int) -> None:
        """Let everything become true that lies before ``until``, and meet the deployments that lie before it."""
        self._meet(until - 1)
        self._fire(until)

    @property
    def policies(self) -> PolicySet:
        """Those that judge the ticket as it stands."""
        return self.timeline.known[self.ticket.deployment].policies

    def _meet(self, at: int) -> None:
        """Meet the deployments up to and at an instant."""
        while self.ticket.last is not None and (deployment := self._following()) is not None and deployment.at <= at:
            self._fire(deployment.at)
            before, at_ = self.ticket, deployment.at
            transition = Transition(self.timeline, before.copy(), at_, self._past)
            transition.meet(at_)
            self.ticket = transition.ticket
            self._follow_rows(before, deployment)
            self._note(before, transition.emitter.effects, Why(deployment_cause(deployment.number), DEPLOYED), at_)

    def _following(self) -> Deployment | None:
        return self.timeline.after(self.ticket.deployment)

    def _past(self, at: int) -> list[Event] | None:
        return [event for event in self._events if event.at < at] if self._whole else None

    def _follow_rows(self, before: Ticket, deployment: Deployment) -> None:
        """What goes on under another name, or on a row of another name, is the same commitment or ladder in the same cycle."""
        change = deployment.change
        if change is None:
            return
        former = self.timeline.known[before.deployment].former
        for row, old_row in change.continued.items():
            watch = self.ticket.watches.get(row)
            if watch is not None and (trace := self._cycle_traces.get((old_row, watch.cycle))) is not None:
                self._cycle_traces[row, watch.cycle] = CycleTrace(watch, dict(trace.why))
        for name, old in before.commitments.items():
            new = change.commitment(change.policy(former.policy(old.terms.policy)), name)
            after = self.ticket.commitments.get(new)
            if after is not None and after.cycle == old.cycle and _key(name, old) != _key(new, after):
                found = self.commitment_traces.pop(_key(name, old), None)
                if found is not None and change.continued.get(row := after.terms.metric, row) == old.terms.metric:
                    found.name, found.cycle_trace = new, self._cycle_traces.get((row, after.cycle), found.cycle_trace)
                    self.commitment_traces[_key(new, after)] = found
                elif found is not None:
                    self.commitment_traces[_key(name, old)] = found
                    _carry_over(found, deployment.at)
        for name, high in before.escalations.items():
            new = change.ladder(change.policy(former.policy(high.terms.policy)), name)
            stands = self.ticket.escalations.get(new)
            if stands is not None and stands.cycle == high.cycle and _key(name, high) != _key(new, stands):
                ladder = self.ladder_traces.pop(_key(name, high), None)
                if ladder is not None and change.continued.get(row := stands.terms.metric, row) == high.terms.metric:
                    ladder.name, ladder.cycle_trace = (
                        new,
                        self._cycle_traces.get((row, stands.cycle), ladder.cycle_trace),
                    )
                    self.ladder_traces[_key(new, stands)] = ladder
                elif ladder is not None:
                    self.ladder_traces[_key(name, high)] = ladder
                    ladder.closed = deployment.at if ladder.closed is None else ladder.closed

    def _calendar(self, commitment_state: CommitmentState) -> Calendar:
        decided_by = commitment_state.adjusted.decided_by
        policies = self.policies if decided_by is None else self.timeline.known[decided_by].policies
        return policies.calendars[commitment_state.terms.calendar]

    def _fire(self, until: int) -> None:
        while self.ticket.next is not None and self.ticket.next < until:
            before, instant = self.ticket, self.ticket.next
            transition = Transition(self.timeline, before.copy(), instant)
            transition.time(instant + 1)
            self.ticket = transition.ticket
            self._note(before, transition.emitter.effects, Why(TIMER, ""), instant)

    def look_ahead(self) -> None:
        """Add what becomes true if nothing else happens. No event may follow."""
        transition = Transition(self.timeline, self.ticket.copy(), 0)
        transition.time(_FOREVER)
        self._add_moments(self.ticket, transition.emitter.effects, Why(TIMER, ""), expected=True)

    def _note(self, before: Ticket, effects: list[Effect], why: Why, at: int) -> None:
        for metric, watch in self.ticket.watches.items():
            old = before.watches.get(metric)
            if watch is old:
                continue  # a stopwatch is copied when it gets a signal
            cycle_trace = self._cycle_traces.setdefault((metric, watch.cycle), CycleTrace(watch))
            cycle_trace.watch = watch
            cycle_trace.why[at] = why
        self._see(before, self.ticket, at)
        self._add_moments(before, effects, why)

    def _see(self, before: Ticket, after: Ticket, at: int) -> None:
        for name, commitment_state in after.commitments.items():
            old = before.commitments.get(name)
            left = (
                None
                if old is None or _key(name, old) == _key(name, commitment_state)
                else self.commitment_traces.get(_key(name, old))
            )
            if left is not None:
                _carry_over(left, at)
            if commitment_state is not old or _key(name, commitment_state) in self.commitment_traces:
                self._see_commitment(name, commitment_state, after, at)
        for name, escalation_state in after.escalations.items():
            high = before.escalations.get(name)
            gone = (
                None
                if high is None or _key(name, high) == _key(name, escalation_state)
                else self.ladder_traces.get(_key(name, high))
            )
            if gone is not None and gone.closed is None:
                gone.closed = at
            self._see_escalation(name, escalation_state, after, at)

    def _see_commitment(self, name: str, commitment_state: CommitmentState, after: Ticket, at: int) -> None:
        key, cycle_trace = (
            _key(name, commitment_state),
            self._cycle_traces.get((commitment_state.terms.metric, commitment_state.cycle)),
        )
        if cycle_trace is None:  # it ended before the history that is kept
            return
        watch = after.watches[commitment_state.terms.metric]
        commitment_traces = self.commitment_traces.get(key)
        if commitment_traces is None:
            triggers = self.policies.triggers.get(commitment_state.terms.metric)
            timer = triggers is not None and triggers.metric.timer
            commitment_traces = self.commitment_traces[key] = CommitmentTrace(
                name, commitment_state, self._calendar(commitment_state), timer, cycle_trace
            )
        commitment_traces.commitment_state = commitment_state
        on = watch.on and watch.cycle == commitment_state.cycle
        if not on or commitment_state.verdict not in _OPEN:
            commitment_traces.closed = at if commitment_traces.closed is None else commitment_traces.closed
        else:
            commitment_traces.closed = None
            resolved = self.policies.resolved_policy(after.fields, self.policies.epoch(watch.began)).commitments.get(name)
            # A target keeps the calendar it was set on. Where there is none, time is measured by the present plan.
            if commitment_state.terms.target is None and resolved is not None:
                commitment_traces.calendar = resolved.calendar
        if commitment_state.terms.target is not None:
            commitment_traces.calendar = self._calendar(commitment_state)
        commitment_traces.verdict = _WORDS[Verdict(commitment_state.verdict)]
        if commitment_traces.timer and commitment_traces.verdict is Outcome.BREACHED:
            commitment_traces.verdict = Outcome.ELAPSED
        if commitment_traces.verdict is Outcome.PENDING:
            commitment_traces.reason = None

    def _see_escalation(self, name: str, escalation_state: EscalationState, after: Ticket, at: int) -> None:
        key, watch = _key(name, escalation_state), after.watches[escalation_state.terms.metric]
        resolved_ladder = self.policies.resolved_policy(after.fields, self.policies.epoch(watch.began)).ladders.get(name)
        ladder_traces = self.ladder_traces.get(key)
        if ladder_traces is None:
            cycle_trace = self._cycle_traces.get((escalation_state.terms.metric, escalation_state.cycle))
            if resolved_ladder is None or cycle_trace is None:
                return
            ladder_traces = self.ladder_traces[key] = LadderTrace(name, escalation_state, resolved_ladder, cycle_trace)
        ladder_traces.escalation_state = escalation_state
        if resolved_ladder is None or not watch.on or watch.cycle != escalation_state.cycle:
            ladder_traces.closed = at if ladder_traces.closed is None else ladder_traces.closed
            return
        ladder_traces.closed, ladder_traces.resolved_ladder = None, resolved_ladder
        kept = {level: aim for level, aim in ladder_traces.level_targets.items() if level in escalation_state.raised}
        commitment_state = after.commitments.get(resolved_ladder.ladder.commitment)
        for level, threshold in resolved_ladder.levels:
            if level.name not in escalation_state.raised:
                kept[level.name] = _aim(threshold, resolved_ladder, watch, commitment_state)
        ladder_traces.level_targets = kept

    def _add_moments(self, before: Ticket, effects: list[Effect], why: Why, *, expected: bool = False) -> None:
        after = self.ticket
        anew: set[str] = set()
        for effect in effects:
            change = why.change if effect.cause == why.cause else ""
            moment = _moment(effect, change, expected=expected)
            if effect.kind in (Kind.STARTED, Kind.RETARGETED):
                anew.add(effect.commitment)
            if effect.ladder:
                high = _whose(effect, before.escalations.get(effect.ladder), after.escalations.get(effect.ladder))
                if high is not None and (ladder_traces := self.ladder_traces.get(_key(effect.ladder, high))):
                    ladder_traces.moments.append(moment)
            parts = before.commitments.get(effect.commitment), after.commitments.get(effect.commitment)
            commitment_state = _whose(effect, *(parts[::-1] if effect.commitment in anew else parts))
            if (
                commitment_state is None
                or (commitment_traces := self.commitment_traces.get(_key(effect.commitment, commitment_state))) is None
            ):
                continue
            commitment_traces.moments.append(moment)
            if KINDS[effect.kind].decides and not expected:
                commitment_traces.reason = effect.reason
                commitment_traces.verdict = Outcome(effect.kind.partition(".")[2])


def _carry_over(left: CommitmentTrace, at: int) -> None:
    """It goes on under another name, or on another row."""
    left.closed = at if left.closed is None else left.closed
    if left.verdict is Outcome.PENDING:  # unless an effect of this step states how it ended
        left.verdict, left.reason = Outcome.CARRIED_OVER, Reason.FIELD_CHANGED


def _key(name: str, part: CommitmentState | EscalationState) -> Key:
    return name, part.terms.metric, part.cycle


def _whose(effect: Effect, *parts: T | None) -> T | None:
    """Of what stood before an event and what stands after it, the first that the effect is about: the cycles may differ."""
    return next((part for part in parts if part is not None and part.cycle == effect.cycle), None)


def _aim(
    threshold: Threshold, resolved_ladder: ResolvedLadder, watch: Stopwatch, commitment_state: CommitmentState | None
) -> LevelTarget:
    """When a level is raised, as a reading of the stopwatch where it is one."""
    if threshold.kind is ThresholdKind.USED:
        amount = resolve(threshold.duration, resolved_ladder.calendar, watch.began)
        return LevelTarget(resolved_ladder, threshold, amount.clock, amount.micros)
    if commitment_state is None or (allowance := commitment_state.allowance) is None:
        return LevelTarget(resolved_ladder, threshold, Clock.BUSINESS, None)
    if threshold.kind is ThresholdKind.SHARE:
        return LevelTarget(
            resolved_ladder,
            threshold,
            commitment_state.clock,
            commitment_state.share(threshold.per_mille),
        )
    amount = resolve(threshold.duration, resolved_ladder.calendar, watch.began)
    if amount.clock is not commitment_state.clock:
        return LevelTarget(resolved_ladder, threshold, commitment_state.clock, None)
    return LevelTarget(
        resolved_ladder,
        threshold,
        commitment_state.clock,
        max(allowance + (amount.micros if threshold.kind is ThresholdKind.AFTER else -amount.micros), 0),
    )


def _moment(effect: Effect, change: str, *, expected: bool) -> Moment:
    return Moment(
        at=effect.at,
        kind=effect.kind,
        reason=effect.reason,
        cause=effect.cause,
        level=effect.level,
        change=change,
        due=effect.due_at,
        target=effect.target,
        elapsed=effect.elapsed,
        calendar=effect.calendar,
        commitment=effect.commitment,
        ladder=effect.ladder,
        assign_to=effect.assign_to,
        expected=expected,
    )
