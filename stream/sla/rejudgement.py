"""A ticket under another timeline of deployments than the one that judged it: what is no longer true, and what is true instead.

That is so where a deployment became known only after the ticket had passed its instant, and where one gave way to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.correction import Correction, difference, revealed
from stream.sla.effects import Reason, deployment_cause
from stream.sla.refold import extent, refold
from stream.sla.ticket.state import State
from stream.sla.transition.evolve import Transition

if TYPE_CHECKING:
    from stream.sla.effects import Effect
    from stream.sla.policy.timeline import Deployments


def rejudged(deployments: Deployments, state: State, now: int) -> tuple[State, tuple[Effect, ...]]:
    """The ticket, folded by the timeline that judged it and by the present one: the difference is to be emitted."""
    timeline, history, reached = deployments.timeline, state.history, extent(state.head)
    emitted = refold(deployments.timeline_of(state.head.deployment), state, history, now, reached).emitter
    true = refold(timeline, state, history, now, reached)
    number = timeline.last.number
    correction = Correction(deployment_cause(number), Reason.REJUDGED, number)
    effects, revisions = difference(emitted.effects, true.emitter.effects, state.revisions, correction)
    return State(true.ticket, state.recent, state.base, state.old_ids, revisions), effects


def found_by(deployments: Deployments, transition: Transition, before: State, state: State, until: int) -> list[Effect]:
    """The effects of ``transition`` on ``state``, late where only a deployment from the past made them true.

    ``before``: the ticket as it was given; ``state`` itself, unless it was rejudged just now. ``until``: time has passed
    up to this instant.
    """
    number = transition.rejudged if before is state else deployments.timeline.last.number
    effects = transition.emitter.effects
    if number is None:
        return effects
    # By the deployments that have judged the ticket so far.
    otherwise = Transition(deployments.timeline_of(before.head.deployment), before.head.copy(), until, before.past)
    otherwise.time(until)
    return revealed(effects, number, {effect.id for effect in otherwise.emitter.effects})
