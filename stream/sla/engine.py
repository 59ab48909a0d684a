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

import msgspec

from stream.sla.effect_ids import stem
from stream.sla.effects import KINDS, TIMER, Effect, Reason, deployment_cause
from stream.sla.policy.timeline import Deployments
from stream.sla.ticket.history import packed
from stream.sla.ticket.state import State, Ticket, open_commitments
from stream.sla.transition.evolve import Transition, position

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.policy.timeline import Timeline
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
        """Transition one event into a ticket; ``None`` for a ticket not heard of before.

        ``now``: the clock, epoch microseconds. It is only noted (``detected_at``); what is true does not depend on it.
        """
        corrected: Step | None = None
        before = state
        if state is None:
            state = State(Ticket(ticket, deployment=self.deployments.timeline.deployments[0].number))
        elif self._repeats(state, event):
            return Step(state, (), Outcome.DUPLICATE)
        elif not self._agrees(state.head):
            corrected = self._rejudge(state, now)
            state = corrected.state
        if self._is_newest(state.head, event):
            step = self._in_order(state, event, now, before if corrected is not None else None)
        elif state.base is not None and state.base.last is not None and event.key <= state.base.last:
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
        if soonest is None or soonest >= now:
            following = None if head.deployment == timeline.last.number else timeline.after(head.deployment)
            if following is None or following.at >= now:
                return Step(state, (), Outcome.WOKEN) if corrected is None else corrected
        transition = Transition(timeline, head.copy(), now, state.past)
        transition.time(now)
        revealed_by = transition.rejudged if corrected is None else timeline.last.number
        effects = transition.emitter.effects
        if revealed_by is not None:
            effects = _revealed(effects, revealed_by, self._expected(before, now))
        after = State(transition.ticket, state.recent, state.base, state.old_ids, state.revisions)
        same = transition.ticket.next == soonest and not transition.unbuilt
        if not effects and same and (not transition.touched or open_commitments(after) == open_commitments(state)):
            return Step(state, (), Outcome.WOKEN) if corrected is None else corrected
        step = Step(after, _named(effects, state.revisions), Outcome.WOKEN)
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
        return at > last[0] or (at == last[0] and event.key > last)

    def _repeats(self, state: State, event: Event) -> bool:
        return state.knows(event) or (bool(state.old_ids) and _old_id(event) in state.old_ids)

    def _in_order(self, state: State, event: Event, now: int, corrected: State | None) -> Step:
        """``corrected``: the ticket as it was before it was rejudged just now; ``None``: it was not."""
        begins = not state.head.started
        transition = Transition(self.deployments.timeline, state.head.copy(), now, state.past)
        transition.event(event)
        after = State(transition.ticket, state.recent.add(event), state.base, state.old_ids, state.revisions)
        if after.recent.kept > self._history:
            after = self._bounded(after)
        revealed_by = transition.rejudged if corrected is None else self.deployments.timeline.last.number
        found = transition.emitter.effects
        if revealed_by is not None:
            found = _revealed(found, revealed_by, self._expected(state if corrected is None else corrected, event.at))
        effects = _named(found, state.revisions)
        unmatched = False
        if begins:
            policies = transition.policies
            unmatched = not policies.resolved_policy(transition.ticket.fields, policies.epoch(event.at)).has_targets
        step = Step(after, effects, _APPLIED, unmatched)
        step.unbuilt = transition.unbuilt
        return step

    def _out_of_order(self, state: State, event: Event, now: int) -> Step:
        timeline, history = self.deployments.timeline, state.history
        said, _ = self._refold(timeline, state, history, now)
        history.insert(bisect_left(history, event.key, key=_key), event)
        true, head = self._refold(timeline, state, history, now)
        effects, revisions = _difference(said.effects, true.effects, state.revisions, Correction(event.id, Reason.CORRECTED))
        after = State(head, packed(history), state.base, state.old_ids, revisions)
        if after.recent.kept > self._history:
            after = self._bounded(after)
        return Step(after, effects, Outcome.LATE)

    def _rejudge(self, state: State, now: int) -> Step:
        """Fold the ticket by the timeline that judged it and by the present one: the difference goes out.

        Needed where a deployment became known only after the ticket had passed it, and where one gave way.
        """
        timeline, history = self.deployments.timeline, state.history
        said, _ = self._refold(self.deployments.timeline_of(state.head.deployment), state, history, now)
        true, head = self._refold(timeline, state, history, now)
        number = timeline.last.number
        correction = Correction(deployment_cause(number), Reason.REJUDGED, number)
        effects, revisions = _difference(said.effects, true.effects, state.revisions, correction)
        step = Step(State(head, state.recent, state.base, state.old_ids, revisions), effects, Outcome.WOKEN)
        step.cut = state.base is not None and state.base.deployment not in timeline.place
        return step

    def _refold(self, timeline: Timeline, state: State, history: list[Event], now: int) -> tuple[Emitter, Ticket]:
        """The ticket from its base on, up to where it stands: to all that was said of it, by that timeline."""
        base = state.base
        start = Ticket(state.head.id, deployment=timeline.deployments[0].number) if base is None else base.copy()
        until = _said_until(state.head)
        met = max(until - 1, self.deployments.known[state.head.deployment].at)

        def past(at: int) -> list[Event] | None:
            return None if base is not None else [event for event in history if event.at < at]

        transition = Transition(timeline, start, now, past)
        for event in history:
            transition.event(event)
        transition.meet(met)
        transition.time(until)
        return transition.emitter, transition.ticket

    def _expected(self, state: State, now: int) -> set[str]:
        """Ids of what time makes true by the deployments that have judged the ticket so far."""
        transition = Transition(self.deployments.timeline_of(state.head.deployment), state.head.copy(), now, state.past)
        transition.time(now)
        return {effect.id for effect in transition.emitter.effects}

    def _bounded(self, state: State) -> State:
        """Move the older half of an overlong history into the base, so that this happens seldom."""
        history = state.history
        cut = len(history) - self._history // 2
        old, kept = history[:cut], history[cut:]
        timeline = self.deployments.timeline_of(state.head.deployment)
        base = Ticket(state.head.id, deployment=timeline.deployments[0].number) if state.base is None else state.base.copy()

        def past(at: int) -> list[Event] | None:
            return None if state.base is not None else [event for event in old if event.at < at]

        transition = Transition(timeline, base, old[-1].at, past)
        for event in old:
            transition.event(event)
        ids = (*state.old_ids, *map(_old_id, old))[-OLD_IDS_KEPT:]
        return State(state.head, packed(kept), transition.ticket, ids, state.revisions)


class Correction:
    """Why the record is another than before."""

    __slots__ = ("cause", "deployment", "reason")

    def __init__(self, cause: str, reason: Reason, deployment: int | None = None) -> None:
        self.cause: Final = cause
        self.reason: Final = reason
        self.deployment: Final = deployment


def _after(first: Step, then: Step) -> Step:
    """Both, one after the other."""
    step = Step(then.state, first.effects + then.effects, then.outcome, then.unmatched)
    step.cut, step.unbuilt = first.cut, first.unbuilt + then.unbuilt
    return step


def _old_id(event: Event) -> str:
    return f"{event.source}\n{event.id}"


def _said_until(head: Ticket) -> int:
    """Everything that lies before this instant has been said, and nothing that time alone makes true from it on."""
    newest = head.last[0] if head.last is not None else 0
    return newest if head.last_timer_at is None else max(newest, head.last_timer_at + 1)


def _revealed(effects: list[Effect], number: int, expected: set[str]) -> list[Effect]:
    """Mark what time made true by deployment ``number``, which holds from an instant in the past, and would not have otherwise.

    ``expected``: ids of what time would have made true otherwise.
    """
    return [
        msgspec.structs.replace(effect, late=True, deployment=number)
        if effect.cause == TIMER and effect.id not in expected
        else effect
        for effect in effects
    ]


def _named(effects: list[Effect], revisions: dict[str, int]) -> tuple[Effect, ...]:
    if not revisions:
        return tuple(effects)
    return tuple([msgspec.structs.replace(effect, id=_revised(effect.id, revisions)) for effect in effects])


def _revised(stem_: str, revisions: dict[str, int]) -> str:
    count = revisions.get(stem_, 0)
    return f"{stem_}.{count}" if count else stem_


def _difference(
    said: list[Effect], true: list[Effect], revisions: dict[str, int], correction: Correction
) -> tuple[tuple[Effect, ...], dict[str, int]]:
    """What to take back and what to say, so that the world knows ``true`` where it knew ``said``."""
    before = {effect.id: effect for effect in said}
    after = {effect.id: effect for effect in true}
    revisions = dict(revisions)
    found: list[Effect] = []
    for name, effect in before.items():
        if name not in after or _substance(after[name]) != _substance(effect):
            found.append(_retraction(effect, _revised(name, revisions), correction))
            revisions[name] = revisions.get(name, 0) + 1
    for name, effect in after.items():
        if name not in before or _substance(before[name]) != _substance(effect):
            deployment = effect.deployment if correction.deployment is None else correction.deployment
            revised = _revised(name, revisions)
            found.append(msgspec.structs.replace(effect, id=revised, late=True, deployment=deployment))
    return tuple(found), revisions


def _substance(effect: Effect) -> tuple[object, ...]:
    """What a consumer may have acted on. Readings (elapsed, paused) and the fields shown are not said anew for themselves."""
    return (effect.at, effect.due_at, effect.target, effect.policy, effect.policy_version, effect.reason, effect.assign_to)


def _retraction(effect: Effect, said_id: str, correction: Correction) -> Effect:
    kind = KINDS[effect.kind].retracted_by
    if kind is None:
        raise ValueError(f"an effect of kind {effect.kind} is never retracted")
    name = effect.ladder or effect.commitment
    return msgspec.structs.replace(
        effect,
        id=stem(effect.ticket, name, ("", effect.cycle, 0), kind, said_id),
        kind=kind,
        reason=correction.reason,
        cause=correction.cause,
        late=True,
        deployment=correction.deployment,
        retracts=said_id,
        retracts_kind=effect.kind,
        retracts_reason=effect.reason,
    )
