"""The core's two entrances, ``apply`` and ``wake``, and their one exit, a ``Step``.

What is true of a ticket is a function of the *set* of its events, the deployments of policies and the time up to which we look;
not of the order in which events arrived, nor of when a deployment became known. An event that is the newest, and later than
anything that time or a deployment has made true, is folded onto what is known. Any other is put at its place in the history,
the ticket is folded again, and the difference between what was emitted and what is true goes out: what is missing is emitted,
marked ``late``; what is true no more is taken back. The same happens when the timeline of deployments behind a ticket changes.
"""

from __future__ import annotations

from bisect import bisect_left
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from stream.sla.correction import Correction, difference, named, revealed
from stream.sla.effects import Reason, deployment_cause
from stream.sla.event_order import order
from stream.sla.policy.timeline import Deployments
from stream.sla.ticket.history import packed
from stream.sla.ticket.state import State, open_commitments
from stream.sla.transition.evolve import Transition, new_ticket, position

if TYPE_CHECKING:
    from stream.sla.effects import Effect
    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.policy.timeline import Timeline
    from stream.sla.ticket.state import Ticket
    from stream.sla.transition.emitter import Emitter

OLD_IDS_KEPT: Final = 1_000
"""Ids of events beyond the history that are still recognised as repetitions, per ticket. Helpdesks redeliver within hours;
a ticket with a thousand older events is a machine's."""

_key = attrgetter("key")


class Outcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    LATE = "late"
    """It came after later ones, or after time had spoken: folded in at its place."""
    DUPLICATE = "duplicate"
    """A repetition of an event that is known."""
    CONFLICT = "conflict"
    """Another event has its source, id and seq, and does not state all that it states: refused."""
    TOO_LATE = "too_late"
    """Older than the history that is kept: refused."""
    WOKEN = "woken"


_APPLIED: Final = Outcome.APPLIED
"""Naming a member of an enum costs as much as a call."""


class Step:
    """The one exit of the core. Take all of it or nothing."""

    __slots__ = ("cut", "effects", "outcome", "state", "unbuilt", "unmatched", "wake_at")

    def __init__(self, state: State, effects: tuple[Effect, ...], outcome: Outcome, unmatched: bool = False) -> None:
        self.state: Final = state
        """The very state that was given, if nothing about it changed."""
        self.effects: Final = effects
        self.wake_at: Final = state.wake_at
        """The earliest clock reading at which ``wake`` would do something; ``None``: no deadline is in sight."""
        self.outcome: Final = outcome
        self.unmatched: Final = unmatched
        """The event began a ticket to which nothing is promised."""
        self.unbuilt = 0
        """Rows of a deployment that could not be built, because the ticket's history is cut."""
        self.cut = False
        """A deployment from before the history that is kept: the ticket is judged by it from there on."""


class Engine:
    """The policies in force, and how much history a ticket keeps. Holds no ticket; every call is pure."""

    __slots__ = ("_history", "deployments")

    def __init__(self, policies: PolicySet | Deployments, *, history: int = 200) -> None:
        """``policies``: one set, which holds since ever, or the log of deployments."""
        if history < 2:
            raise ValueError(f"a ticket's history holds at least 2 events, not {history}")
        self.deployments = policies if isinstance(policies, Deployments) else Deployments.fixed(policies)
        """May be replaced by a longer log between two calls."""
        self._history = history

    def snapshot(self) -> Engine:
        """An engine that keeps the deployments of now, whatever becomes known meanwhile."""
        return Engine(self.deployments, history=self._history)

    def as_of(self, number: int) -> Engine:
        """An engine that knows no deployment after that number."""
        return Engine(self.deployments.until(number), history=self._history)

    @property
    def policies(self) -> PolicySet:
        """The newest set."""
        return self.deployments.timeline.last.policies

    def apply(self, state: State | None, ticket: str, event: Event, now: int) -> Step:
        """Transition one event into a ticket; ``None`` for a ticket without any event before.

        ``now``: the clock, epoch microseconds. It is only noted (``detected_at``); what is true does not depend on it.
        """
        corrected: Step | None = None
        if state is None:
            state = State(new_ticket(ticket, self.deployments.timeline))
        elif (repetition := self._repetition(state, event)) is not None:
            return Step(state, (), repetition)
        before = state
        if not self._agrees(state.head):
            corrected = self._rejudge(state, now)
            state = corrected.state
        if self._is_newest(state.head, event):
            step = self._in_order(state, event, now, before)
        elif state.base is not None and state.base.last is not None and event.key <= order(state.base.last):
            step = Step(state, (), Outcome.TOO_LATE)
        else:
            step = self._out_of_order(state, event, now)
        return step if corrected is None else _after(corrected, step)

    def wake(self, state: State, now: int) -> Step:
        """Let time pass up to ``now`` (epoch microseconds): everything whose instant lies before it becomes true.

        That goes for deadlines and for deployments. A deployment that changes nothing about the ticket leaves its state alone.
        """
        corrected, before = None, state
        if not self._agrees(state.head):
            corrected = self._rejudge(state, now)
            state = corrected.state
        timeline, head = self.deployments.timeline, state.head
        soonest = head.next
        if (soonest is None or soonest >= now) and not timeline.touches(head, now):
            return Step(state, (), Outcome.WOKEN) if corrected is None else corrected
        transition = Transition(timeline, head.copy(), now, state.past)
        transition.time(now)
        effects = self._effects(transition, before, state, now)
        after = State(transition.ticket, state.recent, state.base, state.old_ids, state.revisions)
        same = transition.ticket.next == soonest and not transition.unbuilt
        if not effects and same and (not transition.touched or open_commitments(after) == open_commitments(state)):
            return Step(state, (), Outcome.WOKEN) if corrected is None else corrected
        step = Step(after, named(effects, state.revisions), Outcome.WOKEN)
        step.unbuilt = transition.unbuilt
        return step if corrected is None else _after(corrected, step)

    def _agrees(self, head: Ticket) -> bool:
        """Whether what is known of the ticket was judged as the timeline has it now."""
        timeline = self.deployments.timeline
        return head.deployment == timeline.last.number or timeline.agrees(head.deployment, position(head))

    def _is_newest(self, head: Ticket, event: Event) -> bool:
        """Later than all that is known of the ticket, and than anything that time or a deployment made true."""
        last, at = head.last, event.at
        if last is None:
            return True
        if head.last_timer_at is not None and at <= head.last_timer_at:
            return False
        if at < self.deployments.known[head.deployment].at:
            return False
        return at > last[0] or (at == last[0] and event.key > order(last))

    def _repetition(self, state: State, event: Event) -> Outcome | None:
        """What becomes of an event whose identity is known; ``None``: it is not."""
        known = state.known(event)
        if known is not None:
            return Outcome.CONFLICT if event.adds_to(known) else Outcome.DUPLICATE
        if not state.old_ids or _old_id(event) not in state.old_ids:
            return None
        # What it stated is not kept; but the event of that identity lies before the history, so a later one is another.
        base = state.base
        later = base is not None and base.last is not None and event.key > order(base.last)
        return Outcome.CONFLICT if later else Outcome.DUPLICATE

    def _in_order(self, state: State, event: Event, now: int, before: State) -> Step:
        """``before``: the ticket as it was given; ``state`` itself, unless it was rejudged just now."""
        begins = state.head.last is None
        transition = Transition(self.deployments.timeline, state.head.copy(), now, state.past)
        transition.event(event)
        after = State(transition.ticket, state.recent.add(event), state.base, state.old_ids, state.revisions)
        if after.recent.kept > self._history:
            after = self._bounded(after)
        effects = named(self._effects(transition, before, state, event.at), state.revisions)
        unmatched = False
        if begins:
            policies = transition.policies
            unmatched = not policies.resolved_policy(transition.ticket.fields, policies.epoch(event.at)).has_targets
        step = Step(after, effects, _APPLIED, unmatched)
        step.unbuilt = transition.unbuilt
        return step

    def _out_of_order(self, state: State, event: Event, now: int) -> Step:
        timeline, history = self.deployments.timeline, state.history
        emitted, _ = self._refold(timeline, state, history, now)
        history.insert(bisect_left(history, event.key, key=_key), event)
        true, head = self._refold(timeline, state, history, now)
        effects, revisions = difference(emitted.effects, true.effects, state.revisions, Correction(event.id, Reason.CORRECTED))
        after = State(head, packed(history), state.base, state.old_ids, revisions)
        if after.recent.kept > self._history:
            after = self._bounded(after)
        return Step(after, effects, Outcome.LATE)

    def _rejudge(self, state: State, now: int) -> Step:
        """Fold the ticket by the timeline that judged it and by the present one: the difference goes out.

        Needed where a deployment became known only after the ticket had passed it, and where one gave way.
        """
        timeline, history = self.deployments.timeline, state.history
        emitted, _ = self._refold(self.deployments.timeline_of(state.head.deployment), state, history, now)
        true, head = self._refold(timeline, state, history, now)
        number = timeline.last.number
        correction = Correction(deployment_cause(number), Reason.REJUDGED, number)
        effects, revisions = difference(emitted.effects, true.effects, state.revisions, correction)
        step = Step(State(head, state.recent, state.base, state.old_ids, revisions), effects, Outcome.WOKEN)
        step.cut = state.base is not None and state.base.deployment not in timeline.place
        return step

    def _refold(self, timeline: Timeline, state: State, history: list[Event], now: int) -> tuple[Emitter, Ticket]:
        """The ticket from its base on, up to where it stands: to all that was emitted of it, by that timeline."""
        until = _emitted_until(state.head)
        met = max(until - 1, self.deployments.known[state.head.deployment].at)
        transition = _replay(timeline, state, history, now)
        transition.meet(met)
        transition.time(until)
        return transition.emitter, transition.ticket

    def _effects(self, transition: Transition, before: State, state: State, until: int) -> list[Effect]:
        """What ``transition`` made true of ``state``, marked where only a deployment from the past made it true.

        ``before``: the ticket as it was given; ``state`` itself, unless it was rejudged just now. ``until``: time has passed
        up to this instant.
        """
        number = transition.rejudged if before is state else self.deployments.timeline.last.number
        effects = transition.emitter.effects
        if number is None:
            return effects
        # By the deployments that have judged the ticket so far.
        otherwise = Transition(self.deployments.timeline_of(before.head.deployment), before.head.copy(), until, before.past)
        otherwise.time(until)
        return revealed(effects, number, {effect.id for effect in otherwise.emitter.effects})

    def _bounded(self, state: State) -> State:
        """Move the older half of an overlong history into the base, so that this happens seldom."""
        history = state.history
        cut = len(history) - self._history // 2
        old, kept = history[:cut], history[cut:]
        base = _replay(self.deployments.timeline_of(state.head.deployment), state, old, old[-1].at).ticket
        ids = (*state.old_ids, *map(_old_id, old))[-OLD_IDS_KEPT:]
        return State(state.head, packed(kept), base, ids, state.revisions)


def _replay(timeline: Timeline, state: State, events: list[Event], now: int) -> Transition:
    """The ticket from its base on, after these events, by that timeline."""
    whole = state.base is None

    def past(at: int) -> list[Event] | None:
        return [event for event in events if event.at < at] if whole else None

    start = new_ticket(state.head.id, timeline) if state.base is None else state.base.copy()
    transition = Transition(timeline, start, now, past)
    for event in events:
        transition.event(event)
    return transition


def _after(first: Step, then: Step) -> Step:
    """Both, one after the other."""
    step = Step(then.state, first.effects + then.effects, then.outcome, then.unmatched)
    step.cut, step.unbuilt = first.cut, first.unbuilt + then.unbuilt
    return step


def _old_id(event: Event) -> str:
    """As ``State.old_ids``."""
    return f"{event.source}\n{event.id}\n{event.seq}" if event.seq else f"{event.source}\n{event.id}"


def _emitted_until(head: Ticket) -> int:
    """Everything that lies before this instant has been emitted, and nothing that time alone makes true from it on."""
    newest = head.last[0] if head.last is not None else 0
    return newest if head.last_timer_at is None else max(newest, head.last_timer_at + 1)
