"""Decoding a record gives a valid event, a tick, or a rejection with its reason and its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream.sla.events import Event
from stream.sla.feed_state import FeedState
from stream.wire.decode import Rejected, RejectReason, Tick, decode
from stream.wire.decode import read as read_line
from stream.wire.effect import encode_tick
from stream.wire.incoming import Incoming
from stream.wire.instants import parse_instant
from stream.wire.ticket_event import CommentAdded, FeedTick, TicketChanged, TicketCreated, TicketEvent, Wire

NOON = "2026-03-02T12:00:00Z"
AT = parse_instant(NOON)


def written(type_: str = "ticket.changed", **more: Any) -> bytes:
    usual: dict[str, Any] = {"type": type_, "id": "e1", "source": "desk", "ticket": "desk/1", "at": NOON}
    if type_ == "ticket.changed":
        usual["fields"] = {}
    return json.dumps({name: value for name, value in {**usual, **more}.items() if value is not ...}).encode()


def read(value: bytes | None, key: bytes | None = b"desk/1", now: int | None = None) -> Incoming | Tick | Rejected:
    return decode(key, value, now=now)


def event(value: bytes) -> Event:
    found = read(value)
    assert isinstance(found, Incoming), found
    return found.event


def rejection(value: bytes | None, key: bytes | None = b"desk/1", now: int | None = None) -> Rejected:
    found = read(value, key, now)
    assert isinstance(found, Rejected), found
    return found


def fields(**values: Any) -> dict[str, str | list[str]]:
    return event(written(fields=values)).fields


def test_a_created_ticket_without_a_status_is_new() -> None:
    assert event(written("ticket.created")).fields == {"status": "new"}
    assert event(written("ticket.created", fields={"status": "open"})).fields == {"status": "open"}


def test_two_created_tickets_do_not_share_their_fields() -> None:
    first = event(written("ticket.created"))
    first.fields["status"] = "closed"

    assert event(written("ticket.created")).fields == {"status": "new"}


def test_the_structs_of_ticket_events_begin_with_the_same_attributes() -> None:
    """``event_of`` takes them by their place, and what only the most frequent types have as the one that follows."""
    common = TicketEvent.__struct_fields__

    for wire in Wire.__args__:
        assert wire is FeedTick or wire.__struct_fields__[: len(common)] == common
    assert TicketCreated.__struct_fields__ == TicketChanged.__struct_fields__ == (*common, "fields")
    assert CommentAdded.__struct_fields__ == (*common, "public")


def test_all_keys_of_an_event_are_decoded_except_its_free_text() -> None:
    value = written(
        "escalation.requested",
        seq=3,
        actor={"kind": "customer", "id": "u-1"},
        level="manager",
        reason="down",
        impact="production",
    )

    assert read(value) == Incoming(
        "desk/1",
        Event(
            at=AT,
            id="e1",
            type="escalation.requested",
            source="desk",
            seq=3,
            actor="customer",
            level="manager",
            impact="production",
        ),
    )


def test_an_absent_impact_and_the_impact_none_are_the_same() -> None:
    assert event(written("escalation.requested", impact="none")) == event(written("escalation.requested"))


def test_numbers_and_truth_values_become_text_and_null_clears_a_field() -> None:
    found = fields(whole=5, decimal=1.5, integral=2.0, big=10**25, vip=True, paid=False, team=None)

    assert found == {
        "whole": "5",
        "decimal": "1.5",
        "integral": "2",
        "big": "1" + "0" * 25,
        "vip": "yes",
        "paid": "no",
        "team": "",
    }


@pytest.mark.parametrize(
    ("value", "read_as"),
    [
        (["router", "modem"], ["router", "modem"]),
        (["a", 5, True, None, {"id": 7}, ["b"]], ["a", "5", "yes"]),
        ([], []),
        (["a"] * 300, ["a"] * 256),
        (["x" * 2000], ["x" * 1023 + "…"]),
        ("x" * 1024, "x" * 1024),
        ("x" * 1025, "x" * 1023 + "…"),
        (10**2000, "1" + "0" * 1022 + "…"),
    ],
)
def test_a_field_of_any_shape_and_length_is_read_as_far_as_a_policy_can(value: Any, read_as: Any) -> None:
    assert fields(products=value, team=value, status="solved") == {"products": read_as, "team": read_as, "status": "solved"}


@pytest.mark.parametrize("unreadable", [{"product": {"id": 7}}, {"@answered": "yes"}, {"": "x"}, {"n" * 65: "x"}])
def test_a_field_that_no_policy_can_read_is_ignored(unreadable: dict[str, Any]) -> None:
    assert fields(**unreadable, status="solved") == {"status": "solved"}


def test_an_event_may_have_hundreds_of_fields() -> None:
    many = {f"custom {number}": "x" for number in range(1000)}

    assert fields(**many) == many


def test_equal_words_are_equal_in_every_form_of_unicode() -> None:
    composed, decomposed = "H\u00f6chste", "Ho\u0308chste"

    assert fields(**{decomposed: decomposed, "tags": [decomposed]}) == {composed: composed, "tags": [composed]}
    assert event(written("dependency.started", party=decomposed)).party == composed
    assert event(written("escalation.requested", level=decomposed)).level == composed
    assert event(written("extension.granted", commitment=decomposed, by="1h")).commitment == composed


@pytest.mark.parametrize(
    ("time", "second"),
    [
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.25Z"),
        ("2017-01-01T05:29:60+05:30", "2017-01-01T00:00:00Z"),
        ("2012-06-30t19:59:60-0400", "2012-07-01T00:00:00Z"),
        ("2016-12-31T23:59:60.999999999Z", "2017-01-01T00:00:01Z"),
    ],
)
def test_a_leap_second_counts_as_the_second_after_it(time: str, second: str) -> None:
    assert event(written(at=time)).at == event(written(at=second)).at
    assert read(written("feed.tick", at=time), b"") == read(written("feed.tick", at=second), b"")


@pytest.mark.parametrize(
    "time", ["2016-12-31T22:59:60Z", "2016-12-31T23:58:60Z", "2016-12-31T23:59:60", "2016-12-31T23:59:61Z"]
)
def test_a_second_60_that_is_not_a_leap_second_is_rejected(time: str) -> None:
    assert rejection(written(at=time)).path == "$.at"


def test_tags_are_a_list_and_may_be_cleared() -> None:
    assert fields(tags=["a", "b"]) == {"tags": ["a", "b"]}
    assert fields(tags="a") == {"tags": "a"}
    assert fields(tags=[]) == {"tags": []}
    assert fields(tags=None) == {"tags": ""}


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"status": "waiting"}, "$.fields.status"),
        ({"status": ["open"]}, "$.fields.status"),
        ({"status": None}, "$.fields.status"),
        ({"priority": "x" * 65}, "$.fields.priority"),
        ({"priority": int("9" * 65)}, "$.fields.priority"),
        ({"customer": {"name": "acme"}}, "$.fields.customer"),
        ({"priority": ["p1"]}, "$.fields.priority"),
        ({"tags": {"a": "b"}}, "$.fields.tags"),
    ],
)
def test_an_invalid_field_is_rejected_with_its_path(values: dict[str, Any], path: str) -> None:
    rejected = rejection(written(fields=values))

    assert (rejected.reason, rejected.path) == (RejectReason.INVALID, path)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (written(id=...), "$.id"),
        (written(ticket=""), "$.ticket"),
        (written(source="x" * 257), "$.source"),
        (written(at="2026-03-02T12:00:00"), "$.at"),
        (written(at="1969-12-31T23:59:59Z"), "$.at"),
        (written(at="2199-12-31T23:59:59-00:01"), "$.at"),
        (written(seq=-1), "$.seq"),
        (written(seq=2**63), "$.seq"),
        (written(actor={"kind": "alien"}), "$.actor.kind"),
        (written(actor={}), "$.actor.kind"),
        (written(actor=None), "$.actor"),
        (written("comment.added"), "$.public"),
        (written("ticket.merged", into="desk/1"), "$.into"),
        (written("extension.granted", commitment="resolution", by="soon"), "$.by"),
        (written("extension.granted", commitment="resolution", by="1d4bh"), "$.by"),
        (written("resolution.accepted", by="bot"), "$.by"),
        (written("ticket.exploded"), "$.type"),
        (written(type=...), "$.type"),
        (b'{"type":"ticket.deleted","type":"ticket.merged"}', "$.type"),
        (b'{"type":"ticket.changed","fields":{"x":{}},"fields":5}', "$.fields"),
    ],
)
def test_an_event_that_breaks_the_contract_is_rejected_with_its_path(value: bytes, path: str) -> None:
    rejected = rejection(value)

    assert (rejected.reason, rejected.path) == (RejectReason.INVALID, path)


def test_the_rejection_of_a_time_shows_how_to_write_one() -> None:
    assert "2026-03-02T09:30:00+05:30" in rejection(written(at="yesterday")).message


def test_of_two_equal_keys_the_last_one_counts() -> None:
    assert event(written()[:-1] + b',"seq":1,"seq":2}').seq == 2


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b" ",
        b"null",
        b'"ticket.changed"',
        b"[]",
        b"\xff\xfe",
        written()[:-1],
        written() + b"x",
        b'{"type":"ticket.exploded"',
        b'{"type":"ticket.deleted","x":Infinity}',
        b'{"type":"ticket.deleted","note":"\xff"}',
        b'{"type":"ticket.deleted","id":"\\udc00"}',
        b'{"type":"ticket.changed","fields":{"x":' + b"[" * 5000 + b"]" * 5000 + b"}}",
    ],
)
def test_a_value_that_is_not_a_json_object_is_undecodable(value: bytes | None) -> None:
    rejected = rejection(value)

    assert (rejected.reason, rejected.path) == (RejectReason.UNDECODABLE, "")


def test_a_record_of_a_mebibyte_is_read_and_one_byte_more_is_too_large() -> None:
    padded = written()[:-1] + b',"x":"' + b"y" * (1_048_576 - len(written()) - 7) + b'"}'

    assert len(padded) == 1_048_576
    assert isinstance(read(padded), Incoming)
    assert rejection(padded + b" ").reason is RejectReason.TOO_LARGE


@pytest.mark.parametrize("key", [None, b"", b"desk/2", b"desk/1 ", b"\xff"])
def test_a_key_that_is_not_the_ticket_is_a_mismatch(key: bytes | None) -> None:
    rejected = rejection(written(), key)

    assert (rejected.reason, rejected.path) == (RejectReason.KEY_MISMATCH, "$.ticket")


def test_a_ticket_outside_ascii_has_its_utf_8_for_a_key() -> None:
    assert isinstance(read(written(ticket="büro/1"), "büro/1".encode()), Incoming)


def test_an_event_may_be_at_most_five_minutes_ahead_of_the_clock() -> None:
    assert isinstance(read(written(), now=AT - 300_000_000), Incoming)

    rejected = rejection(written(), now=AT - 300_000_001)
    assert (rejected.reason, rejected.path) == (RejectReason.FUTURE, "$.at")


def test_without_a_clock_an_event_is_never_in_the_future() -> None:
    assert isinstance(read(written(at="2199-12-31T23:59:59Z")), Incoming)


@pytest.mark.parametrize("value", [written(), written(at="2199-12-31T23:59:59Z"), written(at="soon"), b"{", b"", None])
def test_a_line_without_a_key_is_decoded_like_a_record_with_its_key(value: bytes | None) -> None:
    assert read_line(value) == read(value)


@pytest.mark.parametrize("key", [None, b"", b"anything"])
def test_a_tick_may_have_any_key(key: bytes | None) -> None:
    assert read(b'{"type":"feed.tick","source":"desk","at":"2026-03-02T12:00:00Z"}', key) == Tick("desk", AT)


@pytest.mark.parametrize("state", FeedState)
def test_a_tick_may_state_how_its_feed_stands(state: FeedState) -> None:
    assert read(encode_tick("desk", AT, state), None) == Tick("desk", AT, state)
    assert read(encode_tick("desk", AT), None) == Tick("desk", AT, None)


def test_a_tick_of_an_unknown_state_is_rejected_at_its_state() -> None:
    value = b'{"type":"feed.tick","source":"desk","at":"2026-03-02T12:00:00Z","state":"slow"}'

    assert (rejection(value).reason, rejection(value).path) == (RejectReason.INVALID, "$.state")


def test_a_tick_from_the_future_is_rejected_because_it_would_pass_every_deadline() -> None:
    value = b'{"type":"feed.tick","source":"desk","at":"2026-03-02T12:00:00Z"}'

    assert rejection(value, now=AT - 400_000_000).reason is RejectReason.FUTURE


def test_the_message_of_a_rejection_is_bounded_even_if_it_quotes_a_long_record() -> None:
    long = rejection(written("x" * 100_000))

    assert len(long.message) <= 300
    assert len(rejection(written(), b"k" * 100_000).message) <= 300
