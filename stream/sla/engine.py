"""The core's two entrances, ``apply`` and ``wake``, and their one exit, a ``Step``.

What is true of a ticket is a function of the *set* of its events, the policies and the time up to which we look; not of the
order in which the events arrived. An event that is the newest, and later than anything time alone has made true, is folded
onto what is known. Any other is put at its place in the history, the ticket is folded again, and the difference between what
was said and what is true goes out: what is missing is said, marked ``late``; what is true no more is taken back.
"""

from __future__ import annotations

from bisect import bisect_left
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import msgspec

from stream.sla.effect_ids import stem
from stream.sla.effects import KINDS, Effect, Reason
from stream.sla.ticket.history import packed
from stream.sla.ticket.state import State, Ticket
from stream.sla.transition.evolve import Transition

if TYPE_CHECKING:
    from stream.sla.events import Event
    from stream.sla.policy.resolve import PolicySet

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

    __slots__ = ("effects", "outcome", "state", "unmatched", "wake_at")

    def __init__(self, state: State, effects: tuple[Effect, ...], outcome: Outcome, unmatched: bool = False) -> None:
        self.state: Final = state
        self.effects: Final = effects
        self.wake_at: Final = state.wake_at
        """The earliest clock reading at which ``wake`` would do something; ``None``: no deadline is in sight."""
        self.outcome: Final = outcome
        self.unmatched: Final = unmatched
        """The event began a ticket to which nothing is promised."""


class Engine:
    """The policies in force, and how much history a ticket keeps. Holds no ticket; every call is pure."""

    __slots__ = ("_history", "policies")

    def __init__(self, policies: PolicySet, *, history: int = 200) -> None:
        if history < 2:
            raise ValueError(f"a ticket's history holds at least 2 events, not {history}")
        self.policies = policies
        self._history = history

    def apply(self, state: State | None, ticket: str, event: Event, now: int) -> Step:
        """Transition one event into a ticket; ``None`` for a ticket not heard of before.

        ``now``: the clock, epoch microseconds. It is only noted (``detected_at``); what is true does not depend on it.
        """
        if state is None:
            state = State(Ticket(ticket))
        elif self._repeats(state, event):
            return Step(state, (), Outcome.DUPLICATE)
        if _is_newest(state.head, event):
            return self._in_order(state, event, now)
        if state.base is not None and state.base.last is not None and event.key <= state.base.last:
            return Step(state, (), Outcome.TOO_LATE)
        return self._out_of_order(state, event, now)

    def wake(self, state: State, now: int) -> Step:
        """Let time pass up to ``now`` (epoch microseconds): everything whose instant lies before it becomes true."""
        soonest = state.head.next
        if soonest is None or soonest >= now:
            return Step(state, (), Outcome.WOKEN)
        transition = Transition(self.policies, state.head.copy(), now)
        transition.time(now)
        after = State(transition.ticket, state.recent, state.base, state.old_ids, state.revisions)
        return Step(after, _named(transition.emitter.effects, state.revisions), Outcome.WOKEN)

    def _repeats(self, state: State, event: Event) -> bool:
        return state.knows(event) or (bool(state.old_ids) and _old_id(event) in state.old_ids)

    def _in_order(self, state: State, event: Event, now: int) -> Step:
        begins = not state.head.started
        transition = Transition(self.policies, state.head.copy(), now)
        transition.event(event)
        after = State(transition.ticket, state.recent.add(event), state.base, state.old_ids, state.revisions)
        if after.recent.kept > self._history:
            after = self._bounded(after)
        effects = _named(transition.emitter.effects, state.revisions)
        unmatched = (
            begins and not self.policies.resolved_policy(transition.ticket.fields, self.policies.epoch(event.at)).has_targets
        )
        return Step(after, effects, _APPLIED, unmatched)

    def _out_of_order(self, state: State, event: Event, now: int) -> Step:
        said_until = _said_until(state.head)
        history = state.history
        said, _ = self._refold(state, history, said_until, now)
        history.insert(bisect_left(history, event.key, key=_key), event)
        true, head = self._refold(state, history, said_until, now)
        effects, revisions = _difference(said, true, state.revisions, event)
        after = State(head, packed(history), state.base, state.old_ids, revisions)
        if after.recent.kept > self._history:
            after = self._bounded(after)
        return Step(after, effects, Outcome.LATE)

    def _refold(self, state: State, history: list[Event], until: int, now: int) -> tuple[list[Effect], Ticket]:
        start = Ticket(state.head.id) if state.base is None else state.base.copy()
        transition = Transition(self.policies, start, now)
        for event in history:
            transition.event(event)
        transition.time(until)
        return transition.emitter.effects, transition.ticket

    def _bounded(self, state: State) -> State:
        """Move the older half of an overlong history into the base, so that this happens seldom."""
        history = state.history
        cut = len(history) - self._history // 2
        old, kept = history[:cut], history[cut:]
        _, base = self._refold(state, old, old[-1].at, old[-1].at)
        ids = (*state.old_ids, *map(_old_id, old))[-OLD_IDS_KEPT:]
        return State(state.head, packed(kept), base, ids, state.revisions)


def _is_newest(head: Ticket, event: Event) -> bool:
    """Later than all that is known of the ticket, and than anything that time alone made true."""
    last, at = head.last, event.at
    if last is None:
        return True
    if head.last_timer_at is not None and at <= head.last_timer_at:
        return False
    return at > last[0] or (at == last[0] and event.key > last)


def _old_id(event: Event) -> str:
    return f"{event.source}\n{event.id}"


def _said_until(head: Ticket) -> int:
    """Everything that lies before this instant has been said, and nothing that time alone makes true from it on."""
    newest = head.last[0] if head.last is not None else 0
    return newest if head.last_timer_at is None else max(newest, head.last_timer_at + 1)


def _named(effects: list[Effect], revisions: dict[str, int], *, late: bool = False) -> tuple[Effect, ...]:
    if not revisions and not late:
        return tuple(effects)
    return tuple(
        msgspec.structs.replace(effect, id=_revised(effect.id, revisions), late=late or effect.late) for effect in effects
    )


def _revised(stem_: str, revisions: dict[str, int]) -> str:
    count = revisions.get(stem_, 0)
    return f"{stem_}.{count}" if count else stem_


def _difference(
    said: list[Effect], true: list[Effect], revisions: dict[str, int], event: Event
) -> tuple[tuple[Effect, ...], dict[str, int]]:
    """What to take back and what to say, so that the world knows ``true`` where it knew ``said``."""
    before = {effect.id: effect for effect in said}
    after = {effect.id: effect for effect in true}
    revisions = dict(revisions)
    taken_back = []
    for name, effect in before.items():
        if name not in after or _substance(after[name]) != _substance(effect):
            taken_back.append(_retraction(effect, _revised(name, revisions), event))
            revisions[name] = revisions.get(name, 0) + 1
    missing = [effect for name, effect in after.items() if name not in before or _substance(before[name]) != _substance(effect)]
    return (*taken_back, *_named(missing, revisions, late=True)), revisions


def _substance(effect: Effect) -> tuple[object, ...]:
    """What a consumer may have acted on. Readings (elapsed, paused) and the fields shown are not said anew for themselves."""
    return (effect.at, effect.due_at, effect.target, effect.policy, effect.policy_version, effect.reason, effect.assign_to)


def _retraction(effect: Effect, said_id: str, event: Event) -> Effect:
    kind = KINDS[effect.kind].retracted_by
    if kind is None:
        raise ValueError(f"an effect of kind {effect.kind} is never retracted")
    name = effect.ladder or effect.commitment
    return msgspec.structs.replace(
        effect,
        id=stem(effect.ticket, name, ("", effect.cycle, 0), kind, said_id),
        kind=kind,
        reason=Reason.CORRECTED,
        cause=event.id,
        late=True,
        retracts=said_id,
        retracts_kind=effect.kind,
        retracts_reason=effect.reason,
    )
