"""A deployment meets a ticket: the set of policies that judges it is another from this instant on.

The steps, after time was let pass up to the deployment:

1. What is decided stays on the set that decided it.
2. Policies, commitments, ladders and levels that were renamed get their new names.
3. A metric whose conditions changed goes on with the stretches of the metric before. The conditions of the new one are asked
   once, as far as they read fields. They stop, pause or resume at this instant, and the terms up to it judge what they stop.
4. A metric that was not kept before is built from the events of the ticket. Where these are not all known, no commitment and no
   ladder applies on it until it starts again.
5. What the new set wants is reconciled with what the ticket has (``stream.sla.transition.reconcile``).
6. A metric that no policy uses any more is cancelled, and forgotten unless something that was decided refers to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.sla.effects import Reason, deployment_cause
from stream.sla.events import Event
from stream.sla.ticket.commitment_state import PENDING
from stream.sla.ticket.stopwatch import CANCEL, IDLE, RESTART, SKIP, START, STOP, Signal, Stopwatch
from stream.sla.transition.commitment import CommitmentMachine
from stream.sla.transition.escalation import EscalationMachine
from stream.sla.transition.reconcile import reconcile

if TYPE_CHECKING:
    from stream.sla.policy.change import Change, FormerNames
    from stream.sla.policy.conditions import Fields
    from stream.sla.policy.policy import Policy
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.policy.timeline import Deployment
    from stream.sla.ticket.commitment_state import CommitmentState
    from stream.sla.ticket.escalation_state import EscalationState
    from stream.sla.ticket.state import Ticket
    from stream.sla.transition.draft import Draft
    from stream.sla.transition.emitter import Emitter

_ENDS: Final = (STOP, RESTART, CANCEL)


def deploy(
    draft: Draft,
    emitter: Emitter,
    deployment: Deployment,
    changes: tuple[Change, FormerNames],
    built: dict[str, Stopwatch],
) -> None:
    """Put ``deployment`` in force at ``emitter.at``.

    ``changes``: from the set in force up to now, and the names that things had before that set. ``built``: the stopwatches of
    ``change.built`` that could be built.
    """
    ticket, (change, former) = draft.ticket, changes
    draft.own()
    emitter.cause, emitter.seq, emitter.deployment = deployment_cause(deployment.number), 0, deployment.number
    # 1
    for name, current in list(ticket.commitments.items()):
        commitment_state = draft.commitment_state(name) or current
        if commitment_state.verdict != PENDING and commitment_state.adjusted.decided_by is None:
            commitment_state.adjust(decided_by=ticket.deployment)
    waiting = {name: _waiting(draft, emitter, name) for name in ticket.escalations}
    # 2
    _rename(draft, deployment.policies, change, former)
    # 3
    fields = {name: value for name, value in ticket.fields.items() if name != "@begun"}
    for metric, old_metric in change.continued.items():
        _continue_metric(draft, emitter, deployment.policies, change, (metric, old_metric), fields)
    # 4
    for metric in change.built:
        if metric in built:
            ticket.watches[metric] = built[metric]
        elif metric in ticket.watches:
            _forget(ticket, metric, emitter.at)
    # 5
    before = draft.deploy(deployment.policies, change, waiting)
    emitter.calendars = deployment.policies.calendars
    reconcile(draft, emitter, list(ticket.watches), before)
    # 6
    for metric in ticket.watches.keys() - deployment.policies.triggers.keys():
        _forget(ticket, metric, emitter.at)
    ticket.deployment = deployment.number
    ticket.reschedule()
    emitter.deployment = None


def _waiting(draft: Draft, emitter: Emitter, name: str) -> dict[str, int | None]:
    """Levels of a ladder that were due by the set up to now, with the instant at which business hours begin and raise them."""
    escalation_state = draft.ticket.escalations[name]
    watch = draft.ticket.watches[escalation_state.terms.metric]
    resolved_ladder = draft.resolved_policy(watch.began).ladders.get(name)
    if resolved_ladder is None:
        return {}
    commitment_state = draft.ticket.commitments.get(resolved_ladder.ladder.commitment)
    return escalation_state.waiting(emitter.at, resolved_ladder, watch, commitment_state)


def _forget(ticket: Ticket, metric: str, at: int) -> None:
    """Nothing is counted on the metric any more; its stopwatch is kept where something that was decided refers to it."""
    watch = ticket.watches[metric]
    states: tuple[CommitmentState | EscalationState, ...] = (*ticket.commitments.values(), *ticket.escalations.values())
    if all(state.terms.metric != metric for state in states):
        del ticket.watches[metric]
    elif watch.on:
        cancelled = ticket.watches[metric] = watch.copy()
        cancelled.take(CANCEL, at)


def _rename(draft: Draft, policies: PolicySet, change: Change, former: FormerNames) -> None:
    """A name that the version in force still uses is kept: another version has the new one."""
    ticket = draft.ticket
    for name, current in list(ticket.commitments.items()):
        new = change.commitment(change.policy(former.policy(current.terms.policy)), name)
        if new != name and new not in ticket.commitments:
            policy = _in_force(ticket, policies, current.terms.metric)
            if policy is None or all(commitment.name != name for commitment in policy.commitments):
                state = draft.commitment_state(name) or current
                ticket.commitments = {new if key == name else key: value for key, value in ticket.commitments.items()}
                ticket.commitments[new] = state
    for name, current_escalation in list(ticket.escalations.items()):
        its_policy = change.policy(former.policy(current_escalation.terms.policy))
        new = change.ladder(its_policy, name)
        levels = change.levels.get((its_policy, new))
        if new == name and not levels:
            continue
        policy = _in_force(ticket, policies, current_escalation.terms.metric)
        ladders = {} if policy is None else {ladder.name: ladder for ladder in policy.ladders}
        if levels:
            kept = {level.name for level in ladders[new].levels} if new in ladders else set()
            escalation_state = draft.escalation_state(name) or current_escalation
            escalation_state.raised, escalation_state.passed_over = (
                tuple([level if level in kept else levels.get(level, level) for level in names])
                for names in (escalation_state.raised, escalation_state.passed_over)
            )
        if new != name and new not in ticket.escalations and name not in ladders:
            renamed = draft.escalation_state(name) or current_escalation
            ticket.escalations = {new if key == name else key: value for key, value in ticket.escalations.items()}
            ticket.escalations[new] = renamed


def _in_force(ticket: Ticket, policies: PolicySet, metric: str) -> Policy | None:
    """The version that applies to the ticket on the stopwatch of a metric."""
    watch = ticket.watches.get(metric)
    return None if watch is None else policies.resolved_policy(ticket.fields, policies.epoch(watch.began)).policy


def _continue_metric(
    draft: Draft, emitter: Emitter, policies: PolicySet, change: Change, metrics: tuple[str, str], fields: Fields
) -> None:
    """Move what stands on the old metric and is wanted on the new one, then ask the new metric's conditions once."""
    ticket, (metric, old_metric) = draft.ticket, metrics
    old = ticket.watches.get(old_metric)
    watch = Stopwatch() if old is None else old.copy()
    triggers = policies.triggers[metric]
    signals: tuple[Signal, ...] = ()
    if not ticket.ended_by and (watch.on or watch.phase == IDLE):
        # Of no type, so that a condition about events does not hold.
        asked = Event(emitter.at, emitter.cause, "", "")  # type: ignore[arg-type]  # of no type
        signals = triggers.signals(watch.phase, asked, fields)
        if triggers.dated and watch.phase == IDLE:
            date = triggers.date(fields)
            if date is None or date >= emitter.at or signals[:1] == (SKIP,):
                signals = ()
    commitments, ladders = policies.names_on(metric)
    for signal in signals:
        if not watch.cycle or signal is START:
            watch.take(signal, emitter.at)
            continue
        if signal not in _ENDS:
            watch.take(signal, emitter.at)
        resolved_policy = draft.resolved_policy(watch.began)
        for resolved in resolved_policy.commitments_on.get(old_metric, ()):
            name = change.commitment(change.policy(resolved.policy.name), resolved.name)
            commitment_state = draft.commitment_state(name)
            if name in commitments and commitment_state is not None and _is_on(commitment_state, old_metric, watch):
                commitment = CommitmentMachine(emitter, resolved, commitment_state, watch)
                if signal in _ENDS:
                    commitment.on_end(signal, Reason.POLICY_CHANGED)
                else:
                    commitment.on_move(signal)
        for resolved_ladder in resolved_policy.ladders_on.get(old_metric, ()):
            name = change.ladder(change.policy(resolved_ladder.policy.name), resolved_ladder.name)
            escalation_state = draft.escalation_state(name)
            if name in ladders and escalation_state is not None and _is_on(escalation_state, old_metric, watch):
                below = ticket.commitments.get(resolved_ladder.ladder.commitment)
                escalation = EscalationMachine(emitter, resolved_ladder, escalation_state, watch, below)
                escalation.on_signal(signal, Reason.POLICY_CHANGED)
        if signal in _ENDS:
            watch.take(signal, emitter.at)
    _move(draft, metrics, commitments, ladders)
    if watch.cycle:
        ticket.watches[metric] = watch


def _is_on(current: CommitmentState | EscalationState, metric: str, watch: Stopwatch) -> bool:
    return current.terms.metric == metric and current.cycle == watch.cycle


def _move(draft: Draft, metrics: tuple[str, str], commitments: frozenset[str], ladders: frozenset[str]) -> None:
    metric, old_metric = metrics
    for name, current in list(draft.ticket.commitments.items()):
        if current.terms.metric == old_metric and name in commitments:
            commitment_state = draft.commitment_state(name) or current
            commitment_state.terms = commitment_state.terms.on_metric(metric)
    for name, current_escalation in list(draft.ticket.escalations.items()):
        if current_escalation.terms.metric == old_metric and name in ladders:
            escalation_state = draft.escalation_state(name) or current_escalation
            escalation_state.terms = escalation_state.terms.on_metric(metric)
