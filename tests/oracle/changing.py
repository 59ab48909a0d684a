"""Policies that change on the way: rules 31 to 40 of ``tests.oracle.oracle``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from stream.sla.events import Event
from tests.oracle.asked import Fields, Record, moves, turns
from tests.oracle.dated import in_time, starts_now
from tests.oracle.promised import (
    MINUTE,
    WALL,
    WALL_PAUSES,
    Offer,
    ResolvedCommitment,
    ResolvedLadder,
    Story,
    Watch,
    first_applying,
    offered,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream.sla.policy.metric import Metric
    from stream.sla.policy.policy import Policy
    from tests.oracle.escalating import Escalating
    from tests.oracle.hours import OpenMinutes
    from tests.oracle.keeping import Keeping

_ENDS = ("stop", "restart", "cancel")
Renamed = tuple[dict[str, str], dict[str, str]]
"""Of the commitments and of the ladders of a ticket that get another name: the new one, by the former one."""


class Change(NamedTuple):
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


def rows_of(policies: Sequence[Policy]) -> dict[str, Metric]:
    rows: dict[str, Metric] = {}
    for policy in policies:
        rows |= {commitment.metric.name: commitment.metric for commitment in policy.commitments}
        rows |= {ladder.metric.name: ladder.metric for ladder in policy.ladders if ladder.metric is not None}
    return rows


def continued(earlier: Sequence[Policy], later: Sequence[Policy], names: Names) -> dict[str, str]:
    """Rule 36: rows that nothing stood on before, and the row on which the same thing stood."""
    old_rows, found = rows_of(earlier), dict[str, str]()
    for policy in later:
        versions = [one for one in earlier if names.policy(one.name) == policy.name]
        older = [one for one in versions if one.version <= policy.version]
        before = max(older, key=lambda one: one.version) if older else min(versions, key=lambda one: one.version, default=None)
        if before is None:
            continue
        stood = {names.commitment(policy.name, one.name): one.metric for one in before.commitments}
        climbed = {names.ladder(policy.name, one.name): one.metric for one in before.ladders}
        pairs = [(one.metric, stood.get(one.name)) for one in policy.commitments]
        pairs += [(one.metric, climbed.get(one.name)) for one in policy.ladders if one.metric is not None]
        for metric, old in pairs:
            if metric is None or old is None or metric.name in old_rows or metric.name in found:
                continue
            base = metric.name.split("#")[0]
            if ("/" in base or base == old.name.split("#")[0]) and metric.timer is old.timer:
                found[metric.name] = old.name
    return found


def replayed(metric: Metric, hours: Mapping[str, OpenMinutes], events: Sequence[Event], now: int) -> Watch:
    """Rule 37: the stopwatch of a row as it would stand if it had been kept from the first event on."""
    record, watch = Record(), Watch(hours)
    past = [event for event in events if event.at < now * MINUTE]
    for minute in range(past[0].at // MINUTE, now) if past else ():
        for event in [one for one in past if one.at // MINUTE == minute]:
            real, changed = record.after(event)
            given = turns(metric, watch.phase, real, changed, record)
            for move in in_time(metric, watch, given, record.fields, minute):
                watch.take(move, minute)
        for move in starts_now(metric, watch, record, minute):
            watch.take(move, minute)
        if watch.phase == "running":
            watch.run(minute)
    return watch


def know_former(story: Story, names: Names, policies: Sequence[Policy]) -> None:
    """Rule 40: every name that something had, unless it is in use again."""
    former = {(names.policy(policy), old): new for (policy, old), new in story.former.items()}
    former = {key: names.commitment(key[0], new) for key, new in former.items()} | names.commitments
    in_use = {(p.name, one.name) for p in policies for one in p.commitments}
    story.former = {key: new for key, new in former.items() if key not in in_use}
    levels: dict[tuple[str, str, str], str] = {}
    for (policy, ladder, old), new in story.former_levels.items():
        policy_ = names.policy(policy)
        ladder_ = names.ladder(policy_, ladder)
        levels[policy_, ladder_, old] = names.levels.get((policy_, ladder_, new), new)
    levels |= names.levels
    used = {(p.name, ladder.name, level.name) for p in policies for ladder in p.ladders for level in ladder.levels}
    story.former_levels = {key: new for key, new in levels.items() if key not in used}


class Changing:
    """Puts another set in force on a ticket."""

    def __init__(self, keeping: Keeping, escalating: Escalating, record: Record) -> None:
        self.keeping, self.escalating, self.record = keeping, escalating, record
        self.story = keeping.story

    def change(self, to: Change, rows: dict[str, Metric], events: Sequence[Event]) -> dict[str, Metric]:
        """Returns the rows that are kept from now on."""
        story = self.story
        fields: Fields = {name: value for name, value in self.record.fields.items() if name != "@begun"}
        earlier = story.policies
        policies = joined(earlier, to.policies)
        names = Names(policies)
        new_rows = rows_of(policies)
        goes_on = continued(earlier, policies, names)
        renamed = self._renamed_commitments(policies, names, fields), self._renamed_ladders(policies, names, fields)
        waiting = self._waiting(earlier, names, renamed, fields)
        for row, old_row in goes_on.items():
            self._go_on(policies, renamed, (row, old_row), new_rows[row], fields)
        self._rename(policies, names, renamed, fields)
        know_former(story, names, policies)
        ladders_before = self._ladders_before(earlier, names, fields)
        granted = {name: self.keeping.without_extension(one) for name, one in story.commitments.items() if one.extension}
        old_hours = story.hours
        story.policies, story.hours = policies, {**old_hours, **to.hours}
        for row in new_rows.keys() - rows.keys() - goes_on.keys():
            story.watches[row] = replayed(new_rows[row], story.hours, events, story.now)
        for watch in story.watches.values():
            watch.count_anew(story.hours)
        self._lay(fields, granted, old_hours)
        self._lay_ladders(fields, ladders_before, waiting)
        for row in story.watches.keys() - new_rows.keys():
            if story.watches[row].on:
                story.watches[row].take("cancel", story.now)
        return new_rows

    def _go_on(
        self, policies: Sequence[Policy], renamed: Renamed, rows: tuple[str, str], metric: Metric, fields: Fields
    ) -> None:
        story, (row, old_row) = self.story, rows
        old = story.watches.get(old_row, Watch(story.hours))
        watch = replace(old, ran=list(old.ran), counts=dict(old.counts))
        on_row = {(p.name, one.name) for p in policies for one in p.commitments if one.metric.name == row}
        taken = {name for name in story.commitments if renamed[0].get(name, name) in {n for _, n in on_row}}
        laddered = {
            ladder.name
            for p in policies
            for ladder in p.ladders
            if ((p.name, ladder.commitment) in on_row if ladder.metric is None else ladder.metric.name == row)
        }
        escalating = {name for name in self.escalating.escalations if renamed[1].get(name, name) in laddered}
        asked = Event(story.now * MINUTE, "", "", "")  # type: ignore[arg-type]
        given = moves(metric, watch.phase, asked, fields) if watch.phase in ("idle", "running", "paused") else []
        given = in_time(metric, watch, given, fields, story.now)
        for move in given if not self.record.gone else []:
            known = watch.cycle > 0
            if move not in _ENDS:
                watch.take(move, story.now)
            if known and move != "start":
                self.keeping.move(old_row, watch, move, fields, taken)
                self.escalating.move(old_row, watch, move, fields, escalating)
            if move in _ENDS:
                watch.take(move, story.now)
        for name in taken:
            one = story.commitments[name]
            if one.metric == old_row:
                one.offer = replace(one.offer, commitment=replace(one.offer.commitment, metric=metric))
        for name in escalating:
            if self.escalating.escalations[name].metric == old_row:
                self.escalating.escalations[name].metric = row
        story.watches[row] = watch

    def _renamed_commitments(self, policies: Sequence[Policy], names: Names, fields: Fields) -> dict[str, str]:
        """Rule 32, by the former name. A name that the ticket has already is not given to anything else."""
        found, taken = dict[str, str](), set(self.story.commitments)
        for name, one in self.story.commitments.items():
            new = names.commitment(names.policy(one.policy), name)
            chosen = first_applying(policies, fields, self.story.watches[one.metric].began)
            still = chosen is not None and name in {commitment.name for commitment in chosen.commitments}
            if new != name and new not in taken and not still:
                found[name] = new
                taken = (taken - {name}) | {new}
        return found

    def _renamed_ladders(self, policies: Sequence[Policy], names: Names, fields: Fields) -> dict[str, str]:
        found, taken = dict[str, str](), set(self.escalating.escalations)
        for name, high in self.escalating.escalations.items():
            new = names.ladder(names.policy(high.policy), name)
            chosen = first_applying(policies, fields, self.story.watches[high.metric].began)
            still = chosen is not None and name in {ladder.name for ladder in chosen.ladders}
            if new != name and new not in taken and not still:
                found[name] = new
                taken = (taken - {name}) | {new}
        return found

    def _rename(self, policies: Sequence[Policy], names: Names, renamed: Renamed, fields: Fields) -> None:
        story, escalating = self.story, self.escalating
        for name, one in list(story.commitments.items()):
            one.policy = names.policy(one.policy)
            new = renamed[0].get(name, name)
            if new != name:
                story.commitments[new] = story.commitments.pop(name)
                if one.verdict != "pending":
                    one.offer = replace(one.offer, commitment=replace(one.offer.commitment, name=new))
        for name, high in list(escalating.escalations.items()):
            high.policy = names.policy(high.policy)
            by_set = names.ladder(high.policy, name)
            chosen = first_applying(policies, fields, story.watches[high.metric].began)
            ladders = {} if chosen is None else {ladder.name: ladder for ladder in chosen.ladders}
            kept = {level.name for level in ladders[by_set].levels} if by_set in ladders else set()
            high.raised = [
                level if level in kept else names.levels.get((high.policy, by_set, level), level) for level in high.raised
            ]
            new = renamed[1].get(name, name)
            if new != name:
                escalating.escalations[new] = escalating.escalations.pop(name)
                escalating.resolved_ladder[new] = escalating.resolved_ladder.pop(name)

    def _ladders_before(self, earlier: Sequence[Policy], names: Names, fields: Fields) -> dict[str, ResolvedLadder]:
        found = {}
        for name, high in self.escalating.escalations.items():
            ladders = offered(earlier, fields, self.story.watches[high.metric].began, self.story.hours)[1]
            for old, resolved_ladder in ladders.items():
                if name in (names.ladder(names.policy(resolved_ladder.policy), old), old):
                    found[name] = resolved_ladder
        return found

    def _lay(self, fields: Fields, granted: dict[str, int | None], old_hours: Mapping[str, OpenMinutes]) -> None:
        story, applicable = self.story, set()
        for metric, watch in story.watches.items():
            for name, offer in (story.offered(metric, fields)[0] if watch.on else {}).items():
                applicable.add(name)
                one = story.commitments.get(name)
                elsewhere = one is not None and one.metric != metric and story.watches[one.metric].on
                if one and elsewhere and name in story.offered(one.metric, fields)[0]:
                    continue
                if one is not None and one.verdict == "pending":
                    self._carry(one, offer, watch, (granted.get(name), old_hours))
                else:
                    self.keeping.begin(name, offer, watch, deployed=True)
        for name, one in story.commitments.items():
            if one.verdict == "pending" and story.watches[one.metric].on and name not in applicable:
                one.verdict = "cancelled"
                self.keeping.emit(one, "cancelled")

    def _carry(
        self, one: ResolvedCommitment, offer: Offer, watch: Watch, granted: tuple[int | None, Mapping[str, OpenMinutes]]
    ) -> None:
        keeping, old = self.keeping, one.offer
        before = (one.due, one.target, one.by_days, _way(one.clock), _named(old))
        renamed = old.commitment.name != offer.commitment.name
        one.policy = offer.policy.name
        if one.unjudged:
            one.offer, one.cycle = offer, watch.cycle
        else:
            keeping.aim_at(one, offer, watch, granted)
        if (one.due, one.target, one.by_days, _way(one.clock), _named(offer)) == before and not renamed:
            return
        keeping.warn_anew(one, watch)
        keeping.emit(one, "retargeted")
        if keeping.is_past(one):
            keeping.breach(one)

    def _waiting(self, earlier: Sequence[Policy], names: Names, renamed: Renamed, fields: Fields) -> dict[str, dict[str, bool]]:
        """By the present names of ladders and levels, what ``Escalating.waiting`` has by the set before."""
        found = {}
        for name, high in self.escalating.escalations.items():
            watch = self.story.watches[high.metric]
            resolved_ladder = offered(earlier, fields, watch.began, self.story.hours)[1].get(name)
            if resolved_ladder is not None and watch.on:
                policy = names.policy(resolved_ladder.policy)
                ladder = names.ladder(policy, name)
                levels = self.escalating.waiting(name, resolved_ladder)
                found[renamed[1].get(name, name)] = {
                    names.levels.get((policy, ladder, level), level): opens for level, opens in levels.items()
                }
        return found

    def _lay_ladders(self, fields: Fields, before: dict[str, ResolvedLadder], waiting: dict[str, dict[str, bool]]) -> None:
        story, escalating, applicable = self.story, self.escalating, set()
        for metric, watch in story.watches.items():
            for name, resolved_ladder in story.offered(metric, fields)[1].items() if watch.on else ():
                applicable.add(name)
                high = escalating.escalations.get(name)
                elsewhere = high is not None and high.metric != metric and story.watches[high.metric].on
                if high and elsewhere and name in story.offered(high.metric, fields)[1]:
                    continue
                if high is not None and high.state != "withdrawn" and (high.metric, high.cycle) != (metric, watch.cycle):
                    its = story.watches[high.metric]
                    if its.on and its.cycle == high.cycle:
                        high.metric, high.cycle = metric, watch.cycle
                escalating.apply_one(name, resolved_ladder, metric, watch)
                escalating.raise_highest(name, resolved_ladder, waiting.get(name, {}))
        for name, high in escalating.escalations.items():
            applies = story.offered(high.metric, fields)[1].get(name)
            gone = high.state == "monitoring" and applies is None
            if (story.watches[high.metric].on or gone) and name not in applicable and name in before:
                escalating.release(before[name].ladder.name, high, before[name], "withdrawn")
            escalating.resolved_ladder[name] = applies


def _named(offer: Offer) -> tuple[str, int, str, str]:
    return offer.policy.name, offer.policy.version, offer.calendar, offer.commitment.metric.name


def _way(clock: str) -> tuple[bool, bool]:
    """How a target counts, whichever the calendar."""
    return clock == WALL, clock.endswith(WALL_PAUSES)
