"""Why a ticket, or a commitment of the policy that applies to it, has no deadline.

It follows from the ticket and from the policies that judge it. The first of these rules that applies gives the reason:

1. A ticket that was erased, deleted or merged has none.
2. What was promised and is not any more was withdrawn by a deployment, or has ceased to apply.
3. Where no policy applies, the *nearest* one is that with the fewest conditions that do not hold; of several, the first.
4. Each commitment of the policy that applies has a reason of its own, unless it has a deadline or is decided. It follows from
   its stopwatch:

   a. It was promised in this run of the stopwatch: no target, a pause, or a calendar that does not open. Cancelled by its
      metric, that is the reason.
   b. The stopwatch runs or is paused, and nothing was promised on it: when it began, another version of the policies was in
      force, or a part of ``when`` did not hold.
   c. A part of ``when`` does not hold now.
   d. The stopwatch has stopped, or was cancelled, before anything was promised.
   e. The stopwatch has not started: it waits for a date, for the event that opens the ticket, for events that were not kept, or
      for those that start its metric.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from stream.sla.events import as_one_text
from stream.sla.policy.condition_words import condition_words
from stream.sla.policy.conditions import STARTED, All, AnyOf, FieldIn, fields_read, holds
from stream.sla.policy.metric import BEGUN, BUILT_IN, base_name
from stream.sla.ticket.commitment_state import CANCELLED, PENDING
from stream.sla.ticket.stopwatch import IDLE, PAUSED, RUNNING, STOPPED, Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.sla.policy.conditions import Condition, Fields
    from stream.sla.policy.policy import Commitment, Policy
    from stream.sla.policy.resolve import PolicySet
    from stream.sla.ticket.commitment_state import CommitmentState
    from stream.sla.ticket.state import Ticket
    from stream.sla.ticket.stopwatch import Stopwatch


class NoDeadline(StrEnum):
    """The reason."""

    ERASED = "erased"
    DELETED = "deleted"
    MERGED = "merged"
    NO_POLICY = "no_policy"
    """No policy applies: ``condition`` is what the nearest one asks for and the ticket does not have."""
    NO_COMMITMENT = "no_commitment"
    """The policy that applies has no commitment."""
    WITHDRAWN = "withdrawn"
    """A deployment took the policy or the commitment away."""
    NO_LONGER_APPLIES = "no_longer_applies"
    """The fields of the ticket have changed since it was promised."""
    NOT_IN_FORCE = "not_in_force"
    """The clock started before ``since``, from which on the version of the policy holds."""
    WHEN = "when_does_not_hold"
    """``condition``: that part of ``when`` which does not hold."""
    NO_TARGET = "no_target"
    """``condition``: for which tickets there is a target."""
    PASSED_BEFORE_DEPLOYMENT = "passed_before_deployment"
    """A deployment promised it when its deadline had passed already."""
    NOT_BEGUN = "not_begun"
    """No event has stated yet that the ticket is open."""
    NOT_STARTED = "not_started"
    """The event that starts the clock has not come. ``condition``: what starts it, for a metric that a policy defines."""
    EVENTS_NOT_KEPT = "events_not_kept"
    """A deployment brought the clock, and the events with which it would have started were no longer kept."""
    WAITS_FOR_DATE = "waits_for_date"
    """The clock starts at the date of a ticket field."""
    PAUSED = "paused"
    NEVER_OPEN = "never_open"
    """The calendar is not open long enough any more."""
    STOPPED_BEFORE = "stopped_before"
    """The clock had stopped before anything was promised on it."""
    CANCELLED = "cancelled"
    """A condition of the metric cancelled it."""


class WithoutDeadline(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A ticket, or one of its commitments, without a deadline."""

    reason: NoDeadline
    policy: str = ""
    """The policy that applies; for ``no_policy`` the nearest one."""
    commitment: str = ""
    """Empty: the reason is that of the whole ticket."""
    metric: str = ""
    condition: str = ""
    """In words, as ``breachwatch diff`` writes conditions."""
    fields: tuple[tuple[str, str], ...] = ()
    """The ticket's values of the fields that the condition reads."""
    since: int | None = None
    """When the ticket was erased, deleted or merged, or from when on the version of the policy holds (epoch microseconds)."""


def without_deadline(ticket: Ticket, policies: PolicySet) -> tuple[WithoutDeadline, ...]:
    """The reasons, in the order of the policy. ``policies``: those that judge the ticket."""
    if ticket.ended_by:
        return (WithoutDeadline(reason=NoDeadline(ticket.ended_by), since=ticket.ended_at),)
    if ticket.last is None:
        return ()
    at = ticket.last[0]
    policy = policies.resolved_policy(ticket.fields, policies.epoch(at)).policy
    found = [*_not_wanted(ticket, policies, policy)]
    if policy is None:
        return (*found, _no_policy(ticket.fields, policies.in_force(at)))
    if not policy.commitments:
        return (*found, WithoutDeadline(reason=NoDeadline.NO_COMMITMENT, policy=policy.name))
    each = [_commitment(ticket, policies, policy, commitment) for commitment in policy.commitments]
    return (*found, *[one for one in each if one is not None])


def _not_wanted(ticket: Ticket, policies: PolicySet, policy: Policy | None) -> Iterator[WithoutDeadline]:
    """Rule 2."""
    wanted = () if policy is None else [commitment.name for commitment in policy.commitments]
    there = {(one.name, commitment.name) for one in policies.policies for commitment in one.commitments}
    for name, state in ticket.commitments.items():
        if state.verdict == CANCELLED and name not in wanted:
            deployed = (state.terms.policy, name) in there
            yield WithoutDeadline(
                reason=NoDeadline.NO_LONGER_APPLIES if deployed else NoDeadline.WITHDRAWN,
                policy=state.terms.policy,
                commitment=name,
                metric=base_name(state.terms.metric),
            )


def _no_policy(fields: Fields, policies: list[Policy]) -> WithoutDeadline:
    """Rule 3."""
    failing = [(_failing(policy.applies_to, fields), policy.name) for policy in policies]
    if not failing:
        return WithoutDeadline(reason=NoDeadline.NO_POLICY)
    parts, nearest = min(failing, key=lambda one: len(one[0]))
    return WithoutDeadline(
        reason=NoDeadline.NO_POLICY, policy=nearest, condition=condition_words(_all(parts)), fields=_values(parts, fields)
    )


def _commitment(ticket: Ticket, policies: PolicySet, policy: Policy, commitment: Commitment) -> WithoutDeadline | None:
    """Rule 4, its parts in their order. ``None``: it has a deadline, or is decided."""
    metric, fields = commitment.metric.name, ticket.fields
    watch, state = ticket.watches.get(metric), ticket.commitments.get(commitment.name)
    phase = IDLE if watch is None else watch.phase
    # a
    if watch is not None and state is not None and state.terms.metric == metric and state.cycle == watch.cycle:
        if state.verdict != CANCELLED:
            return _of_open(commitment, policy.name, state, watch, fields)
        if phase == Phase.CANCELLED:
            return _of(commitment, policy.name, NoDeadline.CANCELLED)
    elif state is not None and state.terms.metric != metric:
        return None  # counted on another metric, by the version that began with it
    # b
    if watch is not None and RUNNING <= phase <= PAUSED:
        then = policies.resolved_policy(fields, policies.epoch(watch.began)).policy
        former = None if then is None else next((one for one in then.commitments if one.name == commitment.name), None)
        if then is None or former is None or then.name != policy.name:
            return _of(commitment, policy.name, NoDeadline.NOT_IN_FORCE, since=policy.since)
        return _when(former, then.name, _failing(former.when, fields), fields)
    # c
    failing = [part for part in _failing(commitment.when, fields) if STARTED not in fields_read(part)]
    if failing:
        return _when(commitment, policy.name, failing, fields)
    # d
    if phase != IDLE:
        stopped = phase == STOPPED
        return _of(commitment, policy.name, NoDeadline.STOPPED_BEFORE if stopped else NoDeadline.CANCELLED)
    # e
    if commitment.metric.starts_at:
        return _of(commitment, policy.name, NoDeadline.WAITS_FOR_DATE, fields=_named((commitment.metric.starts_at,), fields))
    if not ticket.started and "@begun" in fields_read(commitment.metric.starts):
        return _of(commitment, policy.name, NoDeadline.NOT_BEGUN)
    if ticket.started and commitment.metric.starts == BEGUN and commitment.metric.cancels is None:
        return _of(commitment, policy.name, NoDeadline.EVENTS_NOT_KEPT)
    condition = "" if metric in BUILT_IN else condition_words(commitment.metric.starts)
    return _of(commitment, policy.name, NoDeadline.NOT_STARTED, condition=condition)


def _of_open(
    commitment: Commitment, policy: str, state: CommitmentState, watch: Stopwatch, fields: Fields
) -> WithoutDeadline | None:
    """Of a commitment that has begun in this cycle."""
    if state.verdict != PENDING or state.due is not None:
        return None
    if state.terms.target is None:
        if state.adjusted.unjudged:
            return _of(commitment, policy, NoDeadline.PASSED_BEFORE_DEPLOYMENT)
        cases = commitment.target.conditions
        return _of(
            commitment, policy, NoDeadline.NO_TARGET, condition=condition_words(_any(cases)), fields=_values(cases, fields)
        )
    return _of(commitment, policy, NoDeadline.PAUSED if watch.phase == PAUSED else NoDeadline.NEVER_OPEN)


def _when(commitment: Commitment, policy: str, failing: list[Condition], fields: Fields) -> WithoutDeadline:
    condition = condition_words(_all(failing)) if failing else condition_words(commitment.when)
    return _of(commitment, policy, NoDeadline.WHEN, condition=condition, fields=_values(failing, fields))


def _of(
    commitment: Commitment,
    policy: str,
    reason: NoDeadline,
    *,
    condition: str = "",
    fields: tuple[tuple[str, str], ...] = (),
    since: int | None = None,
) -> WithoutDeadline:
    return WithoutDeadline(
        reason=reason,
        policy=policy,
        commitment=commitment.name,
        metric=base_name(commitment.metric.name),
        condition=condition,
        fields=fields,
        since=since,
    )


def _failing(condition: Condition, fields: Fields) -> list[Condition]:
    """Those parts of a condition that do not hold, all of which have to."""
    if isinstance(condition, All):
        return [failing for part in condition.parts for failing in _failing(part, fields)]
    return [] if holds(condition, fields) else [condition]


def _all(parts: list[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _any(cases: list[Condition]) -> Condition:
    """That one of the cases holds. Cases about one field are one condition: ``priority p1 or p2``."""
    named = [case for case in cases if isinstance(case, FieldIn)]
    if len(named) == len(cases) and len({case.field for case in named}) == 1:
        return FieldIn(named[0].field, frozenset().union(*(case.values for case in named)))
    return cases[0] if len(cases) == 1 else AnyOf(tuple(cases))


def _values(conditions: list[Condition], fields: Fields) -> tuple[tuple[str, str], ...]:
    names = dict.fromkeys(name for condition in conditions for name in sorted(fields_read(condition)) if name != STARTED)
    return _named(tuple(names), fields)


def _named(names: tuple[str, ...], fields: Fields) -> tuple[tuple[str, str], ...]:
    return tuple([(name.removeprefix("@"), as_one_text(fields.get(name, ""))) for name in names])
