"""What the stories of two shipped policies cannot show: who is notified, and that no hour of the week is without support."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stream.language.policies import load, shipped
from stream.sla.calendar.duration import Clock
from stream.sla.policy.policy import LadderKind, Policy
from stream.testing import instant

if TYPE_CHECKING:
    from pathlib import Path

    from stream.sla.policy.resolve import PolicySet

HOUR = 3_600_000_000
INDIA = "Asia/Kolkata"
FRIDAY = (instant("2026-12-04 00:00", INDIA), instant("2026-12-05 00:00", INDIA))


@pytest.fixture(scope="module")
def botpenguin() -> PolicySet:
    return load([shipped("botpenguin")])


@pytest.fixture(scope="module")
def baar() -> Policy:
    (policy,) = load([shipped("baar")]).policies
    return policy


def test_every_hour_is_either_a_service_hour_or_one_of_emergency_support(botpenguin: PolicySet) -> None:
    service, emergency = botpenguin.calendars["botpenguin-service"], botpenguin.calendars["botpenguin-emergency"]
    hours = range(instant("2026-01-01 00:00", INDIA), instant("2028-01-01 00:00", INDIA), HOUR)

    assert [h for h in hours if sorted((service.measure(h, h + HOUR), emergency.measure(h, h + HOUR))) != [0, HOUR]] == []


def test_the_maintenance_that_is_shown_as_a_comment_works_when_it_is_none(botpenguin: PolicySet, tmp_path: Path) -> None:
    text = shipped("botpenguin").read_text()
    path = tmp_path / "botpenguin.yaml"
    path.write_text(text.replace("    # exceptions:", "    exceptions:").replace("    #   - {from:", "      - {from:"))
    maintained = load([path])

    assert botpenguin.calendars["botpenguin-service"].measure(*FRIDAY) == 13 * HOUR
    assert maintained.calendars["botpenguin-service"].measure(*FRIDAY) == 12 * HOUR


def test_a_business_day_of_service_is_thirteen_hours_and_a_critical_one_twenty_four(botpenguin: PolicySet) -> None:
    assert botpenguin.calendars["botpenguin-service"].day == 13 * HOUR
    assert botpenguin.calendars["botpenguin-always"].day == 24 * HOUR


def test_all_times_run_on_one_clock_so_that_any_of_them_can_be_extended(botpenguin: PolicySet) -> None:
    (policy,) = botpenguin.policies
    targets = [target for commitment in policy.commitments for _, target in commitment.target.cases]

    assert {target.clock for target in targets} == {Clock.BUSINESS}


def test_the_partner_is_notified_at_every_level_of_management(botpenguin: PolicySet) -> None:
    (policy,) = botpenguin.policies
    levels = [level for ladder in policy.ladders if ladder.kind is LadderKind.HIERARCHICAL for level in ladder.levels]

    assert [level.name for level in levels if "partner" not in level.notify] == []
    assert [level.name for level in levels] == ["manager", "executive"]


def test_the_customer_is_notified_at_every_level_of_baar(baar: Policy) -> None:
    assert [level.name for ladder in baar.ladders for level in ladder.levels if "customer" not in level.notify] == []


def test_every_escalation_of_baar_has_its_lead(baar: Policy) -> None:
    assert {ladder.owner for ladder in baar.ladders} == {"escalation-lead"}


@pytest.mark.parametrize("product", ["studio", "client", "core", "expert-services", "something else", ""])
def test_one_team_takes_over_whatever_the_product(product: str) -> None:
    policies = load([shipped("baar")])
    resolved_policy = policies.resolved_policy({"contract": "baar-support", "priority": "p1", "product": product}, 0)
    functional = [
        resolved_ladder
        for resolved_ladder in resolved_policy.ladders.values()
        if resolved_ladder.ladder.kind is LadderKind.FUNCTIONAL
    ]

    assert len(functional) == 1
    assert list(functional[0].teams.values()) == [level.name for level, _ in functional[0].levels]
