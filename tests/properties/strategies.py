"""Strategies of Hypothesis for policies, calendars and histories of one ticket."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from stream.language.calendars import read_calendar
from stream.sla.calendar.calendar import Calendar, always
from stream.sla.calendar.duration import Clock, Duration
from stream.sla.events import Event
from stream.sla.policy.conditions import ALWAYS, Condition, FieldIn, Fields, Not
from stream.sla.policy.metric import BEGUN, BUILT_IN, SOLVED, Again, Metric
from stream.sla.policy.policy import AtDeadline, Choice, Commitment, Ladder, LadderKind, Level, OnChange, Policy
from stream.sla.policy.resolve import PolicySet
from tests.unit.sla.given import HOUR, MINUTE, after, left, share, used

START = 1_774_000_000_000_000
"""2026-03-20T09:46:40Z: Europe changes to summer time nine days later."""


def _calendar(name: str, data: dict[str, Any]) -> Calendar:
    def fail(where: tuple[str | int, ...], message: str) -> None:
        raise AssertionError((where, message))

    calendar = read_calendar(name, data, fail)
    assert calendar is not None
    return calendar


CALENDARS = [
    always(),
    _calendar("office", {"timezone": "Europe/Berlin", "week": {"mon-fri": ["09:00-12:30", "13:00-17:00"]}}),
    _calendar("night", {"timezone": "America/New_York", "week": {"mon-sat": ["22:00-06:00"]}, "day": "8h"}),
    _calendar("island", {"timezone": "Australia/Lord_Howe", "week": {"mon-sun": ["00:00-03:30"]}}),
    _calendar(
        "fair",
        {"timezone": "Europe/Berlin", "exceptions": [{"from": "2026-03-25", "to": "2026-03-30", "open": ["08:00-20:00"]}]},
    ),
]
DURATIONS = st.sampled_from(["20m", "3h", "30h", "1d", "0.5bh", "3bh", "90bm", "1bd", "4bd", "1mo"])
DELAYS = st.sampled_from(
    ["+1 business day at close", "+0 business days at 03:00 cutoff 02:00", "+2 business days", "+3 business days at 23:59:30"]
)
TARGETS = DURATIONS | DELAYS
THRESHOLDS = st.one_of(st.sampled_from([25, 50, 75]).map(share), TARGETS.map(used), st.sampled_from(["10m", "2bh"]).map(left))
LEVEL_THRESHOLDS = st.one_of(THRESHOLDS, st.sampled_from(["10m", "2bh", "1bd", "1 business day at 09:00"]).map(after))
CONTRACT = FieldIn("contract", frozenset({"gold"}))
CONDITIONS: st.SearchStrategy[Condition] = st.sampled_from([ALWAYS, ALWAYS, CONTRACT, Not(CONTRACT)])


def by_priority(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Choice[Any]]:
    def choice(pair: tuple[Any, Any]) -> Choice[Any]:
        names = ("p1", "p2")
        return Choice(tuple((FieldIn("priority", frozenset({n})), v) for n, v in zip(names, pair, strict=True) if v))

    return st.tuples(st.one_of(st.none(), values), values).map(choice)


@st.composite
def commitments(draw: st.DrawFn) -> tuple[Commitment, ...]:
    names = draw(st.lists(st.sampled_from(sorted(BUILT_IN)), min_size=1, max_size=3, unique=True))
    return tuple(
        Commitment(
            name,
            BUILT_IN[name],
            draw(by_priority(TARGETS.map(Duration.parse_any))),
            draw(by_priority(st.lists(THRESHOLDS, max_size=3, unique_by=lambda threshold: threshold.text).map(tuple))),
            when=draw(CONDITIONS),
            on_change=draw(st.sampled_from(OnChange)),
            extension_cap=draw(st.sampled_from([None, Duration.parse("2h"), Duration.parse("1bd")])),
            pause_time=draw(st.sampled_from(Clock)),
            at_deadline=AtDeadline.MET if BUILT_IN[name].timer else draw(st.sampled_from(AtDeadline)),
            page=Choice(()) if BUILT_IN[name].timer else draw(by_priority(st.sampled_from(["yes", "no"]))),
        )
        for name in names
    )


@st.composite
def ladders(draw: st.DrawFn, below: tuple[Commitment, ...]) -> tuple[Ladder, ...]:
    if draw(st.booleans()):
        return ()
    on = draw(st.sampled_from(["", below[0].name]))
    metric = None if on else Metric("p/l", starts=BEGUN, stops=SOLVED, again=Again.CONTINUE, reopens=Not(SOLVED))
    maybe = st.one_of(st.none(), st.sampled_from(["1h", "2bh", "1bd", "+1 business day"]).map(Duration.parse_any))
    levels = tuple(
        Level(
            name,
            (name,),
            draw(by_priority(LEVEL_THRESHOLDS if on else TARGETS.map(used))),
            repeat_every=draw(maybe),
            max_repeats=draw(st.integers(0, 3)),
            only_in_business_hours=draw(st.booleans()),
        )
        for name in ("one", "two", "three")[: draw(st.integers(1, 3))]
    )
    return (
        Ladder(
            "l",
            LadderKind.FUNCTIONAL,
            levels,
            metric=metric,
            commitment=on,
            when=draw(CONDITIONS),
            raise_again_after=draw(maybe),
            on_request=draw(st.sampled_from(["", "one"])),
            request_after=draw(st.sampled_from(["", below[0].name])),
            monitoring=draw(maybe),
        ),
    )


@st.composite
def policies(draw: st.DrawFn, name: str) -> list[Policy]:
    made = []
    for version in range(1, draw(st.integers(1, 2)) + 1):
        some = draw(commitments())
        made.append(
            Policy(
                name,
                version,
                Choice.fixed(draw(st.sampled_from(CALENDARS)).name),
                applies_to=draw(CONDITIONS),
                since=None if version == 1 else START + draw(st.integers(0, 200)) * HOUR,
                commitments=some,
                ladders=draw(ladders(some)),
            )
        )
    return made


POLICY_SETS: st.SearchStrategy[PolicySet] = st.tuples(policies("p"), st.one_of(st.just([]), policies("q"))).map(
    lambda pair: PolicySet((*pair[0], *pair[1]), {calendar.name: calendar for calendar in CALENDARS})
)


@st.composite
def event(draw: st.DrawFn, number: int) -> Event:
    at = START + draw(st.integers(0, 60)) * 7 * HOUR + draw(st.sampled_from([0, 0, 1, 20 * MINUTE, 3 * HOUR]))
    kind = draw(st.sampled_from(["changed", "changed", "changed", "comment", "rare"]))
    more: dict[str, Any] = {"seq": draw(st.integers(0, 1))}
    if kind == "changed":
        type_ = "ticket.changed"
        fields = {
            "status": ["new", "open", "pending", "on_hold", "solved", "closed"],
            "priority": ["p1", "p2", "p9"],
            "contract": ["gold", "tin"],
            "team": ["a", "b", ""],
            "review": ["done"],
        }
        name = draw(st.sampled_from(sorted(fields)))
        more["fields"] = {name: draw(st.sampled_from(fields[name]))}
    elif kind == "comment":
        type_ = "comment.added"
        more |= {"actor": draw(st.sampled_from(["agent", "customer", "bot"])), "public": draw(st.booleans())}
    else:
        type_ = draw(
            st.sampled_from(
                [
                    "ticket.merged",
                    "ticket.deleted",
                    "ticket.restored",
                    "ticket.restored",
                    "dependency.started",
                    "dependency.ended",
                    "extension.granted",
                    "resolution.accepted",
                    "escalation.requested",
                    "escalation.acknowledged",
                    "escalation.released",
                ]
            )
        )
        more |= {
            "into": "U",
            "party": draw(st.sampled_from(["x", "y"])),
            "commitment": draw(st.sampled_from(sorted(BUILT_IN))),
            "by": draw(st.sampled_from(["1h", "1bh"])) if type_ == "extension.granted" else "customer",
            "impact": draw(st.sampled_from(["", "production"])),
        }
    return Event(at=at, id=f"e{number}", type=type_, source="s", **more)  # type: ignore[arg-type]


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    fields: Fields = {"priority": draw(st.sampled_from(["p1", "p2"])), "contract": draw(st.sampled_from(["gold", "tin"]))}
    created = Event(at=START, id="e0", type="ticket.created", source="s", actor="customer", fields=fields)
    return [created, *[draw(event(number)) for number in range(1, draw(st.integers(2, 9)))]]


EVENTS = histories()
