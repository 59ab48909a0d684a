"""Old events: what they make true of the past is published late, and only once their ticket has settled.

An event is *old* if it reaches Kafka more than ``late_after`` after it happened: a backfill, an outage of the source, a first
connection. Rules:

1. What became true up to ``late_after`` before the arrival of a ticket's newest old event is *past*: it is published as late,
   because nobody could have acted in time. What becomes true after that is news.
2. An old event makes its ticket settle. Until no other old event of the ticket has arrived for the settling time, nothing past
   is published. The ticket itself is folded at once, so that its next deadlines are known.
3. News is not delayed. Where something becomes true that is not past, where an event comes that is not old, and where a
   deployment changes the past, the ticket settles at once.
4. Where the history is full, what its events make true is published, and the ticket goes on settling.
5. What is published when a ticket settles is the difference between what was published and what is true, as for any late event.

So a ticket has settled at the same instant, and with the same effects, whoever owns it: the instants are stored with it.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from stream.sla.correction import Correction, difference, substance
from stream.sla.effects import TIMER, Reason, deployment_cause
from stream.sla.policy.timeline import SINCE_EVER
from stream.sla.refold import Extent, extent, refold
from stream.sla.ticket.history import packed
from stream.sla.ticket.settling import Settling
from stream.sla.ticket.state import State
from stream.sla.transition.evolve import position

if TYPE_CHECKING:
    from stream.sla.effects import Effect
    from stream.sla.events import Event
    from stream.sla.policy.timeline import Deployments, Timeline
    from stream.sla.ticket.state import Ticket


class Lateness(NamedTuple):
    """The age from which an event is old, and the time for which its ticket settles. Microseconds."""

    late_after: int = 60_000_000
    """An event is old if it reaches Kafka more than this after it happened."""
    settling: int = 10_000_000

    def settling_from(self, head: Ticket, settling: Settling | None, arrived: int) -> Settling:
        """An old event arrives. ``settling``: as it was before; ``None``: everything about the ticket is published."""
        published = extent(head) if settling is None else Extent(settling.until, settling.deployment)
        # Later than all that arrived before, by however little: so the order of the arrivals is known.
        newest = arrived if settling is None else max(arrived, settling.arrived + 1)
        return Settling(published.until, published.deployment, newest, newest + self.settling)

    def past_of(self, settling: Settling) -> int:
        """Facts that became true up to and at this instant are past."""
        return settling.arrived - self.late_after


DEFAULT: Final = Lateness()
_arrived = attrgetter("arrived")


def settle(
    deployments: Deployments, lateness: Lateness, state: State, settling: Settling, now: int
) -> tuple[State, tuple[Effect, ...]]:
    """The ticket after it has settled, judged by the present timeline, and what is to be emitted: all that is past too."""
    past = lateness.past_of(settling)
    return _published(deployments, state, settling, now, (past, past + 1))


def make_room(
    deployments: Deployments, lateness: Lateness, state: State, settling: Settling, now: int
) -> tuple[State, tuple[Effect, ...]]:
    """The ticket when its history is full, and what is to be emitted: what its events make true, up to the newest of them.

    It goes on settling, because more events may follow.
    """
    after, effects = _published(deployments, state, settling, now, (lateness.past_of(settling), 0))
    again = lateness.settling_from(after.head, None, settling.arrived)
    return State(after.head, after.recent, after.base, after.old_ids, after.revisions, again), effects


def _published(
    deployments: Deployments, state: State, settling: Settling, now: int, bounds: tuple[int, int]
) -> tuple[State, tuple[Effect, ...]]:
    """``bounds``: what is past, and up to where time is to be let pass at least."""
    history, reached, (past, until) = state.history, extent(state.head), bounds
    published = Extent(settling.until, settling.deployment)
    others = [event for event in history if not event.arrived]
    emitted = refold(_timeline_of(deployments, published, _position(state.base, others)), state, others, now, published)
    events = [event.replace(arrived=0) if event.arrived else event for event in history]
    to = Extent(max(reached.until, until), reached.deployment)
    timeline = deployments.timeline
    true = refold(timeline, state, events, now, to)
    waiting = sorted([event for event in history if event.arrived], key=_arrived)
    by_events = Correction(TIMER, Reason.CORRECTED, None, tuple([(event.at, event.id) for event in waiting]))
    if timeline.agrees(reached.deployment, position(state.head)):
        effects, revisions = difference(emitted.emitter.effects, true.emitter.effects, state.revisions, by_events, past)
    else:  # in one step with what waits, so that nothing is emitted that the deployment takes back
        number = timeline.last.number
        correction = Correction(deployment_cause(number), Reason.REJUDGED, number)
        effects, revisions = difference(emitted.emitter.effects, true.emitter.effects, state.revisions, correction)
        if effects:
            before = refold(deployments.timeline_of(reached.deployment), state, events, now, to)
            one = _Published(emitted.emitter.effects, before.emitter.effects, true.emitter.effects)
            effects = tuple([one.by_its_cause(effect, by_events, past) for effect in effects])
    return State(true.ticket, packed(events), state.base, state.old_ids, revisions), effects


class _Published:
    """What was published of a ticket, what its events alone make of that, and what is true by the deployment too; by id."""

    def __init__(self, emitted: list[Effect], before: list[Effect], true: list[Effect]) -> None:
        self.emitted: Final = {effect.id: effect for effect in emitted}
        self.before: Final = {effect.id: effect for effect in before}
        self.true: Final = {effect.id: effect for effect in true}

    def by_its_cause(self, effect: Effect, by_events: Correction, past: int) -> Effect:
        """What the events alone take back or make true is theirs, and not the deployment's."""
        name = (effect.retracts or effect.id).partition(".")[0]
        theirs = self.before.get(name)
        if effect.retracts:
            if theirs is not None and substance(theirs) == substance(self.emitted[name]):
                return effect
            reason = Reason.RESTATED if name in self.true else by_events.reason
            cause = by_events.cause_of(effect.at)
            return msgspec.structs.replace(effect, cause=cause, reason=reason, deployment=by_events.deployment)
        if theirs is None or substance(theirs) != substance(self.true[name]):
            return effect
        late = effect.at <= past or name in self.emitted
        return msgspec.structs.replace(effect, late=late, deployment=theirs.deployment)


def _position(base: Ticket | None, events: list[Event]) -> int:
    """The instant of the newest event of a ticket (epoch microseconds); or of its base, where there is none after it."""
    if events:
        return events[-1].at
    return SINCE_EVER if base is None else position(base)


def _timeline_of(deployments: Deployments, published: Extent, newest: int) -> Timeline:
    """The timeline that judged what was published of a ticket. ``newest``: the instant of its newest event.

    A deployment at the instant of an event comes before the event, so it is not enough that the timelines agree up to there.
    """
    timeline = deployments.timeline
    agrees = timeline.agrees(published.deployment, max(published.until - 1, newest))
    return timeline if agrees else deployments.timeline_of(published.deployment)
