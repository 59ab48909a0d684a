"""Applies the events of a ticket one by one, and records what every event and every instant changed.

Nothing is decided here. The events go through ``Transition`` one by one, and between them each instant at which time alone
makes something true; what ``Transition`` leaves behind after each is compared with what was before.

Longer than 250 lines because the traces of cycles, commitments and ladders are recorded in one pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from stream.sla.effects import KINDS, TIMER, Effect, Kind, deployment_cause
from stream.sla.explain.change import what_changed
from stream.sla.explain.explanation import Moment, Outcome
from stream.sla.explain.spans import Why
from stream.sla.explain.terms import terms_of
from stream.sla.explain.traces import CommitmentTrace, CycleTrace, Key, LadderTrace, LevelTarget, key_of
from stream.sla.ticket.commitment_state import CommitmentState, Verdict
from stream.sla.ticket.escalation_state import EscalationState
from stream.sla.ticket.state import Ticket
from stream.sla.transition.emitter import calendar_of
from stream.sla.transition.evolve import Transition

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar
    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.policy.timeline import Deployment, Timeline

T = TypeVar("T", CommitmentState, EscalationState)
Trace = TypeVar("Trace", CommitmentTrace, LadderTrace)

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


class Recorder:
    """The history of one ticket's stopwatches, commitments and ladders. ``start``: the ticket before the first event that is
    consumed."""

    def __init__(self, timeline: Timeline, start: Ticket, events: list[Event]) -> None:
        """``events``: those that are to be applied, for metrics that a deployment builds from them."""
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
            key: commitment_trace
            for key, commitment_trace in self.commitment_traces.items()
            if commitment_trace.closed is None or not commitment_trace.cycle_trace.watch.on
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
            event,
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
            self._follow_metrics(before, deployment)
            self._note(before, transition.emitter.effects, Why(deployment_cause(deployment.number), DEPLOYED), at_)

    def _following(self) -> Deployment | None:
        return self.timeline.after(self.ticket.deployment)

    def _past(self, at: int) -> list[Event] | None:
        return [event for event in self._events if event.at < at] if self._whole else None

    def _follow_metrics(self, before: Ticket, deployment: Deployment) -> None:
        """A commitment or ladder that continues under another name, or on another metric, stays the same in its cycle."""
        change = deployment.change
        if change is None:
            return
        former = self.timeline.known[before.deployment].former
        for metric, old_metric in change.continued.items():
            watch = self.ticket.watches.get(metric)
            if watch is not None and (trace := self._cycle_traces.get((old_metric, watch.cycle))) is not None:
                self._cycle_traces[metric, watch.cycle] = CycleTrace(watch, dict(trace.why))
        commitments, escalations = self.ticket.commitments, self.ticket.escalations
        for name, old in before.commitments.items():
            new = change.commitment(change.policy(former.policy(old.terms.policy)), name)
            self._follow(self.commitment_traces, (name, new), (old, commitments.get(new)), deployment)
        for name, former_state in before.escalations.items():
            new = change.ladder(change.policy(former.policy(former_state.terms.policy)), name)
            self._follow(self.ladder_traces, (name, new), (former_state, escalations.get(new)), deployment)

    def _follow(
        self, traces: dict[Key, Trace], names: tuple[str, str], states: tuple[T, T | None], deployment: Deployment
    ) -> None:
        """``names`` and ``states``: before and after the deployment."""
        (name, new), (old, after), change = names, states, deployment.change
        if after is None or change is None or after.cycle != old.cycle or key_of(name, old) == key_of(new, after):
            return
        trace = traces.pop(key_of(name, old), None)
        if trace is None:
            return
        metric = after.terms.metric
        if change.continued.get(metric, metric) == old.terms.metric:
            trace.name, trace.cycle_trace = new, self._cycle_traces.get((metric, after.cycle), trace.cycle_trace)
            traces[key_of(new, after)] = trace
        else:
            traces[key_of(name, old)] = trace
            trace.leave(deployment.at)

    def _calendar(self, commitment_state: CommitmentState) -> Calendar:
        return calendar_of(commitment_state, self.policies.calendars, self.timeline.known)

    def _fire(self, until: int) -> None:
        while self.ticket.next is not None and self.ticket.next < until:
            before, instant = self.ticket, self.ticket.next
            transition = Transition(self.timeline, before.copy(), instant)
            transition.time(instant + 1)
            self.ticket = transition.ticket
            self._note(before, transition.emitter.effects, Why(TIMER, ""), instant)

    def add_expected(self) -> None:
        """Add what becomes true if nothing else happens. No event may follow."""
        transition = Transition(self.timeline, self.ticket.copy(), 0)
        transition.time(_FOREVER)
        self._add_moments(self.ticket, transition.emitter.effects, Why(TIMER, ""), expected=True)

    def _note(self, before: Ticket, effects: list[Effect], why: Why, at: int, event: Event | None = None) -> None:
        for metric, watch in self.ticket.watches.items():
            old = before.watches.get(metric)
            if watch is old:
                continue  # a stopwatch is copied when it gets a signal
            cycle_trace = self._cycle_traces.setdefault((metric, watch.cycle), CycleTrace(watch))
            cycle_trace.watch = watch
            cycle_trace.why[at] = why
        self._see(before, self.ticket, at)
        self._add_moments(before, effects, why, event)

    def _see(self, before: Ticket, after: Ticket, at: int) -> None:
        for name, commitment_state in after.commitments.items():
            key, old = key_of(name, commitment_state), before.commitments.get(name)
            if old is not None and key_of(name, old) != key and (left := self.commitment_traces.get(key_of(name, old))):
                left.leave(at)
            if commitment_state is not old or key in self.commitment_traces:
                self._see_commitment(name, commitment_state, after, at)
        for name, escalation_state in after.escalations.items():
            key, former = key_of(name, escalation_state), before.escalations.get(name)
            if former is not None and key_of(name, former) != key and (other := self.ladder_traces.get(key_of(name, former))):
                other.leave(at)
            self._see_escalation(name, escalation_state, after, at)

    def _see_commitment(self, name: str, commitment_state: CommitmentState, after: Ticket, at: int) -> None:
        key, terms = key_of(name, commitment_state), commitment_state.terms
        cycle_trace = self._cycle_traces.get((terms.metric, commitment_state.cycle))
        if cycle_trace is None:  # it ended before the history that is kept
            return
        watch = after.watches[terms.metric]
        commitment_trace = self.commitment_traces.get(key)
        if commitment_trace is None:
            triggers = self.policies.triggers.get(terms.metric)
            timer = triggers is not None and triggers.metric.timer
            commitment_trace = self.commitment_traces[key] = CommitmentTrace(
                name, commitment_state, self._calendar(commitment_state), timer, cycle_trace
            )
        commitment_trace.commitment_state = commitment_state
        on = watch.on and watch.cycle == commitment_state.cycle
        resolved = self.policies.resolved_policy(after.fields, self.policies.epoch(watch.began)).commitments.get(name)
        if resolved is not None and commitment_trace.closed is None:
            commitment_trace.terms = terms_of(resolved)
        if not on or commitment_state.verdict not in _OPEN:
            commitment_trace.closed = at if commitment_trace.closed is None else commitment_trace.closed
        else:
            commitment_trace.closed = None
            if resolved is not None and commitment_state.verdict == Verdict.PENDING:
                target = resolved.target
                commitment_trace.delay = target.text if target is not None and target.delay is not None else ""
            # A target keeps the calendar it was set on. Where there is none, time is measured by the present terms.
            if terms.target is None and resolved is not None:
                commitment_trace.calendar = resolved.calendar
        if terms.target is not None:
            commitment_trace.calendar = self._calendar(commitment_state)
        commitment_trace.verdict = _WORDS[Verdict(commitment_state.verdict)]
        if commitment_trace.timer and commitment_trace.verdict is Outcome.BREACHED:
            commitment_trace.verdict = Outcome.ELAPSED
        if commitment_trace.verdict is Outcome.PENDING:
            commitment_trace.reason = None

    def _see_escalation(self, name: str, escalation_state: EscalationState, after: Ticket, at: int) -> None:
        key, watch = key_of(name, escalation_state), after.watches[escalation_state.terms.metric]
        resolved_ladder = self.policies.resolved_policy(after.fields, self.policies.epoch(watch.began)).ladders.get(name)
        ladder_trace = self.ladder_traces.get(key)
        if ladder_trace is None:
            cycle_trace = self._cycle_traces.get((escalation_state.terms.metric, escalation_state.cycle))
            if resolved_ladder is None or cycle_trace is None:
                return
            ladder_trace = self.ladder_traces[key] = LadderTrace(name, escalation_state, resolved_ladder, cycle_trace)
        ladder_trace.escalation_state = escalation_state
        if resolved_ladder is None or not watch.on or watch.cycle != escalation_state.cycle:
            ladder_trace.closed = at if ladder_trace.closed is None else ladder_trace.closed
            return
        ladder_trace.closed, ladder_trace.resolved_ladder = None, resolved_ladder
        kept = {level: target for level, target in ladder_trace.level_targets.items() if level in escalation_state.raised}
        commitment_state = after.commitments.get(resolved_ladder.ladder.commitment)
        for level, threshold in resolved_ladder.levels:
            if level.name not in escalation_state.raised:
                kept[level.name] = LevelTarget.of(threshold, resolved_ladder, watch, commitment_state)
        ladder_trace.level_targets = kept

    def _add_moments(
        self, before: Ticket, effects: list[Effect], why: Why, event: Event | None = None, *, expected: bool = False
    ) -> None:
        after = self.ticket
        anew: set[str] = set()
        for effect in effects:
            by_event = effect.cause == why.cause
            change = why.change if by_event else ""
            moment = _moment(effect, change, event if by_event else None, expected=expected)
            if effect.kind in (Kind.STARTED, Kind.RETARGETED):
                anew.add(effect.commitment)
            if effect.ladder:
                escalation_state = _whose(effect, before.escalations.get(effect.ladder), after.escalations.get(effect.ladder))
                trace = None if escalation_state is None else self.ladder_traces.get(key_of(effect.ladder, escalation_state))
                if trace is not None:
                    trace.moments.append(moment)
            parts = before.commitments.get(effect.commitment), after.commitments.get(effect.commitment)
            commitment_state = _whose(effect, *(parts[::-1] if effect.commitment in anew else parts))
            if (
                commitment_state is None
                or (commitment_trace := self.commitment_traces.get(key_of(effect.commitment, commitment_state))) is None
            ):
                continue
            commitment_trace.moments.append(moment)
            if KINDS[effect.kind].decides and not expected:
                commitment_trace.reason = effect.reason
                commitment_trace.verdict = Outcome(effect.kind.partition(".")[2])


def _whose(effect: Effect, *parts: T | None) -> T | None:
    """Of what stood before an event and what stands after it, the first that the effect is about: the cycles may differ."""
    return next((part for part in parts if part is not None and part.cycle == effect.cycle), None)


def _moment(effect: Effect, change: str, event: Event | None, *, expected: bool) -> Moment:
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
        notify=effect.notify,
        actor="" if event is None or event.actor is None else event.actor,
        role="" if event is None else event.role,
        expected=expected,
        effect=effect.id,
        provisional=None if expected else effect.provisional_reason,
    )
