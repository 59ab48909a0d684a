"""One event, or the passing of time, folded into a ticket. The order of things in here is the meaning of the engine.

``Fold.event``:

1. Let time pass up to the event: whatever became true before it comes first, whenever our timer runs.
2. Put the event into the ticket's fields, derived ones included; keep of its changes only the real ones.
3. Turn every stopwatch by its row. What was promised up to this instant judges what ends at it.
4. Lay the promises for the new fields over the stopwatches that are on: those that begin, change or cease to apply.

``Fold.time`` fires, in the order of their instants, all marks that lie before the given instant. Not those at it: what is
done on the deadline is done in time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla import ladders, verdicts
from stream.sla.commitment import Verdict
from stream.sla.effects import Kind, Reason
from stream.sla.escalation import Climb
from stream.sla.fields import absorb
from stream.sla.stopwatch import Phase, Signal, Stopwatch
from stream.sla.voice import Voice

if TYPE_CHECKING:
    from stream.sla.conditions import Fields
    from stream.sla.events import Event
    from stream.sla.policy import Plan, PolicySet
    from stream.sla.ticket import Ticket

_ABOUT_ESCALATIONS = ("escalation.requested", "escalation.acknowledged", "escalation.released")
_ENDS = (Signal.STOP, Signal.RESTART, Signal.CANCEL)
_END_REASON = {Signal.STOP: Reason.SOLVED, Signal.RESTART: Reason.RESTARTED, Signal.CANCEL: Reason.CANCEL_CONDITION}
_MAY_BEGIN_ANEW = (Verdict.CANCELLED, Verdict.MET, Verdict.MEASURED)
_GONE_REASON = {"merged": Reason.MERGED, "deleted": Reason.DELETED}


class Fold:
    """Changes one ticket in place (give it a copy) and collects what became true in ``voice.effects``."""

    __slots__ = ("policies", "ticket", "voice")

    def __init__(self, policies: PolicySet, ticket: Ticket, now: int) -> None:
        self.policies = policies
        self.ticket = ticket
        self.voice = Voice(ticket, now)

    def event(self, event: Event) -> None:
        ticket = self.ticket
        # 1
        self.time(event.at)
        # 2
        before = ticket.fields
        event = absorb(ticket, event)
        ticket.last = event.key
        self.voice.fields_changed()
        # 3
        touched = self._turn(event, before)
        touched |= before != ticket.fields
        if event.type == "extension.granted":
            self._extend(event)
        elif event.type in _ABOUT_ESCALATIONS:
            self._escalate(event)
            touched = True
        # 4
        if touched:
            self._lay(event, before)

    def time(self, until: int) -> None:
        ticket = self.ticket
        while (instant := ticket.next) is not None and instant < until:
            self._fire(instant)
            ticket.fired = instant

    def _plan(self, watch: Stopwatch, fields: Fields) -> Plan:
        return self.policies.plan(fields, self.policies.epoch(watch.began))

    def _turn(self, event: Event, before: Fields) -> bool:
        ticket, turned = self.ticket, False
        for row, movement in self.policies.movements.items():
            watch = ticket.watches.get(row)
            phase = Phase.IDLE if watch is None else watch.phase
            signals = _cancelled(phase) if ticket.gone else movement.turn(phase, event, ticket.fields)
            if not signals:
                continue
            turned = True
            if watch is None:
                watch = ticket.watches[row] = Stopwatch()
            for signal in signals:
                self._signal(row, watch, signal, event, before)
        return turned

    def _signal(self, row: str, watch: Stopwatch, signal: Signal, event: Event, before: Fields) -> None:
        ticket, voice, at, cause = self.ticket, self.voice, event.at, event.id
        if watch.cycle:
            plan = self._plan(watch, before)
            promises, rungs_of = plan.promises_on(row), plan.ladders_on(row)
        else:
            promises, rungs_of = [], []
        reason = _GONE_REASON.get(ticket.gone, _END_REASON.get(signal, Reason.FIELD_CHANGED))
        if signal in _ENDS:
            for promise in promises:
                pledge = ticket.pledges.get(promise.commitment.name)
                if pledge is not None and pledge.cycle == watch.cycle and pledge.row == row:
                    verdicts.ends(voice, signal, reason, at, cause, promise, pledge, watch)
            for rungs in rungs_of:
                climb = ticket.climbs.get(rungs.ladder.name)
                if climb is not None and climb.cycle == watch.cycle:
                    ladders.turns(voice, signal, reason, at, cause, rungs, climb, watch)
            watch.take(signal, at)
            return
        watch.take(signal, at)
        for promise in promises:
            pledge = ticket.pledges.get(promise.commitment.name)
            if pledge is not None and pledge.cycle == watch.cycle and pledge.row == row:
                verdicts.moves(voice, signal, at, cause, promise, pledge, watch)
        for rungs in rungs_of:
            climb = ticket.climbs.get(rungs.ladder.name)
            if climb is not None and climb.cycle == watch.cycle:
                ladders.turns(voice, signal, reason, at, cause, rungs, climb, watch)

    def _extend(self, event: Event) -> None:
        pledge = self.ticket.pledges.get(event.commitment)
        if pledge is None:
            return  # nothing of that name was ever promised to this ticket: there is nobody to tell
        watch = self.ticket.watches[pledge.row]
        promise = self._plan(watch, self.ticket.fields).promises.get(event.commitment)
        if promise is not None:
            verdicts.extends(self.voice, event, promise, pledge, watch)

    def _escalate(self, event: Event) -> None:
        ticket, voice = self.ticket, self.voice
        for name, climb in ticket.climbs.items():
            watch = ticket.watches[climb.row]
            rungs = self._plan(watch, ticket.fields).ladders.get(name)
            if rungs is None:
                continue
            if event.type == "escalation.acknowledged":
                ladders.acknowledges(voice, event, rungs, climb, watch)
            elif event.type == "escalation.released":
                ladders.de_escalates(voice, event, rungs, climb, watch)
            else:
                gate = ticket.pledges.get(rungs.ladder.request_after)
                pledge = ticket.pledges.get(rungs.ladder.commitment)
                ladders.asks(voice, event, rungs, climb, watch, gate, pledge)

    def _lay(self, event: Event, before: Fields) -> None:
        ticket = self.ticket
        promised: set[str] = set()
        laddered: set[str] = set()
        for row, watch in ticket.watches.items():
            if not watch.on:
                continue
            plan = self._plan(watch, ticket.fields)
            for promise in plan.promises_on(row):
                promised.add(promise.commitment.name)
                self._lay_promise(promise.commitment.name, row, watch, plan, event)
            for rungs in plan.ladders_on(row):
                name = rungs.ladder.name
                laddered.add(name)
                climb = ticket.climbs.get(name)
                if climb is None or climb.cycle != watch.cycle or climb.row != row:
                    climb = ticket.climbs[name] = Climb(rungs.policy.name, rungs.policy.version, row, watch.cycle)
                climb.floor = max(climb.floor, event.at)
                climb.look_ahead(rungs, watch, ticket.pledges.get(rungs.ladder.commitment))
        self._withdraw(promised, laddered, event, before)

    def _lay_promise(self, name: str, row: str, watch: Stopwatch, plan: Plan, event: Event) -> None:
        ticket, voice, promise = self.ticket, self.voice, plan.promises[name]
        pledge = ticket.pledges.get(name)
        if pledge is None:
            reason = Reason.CLOCK_STARTED if watch.began == event.at else Reason.FIELD_CHANGED
            ticket.pledges[name] = verdicts.begins(voice, reason, event.at, event.id, promise, watch, None)
        elif pledge.row == row and pledge.cycle == watch.cycle:
            if pledge.verdict in _MAY_BEGIN_ANEW:
                ticket.pledges[name] = verdicts.begins(voice, Reason.FIELD_CHANGED, event.at, event.id, promise, watch, pledge)
            elif pledge.verdict == Verdict.PENDING and pledge.differs(promise, watch):
                verdicts.retargets(voice, event.at, event.id, promise, pledge, watch)
        elif pledge.verdict == Verdict.PENDING:
            # Another policy counts the same commitment on a row of its own.
            verdicts.retargets(voice, event.at, event.id, promise, pledge, watch)
        else:
            ticket.pledges[name] = verdicts.begins(voice, Reason.CLOCK_STARTED, event.at, event.id, promise, watch, pledge)

    def _withdraw(self, promised: set[str], laddered: set[str], event: Event, before: Fields) -> None:
        ticket = self.ticket
        for name, pledge in ticket.pledges.items():
            watch = ticket.watches[pledge.row]
            if pledge.verdict == Verdict.PENDING and watch.on and name not in promised:
                promise = self._plan(watch, before).promises.get(name)
                pledge.decide(Verdict.CANCELLED)
                pledge.next = None
                if promise is not None:
                    self.voice.commitment(
                        Kind.CANCELLED,
                        Reason.NO_LONGER_APPLIES,
                        event.at,
                        event.id,
                        promise,
                        pledge,
                        watch,
                    )
        for name, climb in ticket.climbs.items():
            watch = ticket.watches[climb.row]
            if watch.on and name not in laddered:
                rungs = self._plan(watch, before).ladders.get(name)
                if rungs is not None:
                    ladders.releases(self.voice, Reason.NO_LONGER_APPLIES, event.at, event.id, rungs, climb, watch)
                climb.next = None

    def _fire(self, instant: int) -> None:
        ticket = self.ticket
        for name, pledge in ticket.pledges.items():
            if pledge.next == instant:
                watch = ticket.watches[pledge.row]
                promise = self._plan(watch, ticket.fields).promises[name]
                verdicts.falls_due(self.voice, instant, promise, pledge, watch)
        for name, climb in ticket.climbs.items():
            if climb.next == instant:
                watch = ticket.watches[climb.row]
                rungs = self._plan(watch, ticket.fields).ladders.get(name)
                if rungs is None:  # solved, watched, and by a change of fields no ladder's any more
                    climb.next = None
                    continue
                pledge_below = ticket.pledges.get(rungs.ladder.commitment)
                ladders.falls_due(self.voice, instant, rungs, climb, watch, pledge_below)


def _cancelled(phase: int) -> tuple[Signal, ...]:
    return (Signal.CANCEL,) if phase in (Phase.RUNNING, Phase.PAUSED) else ()
