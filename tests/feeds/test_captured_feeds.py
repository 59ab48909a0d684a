"""Feeds of real helpdesks: what an engine makes of their events, in any order, by push and by pull."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from stream.feeds.mapping import load
from stream.feeds.reading import read
from stream.feeds.signature import SignedRequest, verify
from stream.language.policies import load as load_policies
from stream.sla.engine import Engine
from stream.sla.playback import Playback
from stream.sla.step import Outcome
from stream.testing import Story, instant
from stream.wire.decode import read as decode
from stream.wire.incoming import Incoming
from tests.feeds.recorded import FOLDER, RECEIVED, recorded

if TYPE_CHECKING:
    from collections import Counter

    from stream.sla.events import Event

CAPTURED = ["django-helpdesk", "libredesk", "redmine", "rt"]
UNTIL = instant("2026-11-29 12:00")
Events = list[tuple[str, "Event"]]


def pushed(system: str) -> Events:
    mapping = load(system)
    return [
        (ticket, event)
        for payload in recorded(system)
        for mapped in read(mapping, payload.payload, payload.headers, RECEIVED).events
        for ticket, event in [incoming(mapped.value)]
    ]


def pulled(system: str) -> Events:
    mapping = load(system)
    return [
        incoming(mapped.value)
        for path in sorted((FOLDER / system / "pulled").glob("*.json"))
        for mapped in read(mapping, json.loads(path.read_text("utf-8")), {}, RECEIVED).events
    ]


def incoming(value: bytes) -> tuple[str, Event]:
    decoded = decode(value)
    assert isinstance(decoded, Incoming)
    return decoded.ticket, decoded.event


def outcome(events: Events) -> tuple[list[str], Counter[Outcome]]:
    """What an engine makes of the events: the effects that last, by ticket."""
    policies = load_policies([Path(__file__).parent / "captured.yaml"])
    lines: list[str] = []
    playback = Playback(Engine(policies))
    effects = [effect for ticket, event in events for effect in playback.event(ticket, event)]
    effects += playback.tick(UNTIL)
    for ticket in sorted({ticket for ticket, _ in events}):
        of_ticket = [effect for effect in effects if effect.ticket == ticket]
        lines += [f"{ticket}: {line}" for line in sorted(Story("", policies, "UTC", (), UNTIL, ()).lines(of_ticket))]
    return lines, playback.outcomes


def test_documents_of_the_api_of_django_helpdesk_give_the_expected_events() -> None:
    mapping = load("django-helpdesk")
    folder = FOLDER / "django-helpdesk"
    found = [
        json.loads(event.value)
        for path in sorted((folder / "pulled").glob("*.json"))
        for event in read(mapping, json.loads(path.read_text("utf-8")), {}, RECEIVED).events
    ]

    assert found == [json.loads(line) for line in (folder / "pulled.jsonl").read_text("utf-8").splitlines()]


def test_what_the_shipped_scrip_of_request_tracker_sends_is_signed_and_mapped() -> None:
    mapping, folder = load("rt"), FOLDER / "rt"
    assert mapping.signature is not None
    secret = (folder / "secret.txt").read_bytes().strip()
    found = []
    for line in (folder / "scrip.jsonl").read_text("utf-8").splitlines():
        request = json.loads(line)
        raw, headers = request["body_text"].encode(), request["headers"]
        sent = int(headers["webhook-timestamp"]) * 1_000_000
        assert verify(mapping.signature, SignedRequest(raw, headers), [secret], sent) is None
        reading = read(mapping, json.loads(raw), headers, sent)
        assert reading.unmapped is None
        found += [json.loads(event.value) for event in reading.events]

    assert found == [json.loads(line) for line in (folder / "scrip-events.jsonl").read_text("utf-8").splitlines()]
    assert {event["type"] for event in found} >= {"ticket.created", "comment.added", "ticket.deleted", "ticket.restored"}


@pytest.mark.parametrize("system", CAPTURED)
def test_events_in_any_order_and_repeated_have_the_same_outcome_and_no_conflict(system: str) -> None:
    events = pushed(system)
    in_order, _ = outcome(events)

    assert any("first_response" in line for line in in_order)
    for seed in range(3):
        shuffled = [*events, *events]
        Random(seed).shuffle(shuffled)
        lines, outcomes = outcome(shuffled)
        assert lines == in_order
        assert outcomes[Outcome.CONFLICT] == 0


def test_push_and_pull_of_django_helpdesk_state_the_same_of_each_fact_that_both_know() -> None:
    push, pull = (
        {(ticket, event.id, event.seq): event for ticket, event in events}
        for events in (pushed("django-helpdesk"), pulled("django-helpdesk"))
    )

    shared = push.keys() & pull.keys()
    assert {event.type for identity, event in push.items() if identity in shared} == {
        "ticket.created",
        "ticket.changed",
        "comment.added",
    }
    for identity in shared:
        assert not push[identity].adds_to(pull[identity]), identity
        assert not pull[identity].adds_to(push[identity]), identity


@pytest.mark.parametrize("seed", range(3))
def test_pull_adds_to_push_in_any_order_what_django_helpdesk_does_not_send(seed: int) -> None:
    push, pull = pushed("django-helpdesk"), pulled("django-helpdesk")
    both = [*push, *pull]
    Random(seed).shuffle(both)

    lines, outcomes = outcome(both)

    assert outcomes[Outcome.CONFLICT] == 0
    assert lines == outcome([*push, *pull])[0]
