import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stream.documents.document import PolicyError
from stream.language.policies import check, load, shipped
from stream.sla.policy.metric import BUILT_IN, SOLVED, Again
from stream.sla.policy.policy import LadderKind, OnChange, ThresholdKind

SCOPE = """\
policies:
  - policy: p
    version: 1
    applies_to: {contract: gold}
    calendar: 24x7
"""

Files = Callable[..., list[Path]]
Problems = Callable[..., list[str]]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.chdir(tmp_path)

    def of(*texts: str) -> list[Path]:
        paths = [Path(f"{'abc'[index]}.yaml") for index in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(textwrap.dedent(text))
        return paths

    return of


@pytest.fixture
def problems(files: Files) -> Problems:
    return lambda *texts: [str(problem) for problem in check(files(*texts)).problems]


def in_scope(tail: str) -> str:
    return SCOPE + textwrap.indent(textwrap.dedent(tail), "    ") + "\n"


def test_a_commitment_has_what_stands_in_the_file(files: Files) -> None:
    text = in_scope("""
        commitments:
          - metric: resolution
            name: solved
            objective: 99.5%
            when: {channel: chat}
            target: {p1: 4h}
            warn_at: [50%]
            calendar: {by: category, critical: 24x7}
            on_change: reset
            extensions: {cap: 2d}
        """)
    (policy,) = load(files(text)).policies
    (commitment,) = policy.commitments
    assert (commitment.name, commitment.metric, commitment.objective) == ("solved", BUILT_IN["resolution"], 0.995)
    assert commitment.on_change is OnChange.RESET
    assert commitment.extension_cap is not None
    assert commitment.extension_cap.text == "2d"
    assert commitment.calendar is not None
    assert [value for _, value in commitment.calendar.cases] == ["24x7"]


def test_an_objective_may_be_a_number_and_a_name_is_that_of_the_metric(files: Files) -> None:
    text = in_scope("commitments: [{metric: first_response, target: none, objective: 0.95}]")
    (commitment,) = load(files(text)).policies[0].commitments
    assert (commitment.name, commitment.objective, commitment.target.cases) == ("first_response", 0.95, ())


def test_a_changed_part_gives_the_commitment_a_metric_of_its_own(files: Files) -> None:
    text = in_scope("commitments: [{metric: resolution, target: 1d, pauses: on_hold}]")
    (commitment,) = load(files(text)).policies[0].commitments
    assert commitment.metric.name == "resolution#84f237"
    assert commitment.metric.starts == BUILT_IN["resolution"].starts


def test_a_part_changed_to_what_it_was_leaves_the_built_in_metric(files: Files) -> None:
    text = in_scope("commitments: [{metric: agent_work, target: 1d, pauses: {status: [pending, on_hold]}}]")
    (commitment,) = load(files(text)).policies[0].commitments
    assert commitment.metric is BUILT_IN["agent_work"] or commitment.metric == BUILT_IN["agent_work"]


def test_a_metric_is_named_by_its_conditions_whichever_version_and_commitment_has_them(files: Files) -> None:
    version = """\
      - policy: p
        version: {0}
        since: 202{0}-01-01
        applies_to: always
        calendar: 24x7
        commitments:
          - {{metric: resolution, name: a, target: 1d, pauses: {1}}}
          - {{metric: resolution, name: b, target: 1d, pauses: new}}
          - {{metric: resolution, name: c, target: 2d, pauses: {1}}}
    """
    versions = [version.format(number, pauses) for number, pauses in ((1, "open"), (2, "pending"), (3, "on_hold"))]
    text = "policies:\n" + textwrap.indent("".join(map(textwrap.dedent, versions)), "  ")
    names = [[commitment.metric.name for commitment in policy.commitments] for policy in load(files(text)).policies]
    assert names == [
        ["resolution#f3baea", "resolution#8d6cd7", "resolution#f3baea"],
        ["resolution", "resolution#8d6cd7", "resolution"],
        ["resolution#84f237", "resolution#8d6cd7", "resolution#84f237"],
    ]


def test_a_ladder_has_what_stands_in_the_file(files: Files) -> None:
    text = in_scope("""
        commitments: [{metric: resolution, target: 1d}]
        escalations:
          - ladder: up
            kind: hierarchical
            on: resolution
            owner: escalation-manager
            levels:
              - {level: lead, notify: team-lead, at: 50%}
              - {level: boss, notify: [boss, deputy], after: 20h, repeat_every: 1h, max_repeats: 2, only_in_business_hours: yes}
            on_request: {level: boss, after: resolution}
            raise_again_after: 4h
            monitoring: 3d
        """)
    (ladder,) = load(files(text)).policies[0].ladders
    assert (ladder.kind, ladder.metric, ladder.commitment, ladder.owner) == (
        LadderKind.HIERARCHICAL,
        None,
        "resolution",
        "escalation-manager",
    )
    assert (ladder.on_request, ladder.request_after) == ("boss", "resolution")
    assert ladder.raise_again_after is not None
    assert ladder.monitoring is not None
    assert (ladder.raise_again_after.text, ladder.monitoring.text) == ("4h", "3d")
    lead, boss = ladder.levels
    assert (lead.notify, lead.at.cases[0][1].kind, lead.max_repeats) == (("team-lead",), ThresholdKind.SHARE, 0)
    assert (boss.notify, boss.at.cases[0][1].kind) == (("boss", "deputy"), ThresholdKind.USED)
    assert boss.repeat_every is not None
    assert (boss.repeat_every.text, boss.max_repeats, boss.only_in_business_hours) == ("1h", 2, True)


def test_a_functional_level_names_the_team_or_chooses_it_by_fields(files: Files) -> None:
    text = in_scope("""
        commitments: [{metric: resolution, target: 1d}]
        escalations:
          - ladder: skill
            kind: functional
            on: resolution
            levels:
              - {level: second-line, notify: lead, at: 50%, assign_to: Second line}
              - level: expert
                notify: lead
                at: 100%
                assign_to: {by: product, core: Core team, studio: Studio team, default: none}
        """)
    policies = load(files(text))

    def teams(product: str) -> object:
        return policies.resolved_policy({"contract": "gold", "product": product}, 0).ladders["skill"].teams

    assert teams("core") == {"second-line": "Second line", "expert": "Core team"}
    assert teams("studio") == {"second-line": "Second line", "expert": "Studio team"}
    assert teams("other") == {"second-line": "Second line"}


def test_only_a_functional_ladder_hands_over_to_a_team(files: Files, problems: Problems) -> None:
    text = in_scope("""
        commitments: [{metric: resolution, target: 1d}]
        escalations:
          - {ladder: up, kind: hierarchical, on: resolution, levels: [{level: a, notify: b, at: 50%, assign_to: Core team}]}
          - ladder: over
            kind: functional
            on: resolution
            levels: [{level: a, notify: b, at: 50%, assign_to: ada@example.org}]
        """)
    found = problems(text)

    assert len(found) == 2
    assert "only a ladder of `kind: functional` hands a ticket over to a team" in found[0]
    assert "must be the name of a team" in found[1]


def test_a_ladder_of_its_own_runs_until_the_ticket_is_solved_and_goes_on_when_it_is_reopened(files: Files) -> None:
    text = in_scope("""
        escalations:
          - {ladder: up, kind: functional, starts: ticket_created, stops: solved, levels: [{level: one, notify: a, after: 1h}]}
        """)
    metric = load(files(text)).policies[0].ladders[0].metric
    assert metric is not None
    assert (metric.name, metric.stops, metric.again) == ("p/up#565aa1", SOLVED, Again.CONTINUE)


def test_a_date_begins_at_midnight_where_the_calendar_is(files: Files) -> None:
    text = """
        calendars: {office: {timezone: Asia/Kolkata, week: {mon-fri: ["09:00-17:00"]}}}
        policies:
          - {policy: p, version: 1, since: 2026-04-01, applies_to: {contract: a}, calendar: office,
             commitments: [{metric: resolution, target: 1d}]}
          - {policy: q, version: 1, since: "2026-04-01T00:00:00+02:00", applies_to: always, calendar: office,
             commitments: [{metric: resolution, target: 1d}]}
        """
    p, q = load(files(text)).policies
    assert p.since == datetime(2026, 3, 31, 18, 30, tzinfo=UTC).timestamp() * 1_000_000
    assert q.since == datetime(2026, 3, 31, 22, 0, tzinfo=UTC).timestamp() * 1_000_000


def test_a_date_is_refused_where_the_calendars_disagree_about_midnight(problems: Problems) -> None:
    text = """\
        calendars: {office: {timezone: Asia/Kolkata, week: {mon-fri: ["09:00-17:00"]}}}
        policies:
          - policy: p
            version: 1
            since: 2026-04-01
            applies_to: always
            calendar: {p1: 24x7, default: office}
            commitments: [{metric: resolution, target: 1d}]
        """
    (problem,) = problems(text)
    assert problem.startswith("a.yaml:5: policies[0].since: the policy's calendars lie in different zones (Asia/Kolkata, UTC)")


def test_files_share_their_names(files: Files) -> None:
    calendars = 'calendars: {office: {timezone: Asia/Kolkata, week: {mon-fri: ["09:00-17:00"]}}}'
    metrics = "metrics: {fast: {like: resolution}}"
    policies = load(
        files(SCOPE.replace("24x7", "office") + "    commitments: [{metric: fast, target: 1bh}]", calendars, metrics)
    )
    assert policies.calendars.keys() == {"office", "24x7"}
    assert policies.policies[0].commitments[0].metric.name == "fast#75ca71"


def test_a_name_defined_in_two_files_is_a_problem_that_names_both_places(problems: Problems) -> None:
    first = in_scope("commitments: [{metric: fast, target: 1h}]") + "metrics:\n  fast: {like: resolution}\n"
    second = in_scope("commitments: [{metric: fast, target: 1h}]") + "metrics:\n  fast: {like: agent_work}\n"
    assert problems(first, second) == [
        "b.yaml:2: policies[0]: version 1 of `p` is already defined at a.yaml:2",
        "b.yaml:8: metrics.fast: `fast` is already defined at a.yaml:8",
    ]


def test_every_problem_of_every_file_is_listed_in_the_order_of_files_and_lines(files: Files) -> None:
    one = in_scope("""\
        commitments:
          - {metric: nope, target: 1x}
          - {metric: first_response, target: 1h, warn_at: 2h}
        """)
    two = "calendars: {24x7: {}}\npolicy: p\n"
    with pytest.raises(PolicyError) as caught:
        load(files(one, two))
    found = [(problem.file[-6:], problem.line, problem.where) for problem in caught.value.problems]
    assert found == [
        ("a.yaml", 7, "policies[0].commitments[0].metric"),
        ("a.yaml", 7, "policies[0].commitments[0].target"),
        ("a.yaml", 8, "policies[0].commitments[1].warn_at"),
        ("b.yaml", 1, "calendars.24x7"),
        ("b.yaml", 2, "policy"),
    ]
    assert str(caught.value).count("\n") == 4


def test_naming_what_could_not_be_read_is_no_second_problem(problems: Problems) -> None:
    text = """\
        calendars: {office: {timezone: Nowhere/Else, week: 24x7}}
        metrics: {mine: {like: resolutoin}}
        policies:
          - policy: p
            version: 1
            applies_to: always
            calendar: office
            commitments: [{metric: mine, target: 1h}, {metric: first_response, target: 1h, pauses: nope}]
            escalations: [{ladder: l, kind: functional, on: first_response, levels: [{level: a, notify: b, at: 50%}]}]
        """
    assert [problem.split(": ")[1] for problem in problems(text)] == [
        "calendars.office.timezone",
        "metrics.mine.like",
        "policies[0].commitments[1].pauses",
    ]


def test_what_is_defined_and_never_named_is_a_warning_and_stops_nothing(files: Files) -> None:
    text = in_scope("commitments: [{metric: first_response, target: 1h}]") + (
        "calendars: {spare: {timezone: UTC, week: 24x7}}\nmetrics: {a: {like: resolution}, b: {like: a}}\n"
    )
    checked = check(files(text))
    assert checked.policies is not None
    assert [(p.where, p.severity, p.message) for p in checked.problems] == [
        ("calendars.spare", "warning", "the calendar is not used by any policy"),
        ("metrics.b", "warning", "the metric is not used by any policy"),
    ]


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        ("commitments: []", "at least one item"),
        ("commitments: {metric: first_response}", "must be a list"),
        ("commitments: [first_response]", "must be a mapping"),
        ("commitments: [{metric: first_response, target: 1h, objective: 0%}]", "must be over 0"),
        ("commitments: [{metric: first_response, target: 1h, extensions: 5bd}]", "must be a mapping with the keys cap"),
        ("commitments: [{metric: first_response, target: 1h, on_change: keep}]", "must be one of carry, forward, reset"),
    ],
)
def test_a_mistake_in_a_commitment_has_one_message_with_what_to_do(problems: Problems, tail: str, message: str) -> None:
    (problem,) = problems(in_scope(tail))
    assert message in problem


LEVEL = "level: a, notify: b, after: 1h"


@pytest.mark.parametrize(
    ("kind", "levels", "more", "message"),
    [
        ("funktional", f"{{{LEVEL}}}", "", "did you mean `functional`?"),
        ("functional", "", "", "at least one item"),
        ("functional", "{level: a, notify: b}", "", "needs an instant"),
        ("functional", f"{{{LEVEL}}}, {{{LEVEL}}}", "", "already has a level `a`"),
        ("functional", f"{{{LEVEL}, repeat_every: 1h, max_repeats: 0}}", "", "whole number of at least 1"),
        ("functional", f"{{{LEVEL}}}", "on_request: {level: a, after: c}", "no commitment `c`; there is none"),
        ("functional", f"{{{LEVEL}}}", "owner: someone@example.org", "must be a role"),
        ("functional", f"{{{LEVEL}}}", "on_request: {after: c}", "`level` is missing"),
    ],
)
def test_a_mistake_in_a_ladder_has_a_message_with_what_to_do(
    problems: Problems, kind: str, levels: str, more: str, message: str
) -> None:
    text = f"escalations: [{{ladder: l, kind: {kind}, starts: open, stops: solved, levels: [{levels}], {more}}}]"
    assert message in problems(in_scope(text))[0]


def test_a_ladder_on_a_commitment_has_no_stopwatch_of_its_own(problems: Problems) -> None:
    text = """
        commitments: [{metric: resolution, target: 1h}]
        escalations: [{ladder: l, kind: functional, on: resolution, starts: open, levels: [{level: a, notify: b, at: 50%}]}]
        """
    (problem,) = problems(in_scope(text))
    assert "the ladder stands on a commitment (`on`)" in problem


def test_a_shipped_policy_is_found_by_its_name() -> None:
    assert shipped("batoi") == shipped("batoi.yaml")
    with pytest.raises(ValueError, match=r"no policy 'nope' ships with breachwatch; there are: .*batoi"):
        shipped("nope")


RENAMED = """\
policies:
  - policy: helpdesk
    was: support
    version: 1
    applies_to: always
    calendar: 24x7
    commitments:
      - {metric: resolution, name: fix, was: resolution, target: 8h}
    escalations:
      - ladder: up
        was: upwards
        kind: hierarchical
        on: fix
        levels: [{level: lead, was: first, notify: team-lead, at: 75%}, {level: boss, notify: boss, at: 90%}]
"""


def test_a_thing_under_a_new_name_states_what_it_was(files: Files) -> None:
    (policy,) = load(files(RENAMED)).policies
    (commitment,), (ladder,) = policy.commitments, policy.ladders
    assert (policy.was, commitment.was, ladder.was) == ("support", "resolution", "upwards")
    assert [level.was for level in ladder.levels] == ["first", ""]


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("was: support", "was: helpdesk", "a.yaml:3: policies[0].was", "`helpdesk` is the present name"),
        ("name: fix, was: resolution", "was: resolution", "a.yaml:8: policies[0].commitments[0].was", "is the present name"),
        ("was: upwards", "was: up", "a.yaml:11: policies[0].escalations[0].was", "is the present name"),
        ("was: first", "was: lead", "a.yaml:14: policies[0].escalations[0].levels[0].was", "is the present name"),
        ("was: first", "was: boss", "a.yaml:14: policies[0].escalations[0].levels[0].was", "`boss` is still there"),
        (
            "{level: boss, ",
            "{level: boss, was: first, ",
            "a.yaml:14: policies[0].escalations[0].levels[1].was",
            "`lead` was `first` already: one thing cannot become two",
        ),
        ("was: support", "was: the support", "a.yaml:3: policies[0].was", "must be a name"),
    ],
)
def test_a_former_name_that_cannot_be_is_a_problem(problems: Problems, old: str, new: str, place: str, message: str) -> None:
    found = [problem for problem in problems(RENAMED.replace(old, new)) if ".was" in problem]
    assert len(found) == 1
    assert found[0].startswith(f"{place}: ")
    assert message in found[0]


def version_of(name: str, number: int, was: str = "", applies_to: str = "always") -> str:
    former = f", was: {was}" if was else ""
    return (
        f"  - {{policy: {name}, version: {number}, since: 202{number}-01-01, applies_to: {applies_to}, calendar: 24x7{former}, "
        "commitments: [{metric: resolution, target: 1d}]}\n"
    )


def test_a_former_name_of_a_policy_must_be_in_none_of_the_files(problems: Problems) -> None:
    first = "policies:\n" + version_of("support", 1, applies_to="{contract: gold}")
    second = "policies:\n" + version_of("helpdesk", 1, was="support")
    (problem,) = problems(first, second)
    assert problem.startswith("b.yaml:2: policies[0].was: `support` is still there under this name")


def test_one_version_of_a_policy_may_state_the_former_name_and_those_that_do_must_agree(problems: Problems) -> None:
    one = "policies:\n" + version_of("helpdesk", 1) + version_of("helpdesk", 2, was="support")
    assert problems(one) == []
    both = one + version_of("helpdesk", 3, was="support")
    assert problems(both) == []
    (problem,) = problems(one + version_of("helpdesk", 3, was="service"))
    assert problem.startswith("a.yaml:4: policies[2].was: another version of `helpdesk` was `support`")


def test_the_former_name_of_a_commitment_may_stand_in_an_older_version(problems: Problems) -> None:
    renamed = version_of("helpdesk", 2).replace("metric: resolution", "metric: resolution, name: fix, was: resolution")
    assert problems("policies:\n" + version_of("helpdesk", 1) + renamed) == []
