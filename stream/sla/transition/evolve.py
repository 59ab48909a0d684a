"""One event, or the passing of time, folded into a ticket. The order of things in here is the meaning of the engine.

``Transition.event``:

1. Let time pass up to the event: whatever became true before it comes first, whenever our timer runs.
2. Put the event into the ticket's fields, derived ones included; keep of its changes only the real ones.
3. Give every stopwatch that the event concerns its signals, by its metric. The terms up to this instant judge what ends at it.
4. Reconcile what is wanted for the new fields with what the ticket has (``stream.sla.transition.reconcile``): on the
   stopwatches that got signals, or on all of them if the fields select other terms.

``Transition.time`` fires, in the order of their instants, all thresholds and deadlines that lie before the given instant. Not
those at it: what is done on the deadline is done in time. After them, it starts the stopwatches whose date is that instant
(``stream.sla.transition.start_dates``).

A deployment (``stream.sla.transition.deploy``) comes in between at its own instant: after the deadlines before that instant,
and before the events and the deadlines at it.

Longer than 250 lines because the order of the steps is the rule, and all steps share the ticket and its draft.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mypy_extensions import mypyc_attr

from stream.sla.effects import TIMER, Reason
from stream.sla.event_order import OTHER, PRECEDENCE
from stream.sla.policy.timeline import NEVER, SINCE_EVER, Deployments
from stream.sla.ticket.fields import update_fields
from stream.sla.ticket.state import State, Ticket
from stream.sla.ticket.stopwatch import IDLE, SKIP, START, Signal, Stopwatch
from stream.sla.transition.commitment import CommitmentMachine
from stream.sla.transition.deploy import deploy
from stream.sla.transition.draft import Draft
from stream.sla.transition.emitter import Emitter
from stream.sla.transition.escalation import EscalationMachine
from stream.sla.transition.reconcile import reconcile
from stream.sla.transition.start_dates import date_of, next_start, no_event, starting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.sla.events import Event
    from stream.sla.policy.change import Change
    from stream.sla.policy.resolve import ResolvedLadder, ResolvedPolicy
    from stream.sla.policy.timeline import Deployment, Timeline
    from stream.sla.policy.triggers import MetricTriggers
    from stream.sla.ticket.escalation_state import EscalationState

_REQUESTS: Final = frozenset(("extension.granted", "escalation.requested", "escalation.acknowledged", "escalation.released"))
"""Events about commitments or ladders themselves."""
_END_REASON: Final = {Signal.STOP: Reason.SOLVED, Signal.RESTART: Reason.RESTARTED, Signal.CANCEL: Reason.CANCEL_CONDITION}
_HALT: Final = Signal.HALT
_ENDED_BY_REASON: Final = {"merged": Reason.MERGED, "deleted": Reason.DELETED}
_HALTED: Final = (Signal.HALT,)
# Naming a member of an enum costs as much as a call.
_FIELD_CHANGED: Final = Reason.FIELD_CHANGED


Past = Callable[[int], "list[Event] | None"]
"""The events of a ticket before an instant, all of them in order; ``None`` where not all are known."""


@mypyc_attr(acyclic=True, free_list_len=1)
class Transition:
    """Changes one ticket in place (give it a copy) and collects what became true in ``emitter.effects``."""

    __slots__ = (
        "_next",
        "_next_at",
        "_past",
        "draft",
        "emitter",
        "policies",
        "rejudged",
        "ticket",
        "timeline",
        "touched",
        "unbuilt",
    )

    def __init__(
        self, timeline: Timeline, ticket: Ticket, now: int, past: Past | State | None = None, routine: bool = True
    ) -> None:
        """``past``: asked when a deployment brings a metric that was not kept before, or the state that knows; ``None``:
        nothing is known. ``routine``: whether routine effects are made."""
        self.timeline = timeline
        self.ticket = ticket
        self._past = past  # a state, because each of its bound methods would be another object
        self.touched: bool = False
        """A deployment was met that concerns the ticket."""
        self.rejudged: int | None = None
        """The number of the last of them that holds from an instant in the past."""
        self.unbuilt: int = 0
        """Rows that could not be built from the ticket's events."""
        self._next: Deployment | None = None
        """The next deployment to meet, and its instant."""
        self._next_at: int = NEVER
        number = ticket.deployment
        last = timeline.last
        if number == last.number:
            policies = last.policies
        else:
            policies = timeline.known[number].policies
            at = judged_up_to(ticket, timeline.known)
            if timeline.agrees(number, at):
                self._set_next(timeline.after(number))
            else:  # the events before this instant are not kept: the timeline judges the ticket from here on
                self._next, self._next_at = timeline.in_force(at), at
        self.policies = policies
        self.draft = Draft(policies, ticket)
        self.emitter = Emitter(ticket, policies.calendars, timeline, now, routine)

    def event(self, event: Event) -> None:
        ticket, emitter = self.ticket, self.emitter
        at, type_ = event.at, event.type
        # 1
        if self._next_at <= at:
            self.meet(at)
        if ticket.next is not None and ticket.next < at:
            self._fire_until(at)
        cause, seq = event.id, event.seq
        emitter.at, emitter.cause, emitter.seq = at, cause, seq
        # 2
        started, ended = ticket.started, ticket.ended_by
        event, changed = update_fields(ticket, event, self.timeline.read)
        ticket.last = (at, PRECEDENCE.get(type_, OTHER), seq, cause, event.source)
        # 3
        begins = (ticket.started and not started) or (ended != "" and not ticket.ended_by)
        signalled = self._signal_watches(event, type_, changed, asks_all=begins)
        if type_ in _REQUESTS:
            self.draft.own()
            signalled += self._extend(event) if type_ == "extension.granted" else self._escalate(event)
        # 4
        reads, selects = self.policies.reads, False
        for name in changed:  # compiled, half of what ``isdisjoint`` costs
            if name in reads:
                selects = True
                break
        if selects:
            self.draft.own()
            before = self.draft.renew()
            reconcile(self.draft, emitter, list(ticket.watches.keys()), before)
            self._reschedule()
        elif signalled:
            reconcile(self.draft, emitter, signalled)
            self._reschedule()
        elif self.policies.dated:
            self._reschedule()

    def time(self, until: int) -> None:
        """Fire what lies before ``until``, and meet the deployments that lie before it."""
        if self._next_at < until:
            self.meet(until - 1)
        self._fire_until(until)

    def meet(self, at: int) -> None:
        """Meet the deployments up to and at an instant, each after the deadlines before it."""
        ticket, emitter = self.ticket, self.emitter
        known = ticket.last is not None
        while self._next is not None and self._next_at <= at:
            # Before its first event, nothing of a ticket is judged by any.
            deployment = self._next if known else self.timeline.in_force(at)
            if known:
                self._fire_until(self._next_at)
                emitter.at = self._next_at
                before = self._next_at - 1
                if deployment.at <= before:  # met where the ticket stands: no event may come before that
                    ticket.last_timer_at = max(before, ticket.last_timer_at or before)
            change = self.timeline.change(ticket.deployment, deployment) if known else None
            if change is not None and change.touches(ticket):
                self.touched = True
                if deployment.rejudges:
                    self.rejudged = deployment.number
                former = self.timeline.known[ticket.deployment].former
                deploy(self.draft, emitter, deployment, (change, former), self._built(change, self._next_at))
            else:
                self.draft.deploy(deployment.policies)
                emitter.calendars = deployment.policies.calendars
                ticket.deployment = deployment.number
            dated = self.policies.dated or deployment.policies.dated
            self.policies = deployment.policies
            if dated and known:
                self._reschedule()
            self._set_next(self.timeline.after(deployment.number))

    def _set_next(self, deployment: Deployment | None) -> None:
        self._next = deployment
        self._next_at = NEVER if deployment is None else deployment.at

    def _built(self, change: Change, at: int) -> dict[str, Stopwatch]:
        """The stopwatches of the metrics that were not kept before."""
        if not change.built:
            return {}
        past = self._past
        events = past.past(at) if isinstance(past, State) else None if past is None else past(at)
        if events is None:
            self.unbuilt += len(change.built)
            return {}
        build = Transition(Deployments.fixed(change.built_set).timeline, Ticket(self.ticket.id), at)
        for event in events:
            build.event(event)
        build.time(at)
        return build.ticket.watches

    def _reschedule(self) -> None:
        """Find the ticket's next instant anew."""
        self.ticket.reschedule()
        if self.policies.dated:
            start, soonest = next_start(self.ticket, self.policies, self.emitter.at), self.ticket.next
            if start is not None and (soonest is None or start < soonest):
                self.ticket.next = start

    def _fire_until(self, until: int) -> None:
        ticket = self.ticket
        while ticket.next is not None and ticket.next < until:
            self.draft.own()
            instant = ticket.next
            self._fire(instant)
            ticket.last_timer_at = instant
            self._reschedule()

    def _signal_watches(self, event: Event, type_: str, changed: list[str], *, asks_all: bool) -> list[str]:
        """Give every stopwatch its signals; returns the metrics of those that got any.

        ``asks_all``: the ticket begins or is restored, so that every metric is asked, whatever the event touches.
        """
        ticket = self.ticket
        signalled: list[str] = []
        watches, fields, ended_by = ticket.watches, ticket.fields, ticket.ended_by
        for triggers in self.policies.all_triggers:
            metric = triggers.name
            watch = watches.get(metric)
            phase = IDLE if watch is None else watch.phase
            if ended_by:
                if watch is None:
                    continue
                signals: tuple[Signal, ...] = _HALTED if watch.on else triggers.signals_while_ended(phase, event, fields)
            else:
                reads = triggers.sensitivity[phase]
                if not asks_all and type_ not in reads.types:
                    for name in changed:
                        if name in reads.fields:
                            break
                    else:
                        continue
                signals = triggers.signals(phase, event, fields)
                if triggers.dated and signals and self._waits_for_date(triggers, watch, signals[0]):
                    continue
            if signals:
                if not signalled:
                    self.draft.own()
                    watches = ticket.watches
                signalled.append(metric)
                watch = watches[metric] = Stopwatch() if watch is None else watch.copy()
                for signal in signals:
                    self._signal(metric, watch, signal)
        return signalled

    def _waits_for_date(self, triggers: MetricTriggers, watch: Stopwatch | None, signal: Signal) -> bool:
        """Whether the signal would start the stopwatch before its date has come."""
        if signal is SKIP:
            return True
        date = date_of(triggers, watch, self.ticket.fields)
        return signal is START and (date is None or date >= self.emitter.at)

    def _start(self, instant: int) -> None:
        """Start the stopwatches whose date is this instant."""
        ticket = self.ticket
        fields = {name: value for name, value in ticket.fields.items() if name != "@begun"}
        started: list[str] = []
        for metric in starting(ticket, self.policies):
            triggers, watch = self.policies.triggers[metric], ticket.watches.get(metric)
            if date_of(triggers, watch, fields) == instant:
                watch = ticket.watches[metric] = Stopwatch() if watch is None else watch.copy()
                for signal in triggers.signals(watch.phase, no_event(instant), fields):
                    self._signal(metric, watch, signal)
                started.append(metric)
        if started:
            reconcile(self.draft, self.emitter, started)

    def _signal(self, metric: str, watch: Stopwatch, signal: Signal) -> None:
        emitter, draft, cycle = self.emitter, self.draft, watch.cycle
        if not cycle:
            watch.take(signal, emitter.at)
            return
        resolved_policy, reason = draft.resolved_policy(watch.began), _END_REASON.get(signal)
        ends = reason is not None or signal is _HALT
        if reason is None:
            reason = _ENDED_BY_REASON[self.ticket.ended_by] if ends else _FIELD_CHANGED
        if not ends:
            watch.take(signal, emitter.at)
        for resolved in resolved_policy.commitments_on.get(metric, ()):
            commitment_state = draft.commitment_state(resolved.name)
            if commitment_state is None or commitment_state.cycle != cycle or commitment_state.terms.metric != metric:
                continue
            if ends:
                CommitmentMachine(emitter, resolved, commitment_state, watch).on_end(signal, reason)
            elif watch.cycle == cycle:
                CommitmentMachine(emitter, resolved, commitment_state, watch).on_move(signal)
        for resolved_ladder in resolved_policy.ladders_on.get(metric, ()):
            escalation_state = draft.escalation_state(resolved_ladder.name)
            if escalation_state is None or escalation_state.terms.metric != metric:
                continue  # of that name, but on another metric: the version that began with it ends it
            if escalation_state.cycle == cycle == watch.cycle:
                self._escalation(resolved_ladder, escalation_state, watch).on_signal(signal, reason)
        if ends:
            watch.take(signal, emitter.at)
        elif watch.cycle != cycle:
            self._end_monitoring(metric, resolved_policy, watch)

    def _end_monitoring(self, metric: str, resolved_policy: ResolvedPolicy, watch: Stopwatch) -> None:
        """A cycle has begun, by a version that may not have a ladder which is monitored since the cycle before.

        ``resolved_policy``: by the version of the cycle before. Where both versions have the ladder, it is released when it
        moves to the new cycle.
        """
        goes_on = {ladder.name for ladder in self.draft.resolved_policy(watch.began).ladders_on.get(metric, ())}
        for resolved_ladder in resolved_policy.ladders_on.get(metric, ()):
            escalation_state = self.draft.escalation_state(resolved_ladder.name)
            if escalation_state is not None and escalation_state.terms.metric == metric and resolved_ladder.name not in goes_on:
                self._escalation(resolved_ladder, escalation_state, watch).release(Reason.RESTARTED)

    def _escalation(
        self, resolved_ladder: ResolvedLadder, escalation_state: EscalationState, watch: Stopwatch
    ) -> EscalationMachine:
        return EscalationMachine(
            self.emitter,
            resolved_ladder,
            escalation_state,
            watch,
            self.ticket.commitments.get(resolved_ladder.ladder.commitment),
        )

    def _extend(self, event: Event) -> list[str]:
        name = self._present_name(event.commitment)
        commitment_state = self.draft.commitment_state(name)
        if commitment_state is None:
            return []  # nothing of that name was ever promised to this ticket
        watch = self.ticket.watches[commitment_state.terms.metric]
        resolved = self.draft.resolved_policy(watch.began).commitments.get(name)
        if resolved is not None:
            CommitmentMachine(self.emitter, resolved, commitment_state, watch).on_extension(event)
        return [commitment_state.terms.metric]

    def _present_name(self, name: str) -> str:
        """Of the commitment that an event names, perhaps by a name that it had."""
        commitments, former = self.ticket.commitments, self.timeline.known[self.ticket.deployment].former
        if name in commitments:
            return name
        return next(
            (present for present, current in commitments.items() if former.commitment(current.terms.policy, name) == present),
            name,
        )

    def _escalate(self, event: Event) -> list[str]:
        """An acknowledgement or a release is for every ladder that it means; a request is answered once."""
        ticket = self.ticket
        former = self.timeline.known[ticket.deployment].former
        found: list[tuple[EscalationMachine, Event]] = []
        for name in list(ticket.escalations):
            escalation_state = self.draft.escalation_state(name)
            if escalation_state is not None:
                watch = ticket.watches[escalation_state.terms.metric]
                resolved_ladder = self.draft.resolved_policy(watch.began).ladders.get(name)
                if resolved_ladder is not None:
                    level = former.level(resolved_ladder.policy.name, name, event.level)
                    meant = event if level == event.level else event.replace(level=level)
                    found.append((self._escalation(resolved_ladder, escalation_state, watch), meant))
        if event.type == "escalation.requested":
            found.sort(key=lambda one: (not one[0].answers(one[1]), not one[0].resolved_ladder.ladder.on_request))
            del found[1:]
        for escalation, meant in found:
            if event.type == "escalation.acknowledged":
                escalation.on_acknowledgement(meant)
            elif event.type == "escalation.released":
                escalation.on_release(meant)
            else:
                escalation.on_request(meant, ticket.commitments.get(escalation.resolved_ladder.ladder.request_after))
        return [escalation.escalation_state.terms.metric for escalation, _ in found]

    def _fire(self, instant: int) -> None:
        ticket, emitter = self.ticket, self.emitter
        emitter.at, emitter.cause, emitter.seq = instant, TIMER, 0
        for name, current in list(ticket.commitments.items()):
            if current.next == instant:
                watch, commitment_state = ticket.watches[current.terms.metric], self.draft.commitment_state(name) or current
                CommitmentMachine(
                    emitter, self.draft.resolved_policy(watch.began).commitments[name], commitment_state, watch
                ).on_due()
        for name, current_escalation in list(ticket.escalations.items()):
            if current_escalation.next == instant:
                watch = ticket.watches[current_escalation.terms.metric]
                escalation_state = self.draft.escalation_state(name) or current_escalation
                resolved_ladder = self.draft.resolved_policy(watch.began).ladders.get(name)
                if resolved_ladder is None:
                    raise ValueError(f"ladder {name!r} is to be raised, and no terms have it")
                self._escalation(resolved_ladder, escalation_state, watch).on_due()
        if self.policies.dated:
            self._start(instant)


def new_ticket(ticket: str, timeline: Timeline) -> Ticket:
    """Before its first event. It meets the deployments of the timeline with that."""
    return Ticket(ticket, deployment=timeline.deployments[0].number)


def position(ticket: Ticket) -> int:
    """Up to this instant everything that an event or time makes true of the ticket has been found (epoch microseconds)."""
    newest = ticket.last[0] if ticket.last is not None else SINCE_EVER
    return newest if ticket.last_timer_at is None else max(newest, ticket.last_timer_at)


def judged_up_to(ticket: Ticket, known: Mapping[int, Deployment]) -> int:
    """As ``position``, and at least the instant at which the ticket met the deployment that judges it.

    ``known``: the whole log, by number.
    """
    return max(position(ticket), known[ticket.deployment].at)
