"""Random policies, calendars near a change of the clocks, and histories of one ticket on whole minutes, for the oracle.

A scenario is a function of a seed: scenarios are then as mixed as they are meant to be, and cost nothing to make. What a
library of strategies would do for a failure, ``smallest`` does: it leaves out what the failure does not need.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from stream.language.calendars import read_calendar
from stream.sla.calendar.duration import Clock, Duration
from stream.sla.events import STATUSES, Event
from stream.sla.policy.conditions import ALWAYS, AnyOf, Condition, EventIs, FieldIn, Not
from stream.sla.policy.metric import BEGUN, BUILT_IN, SOLVED, Again, Metric
from stream.sla.policy.policy import AtDeadline, Choice, Commitment, Ladder, LadderKind, Level, OnChange, Policy, Threshold
from stream.sla.policy.resolve import PolicySet
from tests.oracle.hours import OpenMinutes
from tests.unit.sla.given import HOUR, MINUTE, after, left, share, used

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.sla.calendar.calendar import Calendar

DAYS = 10
"""For how long a ticket is observed."""
CALENDARS: dict[str, dict[str, Any]] = {
    "24x7": {"timezone": "UTC", "week": {"mon-sun": ["00:00-24:00"]}},
    "office": {"timezone": "Europe/Berlin", "week": {"mon-fri": ["09:00-12:30", "13:00-17:30"]}},
    "night": {"timezone": "America/New_York", "week": {"mon-sat": ["22:00-06:00"]}, "day": "8h"},
    "island": {
        "timezone": "Australia/Lord_Howe",
        "week": {"mon-thu": ["00:00-03:30"], "sat-sun": ["01:30-04:00"]},
        "day": "3h",
    },
    "hotline": {
        "timezone": "Europe/Berlin",
        "exceptions": [
            {"from": "2026-03-07", "to": "2026-03-10", "open": ["08:00-12:00", "20:00-24:00"]},
            {"date": "2026-03-27", "open": ["06:00-24:00"]},
            {"from": "2026-04-03", "to": "2026-04-04", "open": ["22:00-06:00"]},
            {"from": "2026-10-24", "to": "2026-10-26", "open": ["00:30-07:00"]},
            {"date": "2026-11-02", "open": ["09:00-17:00"]},
        ],
        "day": "4h",
    },
}
STARTS = ["2026-03-06T21:30", "2026-03-26T09:10", "2026-04-03T12:00", "2026-10-23T15:40", "2026-10-30T22:00"]
"""Shortly before the clocks change in New York, Berlin or on Lord Howe Island."""

TARGETS = ["20m", "3h", "30h", "2d", "0.5bh", "4bh", "50bm", "1bd", "3bd"]
DELAYS = [
    "+0 business days at close",
    "+0 business days at 16:00 cutoff 10:00",
    "+1 business day at close",
    "+1 business day at 09:00",
    "+1 business day at 23:30 cutoff 12:00",
    "+1 business day",
    "+2 business days cutoff 09:00",
    "+2 business days at 02:00",
]
SPENT = ["10m", "2h", "1d", "0.5bh", "2bh", "1bd", "1mo", "+1 business day", "+0 business days at close"]
WAITS = ["1h", "2bh", "1bd", "+0 business days at 09:00"]
OWN_METRICS = {
    "patient": Metric(
        "patient",
        starts=BEGUN,
        stops=FieldIn("@accepted", frozenset({"customer"})),
        pauses=AnyOf((FieldIn("status", frozenset({"pending"})), FieldIn("@dependency", frozenset({"yes"})))),
    ),
    "stay": Metric(
        "stay",
        starts=FieldIn("team", frozenset({"a"})),
        stops=SOLVED,
        pauses=FieldIn("status", frozenset({"pending", "on_hold"})),
        resumes=EventIs(frozenset({"comment.added"}), frozenset({"customer", None})),
        cancels=FieldIn("team", frozenset({"b"})),
        again=Again.CYCLE,
    ),
}
_BY = frozenset({"comment.added"})
OWN_METRICS["asking"] = Metric(
    "asking",
    starts=FieldIn("@waiting", frozenset({"yes"})),
    stops=AnyOf((EventIs(_BY, frozenset({"agent"}), True, frozenset({""})), SOLVED)),
    cancels=EventIs(_BY, roles=frozenset({"contact"})),
    again=Again.CYCLE,
)
METRICS = {**BUILT_IN, **OWN_METRICS}
USUAL_METRICS = ["resolution", "resolution", "first_response", "next_response", "agent_work", "patient"]
CHANGES: dict[str, list[str]] = {
    "status": [*STATUSES, "open", "pending", "solved", "open", "solved"],
    "priority": ["p1", "p1", "p2", "p2", "p9"],
    "contract": ["gold", "tin"],
    "team": ["a", "b", ""],
    "review": ["done", ""],
}
TYPES = ["ticket.changed"] * 12 + ["comment.added"] * 7 + ["extension.granted"] * 2
TYPES += ["escalation.requested", "escalation.acknowledged", "escalation.acknowledged", "escalation.released"]
RARE = [
    "resolution.accepted",
    "resolution.accepted",
    "ticket.merged",
    "ticket.deleted",
    "ticket.restored",
    "ticket.restored",
    "dependency.started",
    "dependency.ended",
]
GOLD = FieldIn("contract", frozenset({"gold"}))
OUT_OF_HOURS = FieldIn("@started", frozenset({"out_of_hours"}))
P1, P2 = (FieldIn("priority", frozenset({name})) for name in ("p1", "p2"))
PAGES: list[Choice[str]] = [Choice(()), Choice.fixed("yes"), Choice(((P1, "yes"),)), Choice(((P2, "no"), (ALWAYS, "yes")))]


class Scenario(NamedTuple):
    """The policies of a ticket and its events. Instants are epoch microseconds."""

    policies: tuple[Policy, ...]
    events: list[Event]
    until: int

    def policy_set(self) -> PolicySet:
        return PolicySet(self.policies, FAST)


def read(name: str, data: dict[str, Any]) -> Calendar:
    def fail(where: tuple[str | int, ...], message: str) -> None:
        raise AssertionError((where, message))

    calendar = read_calendar(name, data, fail)
    assert calendar is not None
    return calendar


FAST = {name: read(name, data) for name, data in CALENDARS.items()}
METRICS["planned"] = OWN_METRICS["planned"] = Metric(
    "planned",
    starts=ALWAYS,
    stops=AnyOf((SOLVED, EventIs(frozenset({"comment.added"}), frozenset({"agent"}), True))),
    pauses=FieldIn("status", frozenset({"pending"})),
    cancels=FieldIn("team", frozenset({"b"})),
    again=Again.CYCLE,
    starts_at="date",
    zone=FAST["office"].zone,
)
SLOW = {name: OpenMinutes(data) for name, data in CALENDARS.items()}


def scenario(seed: int) -> Scenario:
    random = Random(seed)
    start = int(datetime.fromisoformat(random.choice(STARTS)).replace(tzinfo=UTC).timestamp()) * 1_000_000
    policies = _policies(random, "p", start)
    if random.random() < 0.4:
        policies += _policies(random, "q", start)
    fields: dict[str, str | list[str]] = {
        "priority": random.choice(["p1", "p2"]),
        "contract": random.choice(["gold", "gold", "tin"]),
    }
    type_: Any = random.choice(["ticket.created"] * 5 + ["ticket.changed"])
    actor: Any = random.choice(["customer", "customer", "customer", "agent"])
    if random.random() < 0.4:
        fields["date"] = _date(random, start)
    first = Event(at=start, id="e0", type=type_, source="s", seq=-1, actor=actor, fields=fields)
    events = [first, *[_event(random, number, start) for number in range(1, random.randint(3, 16))]]
    events += _bursts(Random(f"bursts of {seed}"), events)
    return Scenario(_paging(Random(f"pages of {seed}"), policies), events, start + DAYS * 24 * HOUR)


def reopened(seed: int) -> Scenario:
    """One ticket and one commitment, mostly of business days. The ticket is paused, solved and reopened, and its priority
    changes, each in an event of its own or in one, also at one instant: what few scenarios of ``scenario`` have together."""
    random = Random(f"reopened {seed}")
    start = int(datetime.fromisoformat(random.choice(STARTS)).replace(tzinfo=UTC).timestamp()) * 1_000_000
    one, other = (Duration.parse_any(random.choice([*DELAYS, "3bh", "1bd"])) for _ in range(2))
    kinds = ["used", "left"] if one.delay or other.delay else ["share", "used", "left"]
    commitment = Commitment(
        "resolution",
        METRICS["resolution"],
        Choice(((P1, one), (P2, other))),
        Choice.fixed(_thresholds(random, kinds)),
        on_change=random.choice([*OnChange]),
        extension_cap=Duration.parse("1bd"),
        at_deadline=random.choice([*AtDeadline]),
        pause_time=random.choice([*Clock]),
    )
    policy = Policy("p", 1, Choice.fixed(random.choice(sorted(CALENDARS))), ALWAYS, None, (commitment,), ())
    events = [Event(at=start, id="e0", type="ticket.created", source="s", seq=-1, fields={"priority": "p1"})]
    for number in range(1, random.randint(3, 6)):
        at = events[-1].at + random.choice([0, 1, 20, 180, 600, 720, 1440, 1500, 2000]) * MINUTE
        if random.random() < 0.1:
            events.append(Event(at, f"e{number}", "extension.granted", "s", number, commitment="resolution", by="1bh"))
            continue
        fields: dict[str, str | list[str]] = {}
        if random.random() < 0.9:
            fields["status"] = random.choice(["open", "pending", "solved", "open"])
        if random.random() < 0.5:
            fields["priority"] = random.choice(["p1", "p2"])
        events.append(Event(at, f"e{number}", "ticket.changed", "s", number, fields=fields))
    return Scenario((policy,), events, start + 8 * 24 * HOUR)


def _paging(random: Random, policies: tuple[Policy, ...]) -> tuple[Policy, ...]:
    """The policies, in which breaches of some commitments page."""

    def paging(one: Commitment) -> Commitment:
        return one if one.metric.timer else replace(one, page=random.choice(PAGES))

    return tuple(replace(policy, commitments=tuple(map(paging, policy.commitments))) for policy in policies)


def smallest(scenario: Scenario, fails: Callable[[Scenario], bool]) -> Scenario:
    """A scenario that still fails, without the events and the parts of its policies that the failure does not need."""
    while True:
        smaller = next((one for one in _smaller(scenario) if fails(one)), None)
        if smaller is None:
            return scenario
        scenario = smaller


def _smaller(scenario: Scenario) -> list[Scenario]:
    places = range(1, len(scenario.events))
    found = [scenario._replace(events=scenario.events[:place] + scenario.events[place + 1 :]) for place in places]
    for number, policy in enumerate(scenario.policies):
        others = scenario.policies[:number], scenario.policies[number + 1 :]
        if len(scenario.policies) > 1:
            found.append(scenario._replace(policies=others[0] + others[1]))
        found += [scenario._replace(policies=(*others[0], less, *others[1])) for less in _with_less(policy)]
    return found


def _with_less(policy: Policy) -> list[Policy]:
    stood_on = {ladder.commitment for ladder in policy.ladders}
    free = [one for one in policy.commitments if one.name not in stood_on]
    without = [replace(policy, commitments=tuple(other for other in policy.commitments if other is not one)) for one in free]
    return [*([replace(policy, ladders=())] if policy.ladders else []), *without]


def _policies(random: Random, name: str, start: int) -> tuple[Policy, ...]:
    made = []
    for version in range(1, random.choice([1, 1, 2]) + 1):
        since = None if version == 1 else start + random.randint(0, 20) * 7 * HOUR
        calendars = random.choices(sorted(CALENDARS), k=2)
        several = random.random() < 0.3
        calendar = Choice(((P1, calendars[0]), (ALWAYS, calendars[1]))) if several else Choice.fixed(calendars[0])
        commitments = _commitments(random, several=several)
        ladders = _ladders(random, name, commitments[0], several=several) if random.random() < 0.8 else ()
        made.append(Policy(name, version, calendar, _which(random), since, commitments, ladders))
    return tuple(made)


def _commitments(random: Random, *, several: bool) -> tuple[Commitment, ...]:
    metrics = random.choices([*sorted(METRICS), *USUAL_METRICS], k=random.randint(2, 3))
    made = []
    for number, metric in enumerate(metrics):
        name = metric if metric not in metrics[:number] else f"{metric}-{number}"
        calendar = random.choice([None, None, Choice.fixed(random.choice(sorted(CALENDARS)))])
        mode = random.choice([OnChange.CARRY, OnChange.CARRY, OnChange.FORWARD, OnChange.RESET])
        cap = random.choice([None, Duration.parse("2h"), Duration.parse("1bd")])
        target, thresholds = _targets(random)
        made.append(
            Commitment(
                name,
                METRICS[metric],
                target,
                thresholds,
                _whether(random),
                calendar,
                None,
                mode,
                cap,
                at_deadline=AtDeadline.MET if METRICS[metric].timer else random.choice([*AtDeadline, AtDeadline.MET]),
                pause_time=random.choice([*Clock, Clock.BUSINESS]),
            )
        )
    return tuple(made)


def _targets(random: Random) -> tuple[Choice[Duration], Choice[tuple[Threshold, ...]]]:
    """Targets and their warnings: the same for all tickets, or other ones by priority (and none for some)."""
    texts = random.sample(TARGETS, 2)
    if random.random() < 0.4:
        texts[random.randint(0, 1)] = random.choice(DELAYS)
    one, other = (Duration.parse_any(text) for text in texts)
    # Shares of a delay are no whole minutes.
    kinds = ["used", "left"] if one.delay or other.delay else ["share", "used", "left"]
    thresholds, more = _thresholds(random, kinds), _thresholds(random, kinds)
    way = random.random()
    if way < 0.2:
        return Choice.fixed(one), random.choice([Choice.fixed(thresholds), Choice(((P1, thresholds), (P2, more)))])
    if way < 0.3:
        return Choice(((P2, one),)), Choice(((P2, thresholds),))
    if way < 0.5:
        return Choice(((OUT_OF_HOURS, one), (ALWAYS, other))), Choice(((Not(OUT_OF_HOURS), thresholds), (P2, more)))
    return Choice(((P1, one), (P2, other))), Choice(((P1, thresholds), (P2, more)))


def _ladders(random: Random, policy: str, below: Commitment, *, several: bool) -> tuple[Ladder, ...]:
    on = random.choice(["", below.name])
    name = random.choice(["l", f"{policy}-l"])
    by_days = any(target.delay for _, target in below.target.cases)
    kinds = ["whole", "used", "left"] if by_days else ["share", "used", "left"]
    metric = None if on else Metric(f"{policy}/l", starts=BEGUN, stops=SOLVED, again=Again.CONTINUE, reopens=Not(SOLVED))

    def wait() -> Duration | None:
        return Duration.parse_any(random.choice(WAITS)) if random.random() < 0.6 else None

    def threshold() -> Threshold:
        if on and random.random() < 0.4:
            return after(random.choice(["10m", "2bh", "1bd", "1 business day at 09:00"]))
        return _threshold(random, kinds) if on else used(random.choice(SPENT))

    # A ladder may go by one name in several policies and versions: the name decides the kind.
    kind = LadderKind.FUNCTIONAL if name == "l" else LadderKind.HIERARCHICAL

    def teams(level: str) -> Choice[str] | None:
        if kind is LadderKind.HIERARCHICAL or random.random() < 0.3:
            return None
        return _by_priority(random, lambda: f"{level} {random.choice('xy')}")

    levels = tuple(
        Level(
            level,
            (level,),
            _by_priority(random, threshold),
            repeat_every=wait(),
            max_repeats=random.randint(0, 3),
            only_in_business_hours=random.random() < 0.4,
            assign_to=teams(level),
        )
        for level in ("one", "two", "three")[: random.randint(1, 3)]
    )
    monitoring = wait()
    ladder = Ladder(
        name,
        kind,
        levels,
        metric=metric,
        commitment=on,
        when=_whether(random),
        raise_again_after=wait(),
        on_request=random.choice(["", "one", "two"]),
        request_after=random.choice(["", below.name]),
        monitoring=monitoring,
    )
    return (ladder,)


def _which(random: Random) -> Condition:
    which: list[Condition] = [*[ALWAYS] * 8, GOLD, Not(GOLD)]
    return random.choice(which)


def _whether(random: Random) -> Condition:
    """As ``_which``, but of a commitment or a ladder, which may ask how its clock started."""
    return random.choice([_which(random), _which(random), _which(random), OUT_OF_HOURS, Not(OUT_OF_HOURS)])


def _by_priority(random: Random, value: Callable[[], Any]) -> Choice[Any]:
    cases = [(which, value()) for which in (P1, P2) if random.random() < 0.9]
    return Choice.fixed(value()) if random.random() < 0.2 else Choice(tuple(cases))


def _thresholds(random: Random, kinds: list[str]) -> tuple[Threshold, ...]:
    drawn = [_threshold(random, kinds) for _ in range(random.randint(0, 3))]
    return tuple({threshold.text: threshold for threshold in drawn}.values())


def _threshold(random: Random, kinds: list[str]) -> Threshold:
    kind = random.choice(kinds)
    if kind in ("share", "whole"):
        return share(random.choice([20, 50, 80] if kind == "share" else [100, 200]))
    return used(random.choice(SPENT)) if kind == "used" else left(random.choice(["10m", "2bh"]))


def _bursts(random: Random, events: list[Event]) -> list[Event]:
    """Changes at one instant, as a helpdesk's automation makes them: pauses and cycles without any length."""
    found: list[Event] = []
    for _ in range(random.choice([0, 0, 1, 2])):
        at = random.choice(events).at + random.choice([0, 0, 20, 720]) * MINUTE
        for seq in range(random.randint(2, 4)):
            fields: dict[str, Any] = {"status": random.choice(["pending", "open", "pending", "open", "on_hold", "solved"])}
            for name in ("contract", "priority"):
                if random.random() < 0.35:
                    fields[name] = random.choice(CHANGES[name])
            found.append(Event(at=at, id=f"b{len(found)}", type="ticket.changed", source="s", seq=seq, fields=fields))
    return found


def _event(random: Random, number: int, start: int) -> Event:
    minutes = random.randint(0, (DAYS - 3) * 2) * 720 + random.choice([0, 0, 1, 20, 180, 181, 240, 485])
    if random.random() < 0.3:
        minutes %= 720
    type_ = random.choice(TYPES) if random.random() < 0.88 else random.choice(RARE)
    more: dict[str, Any] = {"seq": random.randint(0, 1)}
    if type_ == "ticket.changed":
        names = random.choices(
            ["status"] * 5 + ["priority"] * 3 + ["contract", "team", "team", "review"], k=random.randint(1, 2)
        )
        more["fields"] = {name: random.choice(CHANGES[name]) for name in names}
        if random.random() < 0.25:
            more["fields"]["date"] = _date(random, start)
    elif type_ == "comment.added":
        more["actor"] = random.choice(["agent", "agent", "customer", "customer", "bot"])
        more["public"] = random.random() < 0.8
        more["role"] = random.choice(["", "", "", "requester", "contact"])
    elif type_ == "extension.granted":
        more |= {"commitment": random.choice([*sorted(METRICS), *USUAL_METRICS]), "by": random.choice(["30m", "1h", "1bh"])}
    elif type_.startswith("escalation."):
        more |= {"level": random.choice(["", "", "one", "two"]), "impact": random.choice(["", "production"])}
    elif type_.startswith("dependency."):
        more["party"] = random.choice(["x", "y"])
    elif type_ == "resolution.accepted":
        more["by"] = "customer"
    return Event(at=start + minutes * MINUTE, id=f"e{number}", type=type_, source="s", **more)  # type: ignore[arg-type]


def _date(random: Random, start: int) -> str:
    """A date, a local time or an instant at or after about the beginning, or something else."""
    day = datetime.fromtimestamp(start // 1_000_000, UTC) + timedelta(days=random.randint(-1, DAYS - 2))
    forms = ["%Y-%m-%d", "%Y-%m-%d", "%Y-%m-%dT02:30", "%Y-%m-%d 14:00", "%Y-%m-%dT%H:%M+00:00", "soon", ""]
    return day.strftime(random.choice(forms))
