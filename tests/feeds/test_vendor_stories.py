"""One story, as each vendor's webhooks and API would send it: identities, order, repetition, unknown statuses, free text."""

from __future__ import annotations

import json
from itertools import chain
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from stream.feeds.mapping import load
from stream.feeds.reading import read
from stream.sla.step import Outcome
from tests.feeds.recorded import FOLDER, RECEIVED
from tests.feeds.test_shipped_mappings import PERSONAL
from tests.feeds.vendors import BOTH_WAYS, VENDORS, documents, expected, incoming, mapped, outcome, reading

if TYPE_CHECKING:
    from pathlib import Path

    from stream.feeds.reading import MappedEvent
    from stream.sla.events import Event

NAME, MAIL, PHONE = "Ada Free-Text", "ada.free-text@example.com", "+00 5550 0199"
PULLED = [
    (vendor, folder.name)
    for vendor in VENDORS
    for folder in sorted((FOLDER / vendor).glob("*pulled"))
    if "unmapped" not in folder.name
]
OTHER = [*PULLED, ("jira", "data-center-payloads")]
FOLDERS = [(vendor, folder) for vendor, folder, _ in BOTH_WAYS] + [(vendor, folder) for vendor, _, folder in BOTH_WAYS]
FOLDERS += [("freshdesk", "pulled"), ("glpi", "payloads"), ("servicenow", "payloads"), ("hubspot", "payloads")]
COMPLETE = [
    one for one in FOLDERS if one not in {("jira", "payloads"), ("jira", "data-center-payloads")} and one[0] != "zammad"
]
"""Folders that have the whole story: Jira's webhooks lack comments of agents, and Zammad has no status for a hold."""
STORY = [
    "2026-03-02 09:15: answer breached",
    "2026-03-02 09:20: answer met_late",
    "2026-03-02 10:40: solution breached",
    "2026-03-02 10:45: next_answer breached",
    "2026-03-02 11:00: next_answer met_late",
    "2026-03-02 11:00: solution met_late",
    "2026-03-02 12:15: next_answer breached",
]
"""The commitments of the first ticket up to its second solution. What a bot, a note, a forward and an app state are
no answers, and the time with the customer does not count."""


def first_ticket(vendor: str, folder: str) -> str:
    return mapped(vendor, folder)[0].ticket


def by_identity(events: list[tuple[str, Event]]) -> dict[tuple[str, str, int], Event]:
    """The events by ticket and identity, each as it was first."""
    found: dict[tuple[str, str, int], Event] = {}
    for ticket, event in events:
        found.setdefault((ticket, event.id, event.seq), event)
    return found


def minutes(lines: tuple[str, ...]) -> list[str]:
    """Lines with their instants to the minute: some vendors have fractions of a second."""
    return [f"{line[:16]}: {line.split(': ', 1)[1]}" for line in lines]


@pytest.mark.parametrize(("vendor", "folder"), OTHER)
def test_documents_of_the_api_give_the_expected_events(vendor: str, folder: str) -> None:
    assert [json.loads(event.value) for event in mapped(vendor, folder)] == expected(vendor, folder)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_status_that_the_mapping_does_not_know_is_unmapped_with_its_line(vendor: str) -> None:
    unknown = list(chain.from_iterable(documents(vendor, path.name) for path in (FOLDER / vendor).glob("unmapped-*")))

    assert unknown
    for name, payload in unknown:
        found = reading(vendor, payload)
        assert found.events == ()
        assert found.unmapped is not None, name
        assert found.unmapped.line > 0
        assert "has no row for" in found.unmapped.reason or "none of" in found.unmapped.reason


@pytest.mark.parametrize(("vendor", "folder"), COMPLETE)
def test_every_vendor_has_the_same_story(vendor: str, folder: str) -> None:
    lines, _ = outcome(mapped(vendor, folder), first_ticket(vendor, folder))

    assert minutes(lines)[: len(STORY)] == STORY


@pytest.mark.parametrize(("vendor", "folder"), FOLDERS)
def test_events_in_any_order_and_repeated_have_the_same_outcome_and_no_conflict(vendor: str, folder: str) -> None:
    events = mapped(vendor, folder)
    for ticket in {event.ticket for event in events}:
        in_order, _ = outcome(events, ticket)
        for seed in range(3):
            shuffled = [*events, *events]
            Random(seed).shuffle(shuffled)
            lines, outcomes = outcome(shuffled, ticket)
            assert lines == in_order
            assert outcomes[Outcome.CONFLICT] == 0


@pytest.mark.parametrize(("vendor", "pushed", "pulled"), BOTH_WAYS)
def test_push_and_pull_state_the_same_of_each_fact_that_both_know(vendor: str, pushed: str, pulled: str) -> None:
    push = by_identity([incoming(event) for event in mapped(vendor, pushed)])
    pull = by_identity([incoming(event) for event in mapped(vendor, pulled)])

    shared = push.keys() & pull.keys()
    assert len(shared) > 2
    for identity in shared:
        assert not push[identity].adds_to(pull[identity]), identity
        assert not pull[identity].adds_to(push[identity]), identity
        assert abs(push[identity].at - pull[identity].at) < 1_000_000, identity


@pytest.mark.parametrize(("vendor", "pushed", "pulled"), BOTH_WAYS)
def test_push_and_pull_know_the_same_creations_comments_and_changes_by_the_same_ids(
    vendor: str, pushed: str, pulled: str
) -> None:
    push = by_identity([incoming(event) for event in mapped(vendor, pushed)])
    pull = by_identity([incoming(event) for event in mapped(vendor, pulled)])

    def ids(of: dict[tuple[str, str, int], Event], kind: str) -> set[tuple[str, str, int]]:
        return {identity for identity, event in of.items() if event.type == kind}

    def changes(of: dict[tuple[str, str, int], Event]) -> set[tuple[str, str, int]]:
        words = (
            ("status", "change-", "part-", "priority/", "assignee/", "team/", "tags/")
            if vendor not in {"zammad", "chatwoot"}
            else ("",)
        )
        return {one for one in ids(of, "ticket.changed") if one[1].startswith(words)}

    assert ids(push, "comment.added") == ids(pull, "comment.added") or vendor == "jira"
    assert ids(push, "comment.added") <= ids(pull, "comment.added")
    known = {ticket for ticket, _, _ in pull}
    assert {one for one in ids(push, "ticket.created") if one[0] in known} == ids(pull, "ticket.created")
    missing = {one for one in changes(push) - changes(pull) if one[0] in known}
    assert missing == set()


@pytest.mark.parametrize(("vendor", "pushed", "pulled"), BOTH_WAYS)
def test_push_with_pull_in_any_order_gives_what_pull_alone_gives(vendor: str, pushed: str, pulled: str) -> None:
    push, pull = mapped(vendor, pushed), mapped(vendor, pulled)
    ticket = first_ticket(vendor, pulled)
    alone, _ = outcome(pull, ticket)
    for seed in range(4):
        both = [*push, *pull]
        Random(seed).shuffle(both)
        lines, outcomes = outcome(both, ticket)
        assert minutes(lines) == minutes(alone)
        assert outcomes[Outcome.CONFLICT] == 0


@pytest.mark.parametrize(("vendor", "folder"), [*((vendor, "payloads") for vendor in VENDORS), *OTHER])
def test_what_stands_in_free_text_changes_no_event(vendor: str, folder: str) -> None:
    mapping = load(vendor)
    texts = ""
    for name, payload in documents(vendor, folder):
        texts += json.dumps(payload, ensure_ascii=False)
        plain = read(mapping, payload, {}, RECEIVED)
        written = read(mapping, rewritten(payload), {}, RECEIVED)
        assert written.events == plain.events, name
        for event in plain.events:
            assert not any(word.encode() in event.value for word in (NAME, MAIL, PHONE)), name
    assert NAME in texts
    assert MAIL in texts


def rewritten(value: Any, key: str = "") -> Any:
    """The payload with other text in every place for free text, names and addresses."""
    if isinstance(value, dict):
        return {name: rewritten(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [rewritten(inner, key) for inner in value]
    free = isinstance(value, str) and (any(word in value for word in (NAME, MAIL, PHONE)) or PERSONAL.fullmatch(key))
    return f"Call {NAME}, {PHONE}, {MAIL}" if free and value else value


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_field_of_your_own_that_changes_contradicts_no_event(vendor: str, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        f'extends: {vendor}\nfields: {{contract: "{{doc.contract}}", region: emea}}\ntables: {{team: {{"10": network}}}}\n',
        "utf-8",
    )
    mapping = load(own)
    contracts: dict[str, str] = {}
    events: list[MappedEvent] = []
    for number, (_, payload) in enumerate(documents(vendor, "pulled" if vendor == "freshdesk" else "payloads")):
        contract = contracts.setdefault(json.dumps(payload), "gold" if number < 8 else "silver")
        shown = {**payload, "contract": contract} if isinstance(payload, dict) else payload
        events += read(mapping, shown, {}, RECEIVED).events

    assert any(b"emea" in event.value for event in events)
    for ticket in {event.ticket for event in events}:
        assert outcome(events, ticket)[1][Outcome.CONFLICT] == 0


def test_an_audit_of_a_single_ticket_of_zendesk_is_not_read_as_one_without_changes() -> None:
    change = {
        "id": 1,
        "type": "Change",
        "event_type": "Change",
        "field_name": "status",
        "value": "open",
        "previous_value": "new",
    }
    audit = {"id": 60_000, "ticket_id": 4711, "created_at": "2026-03-02T09:10:00Z", "child_events": [change]}

    found = reading("zendesk", {"resource": "ticket_events", "document": audit, "lookups": {}})

    assert found.unmapped is not None
    assert "single ticket" in found.unmapped.reason
