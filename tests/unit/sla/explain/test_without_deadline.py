"""Why a ticket, or one of its commitments, has no deadline: each reason by a ticket that has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from stream.language.policies import load
from stream.observe.pages.reasons import reasons
from stream.sla.engine import Engine
from stream.sla.erasure import ERASED
from stream.sla.events import Event
from stream.sla.explain.explain import explain, explain_state
from stream.sla.explain.without_deadline import NoDeadline, WithoutDeadline
from stream.sla.policy.timeline import Deployments
from stream.testing import instant
from stream.wire.explanation import encode_explanation
from tests.unit.sla.given import HOUR, Life, changed, commented, created

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet

SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[4] / "schemas" / "explanation.v1.json").read_text()))
START = instant("2026-11-16 10:00", "UTC")
_HEAD = """
calendars:
  hotline: {timezone: UTC, week: closed, exceptions: [{date: 2026-11-03, open: ["08:00-12:00"]}]}
policies:
"""
DESK = """
  - policy: desk
    version: 1
    applies_to: always
    calendar: 24x7
    commitments:
"""
RESOLUTION = "      - {metric: resolution, target: {p1: 4h, p2: 8h}}\n"


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(policies: str, head: str = "policies:") -> PolicySet:
        (tmp_path / "policies.yaml").write_text(_HEAD.replace("policies:", head) + policies, "utf-8")
        return load([tmp_path / "policies.yaml"])

    return write


def why(policies: PolicySet | Deployments, *events: Event) -> list[WithoutDeadline]:
    """Every explanation of this file also has to keep its JSON contract."""
    explanation = explain(policies, "T", events)
    SCHEMA.validate(json.loads(encode_explanation(explanation)))
    return list(explanation.without_deadline)


def one(policies: PolicySet | Deployments, *events: Event) -> WithoutDeadline:
    (found,) = why(policies, *events)
    return found


def phrased(*found: WithoutDeadline) -> str:
    return "; ".join(reasons(found, "UTC"))


def test_what_has_a_deadline_or_is_decided_has_no_reason(written: Any) -> None:
    policies = written(DESK + RESOLUTION)

    assert why(policies, created(START)) == []
    assert why(policies, created(START), changed(START + HOUR, status="solved")) == []
    assert why(policies, created(START), changed(START + 9 * HOUR, team="second")) == []


def test_no_policy_applies_and_the_nearest_is_the_one_with_the_fewest_conditions_that_do_not_hold(written: Any) -> None:
    policies = written(
        DESK.replace("applies_to: always", "applies_to: {contract: [gold], channel: [phone]}").replace("desk", "phone")
        + RESOLUTION
        + DESK.replace("applies_to: always", "applies_to: {contract: [gold, silver], category: [incident]}")
        + RESOLUTION
    )
    found = one(policies, created(START, contract="bronze", category="incident"))

    assert (found.reason, found.policy, found.commitment) == (NoDeadline.NO_POLICY, "desk", "")
    assert (found.condition, found.fields) == ("contract gold or silver", (("contract", "bronze"),))
    assert phrased(found) == (
        "no policy applies to its fields: the nearest is desk, which needs contract gold or silver, and the ticket has "
        "contract 'bronze'"
    )
    without = one(policies, created(START))
    assert without.policy == "phone", "both lack two conditions, and it is asked first"
    assert "and the ticket has no contract, no channel" in phrased(without)


def test_a_priority_without_a_target_is_named_with_those_that_have_one(written: Any) -> None:
    found = one(written(DESK + RESOLUTION), created(START, "p9"))

    assert (found.reason, found.commitment, found.condition) == (NoDeadline.NO_TARGET, "resolution", "priority p1 or p2")
    assert phrased(found) == (
        "resolution: policy desk has no target for this ticket: targets are for priority p1 or p2, and the ticket has "
        "priority 'p9'"
    )


def test_when_does_not_hold(written: Any) -> None:
    policies = written(DESK + "      - {metric: resolution, target: 4h, when: {channel: [phone], category: [incident]}}\n")
    running = one(policies, created(START, category="incident"))
    assert (running.reason, running.condition, running.fields) == (NoDeadline.WHEN, "channel phone", (("channel", ""),))
    assert phrased(running).startswith("resolution: policy desk promises it only when channel phone")

    before = written(DESK + "      - {metric: next_response, target: 4h, when: {channel: [phone]}}\n")
    assert one(before, created(START)).reason is NoDeadline.WHEN


def test_the_event_that_starts_the_clock_has_not_come(written: Any) -> None:
    found = one(written(DESK + "      - {metric: next_response, target: 4h}\n"), created(START))
    assert found.reason is NoDeadline.NOT_STARTED
    assert phrased(found) == (
        "next_response: its clock has not started: it waits for a public message of the customer after the first answer"
    )

    own = "metrics:\n  fault: {starts: {category: fault}, stops: solved}\npolicies:"
    desk = DESK + "      - {metric: fault, target: 4h}\n"
    found = one(written(desk, own), created(START))
    assert (found.reason, found.condition) == (NoDeadline.NOT_STARTED, "category fault")


def test_a_ticket_that_has_not_begun(written: Any) -> None:
    found = one(written(DESK + RESOLUTION), changed(START, tags="survey"))

    assert phrased(found) == "resolution: no event has stated yet that the ticket is open"


def test_the_clock_starts_at_a_date(written: Any) -> None:
    own = "metrics:\n  visit: {starts_at: appointment, stops: solved}\npolicies:"
    found = one(written(DESK + "      - {metric: visit, target: 4h}\n", own), created(START, appointment="2026-12-24"))

    assert (found.reason, found.fields) == (NoDeadline.WAITS_FOR_DATE, (("appointment", "2026-12-24"),))
    assert phrased(found) == "visit: its clock starts at the date in the field appointment"


def test_paused_and_never_open(written: Any) -> None:
    paused = one(written(DESK + RESOLUTION), created(START), changed(START + HOUR, status="pending"))
    assert paused.reason is NoDeadline.PAUSED

    never = one(written(DESK.replace("24x7", "hotline") + RESOLUTION.replace("4h", "4bh")), created(START))
    assert never.reason is NoDeadline.NEVER_OPEN


def test_a_clock_that_stopped_before(written: Any) -> None:
    found = one(written(DESK + RESOLUTION), created(START, status="solved"))

    assert found.reason is NoDeadline.STOPPED_BEFORE


def test_a_condition_of_the_metric_cancels(written: Any) -> None:
    policies = written(DESK + "      - {metric: review, target: 4h}\n")
    events = created(START), changed(START + 1, status="solved"), changed(START + 2, status="open")

    assert one(policies, *events).reason is NoDeadline.CANCELLED


def test_a_policy_that_no_longer_applies(written: Any) -> None:
    policies = written(DESK.replace("applies_to: always", "applies_to: {contract: [gold]}") + RESOLUTION)
    found = why(policies, created(START, contract="gold"), changed(START + HOUR, contract="none"))

    assert [each.reason for each in found] == [NoDeadline.NO_LONGER_APPLIES, NoDeadline.NO_POLICY]
    assert phrased(found[0]) == "resolution: policy desk no longer applies to the fields of the ticket"


def test_a_clock_that_started_before_the_policy_was_in_force(written: Any) -> None:
    since = DESK.replace("version: 1", "version: 1\n    since: 2026-11-20T00:00:00Z") + RESOLUTION
    early = created(START)
    policies = written(since)

    assert one(policies, early).reason is NoDeadline.NO_POLICY
    assert phrased(one(policies, early)) == "no policy is in force"
    later = one(policies, early, changed(START + 200 * HOUR, team="second"))
    assert (later.reason, later.since) == (NoDeadline.NOT_IN_FORCE, instant("2026-11-20 00:00", "UTC"))
    assert "for clocks from Fri 2026-11-20 00:00 UTC on" in phrased(later)


def test_a_policy_without_commitments(written: Any) -> None:
    ladder = """
    escalations:
      - ladder: late
        kind: hierarchical
        starts: ticket_created
        stops: solved
        levels: [{level: lead, notify: [lead], after: 1h}]
"""
    found = one(written(DESK.replace("    commitments:\n", "").rstrip() + ladder), created(START))

    assert phrased(found) == "policy desk applies, and has no commitment"


@pytest.mark.parametrize("kind", ["deleted", "merged"])
def test_a_ticket_that_is_gone(written: Any, kind: str) -> None:
    more = {"into": "desk/2"} if kind == "merged" else {}
    found = one(written(DESK + RESOLUTION), created(START), Event(START + HOUR, "x", f"ticket.{kind}", "test", **more))  # type: ignore[arg-type]

    assert (found.reason, found.since) == (kind, START + HOUR)
    assert phrased(found).endswith("on Mon 2026-11-16 11:00 UTC")


def test_an_erased_ticket(written: Any) -> None:
    policies = written(DESK + RESOLUTION)
    engine = Engine(policies)
    state = engine.apply(None, "T", created(START), START).state
    state = engine.apply(state, "T", Event(START + 1, "x", "ticket.erased", "test"), START + 1).state

    (found,) = explain_state(policies, state).without_deadline
    assert found.reason == ERASED


def test_what_a_deployment_withdraws(written: Any) -> None:
    before, after = written(DESK + RESOLUTION), written(DESK + "      - {metric: next_response, target: 4h}\n")
    gone = written(DESK.replace("policy: desk", "policy: other").replace("always", "{contract: [gold]}") + RESOLUTION)
    events = created(START), changed(START + 2 * HOUR, team="second")

    found = why(Deployments.fixed(before).add(1, START + HOUR, after), *events)
    assert [each.reason for each in found] == [NoDeadline.WITHDRAWN, NoDeadline.NOT_STARTED]
    assert phrased(found[0]) == "resolution: a deployment has withdrawn it from policy desk"
    found = why(Deployments.fixed(before).add(1, START + HOUR, gone), *events)
    assert [each.reason for each in found] == [NoDeadline.WITHDRAWN, NoDeadline.NO_POLICY]


def test_a_deployment_with_a_deadline_that_has_passed(written: Any) -> None:
    before = written(DESK + "      - {metric: next_response, target: 4h}\n")
    both = written(DESK + RESOLUTION)
    events = created(START), changed(START + 9 * HOUR, team="second")

    assert one(Deployments.fixed(before).add(1, START + 8 * HOUR, both), *events).reason is NoDeadline.PASSED_BEFORE_DEPLOYMENT


def test_a_clock_whose_events_are_no_longer_kept_when_a_deployment_brings_it(written: Any) -> None:
    before = written(DESK + "      - {metric: next_response, target: 4h}\n")
    deployments = Deployments.fixed(before).add(1, START + 8 * HOUR, written(DESK + RESOLUTION))
    ticket = Life(deployments, history=2).event(created(START))
    for number in range(1, 6):
        ticket.event(changed(START + number, team=f"t{number}"))
    state = ticket.wake(START + 9 * HOUR).state
    assert state is not None

    (found,) = explain_state(deployments, state, START + 9 * HOUR).without_deadline
    assert found.reason is NoDeadline.EVENTS_NOT_KEPT


def test_commitments_with_one_reason_share_a_sentence(written: Any) -> None:
    policies = written(DESK + RESOLUTION + RESOLUTION.replace("resolution", "requester_wait"))

    assert phrased(*why(policies, created(START, "p9"))).startswith("resolution, requester_wait: policy desk has no target")


def test_every_reason_has_a_sentence() -> None:
    for reason in NoDeadline:
        (text,) = reasons([WithoutDeadline(reason=reason, policy="desk", commitment="c", since=0)], "UTC")
        assert text.startswith("c: ")
        assert "{" not in text


def test_an_answer_starts_what_waits_for_it(written: Any) -> None:
    policies = written(DESK + "      - {metric: periodic_update, target: 4h}\n")

    assert one(policies, created(START)).reason is NoDeadline.NOT_STARTED
    assert why(policies, created(START), commented(START + 1)) == []
