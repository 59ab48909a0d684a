"""One event, or the passing of time, folded into a ticket. The order of things in here is the meaning of the engine.

``Transition.event``:

1. Let time pass up to the event: whatever became true before it comes first, whenever our timer runs.
2. Put the event into the ticket's fields, derived ones included; keep of its changes only the real ones.
3. Turn every stopwatch the event concerns, by its row. What was promised up to this instant judges what ends at it.
4. Reconcile what is promised to the new fields with what the ticket has (``stream.sla.transition.reconcile``): on the
   stopwatches that were turned, or on all of them if the fields select another plan.

``Transition.time`` fires, in the order of their instants, all marks that lie before the given instant. Not those at it: what is
done on the deadline is done in time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.sla.effects import TIMER, Reason
from stream.sla.ticket.fields import update_fields
from stream.sla.ticket.stopwatch import IDLE, Signal, Stopwatch
from stream.sla.transition.commitment import CommitmentMachine
from stream.sla.transition.draft import Draft
from stream.sla.transition.emitter import Emitter
from stream.sla.transition.escalation import EscalationMachine
from stream.sla.transition.reconcile import reconcile

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet, ResolvedLadder
    from stream.sla.ticket.escalation_state import EscalationState
    from stream.sla.ticket.state import Ticket

_ABOUT_ESCALATIONS: Final = ("escalation.requested", "escalation.acknowledged", "escalation.released")
_END_REASON: Final = {Signal.STOP: Reason.SOLVED, Signal.RESTART: Reason.RESTARTED, Signal.CANCEL: Reason.CANCEL_CONDITION}
_ENDED_BY_REASON: Final = {"merged": Reason.MERGED, "deleted": Reason.DELETED}
_CANCELLED: Final = (Signal.CANCEL,)
# Naming a member of an enum costs as much as a call.
_FIELD_CHANGED: Final = Reason.FIELD_CHANGED


class Transition:
    """Changes one ticket in place (give it a copy) and collects what became true in ``emitter.effects``."""

    __slots__ = ("draft", "emitter", "policies", "ticket")

    def __init__(self, policies: PolicySet, ticket: Ticket, now: int) -> None:
        self.policies = policies
        self.ticket = ticket
        self.draft = Draft(policies, ticket)
        self.emitter = Emitter(ticket, policies.calendars, now)

    def event(self, event: Event) -> None:
        ticket, emitter, at, type_ = self.ticket, self.emitter, event.at, event.type
        # 1
        if ticket.next is not None and ticket.next < at:
            self.time(at)
        emitter.at, emitter.cause = at, event.id
        # 2
        event, changed = update_fields(ticket, event)
        ticket.last = (at, event.seq, emitter.cause, event.source)
        if changed:
            emitter.fields_changed()
        # 3
        turned = self._turn(event, type_, changed)
        if type_ == "extension.granted":
            self.draft.own()
            turned += self._extend(event)
        elif type_ in _ABOUT_ESCALATIONS:
            self.draft.own()
            turned += self._escalate(event)
        # 4
        if changed and not self.policies.reads.isdisjoint(changed):
            self.draft.own()
            before = self.draft.renew()
            reconcile(self.draft, emitter, list(ticket.watches), before)
            ticket.look_ahead()
        elif turned:
            reconcile(self.draft, emitter, turned)
            ticket.look_ahead()

    def time(self, until: int) -> None:
        ticket = self.ticket
        while ticket.next is not None and ticket.next < until:
            self.draft.own()
            instant = ticket.next
            self._fire(instant)
            ticket.last_timer_at = instant
            ticket.look_ahead()

    def _turn(self, event: Event, type_: str, changed: set[str]) -> list[str]:
        """Give every stopwatch its signals; returns the rows of those that got any."""
        ticket = self.ticket
        turned: list[str] = []
        watches, fields, ended_by = ticket.watches, ticket.fields, ticket.ended_by
        begins = "@begun" in fields
        for metric, triggers in self.policies.triggers.items():
            watch = watches.get(metric)
            phase = IDLE if watch is None else watch.phase
            if ended_by:
                signals: tuple[Signal, ...] = _CANCELLED if watch is not None and watch.on else ()
            else:
                reads = triggers.sensitivity[phase]
                if not (begins or type_ in reads.types or reads.any_type or (changed and not reads.fields.isdisjoint(changed))):
                    continue
                signals = triggers.signals(phase, event, fields)
            if signals:
                if not turned:
                    self.draft.own()
                    watches = ticket.watches
                turned.append(metric)
                watch = watches[metric] = Stopwatch() if watch is None else watch.copy()
                for signal in signals:
                    self._signal(metric, watch, signal)
        return turned

    def _signal(self, metric: str, watch: Stopwatch, signal: Signal) -> None:
        emitter, cycle = self.emitter, watch.cycle
        if not cycle:
            watch.take(signal, emitter.at)
            return
        ends, resolved_policy = signal in _END_REASON, self.draft.resolved_policy(watch)
        reason = _ENDED_BY_REASON.get(self.ticket.ended_by) or _END_REASON.get(signal, _FIELD_CHANGED)
        if not ends:
            watch.take(signal, emitter.at)
        for resolved in resolved_policy.commitments_on.get(metric, ()):
            commitment_state = self.draft.commitment_state(resolved.name)
            if commitment_state is None or commitment_state.cycle != cycle or commitment_state.metric != metric:
                continue
            if ends:
                CommitmentMachine(emitter, resolved, commitment_state, watch).on_end(signal, reason)
            elif watch.cycle == cycle:
                CommitmentMachine(emitter, resolved, commitment_state, watch).on_move(signal)
        for resolved_ladder in resolved_policy.ladders_on.get(metric, ()):
            escalation_state = self.draft.escalation_state(resolved_ladder.name)
            if escalation_state is not None and escalation_state.cycle == cycle == watch.cycle:
                self._escalation(resolved_ladder, escalation_state, watch).on_signal(signal, reason)
        if ends:
            watch.take(signal, emitter.at)

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
        commitment_state = self.draft.commitment_state(event.commitment)
        if commitment_state is None:
            return []  # nothing of that name was ever promised to this ticket: there is nobody to tell
        watch = self.ticket.watches[commitment_state.metric]
        resolved = self.draft.resolved_policy(watch).commitments.get(event.commitment)
        if resolved is not None:
            CommitmentMachine(self.emitter, resolved, commitment_state, watch).on_extension(event)
        return [commitment_state.metric]

    def _escalate(self, event: Event) -> list[str]:
        """An acknowledgement or a release is for every ladder that it means; a request is answered once."""
        ticket = self.ticket
        found = []
        for name in list(ticket.escalations):
            escalation_state = self.draft.escalation_state(name)
            if escalation_state is not None:
                watch = ticket.watches[escalation_state.metric]
                resolved_ladder = self.draft.resolved_policy(watch).ladders.get(name)
                if resolved_ladder is not None:
                    found.append(self._escalation(resolved_ladder, escalation_state, watch))
        if event.type == "escalation.requested":
            found.sort(key=lambda one: (not one.answers(event), not one.resolved_ladder.ladder.on_request))
            del found[1:]
        for escalation in found:
            if event.type == "escalation.acknowledged":
                escalation.on_acknowledgement(event)
            elif event.type == "escalation.released":
                escalation.on_release(event)
            else:
                escalation.on_request(event, ticket.commitments.get(escalation.resolved_ladder.ladder.request_after))
        return [escalation.escalation_state.metric for escalation in found]

    def _fire(self, instant: int) -> None:
        ticket, emitter = self.ticket, self.emitter
        emitter.at, emitter.cause = instant, TIMER
        for name, held in list(ticket.commitments.items()):
            if held.next == instant:
                watch, commitment_state = ticket.watches[held.metric], self.draft.commitment_state(name) or held
                CommitmentMachine(
                    emitter, self.draft.resolved_policy(watch).commitments[name], commitment_state, watch
                ).on_due()
        for name, high in list(ticket.escalations.items()):
            if high.next == instant:
                watch, escalation_state = ticket.watches[high.metric], self.draft.escalation_state(name) or high
                resolved_ladder = self.draft.resolved_policy(watch).ladders.get(name)
                if resolved_ladder is None:  # solved, watched, and by a change of fields no ladder's any more
                    escalation_state.next = None
                    continue
                self._escalation(resolved_ladder, escalation_state, watch).on_due()
