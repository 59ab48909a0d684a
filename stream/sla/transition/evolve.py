"""One event, or the passing of time, folded into a ticket. The order of things in here is the meaning of the engine.

``Transition.event``:

1. Let time pass up to the event: whatever became true before it comes first, whenever our timer runs.
2. Put the event into the ticket's fields, derived ones included; keep of its changes only the real ones.
3. Turn every stopwatch the event concerns, by its row. What was promised up to this instant judges what ends at it.
4. Lay what is promised for the new fields over the stopwatches that were turned, or over all of them if the plan is another:
   promises that begin, change or cease to apply.

``Transition.time`` fires, in the order of their instants, all marks that lie before the given instant. Not those at it: what is
done on the deadline is done in time.

A little longer than a file here should be, because this order is read as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.sla.effects import TIMER, Reason
from stream.sla.ticket.commitment_state import CANCELLED, MEASURED, MET, PENDING, CommitmentState
from stream.sla.ticket.escalation_state import EscalationPhase, EscalationState
from stream.sla.ticket.fields import update_fields
from stream.sla.ticket.stopwatch import IDLE, Signal, Stopwatch
from stream.sla.transition.commitment import CommitmentMachine
from stream.sla.transition.emitter import Emitter
from stream.sla.transition.escalation import EscalationMachine

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet, ResolvedCommitment, ResolvedLadder, ResolvedPolicy
    from stream.sla.ticket.state import Fields, Ticket

_ABOUT_ESCALATIONS: Final = ("escalation.requested", "escalation.acknowledged", "escalation.released")
_END_REASON: Final = {Signal.STOP: Reason.SOLVED, Signal.RESTART: Reason.RESTARTED, Signal.CANCEL: Reason.CANCEL_CONDITION}
_MAY_BEGIN_ANEW: Final = (CANCELLED, MET, MEASURED)
_ENDED_BY_REASON: Final = {"merged": Reason.MERGED, "deleted": Reason.DELETED}
_CANCELLED: Final = (Signal.CANCEL,)
# Naming a member of an enum costs as much as a call.
_FIELD_CHANGED: Final = Reason.FIELD_CHANGED
_WITHDRAWN: Final = int(EscalationPhase.WITHDRAWN)


class Transition:
    """Changes one ticket in place (give it a copy) and collects what became true in ``emitter.effects``."""

    __slots__ = (
        "_commitments",
        "_epoch",
        "_escalations",
        "_in_force",
        "_open",
        "_resolved_for",
        "emitter",
        "policies",
        "ticket",
    )

    def __init__(self, policies: PolicySet, ticket: Ticket, now: int) -> None:
        self.policies = policies
        self.ticket = ticket
        self.emitter = Emitter(ticket, policies.calendars, now)
        self._resolved_for = ticket.fields
        """The fields whose plan is in force; in steps 1 to 3 those before the event."""
        self._in_force: ResolvedPolicy | None = None
        self._epoch = 0
        """That plan, and of which versions: clocks of one ticket that started under others are rare."""
        self._commitments = ticket.commitments
        self._escalations = ticket.escalations
        """Those that the ticket before shares, while they are still among the ticket's."""
        self._open = False

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
            self._take_on()
            turned += self._extend(event)
        elif type_ in _ABOUT_ESCALATIONS:
            self._take_on()
            turned += self._escalate(event)
        # 4
        if changed and not self.policies.reads.isdisjoint(changed):
            self._take_on()
            before = self._resolved_for
            self._resolved_for, self._in_force = ticket.fields, None
            self._withdraw(self._lay(list(ticket.watches)), before)
            ticket.look_ahead()
        elif turned:
            self._lay(turned)
            ticket.look_ahead()

    def time(self, until: int) -> None:
        ticket = self.ticket
        while ticket.next is not None and ticket.next < until:
            self._take_on()
            instant = ticket.next
            self._fire(instant)
            ticket.last_timer_at = instant
            ticket.look_ahead()

    def _take_on(self) -> None:
        """The ticket's parts are to be changed: most events change none, and then the ticket before shares them."""
        if not self._open:
            self._open = True
            self.ticket.own()

    def _resolved_policy(self, watch: Stopwatch) -> ResolvedPolicy:
        """What is promised on a stopwatch to the fields whose plan is in force."""
        epoch = self.policies.epoch(watch.began)
        resolved_policy = self._in_force
        if resolved_policy is None or epoch != self._epoch:
            resolved_policy = self._in_force = self.policies.resolved_policy(self._resolved_for, epoch)
            self._epoch = epoch
        return resolved_policy

    def _commitment(self, name: str) -> CommitmentState | None:
        """The commitment as the ticket's own, to be changed."""
        commitment_state = self.ticket.commitments.get(name)
        if commitment_state is not None and commitment_state is self._commitments.get(name):
            commitment_state = self.ticket.commitments[name] = commitment_state.copy()
        return commitment_state

    def _escalation_state(self, name: str) -> EscalationState | None:
        """The ladder as the ticket's own, to be changed."""
        escalation_state = self.ticket.escalations.get(name)
        if escalation_state is not None and escalation_state is self._escalations.get(name):
            escalation_state = self.ticket.escalations[name] = escalation_state.copy()
        return escalation_state

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
                    self._take_on()
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
        ends, resolved_policy = signal in _END_REASON, self._resolved_policy(watch)
        reason = _ENDED_BY_REASON.get(self.ticket.ended_by) or _END_REASON.get(signal, _FIELD_CHANGED)
        if not ends:
            watch.take(signal, emitter.at)
        for resolved in resolved_policy.commitments_on.get(metric, ()):
            commitment_state = self._commitment(resolved.name)
            if commitment_state is None or commitment_state.cycle != cycle or commitment_state.metric != metric:
                continue
            if ends:
                CommitmentMachine(emitter, resolved, commitment_state, watch).on_end(signal, reason)
            elif watch.cycle == cycle:
                CommitmentMachine(emitter, resolved, commitment_state, watch).on_move(signal)
        for resolved_ladder in resolved_policy.ladders_on.get(metric, ()):
            escalation_state = self._escalation_state(resolved_ladder.name)
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
        commitment_state = self._commitment(event.commitment)
        if commitment_state is None:
            return []  # nothing of that name was ever promised to this ticket: there is nobody to tell
        watch = self.ticket.watches[commitment_state.metric]
        resolved = self._resolved_policy(watch).commitments.get(event.commitment)
        if resolved is not None:
            CommitmentMachine(self.emitter, resolved, commitment_state, watch).on_extension(event)
        return [commitment_state.metric]

    def _escalate(self, event: Event) -> list[str]:
        """An acknowledgement or a release is for every ladder that it means; a request is answered once."""
        ticket = self.ticket
        found = []
        for name in list(ticket.escalations):
            escalation_state = self._escalation_state(name)
            if escalation_state is not None:
                watch = ticket.watches[escalation_state.metric]
                resolved_ladder = self._resolved_policy(watch).ladders.get(name)
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

    def _lay(self, metrics: list[str]) -> set[str]:
        """Returns the names of all promises and (with ``^`` before them) ladders that apply on these rows."""
        ticket = self.ticket
        laid: set[str] = set()
        for metric in metrics:
            watch = ticket.watches[metric]
            if not watch.on:
                continue
            resolved_policy = self._resolved_policy(watch)
            for resolved in resolved_policy.commitments_on.get(metric, ()):
                laid.add(resolved.name)
                self._lay_promise(metric, watch, resolved)
            for resolved_ladder in resolved_policy.ladders_on.get(metric, ()):
                name = resolved_ladder.name
                laid.add(f"^{name}")
                escalation_state = self._escalation_state(name)
                if (
                    escalation_state is not None
                    and escalation_state.metric != metric
                    and self._held_by(escalation_state.metric, name)
                ):
                    continue
                if escalation_state is None or escalation_state.cycle != watch.cycle or escalation_state.metric != metric:
                    if escalation_state is not None and escalation_state.active:
                        # Watched for a recurrence, and now the clock begins another cycle: that escalation is over.
                        self._escalation(resolved_ladder, escalation_state, ticket.watches[escalation_state.metric]).release(
                            Reason.RESTARTED
                        )
                    turn = (
                        escalation_state.rounds + 1 if escalation_state is not None and escalation_state.metric != metric else 0
                    )
                    escalation_state = EscalationState(
                        resolved_ladder.policy.name, resolved_ladder.policy.version, metric, watch.cycle, rounds=turn
                    )
                    ticket.escalations[name] = escalation_state
                elif escalation_state.phase == _WITHDRAWN:
                    self._escalation(resolved_ladder, escalation_state, watch).resume()
                self._escalation(resolved_ladder, escalation_state, watch).refresh()
        return laid

    def _held_by(self, metric: str, name: str) -> bool:
        """Whether another version of the policy, in force for a clock that started earlier, still counts ``name`` on
        ``metric``.

        One commitment or ladder is never counted twice on a ticket: the version that began with it ends it.
        """
        watch = self.ticket.watches[metric]
        if not watch.on:
            return False
        resolved_policy = self._resolved_policy(watch)
        return any(resolved.name == name for resolved in resolved_policy.commitments_on.get(metric, ())) or any(
            resolved_ladder.name == name for resolved_ladder in resolved_policy.ladders_on.get(metric, ())
        )

    def _lay_promise(self, metric: str, watch: Stopwatch, resolved: ResolvedCommitment) -> None:
        name = resolved.name
        commitment_state = self._commitment(name)
        if commitment_state is not None and commitment_state.metric != metric and self._held_by(commitment_state.metric, name):
            return
        same_cycle = (
            commitment_state is not None and commitment_state.metric == metric and commitment_state.cycle == watch.cycle
        )
        if commitment_state is not None and commitment_state.verdict == PENDING:
            # Where the cycle is another, another policy counts the same commitment on a row of its own.
            if not same_cycle or commitment_state.differs(resolved, watch):
                CommitmentMachine(self.emitter, resolved, commitment_state, watch).retarget()
            else:
                CommitmentMachine(self.emitter, resolved, commitment_state, watch).refresh()
        elif commitment_state is None or not same_cycle or commitment_state.verdict in _MAY_BEGIN_ANEW:
            new = CommitmentState(resolved.policy.name, resolved.policy.version, metric, watch.cycle)
            self.ticket.commitments[name] = new
            CommitmentMachine(self.emitter, resolved, new, watch).begin(commitment_state)

    def _withdraw(self, laid: set[str], before: Fields) -> None:
        """End what was promised to the fields before the event and is not among what is laid now."""
        ticket, policies = self.ticket, self.policies
        for name, held in list(ticket.commitments.items()):
            if name in laid or held.verdict != PENDING:
                continue
            watch = ticket.watches[held.metric]
            if not watch.on:
                continue
            commitment_state = self._commitment(name) or held
            resolved = policies.resolved_policy(before, policies.epoch(watch.began)).commitments[name]
            CommitmentMachine(self.emitter, resolved, commitment_state, watch).withdraw()
        for name, high in list(ticket.escalations.items()):
            watch = ticket.watches[high.metric]
            if f"^{name}" not in laid and watch.on:
                escalation_state = self._escalation_state(name) or high
                resolved_ladder = policies.resolved_policy(before, policies.epoch(watch.began)).ladders.get(name)
                if resolved_ladder is not None:
                    self._escalation(resolved_ladder, escalation_state, watch).release(
                        Reason.NO_LONGER_APPLIES, EscalationPhase.WITHDRAWN
                    )
                escalation_state.next = None

    def _fire(self, instant: int) -> None:
        ticket, emitter = self.ticket, self.emitter
        emitter.at, emitter.cause = instant, TIMER
        for name, held in list(ticket.commitments.items()):
            if held.next == instant:
                watch, commitment_state = ticket.watches[held.metric], self._commitment(name) or held
                CommitmentMachine(emitter, self._resolved_policy(watch).commitments[name], commitment_state, watch).on_due()
        for name, high in list(ticket.escalations.items()):
            if high.next == instant:
                watch, escalation_state = ticket.watches[high.metric], self._escalation_state(name) or high
                resolved_ladder = self._resolved_policy(watch).ladders.get(name)
                if resolved_ladder is None:  # solved, watched, and by a change of fields no ladder's any more
                    escalation_state.next = None
                    continue
                self._escalation(resolved_ladder, escalation_state, watch).on_due()
