"""Random policy sets and calendars as snapshots: what comes back promises the same, to the byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings

from stream.deployments.snapshot import decode, encode, fingerprint, normal_form
from stream.sla.engine import Engine
from stream.sla.playback import Playback
from stream.sla.policy.policy import Choice, Policy
from stream.sla.policy.resolve import PolicySet
from stream.wire.effect import encode_effect
from tests.examples import examples
from tests.properties.strategies import EVENTS, POLICY_SETS, START
from tests.properties.test_business_time import cases, fast
from tests.unit.sla.given import HOUR, MINUTE

if TYPE_CHECKING:
    from stream.sla.events import Event
    from tests.properties.slow_calendar import SlowCalendar

HORIZON = START + 3000 * HOUR


def replay(policies: PolicySet, events: list[Event]) -> list[bytes]:
    playback = Playback(Engine(policies))
    effects = [effect for event in events for effect in playback.event("T", event)]
    return [encode_effect(effect) for effect in (*effects, *playback.tick(HORIZON))]


@settings(max_examples=examples(60), deadline=None)
@given(POLICY_SETS, EVENTS)
def test_a_replay_under_the_set_that_came_back_is_the_same_to_the_byte(policies: PolicySet, events: list[Event]) -> None:
    data = encode(policies)
    back = decode(data)
    assert back.policies == policies.policies
    assert (encode(back), fingerprint(back)) == (data, fingerprint(policies))
    assert replay(back, events) == replay(policies, events)


@settings(max_examples=examples(60), deadline=None)
@given(cases())
def test_a_calendar_that_came_back_is_equal_and_has_the_same_stretches(case: tuple[SlowCalendar, int]) -> None:
    slow, minute = case
    calendar = fast(slow)
    policies = PolicySet((Policy("p", 1, Choice.fixed("random")),), {"random": calendar})
    back = decode(encode(policies))
    assert normal_form(back) == normal_form(policies)
    other = back.calendars["random"]
    assert other.content == calendar.content
    start, end = (minute - 3 * 1440) * MINUTE, (minute + 3 * 1440) * MINUTE
    assert other.stretches(start, end) == calendar.stretches(start, end)
    assert (other.day, other.timezone) == (calendar.day, calendar.timezone)


@settings(max_examples=examples(40), deadline=None)
@given(POLICY_SETS, POLICY_SETS)
def test_two_sets_have_one_fingerprint_if_and_only_if_they_are_equal(one: PolicySet, other: PolicySet) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (one.policies == other.policies)
