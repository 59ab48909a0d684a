"""What may be wrong with a step, though each of its two sides is right."""

from __future__ import annotations

import pytest

from stream.deployments.facts import Code, Place, Problem, Severity
from stream.deployments.phrasing import problem_words
from tests.unit.deployments.stepping import OFFICE, Stepping, file, policy

LADDER = "[{ladder: up, kind: hierarchical, on: resolution, levels: [{level: lead, notify: lead, at: 50%}]}]"
CHANGED = "version-changed: p, version 1"


def target(text: str, more: str = "") -> str:
    return policy(f"[{{metric: resolution, target: {text}{more}}}]")


def test_a_version_that_follows_in_time_is_no_problem(step: Stepping) -> None:
    second = policy("[{metric: resolution, target: 1h}]", version=2, head="since: 2026-07-01")
    assert step.problems(file(policy()), file(policy(), second)) == []
    assert step.problems(file(policy()), file(second)) == []


@pytest.mark.parametrize(
    ("old", "new", "case"),
    [
        ("1d", "23h", ""),
        ("1bd", "7bh", ""),
        ("{p1: 1h, default: 1d}", "{p1: 2h, default: 2h}", " (priority not p1)"),
        ("1mo", "27d", ""),
        ("+2 business days", "+1 business day", ""),
        ("+1 business day at close", "+1 business day at 16:00", ""),
        ("+1 business day at close cutoff 15:00", "+0 business days at close", ""),
        ("+1 business day at 23:00", "+1 business day at 22:00", ""),
        ("3bd", "+1 business day at close", ""),
    ],
)
def test_a_target_that_is_shortened_in_place_is_a_problem_with_its_case(step: Stepping, old: str, new: str, case: str) -> None:
    found = step.problems(file(target(old)), file(target(new)))
    assert found == [CHANGED, f"target-shortened: p, version 1, commitment resolution{case}"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1d", "2d"),
        ("1bd", "8bh"),
        ("1d", "none"),
        ("none", "1d"),
        ("24h", "1d"),
        ("+1 business day", "2bd"),
        ("1bh", "+1 business day at close"),
    ],
)
def test_a_target_that_is_not_shorter_is_only_a_change_in_place(step: Stepping, old: str, new: str) -> None:
    assert step.problems(file(target(old)), file(target(new))) == [CHANGED]


def test_a_target_on_another_clock_cannot_be_compared_and_is_a_problem(step: Stepping) -> None:
    found = step.problems(file(target("1d")), file(target("1bd")))
    assert found == [CHANGED, "target-clock-changed: p, version 1, commitment resolution"]


def test_other_conditions_of_open_clocks_are_one_problem_a_commitment(step: Stepping) -> None:
    found = step.problems(file(target("1d")), file(target("1d", ", pauses: new, stops: {accepted: yes}, reopens: never")))
    assert found == [CHANGED, "conditions-changed: p, version 1, commitment resolution"]


def test_a_policy_a_commitment_and_a_ladder_that_are_withdrawn_are_problems(step: Stepping) -> None:
    old = file(
        policy("[{metric: resolution, target: 1d}, {metric: review, target: 1d}]", escalations=LADDER, applies_to="{x: p}"),
        policy("[{metric: review, target: 2d}]", name="q"),
    )
    new = file(policy(applies_to="{x: p}"))
    assert step.problems(old, new) == [
        "policy-withdrawn: q",
        "commitment-withdrawn: p, version 1, commitment review",
        "ladder-withdrawn: p, version 1, ladder up",
        CHANGED,
    ]


def test_a_commitment_that_a_new_version_leaves_out_is_no_problem(step: Stepping) -> None:
    old = policy("[{metric: resolution, target: 1d}, {metric: review, target: 1d}]")
    assert step.problems(file(old), file(old, policy(version=2, head="since: 2026-07-01"))) == []


def test_a_rename_without_was_is_a_problem_for_each_kind_of_thing(step: Stepping) -> None:
    assert step.problems(file(policy()), file(policy(name="q"))) == ["rename-without-was: q"]
    named = "[{metric: resolution, name: fix, target: 1d}]"
    assert step.problems(file(policy()), file(policy(named))) == ["rename-without-was: p, version 1, commitment fix", CHANGED]
    up, top = (policy(escalations=LADDER.replace("ladder: up", f"ladder: {name}")) for name in ("up", "top"))
    assert step.problems(file(up), file(top)) == ["rename-without-was: p, version 1, ladder top", CHANGED]
    lead, first = (policy(escalations=LADDER.replace("level: lead", f"level: {name}")) for name in ("lead", "first"))
    assert step.problems(file(lead), file(first)) == ["rename-without-was: p, version 1, ladder up, level first", CHANGED]


def test_a_ladder_of_a_renamed_commitment_is_the_same_ladder(step: Stepping) -> None:
    old = policy(escalations=LADDER)
    renamed = "[{metric: resolution, name: fix, was: resolution, target: 1d}]"
    new = policy(renamed, escalations=LADDER.replace("on: resolution", "on: fix"))
    found = step.find(file(old), file(new))
    assert [
        (fact.place.commitment, fact.place.ladder) for fact in found.facts if fact.place.commitment or fact.place.ladder
    ] == [("fix", "")]


def test_a_rename_onto_a_name_that_was_there_is_an_error(step: Stepping) -> None:
    old = file(policy("[{metric: resolution, target: 1d}, {metric: review, target: 1d}]"))
    new = file(policy("[{metric: review, was: resolution, target: 1d}]"))
    first, *_ = step.find(old, new).problems
    assert (first.code, first.severity) == (Code.RENAME_ONTO_EXISTING, Severity.ERROR)
    names = file(policy(name="a", applies_to="{x: a}"), policy(name="b"))
    assert step.problems(names, file(policy(name="b", head="was: a")))[0] == "rename-onto-existing: b"


def test_a_rename_that_was_deployed_before_may_stay_in_the_file(step: Stepping) -> None:
    renamed = file(policy(head="was: q"))
    assert step.plan(renamed, renamed) == ["no difference"]
    assert step.problems(renamed, file(policy())) == []


def test_a_later_version_without_since_is_an_error(step: Stepping) -> None:
    assert step.problems(file(policy()), file(policy(version=2))) == ["version-without-since: p, version 2"]


def test_a_version_must_follow_those_that_keep_their_range_outside_of_the_file(step: Stepping) -> None:
    old = file(policy(version=2, head="since: 2027-01-01"))
    new = file(policy(version=3, head="since: 2026-08-01"))
    assert step.problems(old, new) == ["version-does-not-follow: p, version 3"]
    assert step.problems(old, file(policy(version=3, head="since: 2027-08-01"))) == []


def test_a_since_before_the_deployment_is_a_problem_of_new_and_of_changed_versions(step: Stepping) -> None:
    early, late = (policy(version=2, head=f"since: {since}") for since in ("2026-05-01", "2026-07-01"))
    expected = "since-before-deployment: p, version 2"
    assert step.problems(file(policy()), file(policy(), early)) == [expected]
    assert step.problems(file(policy(), late), file(policy(), early)) == [expected, "version-changed: p, version 2"]
    assert step.problems(file(policy(), early), file(policy(), early)) == []


def test_a_policy_in_front_of_others_takes_over_their_tickets_unless_it_begins_later(step: Stepping) -> None:
    gold = policy("[{metric: first_response, target: 1d}]", name="gold", applies_to="{contract: gold}")
    assert step.problems(file(policy()), file(gold, policy())) == ["takes-over-tickets: gold"]
    begins = "since: 2026-07-01"
    later = policy("[{metric: first_response, target: 1d}]", name="gold", applies_to="{contract: gold}", head=begins)
    assert step.problems(file(policy()), file(later, policy())) == []


def test_policies_for_other_tickets_may_change_places(step: Stepping) -> None:
    a, b = policy(name="a", applies_to="{customer: a}"), policy(name="b", applies_to="{customer: b}")
    assert step.problems(file(a, b), file(b, a)) == []
    c = policy(name="c", applies_to="{y: c}")
    assert step.problems(file(a, c), file(c, a)) == ["takes-over-tickets: c"]


def test_a_ticket_may_have_both_values_of_a_field_of_its_helpdesk(step: Stepping) -> None:
    a, b = policy(name="a", applies_to="{product: a}"), policy(name="b", applies_to="{product: b}")
    assert step.problems(file(a, b), file(b, a)) == ["takes-over-tickets: b"]


def test_a_field_that_nothing_read_before_was_not_kept(step: Stepping) -> None:
    printers = policy(name="printers", applies_to="{product: printer}")
    both = file(policy(applies_to="{customer: acme}"), printers)
    (problem,) = step.find(file(policy(applies_to="{customer: acme}")), both).problems
    assert (problem.code, problem.place, problem.after) == (Code.FIELDS_NOT_KEPT, Place("printers"), ("product",))
    assert step.problems(both, both.replace("product: printer", "product: scanner")) == ["version-changed: printers, version 1"]
    assert problem_words(problem).startswith("reads product, which no policy read before")
    assert problem.severity is Severity.WARNING


def test_a_working_day_and_a_zone_that_change_are_problems_of_the_calendar(step: Stepping) -> None:
    day = OFFICE.replace("]}}", "]}, day: 7h30m}")
    assert step.problems(file(policy()), file(policy(), calendars=day)) == ["day-changed: calendar office"]
    zone = OFFICE.replace("Berlin", "Paris")
    assert step.problems(file(policy()), file(policy(), calendars=zone)) == ["zone-changed: calendar office"]


def test_hours_that_change_before_the_deployment_are_a_problem_of_the_calendar(step: Stepping) -> None:
    late = OFFICE.replace("17:00", "18:00").replace("]}}", "]}, day: 8h}")
    assert step.problems(file(policy()), file(policy(), calendars=late)) == ["past-hours-changed: calendar office"]
    from_june = OFFICE.replace("]}}", ']}, versions: [{since: 2026-06-01, week: {mon-fri: ["09:00-18:00"]}}], day: 8h}')
    assert step.problems(file(policy()), file(policy(), calendars=from_june)) == []


def test_the_latest_version_stays_in_force_when_it_is_taken_out_of_the_file(step: Stepping) -> None:
    second = policy("[{metric: resolution, target: 1h}]", version=2, head="since: 2026-07-01")
    (found,) = step.find(file(policy(), second), file(policy())).problems
    assert (found.code, found.severity, found.place) == (Code.VERSION_STAYS_IN_FORCE, Severity.ERROR, Place("p", 2))


def test_errors_come_before_warnings(step: Stepping) -> None:
    old = file(policy(name="a", applies_to="{x: a}"), policy())
    new = file(policy(version=2))
    found = step.find(old, new).problems
    assert [problem.severity for problem in found] == sorted(problem.severity for problem in found)
    assert {problem.code for problem in found} == {Code.POLICY_WITHDRAWN, Code.VERSION_WITHOUT_SINCE}


@pytest.mark.parametrize("code", Code)
def test_the_words_of_every_problem_name_what_it_is_about(code: Code) -> None:
    words = problem_words(Problem(code, Place("p"), 3, 5))
    assert len(words) > 40
    assert "{" not in words
