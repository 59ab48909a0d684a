"""What the policies promise to a ticket, and the stopwatches and commitments that come of it, counted minute by minute."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from stream.sla.events import Event
from stream.sla.policy.policy import Choice, Commitment, Ladder, Level, Policy, Threshold, ThresholdKind
from tests.oracle.hours import NEVER, OpenMinutes, delay_end, length, whole
from tests.oracle.signals import Fields, holds
from tests.properties.slow_calendar import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream.sla.policy.metric import Metric

MINUTE = 60_000_000
NOBODY = Event(at=0, id="", type="ticket.changed", source="")
WALL = ""
"""The clock of the wall, where a calendar's name would stand."""
WALL_PAUSES = "~"
"""After the name of a calendar: its clock where pauses count on the wall, rule 42."""


class Expected(NamedTuple):
    """One effect that must be emitted. Instants are epoch microseconds; ``name`` is of a commitment or a ladder."""

    name: str
    kind: str
    """The ``type`` of an effect."""
    level: str
    """Of a ladder, or the threshold of a warning."""
    cycle: int
    at: int
    due_at: int | None
    escalation_kind: str = ""
    assign_to: str = ""
    page: bool = False


class Ticket:
    """What has happened to one ticket up to the minute ``now``, and the effects that had to be emitted."""

    def __init__(self, policies: Sequence[Policy], hours: Mapping[str, OpenMinutes]) -> None:
        self.policies = policies
        self.hours = hours
        self.now = 0
        self.stopwatches: dict[str, Stopwatch] = {}
        self.commitments: dict[str, CommitmentState] = {}
        self.emitted: set[Expected] = set()
        self.former: dict[tuple[str, str], str] = {}
        """Policy and former name of a commitment, to its present name."""
        self.former_levels: dict[tuple[str, str, str], str] = {}
        """Policy, ladder and former name of a level, to its present name."""

    def resolve_on(self, metric: str, fields: Fields) -> tuple[dict[str, ResolvedCommitment], dict[str, ResolvedLadder]]:
        """What is promised to these fields on the stopwatch of a metric."""
        commitments, ladders = resolve(self.policies, fields, self.stopwatches[metric].began, self.hours)
        on_metric = {name: resolved for name, resolved in commitments.items() if resolved.commitment.metric.name == metric}
        return on_metric, {
            name: resolved_ladder for name, resolved_ladder in ladders.items() if resolved_ladder.metric.name == metric
        }

    def emit(
        self,
        name: str,
        kind: str,
        level: str,
        cycle: int,
        due: int | None,
        escalation_kind: str = "",
        assign_to: str = "",
        *,
        page: bool = False,
    ) -> None:
        at, due_at = self.now * MINUTE, None if due is None else due * MINUTE
        self.emitted.add(Expected(name, kind, level, cycle, at, due_at, escalation_kind, assign_to, page))


@dataclass
class Stopwatch:
    """One stopwatch. It remembers every single minute of its present cycle in which it ran."""

    hours: Mapping[str, OpenMinutes]
    phase: str = "idle"
    cycle: int = 0
    began: int = 0
    over: int = 0
    """When it was stopped or cancelled."""
    ran: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    """By clock: how many of these minutes counted."""
    sums: dict[tuple[str, int], list[int]] = field(default_factory=dict, init=False)
    """By clock and the minute from which a target counts: how many of the first n of these minutes counted."""

    @property
    def on(self) -> bool:
        return self.phase in ("running", "paused")

    def take(self, signal: str, minute: int) -> None:
        if signal in ("start", "restart", "skip"):
            self.cycle += 1
            self.began = minute
            self.ran = []
            self.sums = {}
            self.counts = dict.fromkeys(clocks_of(self.hours), 0)
        after = {"pause": "paused", "stop": "stopped", "skip": "stopped", "cancel": "cancelled"}
        after["halt"] = "halted while paused" if self.phase == "paused" else "halted"
        self.phase = after.get(signal, "running")
        if self.phase in ("stopped", "cancelled"):
            self.over = minute

    def count_anew(self, hours: Mapping[str, OpenMinutes]) -> None:
        """The calendars are others than before."""
        self.hours = hours
        self.sums = {}
        if self.cycle:
            self.counts = {clock: self.count(clock, self.ran[-1] + 1 if self.ran else 0) for clock in clocks_of(hours)}

    def count(self, clock: str, until: int) -> int:
        """How many of the minutes in which it ran up to then counted."""
        return sum(self._counts(clock, minute, place) for place, minute in enumerate(self.ran) if minute < until)

    def a_minute_ago(self, now: int) -> Stopwatch:
        """As it stood before the minute that ended now."""
        ran = self.ran[:-1] if self.ran and self.ran[-1] == now - 1 else self.ran
        last = self.ran[len(ran) :]
        counts = {
            clock: count - sum(self._counts(clock, minute, len(ran)) for minute in last) for clock, count in self.counts.items()
        }
        return replace(self, ran=ran, counts=counts)

    def run(self, minute: int) -> None:
        """The minute [minute, minute + 1) passes while it runs."""
        self.ran.append(minute)
        self.counts[WALL] += 1
        day, of_day = divmod(minute, DAY)
        applicable = divmod(self.began + len(self.ran) - 1, DAY)
        for clock, hours in self.hours.items():
            self.counts[clock] += hours.open_minutes(day)[of_day]
            self.counts[clock + WALL_PAUSES] += hours.open_minutes(applicable[0])[applicable[1]]

    def used(self, clock: str, since: int | None) -> int:
        """``since``: the minute from which the target counts, if not with the cycle (rule 42)."""
        if since is None or not clock.endswith(WALL_PAUSES):
            return self.counts[clock]
        sums = self.sums.setdefault((clock, since), [0])
        for place in range(len(sums) - 1, len(self.ran)):
            sums.append(sums[-1] + self._counts(clock, self.ran[place], place, since))
        return sums[len(self.ran)]

    def reading(self, clock: str, since: int | None = None) -> int:
        """The highest reading it showed while it ran: minutes used, or -1 if it has not run at all."""
        used = self.used(clock, since)
        if self.phase == "running":
            return used
        return used - self._counts(clock, self.ran[-1], len(self.ran) - 1, since) if self.ran else -1

    def has_shown(
        self, clock: str, minutes: int, not_before: int, now: int, *, strict: bool = False, since: int | None = None
    ) -> bool:
        """It has run at a minute, not before that one, at which it showed so much."""
        if (self.used(clock, since) if strict else self.reading(clock, since)) < minutes:
            return False
        if not not_before:
            return True
        if self._place(clock, now, len(self.ran), since) < not_before:  # only to be quick
            return False
        showed = self.first_showed(clock, minutes, now, not_before, strict=strict, since=since)
        return showed is not None and showed <= now

    def first_showed(
        self, clock: str, minutes: int, now: int, not_before: int = 0, *, strict: bool = False, since: int | None = None
    ) -> int | None:
        """The first minute, not before that one, at which it ran and showed so much: in the past, or ahead if it goes on.

        ``strict``: or at which it ceased to run and showed so much.
        """
        used = 0
        for place, minute in enumerate(self.ran):
            if used >= minutes and self._place(clock, minute, place, since) >= not_before:
                return minute
            used += self._counts(clock, minute, place, since)
            if strict and used >= minutes and self._place(clock, minute, place, since) + 1 >= not_before:
                return minute + 1
        if self.phase != "running":
            return None
        place = len(self.ran)
        while used < minutes:
            if clock != WALL and self.hours[clock.removesuffix(WALL_PAUSES)].is_over(self._place(clock, now, place, since)):
                return None
            used += self._counts(clock, now, place, since)
            now += 1
            place += 1
        return now + max(not_before - self._place(clock, now, place, since), 0)

    def _place(self, clock: str, minute: int, place: int, since: int | None) -> int:
        """The minute that the calendar is asked for."""
        if not clock.endswith(WALL_PAUSES):
            return minute
        if since is None or minute < since:
            return self.began + place
        return since + place - bisect_left(self.ran, since)

    def _counts(self, clock: str, minute: int, place: int, since: int | None = None) -> int:
        """``place``: of the minute among those in which it ran."""
        if clock.endswith(WALL_PAUSES):
            clock, minute = clock.removesuffix(WALL_PAUSES), self._place(clock, minute, place, since)
        return 1 if clock == WALL else self.hours[clock].is_open(minute)


def clocks_of(hours: Mapping[str, OpenMinutes]) -> list[str]:
    """Every clock on which something may count."""
    return [WALL, *hours, *(name + WALL_PAUSES for name in hours)]


@dataclass
class CommitmentState:
    """One commitment to one ticket, in one cycle of its stopwatch."""

    resolved: ResolvedCommitment
    cycle: int
    verdict: str = "pending"
    target: int | None = None
    clock: str = WALL
    begins_at: dict[str, int] = field(default_factory=dict)
    """By clock: what the stopwatch read when the target began to count; empty: at nought."""
    used_from: dict[str, int] = field(default_factory=dict)
    """By clock: what it read at a ``reset``, from where time used is counted; empty: from nought."""
    not_before: int = 0
    """The minute at which a delay in business days ends, if no pause or extension moves it."""
    by_days: bool = False
    """The target is a delay in business days."""
    extension: int = 0
    warned: set[str] = field(default_factory=set)
    due: int | None = None
    begins_minute: int | None = None
    """When the target began to count, if not with the cycle."""
    used_minute: int | None = None
    """When a ``reset`` was."""
    unjudged: bool = False
    """Rule 35: it has no target in this cycle."""
    restarted: bool = False
    """A timer whose stopwatch was restarted just now."""
    policy: str = ""
    """The present name of the policy that promises it."""

    @property
    def metric(self) -> str:
        return self.resolved.commitment.metric.name

    @property
    def strict(self) -> bool:
        """Rule 17: reached is breached."""
        return self.resolved.commitment.at_deadline == "breached"

    @property
    def allowance(self) -> int | None:
        return None if self.target is None or self.target >= NEVER else self.used_before + self.target + self.extension

    @property
    def used_before(self) -> int:
        return self.begins_at.get(self.clock, 0)


@dataclass
class EscalationState:
    """One ladder on one ticket, in one cycle of its stopwatch."""

    metric: str
    cycle: int
    phase: str = "active"
    raised: list[str] = field(default_factory=list)
    last_emitted_at: int = 0
    repeats: int = 0
    monitored_until: int = 0
    passed_over: set[str] = field(default_factory=set)
    """Rule 39: levels that are not raised because a higher one is."""
    policy: str = ""
    """The present name of its policy."""


@dataclass(frozen=True)
class ResolvedCommitment:
    """A commitment as it applies to certain fields."""

    policy: Policy
    calendar: str
    commitment: Commitment
    target: str
    """A duration's text; ``""``: no target."""
    thresholds: tuple[Threshold, ...]
    page: bool = False


@dataclass(frozen=True)
class ResolvedLadder:
    """A ladder as it applies to certain fields; its times run on the calendar."""

    ladder: Ladder
    calendar: str
    metric: Metric
    levels: tuple[tuple[Level, Threshold], ...]
    teams: dict[str, str]
    """Level to the team that takes the ticket over."""
    policy: str


def choose(choice: Choice[Any], fields: Fields) -> Any:
    """The value of the first case that holds; ``None`` if none does."""
    for condition, value in choice.cases:
        if holds(condition, NOBODY, fields):
            return value
    return None


def first_applying(policies: Sequence[Policy], fields: Fields, began: int) -> Policy | None:
    """The version that promises to a ticket with these fields, on a stopwatch whose cycle began at that minute."""
    for name in dict.fromkeys(policy.name for policy in policies):
        versions = [p for p in policies if p.name == name and (p.since is None or p.since <= began * MINUTE)]
        if versions:
            policy = max(versions, key=lambda one: (-1 if one.since is None else one.since, one.version))
            if holds(policy.applies_to, NOBODY, fields):
                return policy
    return None


def resolve(
    policies: Sequence[Policy], fields: Fields, began: int, hours: Mapping[str, OpenMinutes]
) -> tuple[dict[str, ResolvedCommitment], dict[str, ResolvedLadder]]:
    """What is promised to a ticket with these fields on a stopwatch whose cycle began at that minute: rules 10 to 12, 41."""
    policy = first_applying(policies, fields, began)
    if policy is None:
        return {}, {}
    usual = choose(policy.calendar, fields)
    commitments, ladders = {}, {}

    def asked(calendar: str) -> Fields:
        return {**fields, "@started": "in_hours" if hours[calendar].is_open(began) else "out_of_hours"}

    for commitment in policy.commitments:
        own = (choose(commitment.calendar, fields) if commitment.calendar else None) or usual
        known = asked(own)
        if holds(commitment.when, NOBODY, known):
            target = choose(commitment.target, known)
            thresholds = choose(commitment.warn_at, known) or ()
            text = "" if target is None else target.text
            commitments[commitment.name] = ResolvedCommitment(
                policy, own, commitment, text, thresholds, choose(commitment.page, known) == "yes"
            )
    for ladder in policy.ladders:
        if ladder.commitment and ladder.commitment not in commitments:
            continue
        fields = asked(commitments[ladder.commitment].calendar if ladder.commitment else usual)
        if not holds(ladder.when, NOBODY, fields):
            continue
        levels = tuple((level, threshold) for level in ladder.levels if (threshold := choose(level.at, fields)) is not None)
        chosen = {level.name: choose(level.assign_to, fields) for level in ladder.levels if level.assign_to is not None}
        teams = {level: team for level, team in chosen.items() if team is not None}
        if ladder.commitment:
            below = commitments[ladder.commitment]
            ladders[ladder.name] = ResolvedLadder(ladder, below.calendar, below.commitment.metric, levels, teams, policy.name)
        else:
            assert ladder.metric is not None
            ladders[ladder.name] = ResolvedLadder(ladder, usual, ladder.metric, levels, teams, policy.name)
    return commitments, ladders


def reached(threshold: Threshold, state: CommitmentState | None, stopwatch: Stopwatch, calendar: str, now: int) -> bool:
    """Whether a threshold lies at or before this minute: rules 20 to 23."""
    hours = stopwatch.hours[calendar]
    if threshold.kind is ThresholdKind.SHARE:
        if state is None or state.target is None or state.allowance is None:
            return False
        share = Fraction((state.target + state.extension) * threshold.per_mille, 1000)
        used = state.used_before + whole(share, threshold.text)
        not_before = state.not_before if used >= state.allowance else 0
        return stopwatch.has_shown(clock_on(state.clock, calendar), used, not_before, now, since=state.begins_minute)
    assert threshold.duration is not None
    text = threshold.duration.text
    if threshold.kind is ThresholdKind.AFTER and text.startswith("+"):
        reached_at = None if state is None or state.due is None else delay_end(text, hours, state.due)
        return reached_at is not None and now >= reached_at
    used_minute = None if state is None or threshold.kind is not ThresholdKind.USED else state.used_minute
    business, minutes, not_before = length(text, hours, stopwatch.began if used_minute is None else used_minute)
    clock = calendar if business else WALL
    if business and state is not None and state.clock.endswith(WALL_PAUSES):
        clock += WALL_PAUSES
    if threshold.kind is ThresholdKind.USED:
        used = minutes + (0 if state is None else state.used_from.get(clock, 0))
        return stopwatch.has_shown(clock, used, not_before, now, since=None if state is None else state.begins_minute)
    if state is None or state.allowance is None:
        return False
    before = threshold.kind is ThresholdKind.LEFT
    if business == (state.clock != WALL):
        return stopwatch.reading(clock, state.begins_minute) >= max(state.allowance + (-minutes if before else minutes), 0)
    if state.due is None:
        return False
    if not business:
        return now >= state.due + (-minutes if before else minutes)
    reached_at = hours.subtract(state.due, minutes) if before else hours.add(state.due, minutes)
    return reached_at is not None and now >= reached_at


def clock_on(clock: str, calendar: str) -> str:
    """A business clock read on the calendar that the fields now give."""
    return WALL if clock == WALL else calendar + WALL_PAUSES * clock.endswith(WALL_PAUSES)
