"""Resolves the policies for a ticket.

A ``PolicySet`` answers one question: given a ticket's fields and the instant a clock started, what is promised? The answer,
a ``ResolvedPolicy``, has every choice made (targets, thresholds, calendars for *these* fields), and is remembered: tickets with
the same relevant fields share it.

Longer than 250 lines because the classes of a resolved policy are read beside the choices that make them.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

from stream.sla.calendar.duration import Clock
from stream.sla.policy.conditions import IN_HOURS, OUT_OF_HOURS, STARTED, fields_read, holds
from stream.sla.policy.policy import YES, AtDeadline
from stream.sla.policy.spelling import Spellings
from stream.sla.policy.terms import ON_CALENDAR, ON_CALENDAR_PAUSED_ON_WALL, ON_WALL, CommitmentTerms, EscalationTerms
from stream.sla.policy.triggers import MetricTriggers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.sla.calendar.calendar import Calendar
    from stream.sla.calendar.duration import Duration
    from stream.sla.policy.conditions import Condition, Fields
    from stream.sla.policy.metric import Metric
    from stream.sla.policy.policy import Commitment, Ladder, Level, Policy, Threshold


_MOST: Final = 65_536
"""Combinations of values of fields whose answers are remembered. Values without end, of a field of one's own, or long lists
of tags must not fill the memory."""
_MOST_SIZE: Final = 32 << 20
"""Bytes of the values of all of them."""
_EACH: Final = 50
"""Bytes of each text of a list, beside its characters."""


class ResolvedCommitment:
    """A commitment with every choice made. Not to be changed: all tickets that are alike share it."""

    def __init__(
        self,
        commitment: Commitment,
        policy: Policy,
        calendar: Calendar,
        known: Fields,
    ) -> None:
        """``known``: the fields of the ticket, and how its clock started, if that is asked."""
        self.commitment: Final = commitment
        self.policy: Final = policy
        self.calendar: Final = calendar
        self.target: Final[Duration | None] = commitment.target.of(known)
        """``None``: nothing is promised for these fields; the time is measured all the same."""
        self.warn_at: Final[tuple[Threshold, ...]] = commitment.warn_at.of(known) or ()
        self.name: Final[str] = commitment.name
        self.metric: Final[str] = commitment.metric.name
        """The metric on whose stopwatch it lies."""
        self.terms: Final = CommitmentTerms.of(policy.name, policy.version, self.metric, calendar.name, True, None)
        """Without the target, which depends on the instant at which it begins to count."""
        self.timer: Final[bool] = commitment.metric.timer
        """No commitment of anybody: see ``metric.Metric``."""
        self.strict: Final[bool] = commitment.at_deadline is AtDeadline.BREACHED
        """A commitment that is fulfilled at the instant of the deadline is breached."""
        self.on_calendar: Final = ON_CALENDAR_PAUSED_ON_WALL if commitment.pause_time is Clock.WALL else ON_CALENDAR
        """The clock and calendar of a target in business time."""
        self.fixed: Final = self._fixed()
        """With the target, if that is the same whenever it begins to count; ``None``: it is not, or there is no target."""
        self.started: Final = str(known.get(STARTED, "")) if _ask(_conditions_of(commitment)) else ""
        """The start of its clock, ``in_hours`` or ``out_of_hours``, if a condition asks for it; otherwise empty."""
        self.page: Final[bool] = commitment.page.of(known) == YES
        """A single breach pages."""

    def _fixed(self) -> CommitmentTerms | None:
        target = self.target
        if target is None or target.months or target.delay is not None:
            return None
        amount = target.resolve(self.calendar, 0)
        return self.terms.with_target(self.on_calendar if amount.clock is Clock.BUSINESS else ON_WALL, amount.micros)


class ResolvedLadder:
    """A ladder with every choice made: level and threshold, in the order of the policy. Never changed."""

    def __init__(
        self,
        ladder: Ladder,
        policy: Policy,
        calendar: Calendar,
        levels: tuple[tuple[Level, Threshold], ...],
        metric: str,
        teams: Mapping[str, str],
    ) -> None:
        self.ladder: Final = ladder
        self.policy: Final = policy
        self.calendar: Final = calendar
        self.levels: Final = levels
        self.metric: Final = metric
        """The metric on whose stopwatch it stands."""
        self.teams: Final = teams
        """Name of a level to the team that it hands the ticket over to."""
        self.name: Final[str] = ladder.name
        self.terms: Final = EscalationTerms.of(policy.name, policy.version, metric)


class ResolvedPolicy:
    """The commitments and ladders of tickets with certain fields."""

    def __init__(
        self, policy: Policy | None, commitments: Mapping[str, ResolvedCommitment], ladders: Mapping[str, ResolvedLadder]
    ) -> None:
        """By the names of commitments and of ladders."""
        self.policy: Final = policy
        self.commitments: Final = commitments
        self.ladders: Final = ladders
        self.commitments_on: dict[str, tuple[ResolvedCommitment, ...]] = {}
        """The commitments on the stopwatch of a metric, by its name."""
        self.ladders_on: dict[str, tuple[ResolvedLadder, ...]] = {}
        """The ladders that stand on the stopwatch of a metric, through a commitment or by themselves."""
        for resolved in commitments.values():
            self.commitments_on[resolved.metric] = (*self.commitments_on.get(resolved.metric, ()), resolved)
        for resolved_ladder in ladders.values():
            self.ladders_on[resolved_ladder.metric] = (*self.ladders_on.get(resolved_ladder.metric, ()), resolved_ladder)
        self.has_targets: Final = any(resolved.target is not None for resolved in commitments.values()) or any(
            resolved_ladder.levels for resolved_ladder in ladders.values()
        )
        """Whether there is a target or a level in it."""


NOTHING: Final = ResolvedPolicy(None, {}, {})


class PolicySet:
    """All policies that are loaded, in the order in which they are asked; the first that applies to a ticket wins.

    Several versions of one policy stand in the place of the first of them; of these the latest whose ``since`` is not
    after the start of the clock is in force.
    """

    def __init__(self, policies: tuple[Policy, ...], calendars: Mapping[str, Calendar], kept: tuple[Metric, ...] = ()) -> None:
        """``kept``: metrics that are kept although no policy uses them."""
        self.policies: Final = policies
        self.calendars: Final = calendars
        self.reads: Final[frozenset[str]] = frozenset(
            name for policy in policies for condition in conditions_of(policy) for name in fields_read(condition)
        )
        """The ticket fields on which any commitment or ladder depends."""
        self._order: Final = tuple(sorted(self.reads - {STARTED}))
        self._asked: Final = tuple(sorted(_calendars_asked(policies)))
        """Names of the calendars of which some choice asks whether they were open when the clock started."""
        self._since: Final = sorted({policy.since for policy in policies if policy.since is not None})
        self.has_epochs: Final = bool(self._since or self._asked)
        """Whether anything depends on the start of a clock: ``epoch`` is 0 if nothing does."""
        self._spellings: Spellings | None = None
        self._resolved: Final[dict[tuple[object, ...], ResolvedPolicy]] = {}
        self._size = 0
        """Of the keys of ``_resolved``, as ``_size`` has it."""
        metrics: dict[str, Metric] = {metric.name: metric for metric in kept}
        for policy in policies:
            for commitment in policy.commitments:
                metrics[commitment.metric.name] = commitment.metric
            for ladder in policy.ladders:
                if ladder.metric is not None:
                    metrics[ladder.metric.name] = ladder.metric
        self.triggers: Final = {name: MetricTriggers(metric) for name, metric in metrics.items()}
        """Every stopwatch that some policy uses, by the name of its metric."""
        self.all_triggers: Final = list(self.triggers.values())
        """The same in their order: compiled code goes through a list in a tenth of the steps."""
        sensitive = [of.fields for triggers in self.triggers.values() for of in triggers.sensitivity]
        self.fields_read: Final = self.reads.union(*sensitive)
        """The ticket fields on which a commitment, a ladder or a stopwatch depends."""
        self.dated: Final = tuple([name for name, triggers in self.triggers.items() if triggers.dated])
        """The metrics of which a date starts the stopwatch."""

    def spellings(self) -> Spellings:
        """The values of ticket fields that the policies name."""
        if self._spellings is None:
            self._spellings = Spellings([condition for policy in self.policies for condition in conditions_of(policy)])
        return self._spellings

    def names_on(self, metric: str) -> tuple[frozenset[str], frozenset[str]]:
        """The names of the commitments and of the ladders that some policy counts on a metric."""
        commitments, ladders = set(), set()
        for policy in self.policies:
            on = {commitment.name for commitment in policy.commitments if commitment.metric.name == metric}
            commitments |= on
            for ladder in policy.ladders:
                if ladder.commitment in on if ladder.metric is None else ladder.metric.name == metric:
                    ladders.add(ladder.name)
        return frozenset(commitments), frozenset(ladders)

    def epoch(self, started: int) -> int:
        """The values that depend on the start of a clock (epoch microseconds): the versions in force, and for each calendar
        that is asked whether it was open. One number."""
        epoch = bisect_right(self._since, started) if self._since else 0
        for name in self._asked:
            epoch = epoch * 2 + self.calendars[name].is_open(started)
        return epoch

    def resolved_policy(self, fields: Fields, epoch: int) -> ResolvedPolicy:
        """The commitments and ladders of a ticket with these fields, by the versions of that epoch."""
        values: list[object] = [epoch]
        for name in self._order:
            values.append(fields.get(name))  # noqa: PERF401  compiled, all else costs three to five times as much
        key = tuple(values)
        try:
            resolved_policy = self._resolved.get(key)
        except TypeError:  # a list among them: tags
            key = tuple(tuple(value) if isinstance(value, list) else value for value in key)
            resolved_policy = self._resolved.get(key)
        if resolved_policy is None:
            self._size += _size(key)
            if len(self._resolved) >= _MOST or self._size > _MOST_SIZE:
                self._resolved.clear()
                self._size = _size(key)
            resolved_policy = self._resolved[key] = self._make(fields, epoch)
        return resolved_policy

    def _make(self, fields: Fields, epoch: int) -> ResolvedPolicy:
        policy = next((p for p in self._in_force(epoch >> len(self._asked)) if holds(p.applies_to, fields)), None)
        if policy is None:
            return NOTHING
        usual = policy.calendar.of(fields) or ""
        commitments = {}
        for commitment in policy.commitments:
            own = (commitment.calendar.of(fields) if commitment.calendar else None) or usual
            known = self._with_start(fields, own, epoch)
            if holds(commitment.when, known):
                commitments[commitment.name] = ResolvedCommitment(commitment, policy, self.calendars[own], known)
        ladders = {}
        for ladder in policy.ladders:
            below = commitments.get(ladder.commitment)
            if below is None and ladder.commitment:
                continue
            calendar = self.calendars[usual] if below is None else below.calendar
            known = self._with_start(fields, calendar.name, epoch)
            if holds(ladder.when, known):
                metric = ladder.metric if below is None else below.commitment.metric
                if metric is None:
                    raise ValueError(f"ladder {ladder.name!r} stands neither on a stopwatch nor on a commitment")
                levels = tuple((level, threshold) for level in ladder.levels if (threshold := level.at.of(known)) is not None)
                named = [(level.name, level.assign_to.of(known)) for level in ladder.levels if level.assign_to]
                teams = {name: team for name, team in named if team is not None}
                ladders[ladder.name] = ResolvedLadder(ladder, policy, calendar, levels, metric.name, teams)
        return ResolvedPolicy(policy, commitments, ladders)

    def in_force(self, at: int) -> list[Policy]:
        """The versions that hold for clocks that start at an instant (epoch microseconds), in the order in which policies are
        asked."""
        return self._in_force(bisect_right(self._since, at))

    def _with_start(self, fields: Fields, calendar: str, epoch: int) -> Fields:
        """The fields, and whether the calendar was open at the start of the clock, if that is asked."""
        if calendar not in self._asked:
            return fields
        was_open = epoch >> (len(self._asked) - 1 - self._asked.index(calendar)) & 1
        return {**fields, STARTED: IN_HOURS if was_open else OUT_OF_HOURS}

    def _in_force(self, epoch: int) -> list[Policy]:
        horizon = self._since[epoch - 1] if epoch else None
        latest: dict[str, Policy] = {}
        for policy in self.policies:
            if policy.since is None or (horizon is not None and policy.since <= horizon):
                newest = latest.get(policy.name)
                if newest is None or (policy.since or -1, policy.version) > (newest.since or -1, newest.version):
                    latest[policy.name] = policy
        order = list(dict.fromkeys(policy.name for policy in self.policies))
        return [latest[name] for name in order if name in latest]


def _size(key: tuple[object, ...]) -> int:
    """Bytes of the values of fields, roughly."""
    size = 0
    for value in key:
        if isinstance(value, str):
            size += len(value)
        elif isinstance(value, tuple):
            size += sum([_EACH + len(text) for text in value])
    return size


def _calendars_asked(policies: tuple[Policy, ...]) -> set[str]:
    """The calendars on which a policy that asks how a clock started may count."""
    found: set[str] = set()
    for policy in policies:
        if _ask(conditions_of(policy)):
            choices = [policy.calendar, *(one.calendar for one in policy.commitments if one.calendar is not None)]
            found.update(name for choice in choices for _, name in choice.cases)
    return found


def _ask(conditions: list[Condition]) -> bool:
    """Whether one of the conditions asks how a clock started."""
    return any(STARTED in fields_read(condition) for condition in conditions)


def conditions_of(policy: Policy) -> list[Condition]:
    """Every condition over ticket fields that a policy has, outside its metrics."""
    conditions = [policy.applies_to, *policy.calendar.conditions]
    for ladder in policy.ladders:
        conditions.append(ladder.when)
        for level in ladder.levels:
            conditions += [*level.at.conditions, *(level.assign_to.conditions if level.assign_to else ())]
    for commitment in policy.commitments:
        conditions += _conditions_of(commitment)
    return conditions


def _conditions_of(commitment: Commitment) -> list[Condition]:
    conditions = [commitment.when, *commitment.target.conditions, *commitment.warn_at.conditions, *commitment.page.conditions]
    return [*conditions, *(commitment.calendar.conditions if commitment.calendar else ())]
