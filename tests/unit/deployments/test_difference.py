"""What a plan states of each kind of change."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any

import pytest

from stream.deployments.difference import difference
from stream.deployments.facts import Change, Code, Part
from stream.deployments.plan import plan_lines
from stream.deployments.snapshot import decode, encode
from stream.deployments.version_changes import version_changes
from stream.language.policies import load, shipped
from stream.sla.calendar.calendar import Calendar
from stream.sla.calendar.duration import Clock, Duration
from stream.sla.policy.conditions import FieldIn
from stream.sla.policy.metric import BUILT_IN
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
from tests.unit.deployments.stepping import AT, OFFICE, Stepping, file, policy

LADDER = "[{ladder: up, kind: hierarchical, on: resolution, levels: [{level: lead, notify: lead, at: 50%}]}]"

WITH_TEAM, WITHOUT_TEAM = "(team t and priority not p1): none -> 1h", "(priority p1 and team not t): 1h -> none"


@pytest.mark.parametrize("name", sorted(path.stem for path in shipped("batoi").parent.glob("*.yaml")))
def test_a_file_does_not_differ_from_itself(name: str) -> None:
    found = difference(load([name]), load([name]), AT)
    assert (bool(found), found.facts, found.days, found.problems) == (False, (), (), ())


def test_policies_are_added_withdrawn_and_renamed(step: Stepping) -> None:
    old = file(policy(name="a", applies_to="{x: a}"), policy(name="b", applies_to="{x: b}"))
    new = file(policy(name="aa", head="was: a", applies_to="{x: a}"), policy("[{metric: review, target: 1d}]", name="c"))
    assert step.plan(old, new) == ["~ policy aa, was a", "+ policy c", "    + version 1", "- policy b"]


def test_policies_in_another_order_are_one_fact(step: Stepping) -> None:
    a, b = policy(name="a", applies_to="{x: a}"), policy(name="b", applies_to="{y: b}")
    assert step.plan(file(a, b), file(b, a)) == ["~ policies, order: a, b -> b, a"]


def test_a_new_version_is_compared_with_the_one_before_it(step: Stepping) -> None:
    first = policy()
    second = policy("[{metric: resolution, target: 2d}]", version=2, head="since: 2026-07-01")
    assert step.plan(file(first), file(first, second)) == [
        "~ policy p",
        "    + version 2 from 2026-06-30T22:00:00Z on, compared with version 1",
        "        ~ commitment resolution, target: 1d -> 2d",
    ]


def test_a_version_that_is_not_in_the_new_file_keeps_its_range_and_is_what_the_next_is_compared_with(step: Stepping) -> None:
    second = policy("[{metric: resolution, target: 2d}]", version=2, head="since: 2026-07-01")
    assert step.plan(file(policy()), file(second)) == [
        "~ policy p",
        "    + version 2 from 2026-06-30T22:00:00Z on, compared with version 1",
        "        ~ commitment resolution, target: 1d -> 2d",
        "    ~ version 1 is no longer in any file; it keeps its range",
    ]


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("{p1: 1h, default: 8h}", "{p1: 1h, p2: 4h, default: 8h}", ["(priority p2): 8h -> 4h"]),
        ("{p1: 1h, default: 8h}", "8h", ["(priority p1): 1h -> 8h"]),
        ("{p1: 1h, default: 8h}", "{default: 9h, p1: 1h}", ["(priority not p1): 8h -> 9h"]),
        ("{p1: 1h, p2: 8h}", "{p1: 2h, p2: none}", ["(priority p1): 1h -> 2h", "(priority p2): 8h -> none"]),
        ("{p1: 1h}", "{by: team, t: 1h}", [WITH_TEAM, WITHOUT_TEAM]),
        ("{p1: 1h, default: 8h}", "[{when: {priority: p1}, is: 1h}, {is: 8h}]", []),
    ],
)
def test_a_target_changes_for_the_tickets_that_get_another_one(step: Stepping, old: str, new: str, lines: list[str]) -> None:
    sides = [file(policy(f"[{{metric: resolution, target: {target}}}]")) for target in (old, new)]
    found = [line.partition("target ")[2] for line in step.plan(*sides) if "target" in line]
    assert found == lines


def test_a_ticket_outside_the_policy_is_no_case(step: Stepping) -> None:
    sides = [
        file(policy(f"[{{metric: resolution, target: {target}}}]", applies_to="{priority: [p1, p2]}"))
        for target in ("{p1: 1h, p2: 2h, p3: 3h}", "{p1: 1h, p2: 2h, p3: 4h, p4: 5h}")
    ]
    assert step.plan(*sides) == ["no difference"]


def test_a_choice_with_too_many_cases_is_described_without_them(step: Stepping) -> None:
    fields = [
        f"{{when: {{{', '.join(f'f{number}: [{number}, {value}]' for number in range(12))}}}, is: 1h}}" for value in "abcde"
    ]
    sides = [file(policy(f"[{{metric: resolution, target: [{', '.join(fields)}, {{is: {rest}}}]}}]")) for rest in ("2h", "3h")]
    (line,) = [line for line in step.plan(*sides) if "target" in line]
    assert line.endswith("commitment resolution, target: changed, for too many kinds of tickets to list")


def test_a_version_that_is_dropped_is_listed_and_changes_nothing(step: Stepping) -> None:
    first, second = policy(), policy("[{metric: resolution, target: 2d}]", version=2, head="since: 2026-07-01")
    found = step.find(file(first, second), file(second))
    assert list(plan_lines(found)) == [
        "~ policy p",
        "    ~ version 1 is no longer in any file; it keeps its range",
        "",
        "policies: 0 added, 0 withdrawn, 0 renamed, 0 changed; calendars: 0 changed, on 0 days; 0 errors, 0 warnings",
    ]
    assert not found
    assert step.find(file(first, second), file(first))


def test_commitments_and_ladders_come_go_and_are_renamed(step: Stepping) -> None:
    ladders = LADDER.replace("ladder: up", "ladder: top, was: up").replace("level: lead", "level: first, was: lead")
    old = file(policy("[{metric: resolution, target: 1d}, {metric: review, target: 1d}]", escalations=LADDER))
    renamed = "{metric: resolution, name: fix, was: resolution, target: 1d}"
    new = file(
        policy(f"[{renamed}, {{metric: first_response, target: 1d}}]", escalations=ladders.replace("on: resolution", "on: fix"))
    )
    assert step.plan(old, new) == [
        "~ policy p",
        "    ~ version 1, changed in place",
        "        ~ commitment fix, was resolution",
        "        + commitment first_response",
        "        - commitment review",
        "        ~ ladder top, was up",
        "        ~ ladder top, level first, was lead",
    ]


def test_a_metric_that_changes_is_described_by_its_conditions(step: Stepping) -> None:
    use = policy("[{metric: quick, target: 1d}]")
    old, new = (file(use, metrics=f"{{quick: {{like: resolution, pauses: {word}}}}}") for word in ("pending", "on_hold"))
    assert step.plan(old, new)[-1] == "        ~ commitment quick, pauses: status pending -> status on_hold"


def test_a_metric_of_its_own_that_changes_is_described_without_its_name(step: Stepping) -> None:
    old, new = (
        file(policy(f"[{{metric: resolution, target: 1d, stops: {{accepted: yes}}, pauses: {word}}}]"))
        for word in ("new", "never")
    )
    assert step.plan(old, new)[2:] == ["        ~ commitment resolution, pauses: status new -> none"]


def test_a_renamed_policy_has_the_same_metrics_of_its_own(step: Stepping) -> None:
    own = "[{metric: resolution, target: 1d, pauses: new}]"
    assert step.plan(file(policy(own)), file(policy(own, name="q", head="was: p"))) == ["~ policy q, was p"]


def test_a_holiday_an_exception_and_other_hours_are_dates(step: Stepping) -> None:
    more = (
        'office: {timezone: Europe/Berlin, week: {mon-fri: ["09:00-17:00"]}, holidays: [{date: 06-03, name: Feast}], '
        'exceptions: [{date: 2026-06-06, open: ["10:00-14:00"], note: Fair}]}'
    )
    assert step.plan(file(policy()), file(policy(), calendars=more)) == [
        "~ calendar office, hours",
        "    ~ Wed 2026-06-03: open 09:00-17:00 -> closed (Feast)",
        "    ~ Sat 2026-06-06: closed -> open 10:00-14:00 (Fair)",
    ]


def test_dates_with_the_same_change_stand_together_and_the_window_ends(step: Stepping) -> None:
    late = OFFICE.replace("17:00", "18:00")
    assert step.plan(file(policy()), file(policy(), calendars=late)) == [
        "~ calendar office",
        "    ~ day: 8:00 -> 9:00",
        "~ calendar office, hours",
        "    ~ 88 days, Mon 2026-03-02 to Wed 2026-07-01: open 09:00-17:00 -> open 09:00-18:00",
    ]


def test_dates_are_compared_from_a_quarter_before_the_deployment_until_the_window_ends(step: Stepping) -> None:
    dates = (date(2026, 2, 27), date(2026, 3, 2), date(2026, 5, 29), date(2026, 7, 1), date(2026, 7, 2))
    closed = ", ".join(f"{{date: {day}, closed: true}}" for day in dates)
    more = OFFICE.replace("]}}", f"]}}, exceptions: [{closed}]}}")
    assert [change.day for change in step.find(file(policy()), file(policy(), calendars=more)).days] == list(dates[1:4])


def test_a_time_zone_with_other_rules_is_a_fact(step: Stepping) -> None:
    old = load(["batoi"])
    (name,) = old.calendars.keys() - {"24x7"}
    content = old.calendars[name].content
    zone = dataclasses.replace(content.zone, changes=(*content.zone.changes, AT), offsets=(*content.zone.offsets, 0))
    new = PolicySet(old.policies, {name: Calendar(name, dataclasses.replace(content, zone=zone))})
    found = difference(PolicySet(old.policies, {name: old.calendars[name]}), new, AT)
    assert list(plan_lines(found))[:2] == [f"~ calendar {name}", "    ~ timezone: other rules of Asia/Kolkata"]
    assert [problem.code for problem in found.problems] == [Code.ZONE_CHANGED]


@pytest.mark.parametrize("name", ["baar", "batoi", "botpenguin", "starter"])
def test_a_set_that_was_stored_does_not_differ_from_its_files(name: str) -> None:
    assert not difference(decode(encode(load([name]))), load([name]), AT)


def test_a_digest_in_the_name_of_a_metric_is_no_difference() -> None:
    before, after = (
        version_with(dataclasses.replace(THINGS[0], metric=dataclasses.replace(BUILT_IN["resolution"], name=name)))
        for name in ("quick#1a2b3c", "quick#4d5e6f")
    )
    assert version_changes(before, after) == []


def test_rules_that_are_written_otherwise_and_give_the_same_hours_are_no_difference(step: Stepping) -> None:
    other = 'office: {timezone: Europe/Berlin, week: {"mon,tue,wed": ["09:00-12:00", "12:00-17:00"], thu-fri: ["09:00-17:00"]}}'
    assert step.plan(file(policy()), file(policy(), calendars=other)) == ["no difference"]


def test_a_zone_and_calendars_that_come_and_go_are_facts(step: Stepping) -> None:
    spare = OFFICE + "\n  spare: {timezone: UTC, week: 24x7}"
    zone = OFFICE.replace("Berlin", "Paris")
    assert step.plan(file(policy(), calendars=spare), file(policy(), calendars=zone)) == [
        "~ calendar office",
        "    ~ timezone: Europe/Berlin -> Europe/Paris",
        "- calendar spare",
    ]
    assert step.plan(file(policy()), file(policy(), calendars=spare)) == ["+ calendar spare"]


# Every field of a policy is looked at.

HERE = FieldIn("team", frozenset({"t"}))
LENGTH = Duration.parse("3h")
POINT = Threshold(ThresholdKind.AFTER, "+1h", duration=Duration.parse("1h"))
LEVEL = Level("lead", ("lead",), Choice.fixed(POINT))
THINGS = (
    Commitment("c", BUILT_IN["resolution"], Choice.fixed(Duration.parse("1h"))),
    Ladder("l", LadderKind.FUNCTIONAL, (LEVEL,), metric=BUILT_IN["resolution"]),
    LEVEL,
)
OTHER: dict[str, Any] = {
    "metric": BUILT_IN["first_resolution"],
    "target": Choice.fixed(LENGTH),
    "warn_at": Choice.fixed((POINT,)),
    "when": HERE,
    "calendar": Choice.fixed("other"),
    "objective": 0.5,
    "on_change": OnChange.RESET,
    "at_deadline": AtDeadline.BREACHED,
    "pause_time": Clock.WALL,
    "page": Choice.fixed("yes"),
    "extension_cap": LENGTH,
    "kind": LadderKind.HIERARCHICAL,
    "levels": (LEVEL, dataclasses.replace(LEVEL, name="boss")),
    "commitment": "c",
    "owner": "somebody",
    "raise_again_after": LENGTH,
    "on_request": "lead",
    "request_after": "c",
    "monitoring": LENGTH,
    "notify": ("boss",),
    "at": Choice.fixed(dataclasses.replace(POINT, text="+2h")),
    "repeat_every": LENGTH,
    "max_repeats": 3,
    "only_in_business_hours": True,
    "assign_to": Choice.fixed("team"),
    "applies_to": HERE,
    "since": 5,
    "commitments": (),
    "ladders": (),
}


def version_with(thing: Commitment | Ladder | Level) -> Policy:
    commitment, ladder, _ = THINGS
    if isinstance(thing, Commitment):
        commitment = thing
    elif isinstance(thing, Ladder):
        ladder = thing
    else:
        ladder = dataclasses.replace(ladder, levels=(thing,))
    return Policy("p", 1, Choice.fixed("office"), commitments=(commitment,), ladders=(ladder,))


FIELDS = [
    pytest.param(thing, field.name, id=f"{type(thing).__name__}.{field.name}")
    for thing in (*THINGS, Policy("p", 1, Choice.fixed("office")))
    for field in dataclasses.fields(thing)
    if field.name not in {"name", "was", "version"}
]


@pytest.mark.parametrize(("thing", "field"), FIELDS)
def test_a_change_of_any_field_of_a_policy_is_a_fact(thing: Commitment | Ladder | Level | Policy, field: str) -> None:
    if isinstance(thing, Policy):
        before = version_with(LEVEL)
        after = dataclasses.replace(before, **{field: OTHER[field]})
    else:
        before, after = version_with(thing), version_with(dataclasses.replace(thing, **{field: OTHER[field]}))
    assert version_changes(before, before) == []
    assert version_changes(before, after) != []


def test_facts_carry_values_and_no_text(step: Stepping) -> None:
    old, new = (file(policy(f"[{{metric: resolution, target: {target}}}]")) for target in ("1d", "2d"))
    fact = step.find(old, new).facts[-1]
    assert (fact.change, fact.part, fact.before, fact.after) == (
        Change.CHANGED,
        Part.TARGET,
        Duration.parse("1d"),
        Duration.parse("2d"),
    )
