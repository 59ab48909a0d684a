"""Deployments: rules 31 to 40 of ``tests.oracle.oracle``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from stream.sla.events import Event
from tests.oracle.signals import Fields, FieldState, signals, signals_when_asked
from tests.oracle.start_dates import in_time, starts_now
from tests.oracle.ticket import (
    MINUTE,
    WALL,
    WALL_PAUSES,
    CommitmentState,
    ResolvedCommitment,
    ResolvedLadder,
    Stopwatch,
    Ticket,
    first_applying,
    resolve,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream.sla.policy.metric import Metric
    from stream.sla.policy.policy import Policy
    from tests.oracle.commitments import CommitmentRules, Granted
    from tests.oracle.escalations import EscalationRules
    from tests.oracle.hours import OpenMinutes

_ENDS = ("stop", "restart", "cancel")
Renamed = tuple[dict[str, str], dict[str, str]]
"""Of the commitments and of the ladders of a ticket that get another name: the new one, by the former one."""


class Deployment(NamedTuple):
    """A whole set of policies and calendars, and the minute from which it holds."""

    minute: int
    policies: Sequence[Policy]
    hours: Mapping[str, OpenMinutes]


class Names:
    """The former names that ``was`` gives in a set of policies."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        present = {policy.name for policy in policies}
        self.policies = {one.was: one.name for one in policies if one.was and one.was not in present}
        self.commitments = {(p.name, one.was): one.name for p in policies for one in p.commitments if one.was}
        self.ladders = {(p.name, one.was): one.name for p in policies for one in p.ladders if one.was}
        self.levels = {
            (p.name, ladder.name, one.was): one.name
            for p in policies
            for ladder in p.ladders
            for one in ladder.levels
            if one.was
        }

    def policy(self, name: str) -> str:
        return self.policies.get(name, name)

    def commitment(self, policy: str, name: str) -> str:
        return self.commitments.get((policy, name), name)

    def ladder(self, policy: str, name: str) -> str:
        return self.ladders.get((policy, name), name)


def joined(earlier: Sequence[Policy], later: Sequence[Policy]) -> tuple[Policy, ...]:
    """Rule 32: the later set, and the versions of its policies that only the earlier one has."""
    names = Names(later)
    has = {(policy.name, policy.version) for policy in later}
    kept = [replace(policy, name=names.policy(policy.name)) for policy in earlier]
    return (*later, *(one for one in kept if one.name in {p.name for p in later} and (one.name, one.version) not in has))


def metrics_of(policies: Sequence[Policy]) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for policy in policies:
        metrics |= {commitment.metric.name: commitment.metric for commitment in policy.commitments}
        metrics |= {ladder.metric.name: ladder.metric for ladder in policy.ladders if ladder.metric is not None}
    return metrics


def continued(earlier: Sequence[Policy], later: Sequence[Policy], names: Names) -> dict[str, str]:
    """Rule 36: metrics that nothing stood on before, and the metric on which the same thing stood."""
    old_metrics, found = metrics_of(earlier), dict[str, str]()
    for policy in later:
        versions = [one for one in earlier if names.policy(one.name) == policy.name]
        older = [one for one in versions if one.version <= policy.version]
        before = max(older, key=lambda one: one.version) if older else min(versions, key=lambda one: one.version, default=None)
        if before is None:
            continue
        stood = {names.commitment(policy.name, one.name): one.metric for one in before.commitments}
        laddered = {names.ladder(policy.name, one.name): one.metric for one in before.ladders}
        pairs = [(one.metric, stood.get(one.name)) for one in policy.commitments]
        pairs += [(one.metric, laddered.get(one.name)) for one in policy.ladders if one.metric is not None]
        for metric, old in pairs:
            if metric is None or old is None or metric.name in old_metrics or metric.name in found:
                continue
            base = metric.name.split("#")[0]
            if ("/" in base or base == old.name.split("#")[0]) and metric.timer is old.timer:
                found[metric.name] = old.name
    return found


def replayed(metric: Metric, hours: Mapping[str, OpenMinutes], events: Sequence[Event], now: int) -> Stopwatch:
    """Rule 37: the stopwatch of a metric as it would stand if it had been kept from the first event on."""
    field_state, stopwatch = FieldState(), Stopwatch(hours)
    past = [event for event in events if event.at < now * MINUTE]
    for minute in range(past[0].at // MINUTE, now) if past else ():
        for event in [one for one in past if one.at // MINUTE == minute]:
            real, changed = field_state.after(event)
            given = signals(metric, stopwatch.phase, real, changed, field_state)
            for signal in in_time(metric, stopwatch, given, field_state.fields, minute):
                stopwatch.take(signal, minute)
        for signal in starts_now(metric, stopwatch, field_state, minute):
            stopwatch.take(signal, minute)
        if stopwatch.phase == "running":
            stopwatch.run(minute)
    return stopwatch


def know_former(ticket: Ticket, names: Names, policies: Sequence[Policy]) -> None:
    """Rule 40: every name that something had, unless it is in use again."""
    former = {(names.policy(policy), old): new for (policy, old), new in ticket.former.items()}
    former = {key: names.commitment(key[0], new) for key, new in former.items()} | names.commitments
    in_use = {(p.name, one.name) for p in policies for one in p.commitments}
    ticket.former = {key: new for key, new in former.items() if key not in in_use}
    levels: dict[tuple[str, str, str], str] = {}
    for (policy, ladder, old), new in ticket.former_levels.items():
        policy_ = names.policy(policy)
        ladder_ = names.ladder(policy_, ladder)
        levels[policy_, ladder_, old] = names.levels.get((policy_, ladder_, new), new)
    levels |= names.levels
    used = {(p.name, ladder.name, level.name) for p in policies for ladder in p.ladders for level in ladder.levels}
    ticket.former_levels = {key: new for key, new in levels.items() if key not in used}


class DeploymentRules:
    """Puts another set in force on a ticket."""

    def __init__(self, commitment_rules: CommitmentRules, escalation_rules: EscalationRules, field_state: FieldState) -> None:
        self.commitment_rules, self.escalation_rules, self.field_state = commitment_rules, escalation_rules, field_state
        self.ticket = commitment_rules.ticket

    def deploy(self, to: Deployment, metrics: dict[str, Metric], events: Sequence[Event]) -> dict[str, Metric]:
        """Returns the metrics that are kept from now on."""
        ticket = self.ticket
        fields: Fields = {name: value for name, value in self.field_state.fields.items() if name != "@begun"}
        earlier = ticket.policies
        policies = joined(earlier, to.policies)
        names = Names(policies)
        new_metrics = metrics_of(policies)
        goes_on = continued(earlier, policies, names)
        renamed = self._renamed_commitments(policies, names, fields), self._renamed_ladders(policies, names, fields)
        waiting = self._waiting(earlier, names, renamed, fields)
        for metric_name, old_metric_name in goes_on.items():
            self._go_on(policies, renamed, (metric_name, old_metric_name), new_metrics[metric_name], fields)
        self._rename(policies, names, renamed, fields)
        know_former(ticket, names, policies)
        ladders_before = self._ladders_before(earlier, names, fields)
        without_extension = self.commitment_rules.without_extension
        granted = {name: without_extension(one) for name, one in ticket.commitments.items() if one.extension}
        old_hours = ticket.hours
        ticket.policies, ticket.hours = policies, {**old_hours, **to.hours}
        for metric_name in new_metrics.keys() - metrics.keys() - goes_on.keys():
            ticket.stopwatches[metric_name] = replayed(new_metrics[metric_name], ticket.hours, events, ticket.now)
        for stopwatch in ticket.stopwatches.values():
            stopwatch.count_anew(ticket.hours)
        self._apply_commitments(fields, granted, old_hours)
        self._apply_ladders(fields, ladders_before, waiting)
        for metric_name in ticket.stopwatches.keys() - new_metrics.keys():
            if ticket.stopwatches[metric_name].on:
                ticket.stopwatches[metric_name].take("cancel", ticket.now)
        return new_metrics

    def _go_on(
        self, policies: Sequence[Policy], renamed: Renamed, metric_names: tuple[str, str], metric: Metric, fields: Fields
    ) -> None:
        ticket, (metric_name, old_metric_name) = self.ticket, metric_names
        old = ticket.stopwatches.get(old_metric_name, Stopwatch(ticket.hours))
        stopwatch = replace(old, ran=list(old.ran), counts=dict(old.counts))
        on_metric = {(p.name, one.name) for p in policies for one in p.commitments if one.metric.name == metric_name}
        taken = {name for name in ticket.commitments if renamed[0].get(name, name) in {n for _, n in on_metric}}
        laddered = {
            ladder.name
            for p in policies
            for ladder in p.ladders
            if ((p.name, ladder.commitment) in on_metric if ladder.metric is None else ladder.metric.name == metric_name)
        }
        affected_ladders = {name for name in self.escalation_rules.escalations if renamed[1].get(name, name) in laddered}
        asked = Event(ticket.now * MINUTE, "", "", "")  # type: ignore[arg-type]
        given = (
            signals_when_asked(metric, stopwatch.phase, asked, fields)
            if stopwatch.phase in ("idle", "running", "paused")
            else []
        )
        given = in_time(metric, stopwatch, given, fields, ticket.now)
        for signal in given if not self.field_state.removed else []:
            known = stopwatch.cycle > 0
            if signal not in _ENDS:
                stopwatch.take(signal, ticket.now)
            if known and signal != "start":
                self.commitment_rules.receive_signal(old_metric_name, stopwatch, signal, fields, taken)
                self.escalation_rules.receive_signal(old_metric_name, stopwatch, signal, fields, affected_ladders)
            if signal in _ENDS:
                stopwatch.take(signal, ticket.now)
        for name in taken:
            one = ticket.commitments[name]
            if one.metric == old_metric_name:
                one.resolved = replace(one.resolved, commitment=replace(one.resolved.commitment, metric=metric))
        for name in affected_ladders:
            if self.escalation_rules.escalations[name].metric == old_metric_name:
                self.escalation_rules.escalations[name].metric = metric_name
        ticket.stopwatches[metric_name] = stopwatch

    def _renamed_commitments(self, policies: Sequence[Policy], names: Names, fields: Fields) -> dict[str, str]:
        """Rule 32, by the former name. A name that the ticket has already is not given to anything else."""
        found, taken = dict[str, str](), set(self.ticket.commitments)
        for name, one in self.ticket.commitments.items():
            new = names.commitment(names.policy(one.policy), name)
            chosen = first_applying(policies, fields, self.ticket.stopwatches[one.metric].began)
            still = chosen is not None and name in {commitment.name for commitment in chosen.commitments}
            if new != name and new not in taken and not still:
                found[name] = new
                taken = (taken - {name}) | {new}
        return found

    def _renamed_ladders(self, policies: Sequence[Policy], names: Names, fields: Fields) -> dict[str, str]:
        found, taken = dict[str, str](), set(self.escalation_rules.escalations)
        for name, escalation_state in self.escalation_rules.escalations.items():
            new = names.ladder(names.policy(escalation_state.policy), name)
            chosen = first_applying(policies, fields, self.ticket.stopwatches[escalation_state.metric].began)
            still = chosen is not None and name in {ladder.name for ladder in chosen.ladders}
            if new != name and new not in taken and not still:
                found[name] = new
                taken = (taken - {name}) | {new}
        return found

    def _rename(self, policies: Sequence[Policy], names: Names, renamed: Renamed, fields: Fields) -> None:
        ticket, escalation_rules = self.ticket, self.escalation_rules
        for name, one in list(ticket.commitments.items()):
            one.policy = names.policy(one.policy)
            new = renamed[0].get(name, name)
            if new != name:
                ticket.commitments[new] = ticket.commitments.pop(name)
                if one.verdict != "pending":
                    one.resolved = replace(one.resolved, commitment=replace(one.resolved.commitment, name=new))
        for name, escalation_state in list(escalation_rules.escalations.items()):
            escalation_state.policy = names.policy(escalation_state.policy)
            by_set = names.ladder(escalation_state.policy, name)
            chosen = first_applying(policies, fields, ticket.stopwatches[escalation_state.metric].began)
            ladders = {} if chosen is None else {ladder.name: ladder for ladder in chosen.ladders}
            kept = {level.name for level in ladders[by_set].levels} if by_set in ladders else set()
            escalation_state.raised = [
                level if level in kept else names.levels.get((escalation_state.policy, by_set, level), level)
                for level in escalation_state.raised
            ]
            new = renamed[1].get(name, name)
            if new != name:
                escalation_rules.escalations[new] = escalation_rules.escalations.pop(name)
                escalation_rules.resolved_ladder[new] = escalation_rules.resolved_ladder.pop(name)

    def _ladders_before(self, earlier: Sequence[Policy], names: Names, fields: Fields) -> dict[str, ResolvedLadder]:
        found = {}
        for name, escalation_state in self.escalation_rules.escalations.items():
            ladders = resolve(earlier, fields, self.ticket.stopwatches[escalation_state.metric].began, self.ticket.hours)[1]
            for old, resolved_ladder in ladders.items():
                if name in (names.ladder(names.policy(resolved_ladder.policy), old), old):
                    found[name] = resolved_ladder
        return found

    def _apply_commitments(self, fields: Fields, granted: dict[str, int | None], old_hours: Mapping[str, OpenMinutes]) -> None:
        ticket, applicable = self.ticket, set()
        for metric, stopwatch in ticket.stopwatches.items():
            for name, resolved in (ticket.resolve_on(metric, fields)[0] if stopwatch.on else {}).items():
                applicable.add(name)
                one = ticket.commitments.get(name)
                elsewhere = one is not None and one.metric != metric and ticket.stopwatches[one.metric].on
                if one and elsewhere and name in ticket.resolve_on(one.metric, fields)[0]:
                    continue
                if one is not None and one.verdict == "pending":
                    self._carry(one, resolved, stopwatch, (granted.get(name), old_hours))
                else:
                    self.commitment_rules.begin(name, resolved, stopwatch, deployed=True)
        for name, one in ticket.commitments.items():
            if one.verdict == "pending" and ticket.stopwatches[one.metric].on and name not in applicable:
                one.verdict = "cancelled"
                self.commitment_rules.emit(one, "cancelled")
        self.commitment_rules.cancel_restarted()

    def _carry(self, one: CommitmentState, resolved: ResolvedCommitment, stopwatch: Stopwatch, granted: Granted) -> None:
        commitment_rules, old = self.commitment_rules, one.resolved
        before = (one.due, one.target, one.by_days, _way(one.clock), _named(old))
        renamed = old.commitment.name != resolved.commitment.name
        one.policy = resolved.policy.name
        if one.unjudged:
            one.resolved, one.cycle = resolved, stopwatch.cycle
        else:
            commitment_rules.retarget(one, resolved, stopwatch, granted)
        if (one.due, one.target, one.by_days, _way(one.clock), _named(resolved)) == before and not renamed:
            return
        commitment_rules.warn_anew(one, stopwatch)
        commitment_rules.emit(one, "retargeted")
        if commitment_rules.is_past(one):
            commitment_rules.breach(one)

    def _waiting(self, earlier: Sequence[Policy], names: Names, renamed: Renamed, fields: Fields) -> dict[str, dict[str, bool]]:
        """By the present names of ladders and levels, what ``EscalationRules.waiting`` has by the set before."""
        found = {}
        for name, escalation_state in self.escalation_rules.escalations.items():
            stopwatch = self.ticket.stopwatches[escalation_state.metric]
            resolved_ladder = resolve(earlier, fields, stopwatch.began, self.ticket.hours)[1].get(name)
            if resolved_ladder is not None and stopwatch.on:
                policy = names.policy(resolved_ladder.policy)
                ladder = names.ladder(policy, name)
                levels = self.escalation_rules.waiting(name, resolved_ladder)
                found[renamed[1].get(name, name)] = {
                    names.levels.get((policy, ladder, level), level): opens for level, opens in levels.items()
                }
        return found

    def _apply_ladders(self, fields: Fields, before: dict[str, ResolvedLadder], waiting: dict[str, dict[str, bool]]) -> None:
        ticket, escalation_rules, applicable = self.ticket, self.escalation_rules, set()
        for metric, stopwatch in ticket.stopwatches.items():
            for name, resolved_ladder in ticket.resolve_on(metric, fields)[1].items() if stopwatch.on else ():
                applicable.add(name)
                escalation_state = escalation_rules.escalations.get(name)
                elsewhere = (
                    escalation_state is not None
                    and escalation_state.metric != metric
                    and ticket.stopwatches[escalation_state.metric].on
                )
                if escalation_state and elsewhere and name in ticket.resolve_on(escalation_state.metric, fields)[1]:
                    continue
                if (
                    escalation_state is not None
                    and escalation_state.phase != "withdrawn"
                    and (escalation_state.metric, escalation_state.cycle) != (metric, stopwatch.cycle)
                ):
                    old = ticket.stopwatches[escalation_state.metric]
                    if old.on and old.cycle == escalation_state.cycle:
                        escalation_state.metric, escalation_state.cycle = metric, stopwatch.cycle
                escalation_rules.apply_ladder(name, resolved_ladder, metric, stopwatch)
                escalation_rules.raise_highest(name, resolved_ladder, waiting.get(name, {}))
        for name, escalation_state in escalation_rules.escalations.items():
            applies = ticket.resolve_on(escalation_state.metric, fields)[1].get(name)
            monitored_and_gone = escalation_state.phase == "monitoring" and applies is None
            if (
                (ticket.stopwatches[escalation_state.metric].on or monitored_and_gone)
                and name not in applicable
                and name in before
            ):
                escalation_rules.release(before[name].ladder.name, escalation_state, before[name], "withdrawn")
            escalation_rules.resolved_ladder[name] = applies


def _named(resolved: ResolvedCommitment) -> tuple[str, int, str, str]:
    return resolved.policy.name, resolved.policy.version, resolved.calendar, resolved.commitment.metric.name


def _way(clock: str) -> tuple[bool, bool]:
    """How a target counts, whichever the calendar."""
    return clock == WALL, clock.endswith(WALL_PAUSES)
