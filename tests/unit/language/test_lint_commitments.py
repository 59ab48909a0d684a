"""Warnings about commitments that are incomplete, and about fields that events do not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from stream.documents.document import Severity
from stream.language.lint_fields import Carried
from stream.language.policies import check

if TYPE_CHECKING:
    from pathlib import Path

Found = Callable[..., list[tuple[int, str, str]]]


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """The warnings about a policy with these commitments: line, place and message."""

    def of(
        *commitments: str, applies_to: str = "always", more: str = "", carried: Carried | None = None
    ) -> list[tuple[int, str, str]]:
        path = tmp_path / "p.yaml"
        lines = "".join(f"      - {commitment}\n" for commitment in commitments)
        path.write_text(
            "policies:\n  - policy: p\n    version: 1\n"
            f"    applies_to: {applies_to}\n    calendar: 24x7\n    commitments:\n{lines}{more}"
        )
        checked = check([path], incomplete=True, carried=[carried] if carried else [])
        assert {problem.severity for problem in checked.problems} <= {Severity.WARNING}
        return [(problem.line, problem.where, problem.message) for problem in checked.problems]

    return of


def test_a_commitment_without_an_objective_is_warned_of_at_its_line(found: Found) -> None:
    (only,) = found("{metric: first_response, objective: 95%, target: 1h}", "{metric: resolution, target: 1d}")

    assert only[:2] == (8, "policies[0].commitments[1]")
    assert "`resolution` has no `objective`" in only[2]
    assert "objective: 95%" in only[2]


def test_a_timer_and_a_measurement_need_no_objective(found: Found) -> None:
    assert found("{metric: customer_silence, target: 4d}", "{metric: resolution, target: none}") == []


@pytest.mark.parametrize(
    ("target", "such"),
    [
        ("{p1: 1h, p2: 4h}", "tickets whose `priority` has no value or another one: add `default:`"),
        ("{by: category, high: 1h}", "tickets whose `category` has no value or another one: add `default:`"),
        ("[{when: {priority: p1}, is: 1h}]", "some tickets: add a last case without `when`"),
    ],
)
def test_a_target_that_leaves_tickets_out_is_warned_of(found: Found, target: str, such: str) -> None:
    (only,) = found(f"{{metric: resolution, objective: 95%, target: {target}}}")

    assert only[1] == "policies[0].commitments[0].target"
    assert only[2].startswith("promises nothing to ")
    assert such in only[2]


def test_the_priorities_that_other_parts_name_are_named(found: Found) -> None:
    (only,) = found(
        "{metric: resolution, objective: 95%, target: {p1: 1h, p2: 4h, p3: 1d, default: none}}",
        "{metric: first_response, objective: 95%, target: {p1: 1h, p2: 4h}}",
    )

    assert "`priority` has the value p3" in only[2]


@pytest.mark.parametrize(
    ("target", "when", "applies_to"),
    [
        ("{p1: 1h, default: 4h}", "", "always"),
        ("{p1: 1h, default: none}", "", "always"),
        ("[{when: {priority: p1}, is: 1h}, {is: none}]", "", "always"),
        ("{p1: 1h, p2: 4h}", "when: {priority: [p1, p2]}, ", "always"),
        ("{p1: 1h, p2: 4h}", "", "{priority: [p1, p2]}"),
        ("1h", "", "always"),
    ],
)
def test_a_target_that_covers_every_ticket_of_its_policy_or_states_none_is_not(
    found: Found, target: str, when: str, applies_to: str
) -> None:
    assert found(f"{{metric: resolution, {when}objective: 95%, target: {target}}}", applies_to=applies_to) == []


def test_an_older_version_is_left_in_peace(found: Found) -> None:
    newer = (
        "  - policy: p\n    version: 2\n    since: 2026-06-01\n    applies_to: always\n    calendar: 24x7\n    commitments:\n"
        "      - {metric: resolution, objective: 95%, target: 1d}\n"
    )
    assert found("{metric: resolution, target: {p1: 1d}}", more=newer) == []


def seen(**values: set[str]) -> Carried:
    return Carried("events.jsonl", {"status": {"solved"}, **values})


def test_a_field_that_no_event_has_is_warned_of_where_the_policy_asks_for_it(found: Found) -> None:
    problems = found(
        "{metric: resolution, objective: 95%, target: {priorty: none, default: 1d}}",
        "{metric: first_response, objective: 95%, when: {not: {regoin: eu}}, target: 1h}",
        applies_to="{custmer: acme}",
        carried=seen(customer={"acme"}, priority={"priorty"}, team=set()),
    )

    assert [(line, where) for line, where, _ in problems] == [
        (4, "policies[0].applies_to"),
        (8, "policies[0].commitments[1].when"),
    ]
    assert problems[0][2] == "events.jsonl has no ticket field `custmer`, did you mean `customer`?"
    assert problems[1][2] == "events.jsonl has no ticket field `regoin`; it has customer, priority, status, team"


def test_a_value_that_events_spell_otherwise_is_warned_of_and_a_rare_one_is_not(found: Found) -> None:
    (only,) = found(
        "{metric: resolution, objective: 95%, target: {P1: 1h, rare: 2h, default: 1d}}", carried=seen(priority={"p1", "p2"})
    )

    assert only[1:] == (
        "policies[0].commitments[0].target",
        "events.jsonl never has `P1` as `priority`, did you mean `p1`?",
    )


def test_what_events_have_is_not_warned_of(found: Found) -> None:
    carried = seen()
    carried.add({"priority": "p1", "tags": ["vip", "vpn"]})
    commitment = "{metric: resolution, objective: 95%, page: {by: tags, vip: yes}, target: {p1: 1h, default: 1d}}"

    assert found(commitment, carried=carried) == []
