"""Random edits of policies and calendars, as people make them to a file: what a deployment changes.

A set of policies is a function of a seed, as scenarios of the oracle are. An edit gives another set that the check would
accept as far as names go: a ladder stands on a commitment that there is, and nothing has two names.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from stream.sla.calendar.duration import Clock, Duration
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.policy.conditions import ALWAYS, AnyOf, Condition, EventIs, FieldIn, Not
from stream.sla.policy.metric import BEGUN, BUILT_IN, SOLVED, Again, Metric, metric_name
from stream.sla.policy.policy import (
    AtDeadline,
    Choice,
    Commitment,
    Ladder,
    LadderKind,
    Level,
    OnChange,
    Policy,
    Threshold,
    ThresholdKind,
)
from stream.sla.policy.resolve import PolicySet
from stream.sla.policy.timeline import Deployments
from tests.oracle.scenarios import CALENDARS, DELAYS, FAST, GOLD, OUT_OF_HOURS, P1, P2, Scenario, read, scenario
from tests.unit.sla.given import HOUR, MINUTE, after, left, share, used

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stream.sla.effects import Effect

TARGETS = ["20m", "2h", "3h", "12h", "30h", "2d", "0.5bh", "2bh", "4bh", "1bd", "3bd"]
PENDING = FieldIn("status", frozenset({"pending"}))
WAITING = FieldIn("status", frozenset({"pending", "on_hold"}))
AGENT_ANSWERS = EventIs(frozenset({"comment.added"}), frozenset({"agent"}), True)
PARTS: list[dict[str, Any]] = [
    {"pauses": None},
    {"pauses": PENDING},
    {"pauses": WAITING},
    {"pauses": FieldIn("@dependency", frozenset({"yes"}))},
    {"pauses": GOLD},
    {"stops": SOLVED},
    {"stops": AnyOf((SOLVED, WAITING))},
    {"stops": AnyOf((SOLVED, AGENT_ANSWERS))},
    {"stops": FieldIn("@accepted", frozenset({"customer"}))},
    {"again": Again.NEVER},
    {"again": Again.CONTINUE, "reopens": Not(SOLVED)},
    {"again": Again.CONTINUE, "reopens": FieldIn("status", frozenset({"open"}))},
    {"again": Again.CYCLE},
    {"cancels": FieldIn("team", frozenset({"b"}))},
    {"starts": FieldIn("team", frozenset({"a"}))},
    {"starts": Not(SOLVED)},
    {"restarts": AGENT_ANSWERS},
    {"starts_at": "date", "starts": ALWAYS, "zone": FAST["night"].zone},
    {"starts_at": "date", "starts": GOLD},
    {"starts_at": ""},
]
WEEKS: list[dict[str, Any]] = [
    {"mon-sun": ["00:00-24:00"]},
    {"mon-fri": ["09:00-17:00"]},
    {"mon-fri": ["09:00-15:00"]},
    {"mon-sat": ["22:00-06:00"]},
    {"mon-sun": ["10:00-12:00", "14:00-20:00"]},
]


class PolicyFiles(NamedTuple):
    """The policies and calendars that a set of policy files has."""

    policies: tuple[Policy, ...]
    calendars: Mapping[str, Mapping[str, Any]]
    """As a file has them."""

    def policy_set(self) -> PolicySet:
        return PolicySet(self.policies, {name: read(name, dict(data)) for name, data in self.calendars.items()})


def edited(random: Random, files: PolicyFiles, start: int) -> PolicyFiles:
    """The files after one edit, sometimes after several. ``start``: about when tickets begin (epoch microseconds)."""
    for _ in range(random.choice([1, 2, 4, 8])):
        edit = random.choice(EDITS)
        files = edit(random, files, start) or files
    return _without_odd_shares(files) if _has_delays(files) else files


def _has_delays(files: PolicyFiles) -> bool:
    return any(target.delay for policy in files.policies for one in policy.commitments for _, target in one.target.cases)


def _without_odd_shares(files: PolicyFiles) -> PolicyFiles:
    """Shares of a delay in business days are no whole minutes: where there may be one, shares are 100%."""

    def whole(threshold: Threshold) -> Threshold:
        return share(100) if threshold.kind is ThresholdKind.SHARE and threshold.per_mille % 1000 else threshold

    def warnings(cases: Sequence[tuple[Condition, tuple[Threshold, ...]]]) -> Choice[tuple[Threshold, ...]]:
        kept = [(when, tuple(one for one in some if one.kind is not ThresholdKind.SHARE)) for when, some in cases]
        return Choice(tuple(kept))

    def levels(ladder: Ladder) -> Ladder:
        made = [replace(one, at=Choice(tuple((when, whole(at)) for when, at in one.at.cases))) for one in ladder.levels]
        return replace(ladder, levels=tuple(made))

    policies = [
        replace(
            policy,
            commitments=tuple(replace(one, warn_at=warnings(one.warn_at.cases)) for one in policy.commitments),
            ladders=tuple(map(levels, policy.ladders)),
        )
        for policy in files.policies
    ]
    return files._replace(policies=tuple(policies))


def _target(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    return _of_commitment(random, files, lambda one: replace(one, target=_targets(random, by_days=_has_delays(files))))


def _targets(random: Random, *, by_days: bool) -> Choice[Duration]:
    one, other = (Duration.parse_any(text) for text in random.sample([*TARGETS, *(DELAYS if by_days else [])], 2))
    forms = [Choice.fixed(one), Choice.fixed(one), Choice(((P1, one), (P2, other))), Choice(((P2, one),))]
    forms.append(Choice(((OUT_OF_HOURS, one), (ALWAYS, other))))
    return random.choice(forms)


def _warnings(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    thresholds = [share(20), share(50), share(80), used("10m"), used("2h"), used("2bh"), left("10m"), left("2bh")]
    some: tuple[Threshold, ...] = tuple(random.sample(thresholds, random.randint(0, 3)))
    return _of_commitment(random, files, lambda one: replace(one, warn_at=Choice.fixed(some)))


def _when(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    return _of_commitment(random, files, lambda one: replace(one, when=random.choice([_which(random), OUT_OF_HOURS])))


def _commitment_calendar(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    name = random.choice([None, *sorted(files.calendars)])
    return _of_commitment(random, files, lambda one: replace(one, calendar=None if name is None else Choice.fixed(name)))


def _on_change(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    return _of_commitment(random, files, lambda one: replace(one, on_change=random.choice(list(OnChange))))


def _at_deadline(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    def edit(one: Commitment) -> Commitment:
        return replace(one, at_deadline=AtDeadline.MET if one.metric.timer else random.choice(list(AtDeadline)))

    return _of_commitment(random, files, edit)


def _pause_time(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    return _of_commitment(random, files, lambda one: replace(one, pause_time=random.choice(list(Clock))))


def _page(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    nothing: Choice[str] = Choice(())
    pages = random.choice([nothing, Choice.fixed("yes"), Choice(((P1, "yes"),)), Choice(((P1, "no"), (ALWAYS, "yes")))])
    return _of_commitment(random, files, lambda one: replace(one, page=nothing if one.metric.timer else pages))


def _cap(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    cap = random.choice([None, "30m", "2h", "1bd", "3bd"])
    return _of_commitment(random, files, lambda one: replace(one, extension_cap=None if cap is None else Duration.parse(cap)))


def _conditions(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    parts = random.choice(PARTS)
    place = _place(random, files)
    policy = files.policies[place]
    if not policy.commitments:
        return None
    which = random.randrange(len(policy.commitments))
    commitment = policy.commitments[which]
    metric = _called(f"{policy.name}/{commitment.name}", replace(commitment.metric, **parts))
    return _replaced(files, place, _with(policy, which, replace(commitment, metric=metric)))


def _metric(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    metric = BUILT_IN[random.choice(sorted(BUILT_IN))]
    return _of_commitment(random, files, lambda one: replace(one, metric=metric))


def _remove_commitment(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    place = _place(random, files)
    policy = files.policies[place]
    stood_on = {name for ladder in policy.ladders for name in (ladder.commitment, ladder.request_after)}
    free = [one for one in policy.commitments if one.name not in stood_on]
    if not free:
        return None
    gone = random.choice(free)
    return _replaced(files, place, replace(policy, commitments=tuple(one for one in policy.commitments if one is not gone)))


def _add_commitment(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    place = _place(random, files)
    policy = files.policies[place]
    metric = random.choice(["resolution", "first_response", "next_response", "agent_work", "review", "customer_silence"])
    name = random.choice([metric, f"{metric}-x", "added"])
    if name in {one.name for one in policy.commitments} | {one.was for one in policy.commitments}:
        return None
    cap = Duration.parse("1bd")
    added = Commitment(
        name, BUILT_IN[metric], _targets(random, by_days=_has_delays(files)), Choice.fixed((share(50),)), extension_cap=cap
    )
    return _replaced(files, place, replace(policy, commitments=(*policy.commitments, added)))


def _rename_commitment(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    place = _place(random, files)
    policy = files.policies[place]
    if not policy.commitments:
        return None
    commitment = random.choice(policy.commitments)
    old, new = commitment.name, random.choice([f"{commitment.name}+", "renamed"])
    if any(new in (one.name, one.was) for one in policy.commitments):
        return None
    was = random.choice([old, old, ""])
    commitments = tuple(replace(one, name=new, was=was) if one is commitment else one for one in policy.commitments)
    ladders = tuple(
        replace(
            one,
            commitment=new if one.commitment == old else one.commitment,
            request_after=new if one.request_after == old else one.request_after,
        )
        for one in policy.ladders
    )
    return _replaced(files, place, _with_metrics(replace(policy, commitments=commitments, ladders=ladders)))


def _remove_ladder(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    place = _place(random, files)
    return _replaced(files, place, replace(files.policies[place], ladders=()))


def _add_ladder(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    place = _place(random, files)
    policy = files.policies[place]
    if policy.ladders or not policy.commitments:
        return None
    on = random.choice(["", policy.commitments[0].name])
    metric = None if on else Metric(f"{policy.name}/l", starts=BEGUN, stops=SOLVED, again=Again.CONTINUE, reopens=Not(SOLVED))
    if metric is not None:
        metric = _called(metric.name, metric)
    monitoring = random.choice([None, Duration.parse("1d"), Duration.parse("2bh")])
    ladder = Ladder("l", LadderKind.FUNCTIONAL, _levels(random, on), metric, on, monitoring=monitoring)
    return _replaced(files, place, replace(policy, ladders=(ladder,)))


def _levels(random: Random, on: str) -> tuple[Level, ...]:
    thresholds = [share(10), share(50), share(100), after("10m"), after("2h")] if on else [used("10m"), used("2h"), used("1d")]
    names = random.sample(["one", "two", "three", "four"], random.randint(1, 3))
    chosen = sorted(random.sample(range(len(thresholds)), len(names)))
    repeat = random.choice([None, Duration.parse("1h")])
    return tuple(
        Level(name, (name,), Choice.fixed(thresholds[place]), repeat, 2 if repeat else 0, random.random() < 0.3)
        for name, place in zip(names, chosen, strict=True)
    )


def _change_levels(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    return _of_ladder(random, files, lambda one: replace(one, levels=_levels(random, one.commitment)))


def _monitoring(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    length = random.choice([None, "1h", "2bh", "1d"])
    return _of_ladder(random, files, lambda one: replace(one, monitoring=None if length is None else Duration.parse(length)))


def _ladder_when(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    return _of_ladder(random, files, lambda one: replace(one, when=_which(random)))


def _raise_again(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    wait = random.choice([None, "1h", "2bh"])
    return _of_ladder(random, files, lambda one: replace(one, raise_again_after=None if wait is None else Duration.parse(wait)))


def _rename_ladder(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    found = _of_ladder(
        random, files, lambda one: replace(one, name=f"{one.name}+", was=random.choice([one.name, one.name, ""]))
    )
    return None if found is None else found._replace(policies=tuple(map(_with_metrics, found.policies)))


def _rename_level(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    def renamed(ladder: Ladder) -> Ladder:
        level = random.choice(ladder.levels)
        new = f"{level.name}+"
        other = replace(level, name=new, was=random.choice([level.name, level.name, ""]))
        levels = tuple(other if one is level else one for one in ladder.levels)
        return replace(ladder, levels=levels, on_request=new if ladder.on_request == level.name else ladder.on_request)

    return _of_ladder(random, files, renamed)


def _move_ladder(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    place = _place(random, files)
    policy = files.policies[place]
    if not policy.ladders or not policy.commitments or not policy.ladders[0].commitment:
        return None
    on = random.choice(policy.commitments).name
    return _replaced(files, place, replace(policy, ladders=(replace(policy.ladders[0], commitment=on), *policy.ladders[1:])))


def _hours(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    return _of_calendar(random, files, {"week": random.choice(WEEKS)})


def _zone(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    zones = ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"]
    return _of_calendar(random, files, {"timezone": random.choice(zones)})


def _day(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    return _of_calendar(random, files, {"day": random.choice(["2h", "6h", "8h"])})


def _holiday(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    dates = ["2026-03-09", "2026-03-10", "2026-03-27", "2026-03-30", "2026-04-06", "2026-10-26", "2026-11-02", "2026-11-03"]
    holidays = [{"date": date} for date in random.sample(dates, random.randint(0, 4))]
    return _of_calendar(random, files, {"holidays": holidays})


def _of_calendar(random: Random, files: PolicyFiles, parts: Mapping[str, Any]) -> PolicyFiles:
    name = random.choice(sorted(files.calendars))
    return files._replace(calendars={**files.calendars, name: {**files.calendars[name], **parts}})


def _rename_calendar(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    old = random.choice(sorted(files.calendars))
    new = f"{old}+"
    calendars = {new if name == old else name: data for name, data in files.calendars.items()}

    def choice(names: Choice[str]) -> Choice[str]:
        return Choice(tuple((condition, new if name == old else name) for condition, name in names.cases))

    policies = tuple(
        replace(
            policy,
            calendar=choice(policy.calendar),
            commitments=tuple(
                one if one.calendar is None else replace(one, calendar=choice(one.calendar)) for one in policy.commitments
            ),
        )
        for policy in files.policies
    )
    return PolicyFiles(policies, calendars)


def _policy_calendar(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    place = _place(random, files)
    name = random.choice(sorted(files.calendars))
    return _replaced(files, place, replace(files.policies[place], calendar=Choice.fixed(name)))


def _applies_to(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    place = _place(random, files)
    return _replaced(files, place, replace(files.policies[place], applies_to=_which(random)))


def _withdraw(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    name = random.choice(files.policies).name
    rest = tuple(policy for policy in files.policies if policy.name != name)
    return files._replace(policies=rest) if rest else None


def _put_in_front(random: Random, files: PolicyFiles, start: int) -> PolicyFiles | None:
    """One customer's policy, made of another one."""
    name = random.choice(["front", "q"])
    if name in {policy.name for policy in files.policies} | {policy.was for policy in files.policies}:
        return None
    since = random.choice([None, None, start - 9 * HOUR, start + random.randint(0, 30) * HOUR])
    model = random.choice(files.policies)
    commitments = tuple(replace(one, target=_targets(random, by_days=_has_delays(files)), was="") for one in model.commitments)
    ladders = tuple(replace(one, was="") for one in model.ladders)
    front = replace(
        model,
        name=name,
        version=1,
        was="",
        since=since,
        applies_to=_which(random),
        commitments=commitments,
        ladders=ladders,
    )
    return files._replace(policies=(front, *files.policies))


def _rename_policy(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    old = random.choice(files.policies).name
    new = f"{old}+"
    if new in {policy.name for policy in files.policies} | {policy.was for policy in files.policies}:
        return None
    was = random.choice([old, old, ""])
    return files._replace(
        policies=tuple(_with_metrics(replace(one, name=new, was=was)) if one.name == old else one for one in files.policies)
    )


def _with_metrics(policy: Policy) -> Policy:
    """Metrics of a policy's own are called after the policy and after the commitment or ladder."""
    commitments = tuple(
        replace(one, metric=_called(f"{policy.name}/{one.name}", one.metric)) if "/" in one.metric.name else one
        for one in policy.commitments
    )
    ladders = tuple(
        one if one.metric is None else replace(one, metric=_called(f"{policy.name}/{one.name}", one.metric))
        for one in policy.ladders
    )
    return replace(policy, commitments=commitments, ladders=ladders)


def _called(base: str, metric: Metric) -> Metric:
    return replace(metric, name=metric_name(base, metric))


def _new_version(random: Random, files: PolicyFiles, start: int) -> PolicyFiles | None:
    name = random.choice(files.policies).name
    newest = max((one for one in files.policies if one.name == name), key=lambda one: one.version)
    earliest = start - 5 * HOUR if newest.since is None else newest.since + HOUR
    since = earliest + random.randint(0, 40) * HOUR
    commitments = tuple(
        replace(one, target=_targets(random, by_days=_has_delays(files))) if random.random() < 0.5 else one
        for one in newest.commitments
    )
    version = replace(newest, version=newest.version + 1, since=since, commitments=commitments)
    return files._replace(policies=(*files.policies, version))


def _dated_back(random: Random, files: PolicyFiles, start: int) -> PolicyFiles | None:
    places = [place for place, policy in enumerate(files.policies) if policy.since is not None]
    if not places:
        return None
    place = random.choice(places)
    return _replaced(files, place, replace(files.policies[place], since=start + random.randint(-5, 60) * HOUR))


def _tidy(random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    name = random.choice(files.policies).name
    versions = [policy for policy in files.policies if policy.name == name]
    if len(versions) < 2:
        return None
    oldest = min(versions, key=lambda one: one.version)
    return files._replace(policies=tuple(policy for policy in files.policies if policy is not oldest))


def _order(_random: Random, files: PolicyFiles, _start: int) -> PolicyFiles | None:
    return files._replace(policies=tuple(reversed(files.policies)))


EDITS: list[Callable[[Random, PolicyFiles, int], PolicyFiles | None]] = [
    _target,
    _target,
    _warnings,
    _when,
    _commitment_calendar,
    _on_change,
    _at_deadline,
    _pause_time,
    _page,
    _cap,
    _conditions,
    _conditions,
    _conditions,
    _metric,
    _remove_commitment,
    _add_commitment,
    _rename_commitment,
    _rename_commitment,
    _remove_ladder,
    _add_ladder,
    _change_levels,
    _monitoring,
    _ladder_when,
    _raise_again,
    _rename_ladder,
    _rename_level,
    _move_ladder,
    _hours,
    _zone,
    _day,
    _holiday,
    _rename_calendar,
    _policy_calendar,
    _applies_to,
    _withdraw,
    _put_in_front,
    _rename_policy,
    _new_version,
    _new_version,
    _dated_back,
    _tidy,
    _order,
]


def _which(random: Random) -> Condition:
    which: list[Condition] = [ALWAYS, ALWAYS, GOLD, Not(GOLD), P1]
    return random.choice(which)


def _place(random: Random, files: PolicyFiles) -> int:
    """Of a policy, more often of one in front: most tickets have the first."""
    return min(random.randrange(len(files.policies)), random.randrange(len(files.policies)))


def _of_commitment(random: Random, files: PolicyFiles, change: Callable[[Commitment], Commitment]) -> PolicyFiles | None:
    place = _place(random, files)
    policy = files.policies[place]
    if not policy.commitments:
        return None
    which = random.randrange(len(policy.commitments))
    return _replaced(files, place, _with(policy, which, change(policy.commitments[which])))


def _of_ladder(random: Random, files: PolicyFiles, change: Callable[[Ladder], Ladder]) -> PolicyFiles | None:
    places = [place for place, policy in enumerate(files.policies) if policy.ladders]
    if not places:
        return None
    place = random.choice(places)
    policy = files.policies[place]
    return _replaced(files, place, replace(policy, ladders=(change(policy.ladders[0]), *policy.ladders[1:])))


def _with(policy: Policy, which: int, commitment: Commitment) -> Policy:
    return replace(policy, commitments=(*policy.commitments[:which], commitment, *policy.commitments[which + 1 :]))


def _replaced(files: PolicyFiles, place: int, policy: Policy) -> PolicyFiles:
    return files._replace(policies=(*files.policies[:place], policy, *files.policies[place + 1 :]))


class Deploy(NamedTuple):
    """One deployment of a scenario: the newest of its log when it becomes known. Instants are epoch microseconds."""

    at: int
    """When it is made, and where it is an ordinary one the instant from which it holds."""
    holds_from: int
    files: PolicyFiles


class Deployed(NamedTuple):
    """What happens to one ticket while its policies change."""

    first: PolicyFiles
    deploys: list[Deploy]
    events: list[Event]
    until: int


def deployed(seed: int, *, backwards: bool = False) -> Deployed:
    """A scenario with up to three deployments. ``backwards``: some of them undo or rejudge."""
    found = scenario(seed)
    random = Random(seed)
    start = found.events[0].at
    first = PolicyFiles(tuple(map(_with_metrics, found.policies)), CALENDARS)
    first = _without_odd_shares(first) if _has_delays(first) else first
    found = found._replace(events=found.events + _more_events(random, first, start))
    timeline, deploys, at = [(0, first)], [], start
    instants = _instants(first, found)
    for _ in range(random.choice([1, 1, 2, 3])):
        near = random.choice([0, 0, MINUTE, -MINUTE, random.randint(0, 180) * MINUTE])
        at = max(at, random.choice(instants) + near)
        way = random.random() if backwards else 1.0
        if way < 0.25 and len(timeline) > 1:
            holds_from, files = timeline[-1][0], timeline[-2][1]
        elif way < 0.5:
            holds_from, files = at - random.randint(0, 2880) * MINUTE, edited(random, timeline[-1][1], start)
        else:
            holds_from, files = at, edited(random, timeline[-1][1], start)
        timeline = [one for one in timeline if one[0] == 0 or one[0] < holds_from] + [(holds_from, files)]
        deploys.append(Deploy(at, holds_from, files))
    return Deployed(first, deploys, found.events, found.until)


def _more_events(random: Random, files: PolicyFiles, start: int) -> list[Event]:
    """Extensions and escalations, which few scenarios have where they mean something."""
    names = [one.name for policy in files.policies for one in policy.commitments]
    events: list[Event] = []
    for number in range(random.choice([0, 1, 2, 4])):
        at = start + random.choice([1, 30, 90, 400, 1500]) * MINUTE
        type_ = random.choice(["extension.granted", "extension.granted", "escalation.acknowledged", "escalation.requested"])
        by = random.choice(["30m", "1h", "1bh"]) if type_ == "extension.granted" else ""
        name = random.choice(names) if by else ""
        events.append(Event(at, f"x{number}", type_, "s", 2, commitment=name, by=by))  # type: ignore[arg-type]
    return events


def _instants(files: PolicyFiles, found: Scenario) -> list[int]:
    """When something happens to the ticket or becomes true of it: then a deployment is the most delicate."""
    engine, state = Engine(files.policy_set()), None
    effects: list[Effect] = []
    events = sorted(found.events, key=lambda event: event.key)
    for event in events:
        step = engine.apply(state, "T", event, event.at)
        state = step.state
        effects += step.effects
    if state is not None:
        effects += engine.wake(state, found.until).effects
    return [event.at for event in events] + [effect.at for effect in effects]


def log(one: Deployed, count: int | None = None) -> Deployments:
    """The log after the first ``count`` deployments; after all of them where none is given."""
    found = Deployments.fixed(one.first.policy_set())
    for number, deploy in enumerate(one.deploys[:count], start=1):
        found = found.add(number, deploy.holds_from, deploy.files.policy_set())
    return found
