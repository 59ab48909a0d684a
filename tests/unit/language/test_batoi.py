"""The shipped Batoi policy, commitment by commitment, as a ticket gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stream.language.policies import load, shipped
from stream.sla.events import Event
from stream.sla.policy.metric import base_name
from stream.sla.ticket.stopwatch import Phase, Signal

if TYPE_CHECKING:
    from stream.sla.policy.conditions import Fields
    from stream.sla.policy.resolve import PolicySet, ResolvedPolicy
    from stream.sla.policy.triggers import MetricTriggers


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    return load([shipped("batoi")])


def resolved_policy(policies: PolicySet, **fields: str) -> ResolvedPolicy:
    return policies.resolved_policy({"contract": "priority-support", "sender": "registered", **fields}, 0)


def triggers_of(policies: PolicySet, base: str) -> MetricTriggers:
    """Those of the one metric that the file writes under that name."""
    (metric,) = [name for name in policies.triggers if base_name(name) == base]
    return policies.triggers[metric]


def targets_of(policies: PolicySet, **fields: str) -> dict[str, tuple[str | None, list[str]]]:
    commitments = resolved_policy(policies, **fields).commitments
    return {
        name: (resolved.target.text if resolved.target else None, [threshold.text for threshold in resolved.warn_at])
        for name, resolved in commitments.items()
    }


@pytest.mark.parametrize(
    ("priority", "target", "warnings"),
    [("p1", "1bd", ["50%", "75%"]), ("p2", "5bd", ["2bd"]), ("p3", "15bd", ["5bd"]), ("p4", None, [])],
)
def test_a_response_is_due_at_the_upper_end_of_the_range_and_warned_of_at_the_lower(
    policies: PolicySet, priority: str, target: str | None, warnings: list[str]
) -> None:
    assert targets_of(policies, priority=priority, channel="other") == {
        "first_response": (target, warnings),
        "resolution": (None, []),
    }


@pytest.mark.parametrize(
    ("channel", "name", "target", "warnings"),
    [
        ("ticket", "ticket_answer", "1bd", ["75%"]),
        ("email", "ticket_answer", "1bd", ["75%"]),
        ("chat", "chat_answer", "30m", ["15m"]),
        ("phone", "phone_answer", "0.5bh", ["0.25bh"]),
    ],
)
def test_each_channel_has_its_own_commitment_beside_that_of_the_priority(
    policies: PolicySet, channel: str, name: str, target: str | None, warnings: list[str]
) -> None:
    commitments = targets_of(policies, priority="p2", channel=channel)
    assert commitments.pop(name) == (target, warnings)
    assert commitments.keys() == {"first_response", "resolution"}


@pytest.mark.parametrize(
    ("priority", "times"),
    [
        ("p1", ["4bh", "1bd", "2bd"]),
        ("p2", ["1bd", "2bd", "5bd"]),
        ("p3", ["3bd", "1w", "2w"]),
        ("p4", ["1w", "2w", "1mo"]),
    ],
)
def test_management_is_notified_by_the_matrix_of_level_and_priority(
    policies: PolicySet, priority: str, times: list[str]
) -> None:
    resolved_ladder = resolved_policy(policies, priority=priority).ladders["batoi-management"]
    assert [level.name for level, _ in resolved_ladder.levels] == ["support-team", "account-manager", "executive"]
    assert [threshold.text for _, threshold in resolved_ladder.levels] == times


def test_a_business_day_is_nine_to_five_in_india(policies: PolicySet) -> None:
    calendar = policies.calendars["batoi-office"]
    assert (calendar.timezone, calendar.day) == ("Asia/Kolkata", 8 * 3600 * 1_000_000)


def test_other_contracts_have_no_commitment(policies: PolicySet) -> None:
    assert policies.resolved_policy({"contract": "standard", "sender": "registered"}, 0).policy is None


@pytest.mark.parametrize("metric", ["batoi_answer", "batoi_solution", "batoi-priority-support/batoi-management"])
def test_only_registered_senders_start_a_clock_and_registering_later_starts_it(policies: PolicySet, metric: str) -> None:
    triggers = triggers_of(policies, metric)
    created = Event(at=0, id="1", type="ticket.created", source="s", actor="customer", fields={"sender": "guest"})
    registered = Event(at=1, id="2", type="ticket.changed", source="s", actor="agent", fields={"sender": "registered"})
    assert triggers.signals(Phase.IDLE, created, {"@begun": "yes", "sender": "guest", "status": "new"}) == ()
    assert triggers.signals(Phase.IDLE, created, {"@begun": "yes", "sender": "registered", "status": "new"}) == (Signal.START,)
    assert triggers.signals(Phase.IDLE, registered, {"sender": "registered", "status": "new"}) == (Signal.START,)


def test_who_has_been_answered_before_he_was_registered_waits_for_no_answer(policies: PolicySet) -> None:
    registered = Event(at=1, id="2", type="ticket.changed", source="s", fields={"sender": "registered"})
    fields: Fields = {"sender": "registered", "status": "open", "@answered": "yes"}
    assert triggers_of(policies, "batoi_answer").signals(Phase.IDLE, registered, fields) == ()
