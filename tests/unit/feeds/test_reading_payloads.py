"""Reading payloads by a mapping: all events, or unmapped as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from stream.feeds.mapping import load, shipped
from stream.feeds.reading import read
from stream.sla.events import Event
from stream.wire.decode import read as decode
from stream.wire.incoming import Incoming
from tests.unit.feeds.mappings import AT, CHANGE, DESK, RECEIVED, events_of, mapping_of, read_by, unmapped_of

if TYPE_CHECKING:
    from pathlib import Path

MAPPINGS = {name: load(name) for name in shipped()}


def deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"a": [value]}
    return value


def test_a_change_becomes_the_event_of_the_contract(tmp_path: Path) -> None:
    reading = read_by(mapping_of(tmp_path), CHANGE)

    (event,) = reading.events
    assert event.ticket == "desk/7"
    assert msgspec.json.decode(event.value) == {
        "type": "ticket.changed",
        "source": "desk",
        "ticket": "desk/7",
        "at": AT,
        "id": "c1",
        "fields": {"status": "open", "team": "first line"},
    }
    decoded = decode(event.value)
    assert isinstance(decoded, Incoming)
    assert isinstance(decoded.event, Event)


def test_only_mapped_fields_get_into_an_event(tmp_path: Path) -> None:
    payload = {**CHANGE, "subject": "secret", "requester": {"name": "secret", "email": "secret"}}

    (event,) = read_by(mapping_of(tmp_path), payload).events

    assert b"secret" not in event.value


def test_a_value_that_is_null_leaves_the_key_out(tmp_path: Path) -> None:
    (event,) = events_of(read_by(mapping_of(tmp_path), {**CHANGE, "team": None}))

    assert event["fields"] == {"status": "open"}


def test_a_row_that_is_null_leaves_the_key_out(tmp_path: Path) -> None:
    (event,) = events_of(read_by(mapping_of(tmp_path), {**CHANGE, "status": 9}))

    assert event["fields"] == {"team": "first line"}


def test_a_change_without_a_field_is_skipped(tmp_path: Path) -> None:
    reading = read_by(mapping_of(tmp_path), {**CHANGE, "status": None, "team": None})

    assert (reading.events, reading.skipped) == ((), "it changes no field of the mapping")


def test_a_value_that_the_table_lacks_is_unmapped_with_its_line_and_path(tmp_path: Path) -> None:
    unmapped = unmapped_of(read_by(mapping_of(tmp_path), {**CHANGE, "status": 3}))

    assert (unmapped.line, unmapped.path) == (10, "status")
    assert unmapped.reason == "the table `status` has no row for `3`: add one"
    assert str(unmapped).startswith(f"{tmp_path}/desk.yaml:10: ")


def test_a_default_row_takes_every_other_value(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, DESK.replace('"9": null', '"*": on_hold'))

    (event,) = events_of(read_by(mapping, {**CHANGE, "status": "whatever"}))

    assert event["fields"]["status"] == "on_hold"


@pytest.mark.parametrize(
    ("changed", "reason", "line", "path"),
    [
        ({"id": None}, "`ticket` has no value", 5, "id"),
        ({"id": ""}, "`ticket` has no value", 5, "id"),
        ({"change": None}, "`id` has no value", 7, "change"),
        ({"at": None}, "`at` has no value", 6, "at"),
        ({"at": 1795917671}, "`at` is not valid", 6, "at"),
        ({"at": "yesterday"}, "`at` is not valid", 6, "at"),
        ({"team": {"name": "first"}}, "an object, where a ticket field needs one of its values", 10, "team"),
        ({"team": [["x"]]}, "a list with a list", 10, "team"),
        ({"team": float("nan")}, "`nan`, where a text or a number is needed", 10, "team"),
        ({"team": 10**40}, "a number of more than 30 digits", 10, "team"),
        ({"id": {"n": 1}}, "an object, where a text or a number is needed", 5, "id"),
        ({"id": True}, "`true`, where a text or a whole number is needed", 5, "id"),
        ({"team": "\ud800"}, "a text is not valid Unicode", 10, ""),
        ({"kind": "comment", "public": 10**40}, "`public`", 12, "public"),
        ({"at": 10**40}, "`at`", 6, "at"),
        ({"kind": "comment", "public": "yes"}, "`public` is not valid: Expected `bool`, got `str`", 12, "public"),
        ({"kind": "comment", "public": None}, "`public` has no value", 12, "public"),
    ],
)
def test_a_value_that_does_not_fit_is_unmapped(
    tmp_path: Path, changed: dict[str, Any], reason: str, line: int, path: str
) -> None:
    unmapped = unmapped_of(read_by(mapping_of(tmp_path), {**CHANGE, **changed}))

    assert reason in unmapped.reason
    assert (unmapped.line, unmapped.path) == (line, path)


@pytest.mark.parametrize("payload", [None, 5, "text", True, 1.5])
def test_a_payload_that_is_neither_an_object_nor_a_list_is_unmapped(tmp_path: Path, payload: object) -> None:
    assert "must be a JSON object or a list" in unmapped_of(read_by(mapping_of(tmp_path), payload)).reason


def test_a_payload_without_a_rule_is_skipped_or_refused_as_the_mapping_states(tmp_path: Path) -> None:
    assert read_by(mapping_of(tmp_path), {"kind": "other"}).skipped == "no rule of the mapping applies to it"
    refusing = mapping_of(tmp_path, DESK + "otherwise: refuse\n")
    assert unmapped_of(read_by(refusing, {"kind": "other"})).reason == "no rule of the mapping applies to the payload"


def test_all_rules_that_hold_give_an_event_until_one_skips_or_refuses(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        """\
        source: desk
        common: {ticket: "{id}", at: "{at}", id: "{kind}"}
        events:
          - when: by == 'breachwatch'
            skip: our own write
          - when: kind == 'spam'
            refuse: spam is not mapped
          - {when: text, say: {type: comment.added, public: true, id: "{kind}/comment"}}
          - {when: team, say: {type: ticket.changed, fields: {team: "{team}"}}}
        """,
    )
    both = {"id": 1, "at": AT, "kind": "reply", "text": "…", "team": "first"}

    assert [event["type"] for event in events_of(read_by(mapping, both))] == ["ticket.changed", "comment.added"]
    assert read_by(mapping, {**both, "by": "breachwatch"}).skipped == "our own write"
    refused = unmapped_of(read_by(mapping, {**both, "kind": "spam"}))
    assert (refused.reason, refused.line) == ("spam is not mapped", 6)


ITEMS = """\
source: jira
tables: {status: {Done: solved}}
common: {ticket: "{issue.key}", at: {from: "{timestamp}", time: ms}, id: "{changelog.id}", seq: "{index}"}
events:
  - each: changelog.items
    when: item.field == 'status'
    say: {type: ticket.changed, fields: {status: {from: "{item.toString}", table: status}}}
  - each: changelog.items
    when: item.field == 'priority'
    say: {type: ticket.changed, fields: {priority: "{item.toString}"}}
"""
CHANGELOG: dict[str, Any] = {
    "timestamp": 1795917671000,
    "issue": {"key": "SUP-1"},
    "changelog": {"id": "88", "items": [{"field": "priority", "toString": "High"}, {"field": "status", "toString": "Done"}]},
}


def test_each_element_gives_an_event_with_its_position_as_seq(tmp_path: Path) -> None:
    events = events_of(read_by(mapping_of(tmp_path, ITEMS), CHANGELOG))

    assert [(event["seq"], event["fields"]) for event in events] == [(0, {"priority": "High"}), (1, {"status": "solved"})]
    assert {event["at"] for event in events} == {AT}


def test_the_path_of_an_element_that_does_not_fit_has_its_position(tmp_path: Path) -> None:
    changelog = {**CHANGELOG, "changelog": {"id": "88", "items": [{}, {"field": "status", "toString": "Odd"}]}}

    assert unmapped_of(read_by(mapping_of(tmp_path, ITEMS), changelog)).path == "changelog.items[1].toString"


def test_a_list_as_payload_is_read_by_each_doc(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        """\
        source: hub
        common: {ticket: "{item.objectId}", at: {from: "{item.occurredAt}", time: ms}, id: "{item.eventId}"}
        events: [{each: doc, when: item.type == 'deletion', say: {type: ticket.deleted}}]
        """,
    )
    batch = [{"objectId": n, "occurredAt": 1795917671000, "eventId": n, "type": "deletion"} for n in range(3)]

    assert [event["ticket"] for event in events_of(read_by(mapping, batch))] == ["hub/0", "hub/1", "hub/2"]


def test_a_mapping_may_ask_for_an_erasure(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        """\
        source: hub
        common: {ticket: "{doc.id}", at: "{doc.at}", id: erased}
        events: [{when: doc.type == 'erased', say: {type: ticket.erased}}]
        """,
    )
    payload = {"id": "7", "at": "2026-03-02T09:00:00Z", "type": "erased", "name": "Ada"}

    assert events_of(read_by(mapping, payload)) == [
        {"type": "ticket.erased", "source": "hub", "ticket": "hub/7", "id": "erased", "at": "2026-03-02T09:00:00Z"}
    ]


def test_a_repetition_within_a_payload_is_one_event_and_a_contradiction_is_unmapped(tmp_path: Path) -> None:
    text = ITEMS.replace(', seq: "{index}"', "")
    status = {"field": "status", "toString": "Done"}
    twice = {**CHANGELOG, "changelog": {"id": "88", "items": [status, status]}}

    assert len(events_of(read_by(mapping_of(tmp_path, text), twice))) == 1
    assert "two events of the payload have the id '88'" in unmapped_of(read_by(mapping_of(tmp_path, text), CHANGELOG)).reason


@pytest.mark.parametrize("items", [{"a": 1}, "text", 5])
def test_each_needs_a_list(tmp_path: Path, items: object) -> None:
    changelog = {**CHANGELOG, "changelog": {"id": "88", "items": items}}

    unmapped = unmapped_of(read_by(mapping_of(tmp_path, ITEMS), changelog))

    assert "where `each` needs a list" in unmapped.reason
    assert unmapped.path == "changelog.items"


def test_a_list_without_end_is_not_read(tmp_path: Path) -> None:
    changelog = {**CHANGELOG, "changelog": {"id": "88", "items": [{}] * 10_001}}

    assert "at most 10000 are read" in unmapped_of(read_by(mapping_of(tmp_path, ITEMS), changelog)).reason


def test_a_payload_that_is_a_list_without_end_is_not_searched_by_any_expression(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        """\
        source: hub
        common: {ticket: "{id}", at: "{received}", id: x}
        events: [{when: "doc[?a == `2`]", say: {type: ticket.deleted}}]
        """,
    )

    unmapped = unmapped_of(read_by(mapping, [{"a": 1}] * 10_001))

    assert unmapped.reason == "a list of 10001 elements; at most 10000 are read"


def test_headers_and_the_arrival_are_values_too(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        """\
        source: scout
        common: {ticket: "{id}", at: "{received}", id: "{header.X-Delivery}"}
        events: [{when: header.X-Event == 'convo.deleted', say: {type: ticket.deleted}}]
        """,
    )

    (event,) = events_of(read_by(mapping, {"id": 4}, {"x-EVENT": "convo.deleted", "X-Delivery": "d-1"}))

    assert (event["at"], event["id"]) == ("2026-11-29T02:01:12Z", "d-1")


def test_an_event_may_state_the_role_of_its_actor(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        """\
        source: desk
        common: {ticket: "{id}", at: "{at}", id: "{id}", actor: "{by}", role: "{part}"}
        events: [{say: {type: ticket.deleted}}]
        """,
    )

    with_role, without, nobody = (
        events_of(read_by(mapping, {"id": 1, "at": AT, **who}))[0].get("actor")
        for who in ({"by": "customer", "part": "contact"}, {"by": "agent"}, {"part": "contact"})
    )

    assert (with_role, without, nobody) == ({"kind": "customer", "role": "contact"}, {"kind": "agent"}, None)


@pytest.mark.parametrize("name", shipped())
@pytest.mark.parametrize("levels", [50, 5_000])
def test_a_deep_payload_is_no_exception(name: str, levels: int) -> None:
    for payload in (deep(levels), {"type": deep(levels), "event": deep(levels), "ticket": deep(levels), "issue": deep(levels)}):
        reading = read(MAPPINGS[name], payload, {}, RECEIVED)
        assert not reading.events
