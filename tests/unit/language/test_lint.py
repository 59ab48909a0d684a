import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.documents.document import Severity
from stream.language.policies import check
from stream.sla.policy.metric import BUILT_IN

Found = Callable[[str], list[tuple[str, str]]]


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """Place and message of every problem of a file."""

    def of(text: str) -> list[tuple[str, str]]:
        path = tmp_path / "p.yaml"
        path.write_text(textwrap.dedent(text))
        return [(problem.where, problem.message) for problem in check([path]).problems]

    return of


def policy(
    name: str = "p",
    applies_to: str = "always",
    tail: str = "commitments: [{metric: first_response, target: 1h}]",
    version: int = 1,
    since: str = "",
) -> str:
    head = f"- policy: {name}\n  version: {version}\n  applies_to: {applies_to}\n  calendar: office\n"
    head += f"  since: {since}\n" if since else ""
    return head + textwrap.indent(textwrap.dedent(tail), "  ") + "\n"


def file(*policies: str) -> str:
    return 'calendars: {office: {timezone: Asia/Kolkata, week: {mon-fri: ["09:00-17:00"]}}}\npolicies:\n' + "".join(policies)


def commitment(text: str) -> str:
    return file(policy(tail=f"commitments:\n  - {{{text}}}"))


def ladder(levels: str, extra: str = "starts: ticket_created, stops: solved", commitments: str = "") -> str:
    return file(policy(tail=f"{commitments}\nescalations: [{{ladder: l, kind: functional, {extra}, levels: [{levels}]}}]"))


HOTLINE = """\
calendars:
  hotline:
    timezone: Europe/Berlin
    exceptions:
      - {from: 2026-11-02, to: 2026-11-03, open: ["08:00-12:00"]}
      - {date: 2026-11-10, open: ["06:00-24:00"]}
policies:
  - {policy: p, version: 1, applies_to: always, calendar: hotline, commitments: [{metric: resolution, target: TARGET}]}
"""


def test_a_target_that_the_dates_of_a_calendar_cannot_hold_is_reported(found: Found) -> None:
    assert [problem for problem in found(HOTLINE.replace("TARGET", "27bh")) if "target" in problem[0]] == [
        (
            "policies[0].commitments[0].target",
            "27bh never passes: `hotline` is open 26 hours in all, the last until 2026-11-11 00:00",
        )
    ]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("+3 business days", None),
        (
            "+4 business days",
            "+4 business days never comes: `hotline` has no such business day, it closes for good at 2026-11-11",
        ),
        ("+2 business days at close cutoff 23:59", None),
    ],
)
def test_a_delay_that_no_date_of_a_calendar_can_hold_is_reported(found: Found, target: str, message: str | None) -> None:
    errors = [text for where, text in found(HOTLINE.replace("TARGET", target)) if "target" in where]
    assert [text.startswith(message or "?") for text in errors] == ([True] if message else [])


def test_a_delay_of_many_years_is_reported(found: Found) -> None:
    text = HOTLINE.replace("    exceptions:", "    holidays: [{date: 12-24, open: ['09:00-10:00']}]\n    exceptions:")
    assert "takes over 10 years: `hotline` has few business days" in found(text.replace("TARGET", "+20 business days"))[0][1]
    assert found(text.replace("TARGET", "+9 business days")) == []


def test_thresholds_on_a_delay_are_compared_where_they_can_be(found: Found) -> None:
    target = "commitments: [{metric: resolution, target: +1 business day at close, warn_at: [75%, -1h, -3bd, 2bd]}]"
    levels = "{level: a, notify: x, at: 90%}, {level: b, notify: x, at: %s}"

    def of(second: str) -> list[tuple[str, str]]:
        return found(ladder(levels.replace("%s", second), extra="on: resolution", commitments=target))

    assert of("-1bh") == of("100%") == of("+1 business day at 09:00") == of("+1h") == []
    assert [message for _, message in of("75%")] == ["`75%` comes before `90%`, which is a lower level"]


def test_a_calendar_whose_dates_end_is_warned_of_if_it_is_used(found: Found) -> None:
    ((where, message),) = found(HOTLINE.replace("TARGET", "26bh"))
    assert where == "calendars.hotline"
    assert message.startswith("the calendar is not open after 2026-11-11 00:00")
    ((_, message),) = found(HOTLINE.replace("TARGET", "26h").replace("calendar: hotline", "calendar: 24x7"))
    assert message == "the calendar is not used by any policy"


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_metric_is_free_of_problems(found: Found, name: str) -> None:
    assert found(commitment(f"metric: {name}, target: 1bd, warn_at: [50%, 4bh, -1bh]")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metric: first_response, starts: solved, target: 1h", "never runs"),
        ("metric: resolution, cancels: always, target: 1h", "never runs"),
        ("metric: resolution, starts: {event: comment.added, changed: status}, target: 1h", "never starts"),
        ("metric: resolution, starts: never, target: 1h", "never starts"),
        ("metric: resolution, stops: never, target: 1h", "never stops"),
        ("metric: resolution, when: {status: open}, target: 1h", "never stops"),
        ("metric: resolution, pauses: {not: solved}, target: 1h", "always paused"),
        ("metric: resolution, pauses: always, resumes: solved, target: 1h", "always paused"),
    ],
)
def test_a_stopwatch_that_cannot_work_is_a_problem(found: Found, text: str, message: str) -> None:
    ((where, found_message),) = found(commitment(text))
    assert (where, message in found_message) == ("policies[0].commitments[0]", True), found_message


@pytest.mark.parametrize(
    "text",
    [
        # Starts paused, and is resumed later.
        "metric: resolution, pauses: {status: new}, target: 1h",
        "metric: resolution, pauses: always, resumes: {event: comment.added}, target: 1h",
        # Runs only once the ticket is opened again.
        "metric: resolution, starts: solved, target: 1h",
        # Cannot be stopped by its stop, but every answer ends a cycle.
        "metric: periodic_update, stops: never, target: 1h",
    ],
)
def test_an_unusual_stopwatch_that_works_is_not_a_problem(found: Found, text: str) -> None:
    assert found(commitment(text)) == []


def test_a_ladders_own_stopwatch_is_checked_as_well(found: Found) -> None:
    ((where, message),) = found(ladder("{level: a, notify: b, after: 1h}", "starts: never, stops: solved"))
    assert (where, message.startswith("never starts")) == ("policies[0].escalations[0]", True)


def test_a_commitment_for_no_ticket_of_the_policy_is_a_problem(found: Found) -> None:
    commitments = "commitments: [{metric: resolution, when: {contract: silver}, target: 1h}]"
    ((where, message),) = found(file(policy(applies_to="{contract: gold}", tail=commitments)))
    assert (where, "the commitment never applies" in message) == ("policies[0].commitments[0].when", True)


@pytest.mark.parametrize(
    ("first", "second", "shadowed"),
    [
        ("always", "{contract: gold}", True),
        ("{contract: gold}", "{contract: gold}", True),
        ("{contract: [gold, silver]}", "{contract: gold, channel: chat}", True),
        ("{not: {contract: gold}}", "{contract: silver}", True),
        ("{contract: gold}", "always", False),
        ("{contract: gold}", "{contract: [gold, silver]}", False),
        ("{contract: gold, channel: chat}", "{contract: gold}", False),
        ("{tags: a}", "{tags: b}", False),
    ],
)
def test_a_policy_behind_a_wider_one_is_never_reached(found: Found, first: str, second: str, shadowed: str) -> None:
    problems = found(file(policy("first", first), policy("second", second)))
    assert [where for where, _ in problems] == (["policies[1].applies_to"] if shadowed else [])


def test_a_policy_that_is_in_force_before_the_wider_one_begins_is_reached(found: Found) -> None:
    wide = policy("wide", since="2026-01-01")
    assert found(file(wide, policy("old"))) == []
    assert found(file(wide, policy("old", since="2025-01-01"))) == []
    assert [where for where, _ in found(file(wide, policy("new", since="2026-06-01")))] == ["policies[1].applies_to"]


def test_a_policy_is_reached_if_a_later_version_of_the_wider_one_lets_it(found: Found) -> None:
    text = file(policy("wide"), policy("wide", "{contract: gold}", version=2, since="2026-01-01"), policy("rest"))
    assert found(text) == []


def test_a_version_must_begin_after_the_one_before(found: Found) -> None:
    ((where, message),) = found(file(policy(since="2026-02-01"), policy(version=2, since="2026-01-01")))
    assert (where, "version 2 must begin after version 1" in message) == ("policies[1].since", True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("target: 4bh, warn_at: 4bh", "`4bh` is not before the deadline of the target 4bh"),
        ("target: 1bd, warn_at: 8bh", "`8bh` is not before the deadline of the target 1bd"),
        ("target: 1bd, warn_at: -9bh", "`-9bh` is at least as long as the target 1bd"),
        ("target: {p1: 1h, default: 4h}, warn_at: 2h", "`2h` is not before the deadline of the target 1h"),
        ("target: none, warn_at: 50%", "warns without a target: add a target"),
        ("target: {p1: 1h}, warn_at: {p1: 50%, p2: 50%}", "warns without a target (priority p2)"),
    ],
)
def test_a_warning_that_cannot_warn_is_a_problem(found: Found, text: str, message: str) -> None:
    ((where, found_message),) = found(commitment(f"metric: resolution, {text}"))
    assert (where, message in found_message) == ("policies[0].commitments[0].warn_at", True), found_message


@pytest.mark.parametrize(
    "text",
    [
        "target: {p1: 1h, p2: 2h}, warn_at: 50%",
        "target: {p1: 1h, p2: 2h}, warn_at: {p1: 30m}",
        # Different clocks: which is longer depends on the week.
        "target: 1w, warn_at: 5bd",
        "target: {p1: 1h, p2: 2h, p4: none}, warn_at: {p1: 30m, default: 50%}",
    ],
)
def test_a_warning_that_can_warn_for_some_ticket_is_not_a_problem(found: Found, text: str) -> None:
    assert found(commitment(f"metric: resolution, {text}")) == []


def test_levels_must_not_go_backwards_for_any_priority(found: Found) -> None:
    levels = "{level: a, notify: r, after: {p1: 4bh, p2: 1bd}}, {level: b, notify: r, after: {p1: 1bd, p2: 4bh}}"
    assert found(ladder(levels)) == [
        ("policies[0].escalations[0].levels[1].after", "`4bh` comes before `1bd`, which is a lower level (priority p2)")
    ]


def test_levels_around_a_deadline_must_not_go_backwards(found: Found) -> None:
    text = ladder(
        "{level: a, notify: r, at: 75%}, {level: b, notify: r, at: -2h}, "
        "{level: c, notify: r, at: +1h}, {level: d, notify: r, at: 101%}",
        "on: resolution",
        "commitments: [{metric: resolution, target: 4h}]",
    )
    assert [where for where, _ in found(text)] == [f"policies[0].escalations[0].levels[{n}].at" for n in (1, 3)]


def test_a_level_before_the_start_is_a_problem(found: Found) -> None:
    text = ladder(
        "{level: a, notify: r, at: -5h}", "on: resolution", "commitments: [{metric: resolution, target: {p1: 4h, p2: 8h}}]"
    )
    assert found(text) == [("policies[0].escalations[0].levels[0].at", "`-5h` is before the start of the target 4h")]


def test_levels_on_different_clocks_are_not_compared(found: Found) -> None:
    assert (
        found(ladder("{level: a, notify: r, after: 3bd}, {level: b, notify: r, after: 1w}, {level: c, notify: r, after: 4bd}"))
        == []
    )


def test_a_target_the_calendar_can_never_grant_is_a_problem(found: Found) -> None:
    assert found(commitment("metric: resolution, target: 20000bh")) == []
    assert found(commitment("metric: resolution, target: 21000bh")) == [
        ("policies[0].commitments[0].target", "21000bh takes over 10 years: `office` is open 2088 hours a year")
    ]


@pytest.mark.parametrize(
    ("target", "cap", "message"),
    [
        ("1d", "2bd", "`2bd` is business time and every target wall time"),
        ("{p1: 4bh, default: 2bd}", "1d", "`1d` is wall time and every target business time"),
    ],
)
def test_an_extension_cap_on_another_clock_than_its_target_is_warned_of(
    found: Found, target: str, cap: str, message: str
) -> None:
    ((where, text),) = found(commitment(f"metric: resolution, target: {target}, extensions: {{cap: {cap}}}"))
    assert where == "policies[0].commitments[0].extensions.cap"
    assert message in text


@pytest.mark.parametrize("target", ["1bd", "{p1: 4h, default: 2bd}", "none"])
def test_an_extension_cap_that_some_ticket_can_use_is_no_problem(found: Found, target: str) -> None:
    assert found(commitment(f"metric: resolution, target: {target}, extensions: {{cap: 1bd}}")) == []


def test_a_version_that_is_not_the_first_and_has_no_since_is_warned_of(found: Found) -> None:
    ((where, message),) = found(file(policy(version=2)))
    assert (where, "holds for clocks that started at any time" in message) == ("policies[0]", True)
    assert found(file(policy(version=2, since="2026-01-01"))) == []


def test_a_value_that_is_written_in_several_ways_is_warned_of_where_the_second_is(found: Found) -> None:
    targets = "commitments: [{metric: first_response, target: {p1: 1h, default: 2h}}]"
    others = "commitments: [{metric: first_response, target: {P1: 1h, default: 2h}}]"
    ((where, message),) = found(file(policy(applies_to="{team: a}", tail=targets), policy("q", tail=others)))
    assert (where, message) == (
        "policies[1]",
        "p1, P1 are different values of `priority`, and differ in spelling alone: write one of them everywhere",
    )


@pytest.mark.parametrize(
    ("applies_to", "clash"), [("{Contract: gold}", True), ("{all: [{plan: a}, {Plan: b}]}", True), ("{plan: a}", False)]
)
def test_a_ticket_field_that_is_written_in_several_ways_is_warned_of(found: Found, applies_to: str, clash: bool) -> None:
    messages = [message for _, message in found(file(policy(applies_to=applies_to)))]
    assert ["ticket fields" in message for message in messages] == [True] * clash


def test_a_file_with_warnings_is_usable(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(file(policy(version=2)))
    checked = check([path])
    assert [problem.severity for problem in checked.problems] == [Severity.WARNING]
    assert checked.policies is not None
