"""The demo's feed shows every outcome, and is the same every time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from stream.demo.command import write_policy
from stream.demo.feed import END, START, feed
from stream.language.policies import load, shipped
from stream.sla.effects import Kind
from stream.sla.engine import Engine
from stream.sla.playback import Playback
from stream.sla.step import Outcome
from stream.wire.decode import Rejected, RejectReason, Tick, decode
from stream.wire.incoming import Incoming
from stream.wire.instants import parse_instant

if TYPE_CHECKING:
    from stream.demo.written_tickets import FeedRecord
    from stream.sla.effects import Effect
    from stream.sla.policy.resolve import PolicySet


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    return load([write_policy(tmp_path_factory.mktemp("policy"))])


@pytest.fixture(scope="module")
def records(policies: PolicySet) -> list[FeedRecord]:
    return feed(policies.calendars["batoi-office"])


class Played:
    """The effects and rejections of the whole feed."""

    def __init__(self, policies: PolicySet, records: list[FeedRecord]) -> None:
        self.playback = Playback(Engine(policies))
        self.effects: list[Effect] = []
        self.rejected: Counter[RejectReason] = Counter()
        for record in records:
            decoded = decode(record.key, record.value, now=None)
            if isinstance(decoded, Rejected):
                self.rejected[decoded.reason] += 1
            elif isinstance(decoded, Incoming):
                self.effects += self.playback.event(decoded.ticket, decoded.event)
            else:
                self.effects += self.playback.tick(decoded.at)

    def of(self, ticket: str, *kinds: Kind) -> list[Effect]:
        return [effect for effect in self.effects if effect.ticket == ticket and effect.kind in kinds]


@pytest.fixture(scope="module")
def played(policies: PolicySet, records: list[FeedRecord]) -> Played:
    return Played(policies, records)


def test_it_is_the_same_every_time(policies: PolicySet, records: list[FeedRecord]) -> None:
    assert feed(policies.calendars["batoi-office"]) == records


def test_it_is_in_the_order_of_publishing_and_ends_with_a_tick(records: list[FeedRecord]) -> None:
    instants = [record.at for record in records]

    assert instants == sorted(instants)
    assert instants[0] >= START
    last = decode(records[-1].key, records[-1].value, now=None)
    assert isinstance(last, Tick)
    assert (last.at, records[-1].everywhere) == (END, True)


def test_only_ticks_go_everywhere_and_every_other_record_has_a_key(records: list[FeedRecord]) -> None:
    for record in records:
        assert record.everywhere == isinstance(decode(record.key, record.value, now=None), Tick)
        assert bool(record.key) != record.everywhere


def test_it_has_hundreds_of_tickets_repetitions_and_every_kind_of_invalid_record(played: Played) -> None:
    assert len(played.playback.states) > 250
    assert played.playback.outcomes[Outcome.DUPLICATE] == 25
    assert played.playback.outcomes[Outcome.LATE] == 1
    assert played.rejected == {
        RejectReason.UNDECODABLE: 2,
        RejectReason.INVALID: 3,
        RejectReason.KEY_MISMATCH: 1,
        RejectReason.TOO_LARGE: 1,
    }


def test_it_causes_every_outcome_that_the_view_shows(played: Played) -> None:
    kinds = Counter(effect.kind for effect in played.effects)

    assert kinds[Kind.MET] > kinds[Kind.BREACHED] > 30
    shown = {Kind.WARNED, Kind.BREACH_RETRACTED, Kind.RAISED, Kind.RECURRED, Kind.ACKNOWLEDGED, Kind.REFUSED}
    assert shown <= kinds.keys()
    assert {Kind.PAUSED, Kind.RESUMED, Kind.RETARGETED, Kind.CANCELLED, Kind.MET_LATE, Kind.RELEASED} <= kinds.keys()


def test_an_unregistered_sender_starts_no_clock_until_it_is_registered(played: Played) -> None:
    assert played.of("desk/2001", *Kind) == []
    started = played.of("desk/2002", Kind.STARTED)
    assert {effect.at for effect in started} == {parse_instant("2026-01-21T11:00:00+05:30")}


def test_one_business_day_over_a_weekend_and_republic_day_is_due_on_tuesday(played: Played) -> None:
    met = played.of("desk/2003", Kind.MET)

    assert {effect.due_at for effect in met} == {parse_instant("2026-01-27T16:00:00+05:30")}


def test_an_unanswered_ticket_is_escalated_to_the_top_and_an_early_request_is_refused(played: Played) -> None:
    levels = [effect.level for effect in played.of("desk/2004", Kind.RAISED)]

    assert levels == ["support-team", "account-manager", "executive"]
    assert len(played.of("desk/2004", Kind.REFUSED)) == 1


def test_an_acknowledged_escalation_raises_no_further_level(played: Played) -> None:
    assert [effect.level for effect in played.of("desk/2008", Kind.RAISED)] == ["support-team"]
    assert len(played.of("desk/2008", Kind.ACKNOWLEDGED)) == 1


def test_an_answer_that_arrives_late_retracts_the_breach(played: Played) -> None:
    (breach,) = played.of("desk/2007", Kind.BREACHED)
    (retraction,) = played.of("desk/2007", Kind.BREACH_RETRACTED)

    assert breach.commitment == "chat_answer"
    assert retraction.retracts == breach.id
    assert "chat_answer" in {effect.commitment for effect in played.of("desk/2007", Kind.MET)}


def test_the_policy_of_the_demo_differs_from_the_shipped_one_by_its_holidays(policies: PolicySet) -> None:
    republic_day = parse_instant("2026-01-26T12:00:00+05:30")

    assert load([shipped("batoi")]).calendars["batoi-office"].is_open(republic_day)
    assert not policies.calendars["batoi-office"].is_open(republic_day)
