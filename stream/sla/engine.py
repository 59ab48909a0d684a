"""The core's three entrances, ``apply``, ``wake`` and ``confirm``, and their one exit, a ``Step``.

What is true of a ticket is a function of the *set* of its events, the deployments of policies and the time up to which we look;
not of the order in which events arrived, nor of when a deployment became known. An event that is the newest, and later than
anything that time or a deployment has made true, is folded onto what is known. Any other is put at its place in the history,
the ticket is folded again, and the difference between what was emitted and what is true goes out: what is missing is emitted,
marked ``late``; what is no longer true is taken back. The same happens when the timeline of a ticket's deployments changes.
Where the history of a ticket arrives long after it happened, the difference waits until that has come to an end
(``stream.sla.settling``).

Longer than 250 lines because each way that a call may take is read beside those that it excludes.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from stream.sla.correction import Correction, difference, named
from stream.sla.effects import Reason
from stream.sla.erasure import ERASED, deletion, erased, is_erased, without_fields
from stream.sla.event_order import follows
from stream.sla.events import ERASURE
from stream.sla.history_cut import bounded, differs_before, is_too_late, old_id
from stream.sla.policy.timeline import Deployments
from stream.sla.refold import extent, refold
from stream.sla.rejudgement import found_by, rejudged
from stream.sla.settling import DEFAULT, Lateness, make_room, settle
from stream.sla.step import Outcome, Step, joined
from stream.sla.ticket.bounds import ALWAYS_KEPT, MOST_HISTORY, MOST_TEXT, NAMED, bounded_event, kept_event
from stream.sla.ticket.history import packed
from stream.sla.ticket.state import State, open_commitments
from stream.sla.transition.evolve import Transition, new_ticket, position
from stream.sla.unconfirmed import confirmed, confirmed_step, provisional_step, true_since_base

if TYPE_CHECKING:
    from stream.sla.doubt import Doubts
    from stream.sla.effects import Effect
    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.policy.timeline import Deployment
    from stream.sla.ticket.settling import Settling
    from stream.sla.ticket.state import Ticket
    from stream.sla.unconfirmed import Stale

_key = attrgetter("key")

_APPLIED: Final = Outcome.APPLIED
"""Naming a member of an enum costs as much as a call."""


class Engine:
    """The policies in force, how much of a ticket is kept, and what is late. Holds no ticket; every call is pure."""

    __slots__ = ("_history", "_keep", "_late_after", "_lateness", "_routine", "deployments", "stale")

    def __init__(
        self,
        policies: PolicySet | Deployments,
        *,
        history: int = 200,
        lateness: Lateness = DEFAULT,
        routine: bool = True,
        keep: frozenset[str] | None = NAMED,
    ) -> None:
        """``policies``: one set, which holds since ever, or the log of deployments. ``routine``: whether ``apply`` makes the
        routine effects of events in order; corrections always have them. ``keep``: fields that are kept whatever policies
        read; ``None``: all are."""
        if history < 2:
            raise ValueError(f"a ticket's history holds at least 2 events, not {history}")
        self.deployments = policies if isinstance(policies, Deployments) else Deployments.fixed(policies)
        """May be replaced by a longer log between two calls."""
        self.stale: Stale = ()
        """The feeds on whose silence nothing may rest; may be replaced between two calls."""
        self._history = history
        self._keep = None if keep is None else keep | ALWAYS_KEPT
        self._lateness = lateness
        self._late_after = lateness.late_after  # asked at every event
        self._routine = routine

    def snapshot(self, doubts: Doubts = ()) -> Engine:
        """An engine that keeps the deployments of now, whatever becomes known meanwhile, for a partition with these doubts."""
        return self._with(self.deployments.doubting(doubts) if doubts else self.deployments)

    def as_of(self, number: int) -> Engine:
        """An engine that knows no deployment after that number."""
        return self._with(self.deployments.until(number))

    def _with(self, deployments: Deployments) -> Engine:
        engine = Engine(deployments, history=self._history, lateness=self._lateness, routine=self._routine, keep=self._keep)
        engine.stale = self.stale
        return engine

    @property
    def policies(self) -> PolicySet:
        """The newest set."""
        return self.deployments.timeline.last.policies

    def kept(self, event: Event) -> Event:
        """The event with those of its fields that are kept."""
        keep = self._keep
        if keep is not None:
            for name in event.fields:  # compiled, two thirds of what ``issuperset`` costs
                if name not in keep:
                    return kept_event(event, keep, self.deployments.timeline.kept(event.at))
        return event

    def apply(self, state: State | None, ticket: str, event: Event, now: int, arrived: int = 0) -> Step:
        """Apply one event to a ticket. ``state`` is ``None`` for a ticket without any event before.

        ``now``: the clock, epoch microseconds. It is only noted (``detected_at``); what is true does not depend on it.
        ``arrived``: when the event reached Kafka; 0: when it happened. Only whether effects are late depends on it, and
        when they are published.
        """
        if event.type == ERASURE:
            return self._erase(state, ticket, event, now, arrived)
        if event.fields:
            event = self.kept(event)
        timeline = self.deployments.timeline
        if state is None:
            state = State(new_ticket(ticket, timeline))
        elif state.head.ended_by == ERASED:
            return Step(state, (), Outcome.ERASED)
        elif state.old_ids or state.recent.may_know(event.id):
            repetition = self._repetition(state, event)
            if repetition is not None:
                return Step(state, (), repetition)
        head, last = state.head, timeline.last
        usual = head.deployment == last.number and state.settling is None and arrived - event.at <= self._late_after
        if usual and _is_newest(head, event, last):
            step = self._in_order(state, event, now, state)
        else:
            step = self._catch_up(state, event, now, arrived)
        return provisional_step(self.deployments, self.stale, state, step, now) if self.stale or state.unconfirmed else step

    def _catch_up(self, state: State, event: Event, now: int, arrived: int) -> Step:
        """Judge the ticket by the present timeline, and publish what waits, where either must come first; then the event."""
        first: Step | None = None
        before, agrees = state, self._agrees(state.head)
        old = arrived - event.at > self._late_after
        if state.settling is not None and not (old and agrees):
            first = self._settle(state, state.settling, now)
            before = state = first.state
        elif not agrees:
            first = self._rejudge(state, now)
            state = first.state
        newest = _is_newest(state.head, event, self.deployments.known[state.head.deployment])
        if newest and not old:
            step = self._in_order(state, event, now, before)
        elif not newest and state.base is not None and is_too_late(state.base, event, self.deployments.known):
            step = Step(state, (), Outcome.TOO_LATE)
        elif old:
            step = self._old(state, event, now, arrived)
        else:
            step = self._out_of_order(state, event, now)
        return step if first is None else joined(first, step)

    def confirm(self, state: State, now: int, until: int, cause: str) -> Step:
        """Confirm what is unconfirmed of a ticket up to and at the instant ``until``, up to which its feeds are complete.

        ``now`` is noted (``detected_at``). ``cause``: ``feed_cause`` of the source by which it became so.
        """
        given, first = state, None
        if state.settling is not None:
            first = self._settle(state, state.settling, now)
        elif not self._agrees(state.head):
            first = self._rejudge(state, now)
        if first is not None:
            first = provisional_step(self.deployments, self.stale, given, first, now)
            state = first.state
        step = confirmed_step(self.deployments, state, now, until, cause)
        return step if first is None else joined(first, step)

    def _erase(self, state: State | None, ticket: str, event: Event, now: int, arrived: int) -> Step:
        """As ``stream.sla.erasure`` has it."""
        timeline = self.deployments.timeline
        if state is None:
            return Step(erased(new_ticket(ticket, timeline), max(event.at, arrived), event), (), _APPLIED)
        if is_erased(state.head):
            return Step(state, (), Outcome.DUPLICATE)
        first: Step | None = None
        given = state
        if state.settling is not None:
            first = self._settle(state, state.settling, now)
        elif not self._agrees(state.head):
            first = self._rejudge(state, now)
        effects: list[Effect] = []
        if first is not None:
            if given.unconfirmed:  # what it states again is a fact: nothing would confirm it
                first = provisional_step(self.deployments, (), given, first, now)
            state = first.state
            effects += first.effects
        revisions = state.revisions
        if state.unconfirmed:
            found, _, revisions = confirmed(
                true_since_base(self.deployments, state, now), state.unconfirmed, state.unconfirmed, revisions, event.id
            )
            effects += found
        at = max(event.at, extent(state.head).until)
        head = state.head
        if not head.ended_by:
            transition = Transition(timeline, head.copy(), now, state, self._routine)
            transition.event(deletion(event, at))
            effects += named(found_by(self.deployments, transition, state, state, at), revisions)
            head = transition.ticket
        step = Step(erased(head, max(at, arrived), event), without_fields(effects), _APPLIED)
        if first is not None:
            step.cut, step.unbuilt, step.settled = first.cut, first.unbuilt, first.settled
        return step

    def wake(self, state: State, now: int) -> Step:
        """Let time pass up to ``now`` (epoch microseconds): everything whose instant lies before it becomes true.

        That goes for deadlines and for deployments. A deployment that changes nothing about the ticket leaves its state alone.
        """
        if is_erased(state.head):
            return Step(state, (), Outcome.WOKEN)
        step = self._wake(state, now)
        return provisional_step(self.deployments, self.stale, state, step, now) if self.stale or state.unconfirmed else step

    def _wake(self, state: State, now: int) -> Step:
        settling = state.settling
        if settling is not None:
            return self._wake_settling(state, settling, now)
        corrected, before = None, state
        if not self._agrees(state.head):
            corrected = self._rejudge(state, now)
            state = corrected.state
        timeline, head = self.deployments.timeline, state.head
        soonest = head.next
        if (soonest is None or soonest >= now) and not timeline.touches(head, now):
            return Step(state, (), Outcome.WOKEN) if corrected is None else corrected
        transition = Transition(timeline, head.copy(), now, state)
        transition.time(now)
        effects = found_by(self.deployments, transition, before, state, now)
        after = State(transition.ticket, state.recent, state.base, state.old_ids, state.revisions)
        same = transition.ticket.next == soonest and not transition.unbuilt
        if not effects and same and (not transition.touched or open_commitments(after) == open_commitments(state)):
            return Step(state, (), Outcome.WOKEN) if corrected is None else corrected
        step = Step(after, named(effects, state.revisions), Outcome.WOKEN)
        step.unbuilt = transition.unbuilt
        return step if corrected is None else joined(corrected, step)

    def _agrees(self, head: Ticket) -> bool:
        """Whether what is known of the ticket was judged as the timeline has it now."""
        return self.deployments.timeline.agrees(head.deployment, position(head))

    def _repetition(self, state: State, event: Event) -> Outcome | None:
        """The outcome of an event whose identity is known; ``None``: it is not."""
        known = state.recent.known(event)
        if known is not None:
            return Outcome.CONFLICT if self._bounded_event(event).adds_to(known) else Outcome.DUPLICATE
        if not state.old_ids or old_id(event) not in state.old_ids:
            return None
        # What it stated is not kept; but the event of that identity lies before the history, so a later one is another.
        base = state.base
        later = base is not None and base.last is not None and follows(event.place, base.last)
        return Outcome.CONFLICT if later else Outcome.DUPLICATE

    def _in_order(self, state: State, event: Event, now: int, before: State) -> Step:
        """``before``: the ticket as it was given; ``state`` itself, unless it was rejudged just now."""
        head, recent = state.head, state.recent.add(event)
        size = len(recent.packed)
        if size > MOST_TEXT and event.fields and size - len(state.recent.packed) > MOST_TEXT:  # else it is kept whole
            event = self._bounded_event(event)
            recent = state.recent.add(event)
            size = len(recent.packed)
        transition = Transition(self.deployments.timeline, head.copy(), now, state, self._routine)
        transition.event(event)
        after = State(transition.ticket, recent, state.base, state.old_ids, state.revisions)
        if recent.kept > self._history or size > MOST_HISTORY:
            after = bounded(self.deployments, after, self._history)
        found = transition.emitter.effects
        met = transition.touched or before is not state
        if met:
            found = found_by(self.deployments, transition, before, state, event.at)
        effects = named(found, state.revisions) if state.revisions else tuple(found)
        step = Step(after, effects, _APPLIED, head.last is None and _is_unmatched(transition, event))
        if met:
            step.unbuilt = transition.unbuilt
        return step

    def _out_of_order(self, state: State, event: Event, now: int) -> Step:
        event = self._bounded_event(event)
        timeline, history = self.deployments.timeline, state.history
        reached = extent(state.head)
        emitted = refold(timeline, state, history, now, reached).emitter
        history.insert(bisect_left(history, event.key, key=_key), event)
        true = refold(timeline, state, history, now, reached)
        correction = Correction(event.id, Reason.CORRECTED)
        effects, revisions = difference(emitted.effects, true.emitter.effects, state.revisions, correction)
        after = State(true.ticket, packed(history), state.base, state.old_ids, revisions)
        return Step(bounded(self.deployments, after, self._history), effects, Outcome.LATE)

    def _old(self, state: State, event: Event, now: int, arrived: int) -> Step:
        """Fold an old event in at its place. What it makes true waits until the ticket has settled."""
        event = self._bounded_event(event)
        settling = self._lateness.settling_from(state.head, state.settling, arrived)
        waiting = event.replace(arrived=settling.arrived)
        timeline, begins = self.deployments.timeline, state.head.last is None
        if _is_newest(state.head, event, self.deployments.known[state.head.deployment]):
            outcome, recent = _APPLIED, state.recent.add(waiting)
            transition = Transition(timeline, state.head.copy(), now, state)
            transition.event(event)
        else:
            history = state.history
            history.insert(bisect_left(history, event.key, key=_key), waiting)
            outcome, recent = Outcome.LATE, packed(history)
            transition = refold(timeline, state, history, now, extent(state.head))
        after = State(transition.ticket, recent, state.base, state.old_ids, state.revisions, settling)
        step = Step(after, (), outcome, begins and _is_unmatched(transition, event))
        step.unbuilt = transition.unbuilt
        if recent.kept > self._history or len(recent.packed) > MOST_HISTORY:
            after, effects = make_room(self.deployments, self._lateness, after, settling, now)
            step = Step(bounded(self.deployments, after, self._history), effects, outcome, step.unmatched)
            step.unbuilt = transition.unbuilt
        return step

    def _wake_settling(self, state: State, settling: Settling, now: int) -> Step:
        """As ``wake``. As long as nothing but what is past becomes true, it waits too."""
        head = state.head
        if now < settling.settles_at and self._agrees(head):
            transition = Transition(self.deployments.timeline, head.copy(), now, state)
            transition.time(now)
            past = self._lateness.past_of(settling)
            if all(effect.at <= past for effect in transition.emitter.effects):
                if transition.ticket.next == head.next and not transition.touched:
                    return Step(state, (), Outcome.WOKEN)
                after = State(transition.ticket, state.recent, state.base, state.old_ids, state.revisions, settling)
                step = Step(after, (), Outcome.WOKEN)
                step.unbuilt = transition.unbuilt
                return step
        settled = self._settle(state, settling, now)
        step = joined(settled, self._wake(settled.state, now))
        if now >= settling.settles_at:
            step.settled = settling.settles_at
        elif not self._agrees(head):  # a deployment lets it settle at once: its effects need not name a deployment
            step.settled = now
        return step

    def _settle(self, state: State, settling: Settling, now: int) -> Step:
        """Emit what waits."""
        after, effects = settle(self.deployments, self._lateness, state, settling, now)
        step = Step(bounded(self.deployments, after, self._history), effects, Outcome.WOKEN)
        step.cut = differs_before(state, self.deployments.timeline) and not self._agrees(state.head)
        return step

    def _rejudge(self, state: State, now: int) -> Step:
        """Fold the ticket by the timeline that judged it and by the present one: the difference goes out.

        Needed where a deployment became known only after the ticket had passed it, and where one gave way.
        """
        after, effects = rejudged(self.deployments, state, now)
        step = Step(after, effects, Outcome.WOKEN)
        step.cut = differs_before(state, self.deployments.timeline)
        return step

    def _bounded_event(self, event: Event) -> Event:
        """As much of the event as a ticket keeps. Nothing but its place and its identity is looked at before."""
        return bounded_event(event, self.deployments.timeline.read)


def _is_newest(head: Ticket, event: Event, deployment: Deployment) -> bool:
    """Later than all that is known of the ticket, and than anything that time or a deployment made true.

    ``deployment``: the one that judges the ticket.
    """
    last, at = head.last, event.at
    if last is None:
        return True
    if head.last_timer_at is not None and at <= head.last_timer_at:
        return False
    if at < deployment.at:
        return False
    return at > last[0] or (at == last[0] and follows(event.place, last))


def _is_unmatched(transition: Transition, event: Event) -> bool:
    """Whether nothing is promised to the ticket that an event has begun."""
    return not transition.draft.resolved_policy(event.at).has_targets
