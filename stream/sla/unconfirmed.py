"""Effects that rest on the silence of a stale feed: emitted as provisional, and confirmed when the feed is complete again.

Rules:

1. An effect *rests on silence* if time alone made it true, or if it is a breach: the event that would have prevented it may be
   missing. What another event made true stands.
2. Such an effect is provisional if a feed of its ticket is stale for its instant, and it is not late. It is *unconfirmed* then.
3. An unconfirmed effect is *confirmed* once every watched feed of its ticket is complete up to its instant: it is restated
   and no longer provisional.
4. An unconfirmed effect that is taken back is no longer unconfirmed. If it is stated again at once, nobody has been paged for
   it yet, so it is not late.
5. A ticket keeps at most ``MOST_UNCONFIRMED`` of them. What follows is emitted as a fact.
6. What leaves the kept history of a ticket is confirmed before, because it could not be restated afterwards. What leaves it in
   the step that finds it is emitted as a fact. So is all that is unconfirmed of a ticket confirmed before it is erased or
   forgotten.

Whether an effect is provisional is not a part of its id, as for a doubt (``stream.sla.doubt``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from stream.sla.correction import Correction, restated
from stream.sla.effects import TIMER, Kind, Reason
from stream.sla.refold import extent, refold
from stream.sla.step import Outcome, Step
from stream.sla.ticket.state import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from stream.sla.effects import Effect, ProvisionalReason
    from stream.sla.policy.timeline import Deployments
    from stream.sla.ticket.state import Unconfirmed

MOST_UNCONFIRMED: Final = 100
_BREACHED: Final = Kind.BREACHED


class StaleFeed(NamedTuple):
    """A source that is complete up to too long before an instant, from that instant on (epoch microseconds)."""

    source: str
    since: int
    reason: ProvisionalReason


Stale = tuple[StaleFeed, ...]


def sources(state: State) -> frozenset[str]:
    """The sources of a ticket: of the events that are kept, and of the newest of those that are not."""
    names = {event.source for event in state.history}
    for ticket in (state.head, state.base):
        if ticket is not None and ticket.last is not None:
            names.add(ticket.last[4])
    return frozenset(names)


def confirmed_step(deployments: Deployments, state: State, now: int, until: int, cause: str) -> Step:
    """As ``Engine.confirm``, of a ticket that nothing else is to be done about."""
    true = true_since_base(deployments, state, now)
    due = {name for name, (at, _) in state.unconfirmed.items() if at <= until}
    effects, unconfirmed, revisions = confirmed(true, state.unconfirmed, due, state.revisions, cause)
    after = State(state.head, state.recent, state.base, state.old_ids, revisions, state.settling, unconfirmed)
    return Step(after, tuple(effects), Outcome.WOKEN)


def provisional_step(deployments: Deployments, stale: Stale, given: State, step: Step, now: int) -> Step:
    """The step, with its provisional effects and what is unconfirmed after it. ``given``: the ticket before the step."""
    after = step.state
    if after is given:
        return step
    effects, unconfirmed = with_provisional(given, after, step.effects, stale)
    revisions = after.revisions
    if unconfirmed and after.base is not given.base and after.base is not None:
        # What time makes true at the instant of the newest event that has left has not left with it.
        leaves = unconfirmed.keys() - {effect.id for effect in true_since_base(deployments, after, now)}
        if leaves:
            effects = [_fact(effect) if stem_of(effect.id) in leaves and not effect.retracts else effect for effect in effects]
            stated = {stem_of(effect.id) for effect in effects if not effect.retracts}
            true = [effect for effect in true_since_base(deployments, given, now) if effect.id not in stated]
            found, unconfirmed, revisions = confirmed(true, unconfirmed, leaves, revisions, TIMER)
            effects += found
    known = State(after.head, after.recent, after.base, after.old_ids, revisions, after.settling, unconfirmed)
    other = Step(known, tuple(effects), step.outcome, step.unmatched)
    other.cut, other.unbuilt, other.settled = step.cut, step.unbuilt, step.settled
    return other


def true_since_base(deployments: Deployments, state: State, now: int) -> list[Effect]:
    """All that is true of a ticket since its base."""
    timeline = deployments.timeline_of(state.head.deployment)
    return refold(timeline, state, state.history, now, extent(state.head)).emitter.effects


def with_provisional(
    before: State, after: State, effects: Iterable[Effect], stale: Stale
) -> tuple[list[Effect], dict[str, Unconfirmed]]:
    """The effects of a step, provisional where they rest on silence, and what is unconfirmed after it.

    ``before``: the ticket as it was given.
    """
    waiting = before.unconfirmed.copy()
    taken_back: dict[str, Unconfirmed] = {}
    feeds: Stale | None = None
    found: list[Effect] = []
    for effect in effects:
        name = stem_of(effect.retracts or effect.id)
        if effect.retracts:
            known = waiting.pop(name, None)
            if known is not None:
                taken_back[name] = known
                effect = _provisional(effect, known[1])
            found.append(effect)
            continue
        if name in taken_back and effect.deployment is None:
            effect = msgspec.structs.replace(effect, late=False)
        if _rests_on_silence(effect) and len(waiting) < MOST_UNCONFIRMED:
            if feeds is None:  # the history is read only where something may be provisional
                its = sources(after)
                feeds = tuple([feed for feed in stale if feed.source in its])
            for feed in feeds:
                if feed.since <= effect.at:
                    effect = _provisional(effect, feed.reason)
                    waiting[name] = effect.at, feed.reason
                    break
        found.append(effect)
    return found, waiting


def confirmed(
    true: Iterable[Effect], waiting: dict[str, Unconfirmed], due: Collection[str], revisions: dict[str, int], cause: str
) -> tuple[list[Effect], dict[str, Unconfirmed], dict[str, int]]:
    """The confirmations of those that are due; the effects that are still unconfirmed; and the revisions.

    ``true``: all that is true of the ticket, without revisions.
    """
    left = {name: known for name, known in waiting.items() if name not in due}
    correction = Correction(cause, Reason.RESTATED)
    revisions = revisions.copy()
    found: list[Effect] = []
    for effect in true:
        if effect.id in due:
            retraction, again = restated(effect, revisions, correction)
            found.append(_provisional(retraction, waiting[effect.id][1]))
            found.append(again)
    return found, left, revisions


def stem_of(effect_id: str) -> str:
    """The id of an effect without its revision."""
    return effect_id.partition(".")[0]


def _rests_on_silence(effect: Effect) -> bool:
    return (effect.cause == TIMER or effect.kind is _BREACHED) and not effect.late and not effect.provisional


def _fact(effect: Effect) -> Effect:
    return msgspec.structs.replace(effect, provisional=False, provisional_reason=None)


def _provisional(effect: Effect, reason: ProvisionalReason) -> Effect:
    return msgspec.structs.replace(effect, provisional=True, provisional_reason=reason)
