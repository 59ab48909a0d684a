"""A history that has become too long is cut: its older events go into the base of the ticket, and are not kept.

Rules:

1. The older half goes, so that this happens seldom.
2. A ticket that is folded again from its base becomes what it was: a late event and a rejudgement find what was emitted by that
   fold. A deployment may have built stopwatches from the whole history (``Transition.meet``), which the base could not build
   anew. So the first base of a ticket has met all of these.
3. An event that lies before the history that is kept is too late.
4. Where the timeline becomes another before the history that is kept, the ticket is judged by it from there on.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from stream.sla.event_order import follows
from stream.sla.policy.timeline import SINCE_EVER
from stream.sla.refold import replay
from stream.sla.ticket.bounds import MOST_HISTORY, bounded_name
from stream.sla.ticket.history import packed
from stream.sla.ticket.state import State
from stream.sla.transition.evolve import judged_up_to, position

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.sla.events import Event
    from stream.sla.policy.timeline import Deployment, Deployments, Timeline
    from stream.sla.ticket.state import Ticket

OLD_IDS_KEPT: Final = 1_000
"""Ids of events beyond the history that are still recognised as repetitions, per ticket. Helpdesks redeliver within hours;
a ticket with a thousand older events is a machine's."""

_at = attrgetter("at")


def bounded(deployments: Deployments, state: State, most: int) -> State:
    """The ticket with at most ``most`` events and ``MOST_HISTORY`` bytes of history; ``state`` itself if it has no more."""
    if state.recent.kept <= most and len(state.recent.packed) <= MOST_HISTORY:
        return state
    history, timeline = state.history, deployments.timeline_of(state.head.deployment)
    cut = max(len(history) - most // 2, 1)
    while len(history) - cut > 1 and len(packed(history[cut:]).packed) > MOST_HISTORY // 2:
        cut += (len(history) - cut) // 2
    built_at = timeline.newest_built if state.base is None else SINCE_EVER
    cut = max(cut, bisect_left(history, built_at, key=_at))
    old, kept = history[:cut], history[cut:]
    transition = replay(timeline, state, old, old[-1].at)
    transition.meet(built_at)
    base = transition.ticket
    ids = (*state.old_ids, *map(old_id, old))[-OLD_IDS_KEPT:]
    head = _added_up(deployments, state.head, base) if base.has_many_stretches() else state.head
    return State(head, packed(kept), base, ids, state.revisions, state.settling)


def _added_up(deployments: Deployments, head: Ticket, base: Ticket) -> Ticket:
    """The head, where the stretches of stopwatches up to the base are added up; the base itself is changed."""
    head = head.copy()
    head.own()
    base.own()
    calendars = deployments.known[head.deployment].policies.calendars
    until = position(base)
    for metric, watch in base.watches.items():
        if watch.has_many_stretches():
            watch = base.watches[metric] = watch.copy()
            watch.add_up(until, calendars)
            present = head.watches.get(metric)
            if present is not None and present.cycle == watch.cycle:
                present = head.watches[metric] = present.copy()
                present.add_up(until, calendars)
    return head


def old_id(event: Event) -> str:
    """As ``State.old_ids``: another text for each identity."""
    source, id_, seq = event.source, event.id, event.seq
    if "\n" in source or "\n" in id_:
        return bounded_name(f"\n{len(source)}\n{source}{id_}\n{seq}")
    return bounded_name(f"{source}\n{id_}\n{seq}" if seq else f"{source}\n{id_}")


def is_too_late(base: Ticket, event: Event, known: Mapping[int, Deployment]) -> bool:
    """Whether an event lies before the history that is kept. ``known``: the whole log of deployments, by number."""
    if event.at < known[base.deployment].at:
        return True
    return base.last is not None and not follows(event.place, base.last)


def differs_before(state: State, timeline: Timeline) -> bool:
    """Whether that timeline is another than the one that judged the ticket before the history that is kept."""
    base = state.base
    return base is not None and not timeline.agrees(base.deployment, judged_up_to(base, timeline.known))
