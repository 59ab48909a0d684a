"""The one place where the commitments and ladders that are wanted meet those that a ticket has.

Wanted is what the terms in force have on a stopwatch that is running or paused. Current is the state of the commitment or
escalation of the same name on the ticket. Of each name the first rule that applies finds the case, and ``TABLE`` has what is
done about it:

1. Open, and not wanted any more: it is withdrawn. What was decided stays decided.
2. Never begun on this ticket: it begins.
3. Current on another metric, where the version in force for that metric's stopwatch still counts it: it is left alone. Nothing
   is counted twice on a ticket; the version that began with it ends it.
4. Of another metric or cycle: it moves here while it is open, and begins if it is not.
5. Open in this cycle: its target changes where the terms differ. Where they do not, its warnings and levels may. After a
   deployment everything about it may be different, so it is measured whole, also where it moves here from another metric.
6. Ended in this cycle without a breach, or withdrawn: it begins again, because it is wanted again.
7. Breached in this cycle: it is left alone.

Commitments and escalations differ only in what *open* means and in how the actions are carried out. Their machines know both.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from stream.sla.effects import Reason
from stream.sla.ticket.commitment_state import PENDING, CommitmentState
from stream.sla.ticket.escalation_state import MONITORING, EscalationState
from stream.sla.ticket.stopwatch import PAUSED, RUNNING
from stream.sla.transition.commitment import CommitmentMachine
from stream.sla.transition.escalation import EscalationMachine

if TYPE_CHECKING:
    from stream.sla.transition.draft import Draft, Terms
    from stream.sla.transition.emitter import Emitter

    Machine = CommitmentMachine | EscalationMachine


class Case(IntEnum):
    """The relation of the wanted thing of a name to the present one: the reason for the action."""

    UNWANTED = 0
    """Open, and no longer wanted. It is found last, when all that is wanted is known."""
    NEW = 1
    COUNTED_ELSEWHERE = 2
    MOVED = 3
    """Open, but of another metric or cycle."""
    NEXT_CYCLE = 4
    """Closed, and of another metric or cycle."""
    TERMS_DIFFER = 5
    TERMS_EQUAL = 6
    WANTED_AGAIN = 7
    DECIDED = 8
    REDEPLOYED = 9
    """Open, and a deployment is being applied."""


class Action(IntEnum):
    LEAVE = 0
    BEGIN = 1
    RETARGET = 2
    REFRESH = 3
    WITHDRAW = 4
    REDEPLOY = 5


TABLE: Final[dict[Case, Action]] = {
    Case.UNWANTED: Action.WITHDRAW,
    Case.NEW: Action.BEGIN,
    Case.COUNTED_ELSEWHERE: Action.LEAVE,
    Case.MOVED: Action.RETARGET,
    Case.NEXT_CYCLE: Action.BEGIN,
    Case.TERMS_DIFFER: Action.RETARGET,
    Case.TERMS_EQUAL: Action.REFRESH,
    Case.WANTED_AGAIN: Action.BEGIN,
    Case.DECIDED: Action.LEAVE,
    Case.REDEPLOYED: Action.REDEPLOY,
}

# Plain integers, because up to Python 3.11 naming an enum's member costs as much as a call.
_NEW: Final = int(Case.NEW)
_COUNTED_ELSEWHERE: Final = int(Case.COUNTED_ELSEWHERE)
_MOVED: Final = int(Case.MOVED)
_NEXT_CYCLE: Final = int(Case.NEXT_CYCLE)
_TERMS_DIFFER: Final = int(Case.TERMS_DIFFER)
_TERMS_EQUAL: Final = int(Case.TERMS_EQUAL)
_WANTED_AGAIN: Final = int(Case.WANTED_AGAIN)
_DECIDED: Final = int(Case.DECIDED)
_BEGIN: Final = int(Action.BEGIN)
_RETARGET: Final = int(Action.RETARGET)
_REFRESH: Final = int(Action.REFRESH)
_REDEPLOYED: Final = int(Case.REDEPLOYED)
_TABLE: Final = [int(TABLE[case]) for case in Case]
_NAMELESS: Final[set[str]] = set()
"""Never added to."""


def reconcile(draft: Draft, emitter: Emitter, metrics: list[str], before: Terms | None = None) -> None:
    """Apply the terms in force to the stopwatches of these metrics.

    ``before``: the terms that were in force up to now; then ``metrics`` must be all that the ticket has, and what is not
    wanted on any of them is withdrawn. ``None``: the terms are the same, and only the stopwatches have changed.
    """
    ticket = draft.ticket
    wanted_commitments: set[str] = _NAMELESS if before is None else set()
    wanted_ladders: set[str] = _NAMELESS if before is None else set()
    for metric in metrics:
        watch = ticket.watches[metric]
        phase = watch.phase
        if phase != RUNNING and phase != PAUSED:
            continue
        resolved_policy = draft.resolved_policy(watch.began)
        for resolved in resolved_policy.commitments_on.get(metric, ()):
            name = resolved.name
            if before is not None:
                wanted_commitments.add(name)
            commitment_state = draft.commitment_state(name) or CommitmentState()
            commitment = CommitmentMachine(emitter, resolved, commitment_state, watch)
            case = _case(commitment, draft, name, metric, (commitment_state.terms.metric, commitment_state.cycle))
            if case == _REDEPLOYED:
                commitment.redeploy(None if before is None else before.commitment(name, watch))
            else:
                _act(commitment, case)
        for resolved_ladder in resolved_policy.ladders_on.get(metric, ()):
            name = resolved_ladder.name
            if before is not None:
                wanted_ladders.add(name)
            escalation_state = draft.escalation_state(name) or EscalationState()
            escalation = EscalationMachine(
                emitter, resolved_ladder, escalation_state, watch, ticket.commitments.get(resolved_ladder.ladder.commitment)
            )
            case = _case(escalation, draft, name, metric, (escalation_state.terms.metric, escalation_state.cycle))
            if case == _REDEPLOYED:
                escalation.redeploy({} if before is None else before.waiting(name, watch))
            else:
                _act(escalation, case)
    if emitter.restarted:
        emitter.restarted.clear()
    if before is None:
        return
    # All that is wanted is there by now. Where that is all there is, nothing is unwanted.
    if len(ticket.commitments) > len(wanted_commitments) or len(ticket.escalations) > len(wanted_ladders):
        _withdraw_all_but(wanted_commitments, wanted_ladders, draft, emitter, before)


def _case(machine: Machine, draft: Draft, name: str, metric: str, current: tuple[str, int]) -> int:
    """Of what is wanted on ``metric``: the first of the rules 2 to 7 that applies. ``current``: its metric and cycle; 0: none
    yet."""
    current_metric, cycle = current
    if not cycle:
        return _NEW
    same_metric = current_metric == metric
    if not same_metric and _counts(draft, current_metric, name):
        return _COUNTED_ELSEWHERE
    same_cycle = same_metric and cycle == machine.watch.cycle
    if machine.open:
        if machine.emitter.deployment is not None and (same_cycle or machine.going_on):
            return _REDEPLOYED
        if not same_cycle:
            return _MOVED
        return _TERMS_DIFFER if machine.differs() else _TERMS_EQUAL
    if not same_cycle:
        return _NEXT_CYCLE
    return _WANTED_AGAIN if machine.may_begin_again else _DECIDED


def _act(machine: Machine, case: int) -> None:
    action = _TABLE[case]
    if action == _REFRESH:
        machine.refresh()
    elif action == _BEGIN:
        machine.begin()
    elif action == _RETARGET:
        machine.retarget()


def _counts(draft: Draft, metric: str, name: str) -> bool:
    """Whether the terms in force for the stopwatch of ``metric`` count ``name`` on it."""
    watch = draft.ticket.watches[metric]
    if not watch.on:
        return False
    resolved_policy = draft.resolved_policy(watch.began)
    return any(resolved.name == name for resolved in resolved_policy.commitments_on.get(metric, ())) or any(
        resolved_ladder.name == name for resolved_ladder in resolved_policy.ladders_on.get(metric, ())
    )


def _has_ladder(draft: Draft, metric: str, name: str) -> bool:
    """Whether the terms in force for the stopwatch of ``metric`` have the ladder ``name`` on it."""
    resolved_policy = draft.resolved_policy(draft.ticket.watches[metric].began)
    return any(resolved_ladder.name == name for resolved_ladder in resolved_policy.ladders_on.get(metric, ()))


def _withdraw_all_but(commitments: set[str], ladders: set[str], draft: Draft, emitter: Emitter, before: Terms) -> None:
    """Rule 1. Where a stopwatch has stopped, its commitments have ended already, and so have its escalations, except those that
    are monitored."""
    ticket = draft.ticket
    for name, current in list(ticket.commitments.items()):
        watch = ticket.watches[current.terms.metric]
        if name in commitments or current.verdict != PENDING or not watch.on:
            continue
        resolved = before.commitment(name, watch)
        if resolved is None:
            raise ValueError(f"commitment {name!r} is open, and no terms have it")
        commitment_state = draft.commitment_state(name) or current
        if emitter.deployment is not None:
            commitment_state.adjust(decided_by=ticket.deployment)
        CommitmentMachine(emitter, resolved, commitment_state, watch).withdraw(_reason(before, resolved.policy.name))
    for name, current_escalation in list(ticket.escalations.items()):
        metric = current_escalation.terms.metric
        watch = ticket.watches[metric]
        if name in ladders or (not watch.on and (current_escalation.phase != MONITORING or _has_ladder(draft, metric, name))):
            continue
        escalation_state = draft.escalation_state(name) or current_escalation
        resolved_ladder = before.ladder(name, watch)
        if resolved_ladder is None:  # it was withdrawn before
            escalation_state.next = None
        else:
            commitment_state_ = ticket.commitments.get(resolved_ladder.ladder.commitment)
            machine = EscalationMachine(emitter, resolved_ladder, escalation_state, watch, commitment_state_)
            machine.withdraw(_reason(before, resolved_ladder.policy.name))


def _reason(before: Terms, policy: str) -> Reason:
    return Reason.POLICY_WITHDRAWN if before.is_withdrawn(policy) else Reason.NO_LONGER_APPLIES
