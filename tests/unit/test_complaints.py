"""Complaints about other helpdesks that a story of one ticket cannot show."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.language.policies import load
from stream.sla.effects import Effect, Kind
from stream.sla.engine import Engine
from stream.sla.playback import Playback
from stream.sla.step import Outcome
from stream.testing import event, instant
from stream.wire.decode import decode
from stream.wire.incoming import Incoming

POLICIES = Path(__file__).parents[1] / "stories/policies"
BERLIN = "Europe/Berlin"
HOUR = 3_600_000_000
NINE = instant("2026-11-16 09:00", BERLIN)


@pytest.fixture
def office() -> Engine:
    return Engine(load([POLICIES / "office.yaml"]))


def kinds(effects: list[Effect], kind: Kind, commitment: str = "first_response") -> list[Effect]:
    return [effect for effect in effects if effect.kind is kind and effect.commitment == commitment]


def test_a_thousand_tickets_late_at_one_instant_are_all_breached_at_it(office: Engine) -> None:
    playback = Playback(office)
    tickets = [f"T-{number}" for number in range(1000)]
    for number, ticket in enumerate(tickets):
        assert list(playback.event(ticket, event(number, NINE, "ticket.created", fields={"priority": "p1"})))

    breaches = kinds(list(playback.tick(NINE + HOUR + 1)), Kind.BREACHED)

    assert sorted(effect.ticket for effect in breaches) == sorted(tickets)
    assert {effect.at for effect in breaches} == {NINE + HOUR}


def test_a_second_delivery_emits_nothing_and_a_second_run_emits_the_same_ids(office: Engine) -> None:
    created = event(1, NINE, "ticket.created", fields={"priority": "p1"})
    runs = []
    for _ in range(2):
        playback = Playback(office)
        effects = [*playback.event("T-1", created), *playback.tick(NINE + 24 * HOUR)]
        assert list(playback.event("T-1", created)) == []
        assert playback.outcomes[Outcome.DUPLICATE] == 1
        runs.append([effect.id for effect in effects])

    assert runs[0] == runs[1]
    assert len(set(runs[0])) == len(runs[0]) > 3


def test_the_same_instant_in_another_offset_has_the_same_deadline(office: Engine) -> None:
    due = set()
    for at in ("2026-11-16T10:00:00+01:00", "2026-11-16T09:00:00Z", "2026-11-16T14:30:00+05:30"):
        record = f'{{"type":"ticket.created","id":"1","source":"s","ticket":"T-1","at":"{at}","fields":{{"priority":"p1"}}}}'
        incoming = decode(b"T-1", record.encode(), now=None)
        assert isinstance(incoming, Incoming)
        due |= {
            effect.due_at for effect in Playback(office).event("T-1", incoming.event) if effect.commitment == "first_response"
        }

    assert due == {instant("2026-11-16 11:00", BERLIN)}


def test_time_used_is_shown_on_the_clock_of_the_commitment(office: Engine) -> None:
    playback = Playback(office)
    friday = instant("2026-11-20 15:00", BERLIN)
    effects = list(playback.event("T-1", event(1, friday, "ticket.created", fields={"priority": "p2"})))
    effects += playback.tick(friday + 7 * 24 * HOUR)
    (breach,) = kinds(effects, Kind.BREACHED)

    assert (breach.elapsed, breach.target, breach.paused) == (4 * HOUR, 4 * HOUR, 0)
    assert (breach.due_at, breach.timezone) == (instant("2026-11-23 11:00", BERLIN), BERLIN)


def test_an_escalation_repeats_no_more_often_than_its_policy_allows() -> None:
    playback = Playback(Engine(load([POLICIES / "notify.yaml"])))
    effects = list(playback.event("T-1", event(1, NINE, "ticket.created")))
    effects += playback.tick(NINE + 365 * 24 * HOUR)

    assert [effect.kind for effect in effects] == [Kind.RAISED, Kind.REPEATED, Kind.REPEATED, Kind.REPEATED]
