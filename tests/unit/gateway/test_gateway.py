"""The steps of a request to the gateway: which one answers it, and what is written."""

from __future__ import annotations

import base64
import dataclasses
import hmac
import json
import logging
from typing import TYPE_CHECKING

import pytest
from prometheus_client import generate_latest

from stream.feeds.mapping import load
from stream.feeds.rejected_payload import MAX_BODY, RejectedPayload, decode_record
from stream.feeds.signature import SCHEMES
from stream.gateway.feed import Feed
from stream.gateway.outbox import Outgoing
from stream.gateway.outcomes import Outcome
from stream.gateway.page import GatewayPage
from tests.free_text import NAME, PHONE
from tests.unit.gateway.served import (
    DESK,
    JSON,
    KEY,
    NOW,
    OLD_KEY,
    SECRET,
    TOPICS,
    Desk,
    event,
    events_feed,
    json_of,
    open_feed,
    signed,
)

if TYPE_CHECKING:
    from pathlib import Path

MAPPING = """
source: shop
signature: {scheme: libredesk}
tables:
  status: {open: open, waiting: pending}
common: {ticket: "{number}", at: "{at}", id: "{id}"}
events:
  - when: what == 'status'
    say: {type: ticket.changed, fields: {status: {from: "{status}", table: status}}}
otherwise: skip
"""


@pytest.fixture
def shop(tmp_path: Path) -> Desk:
    """A gateway with a feed whose mapping has a table."""
    (file := tmp_path / "shop.yaml").write_text(MAPPING, "utf-8")
    mapping = load(file)
    return Desk(Feed("shop", mapping, mapping.signature, (b"a secret",)))


def from_shop(desk: Desk, payload: object, **headers: str) -> tuple[int, str]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    signature = f"sha256={hmac.new(b'a secret', body, 'sha256').hexdigest()}"
    answer = desk.request(body, {**JSON, "x-libredesk-signature": signature, **headers}, "/feeds/shop")
    return answer.status, json_of(answer)["outcome"]


PAYLOAD = {
    "what": "status",
    "status": "waiting",
    "number": 7,
    "id": "h1",
    "at": "2026-11-29T10:00:00Z",
    "subject": "Mr. X's bill",
}


def test_a_header_that_is_not_utf_8_disturbs_neither_the_answer_nor_the_page() -> None:
    desk = Desk()

    answer = desk.request(b"{}", {**JSON, "content-encoding": "gz\udcff"})
    page = GatewayPage(desk.feeds, desk.recorder.recent, lambda: (True, "")).answer("/", "", "text/html")

    assert (answer.status, json_of(answer)["outcome"]) == (415, "unsupported")
    assert page is not None
    assert page.status == 200


def test_a_dead_letter_with_a_header_that_is_not_utf_8_is_written() -> None:
    desk = Desk()

    assert json_of(desk.send({"no": "event"}, **{"user-agent": "caf\udce9"}))["outcome"] == "unmapped"
    dead_letter = decode_record(desk.kafka.records[-1].value)
    assert isinstance(dead_letter, RejectedPayload)
    assert dead_letter.headers["user-agent"] == "caf\ufffd"


def test_the_events_of_a_payload_are_written_under_their_tickets_before_the_answer() -> None:
    desk = Desk()

    answer = desk.send([event("desk/1"), event("desk/2", id="e2", type="ticket.deleted")])

    assert (answer.status, json_of(answer)) == (200, {"outcome": "accepted", "events": 2})
    assert [(record.topic, record.key) for record in desk.kafka.records] == [
        (TOPICS.events, b"desk/1"),
        (TOPICS.events, b"desk/2"),
    ]
    assert json.loads(desk.kafka.records[1].value)["type"] == "ticket.deleted"


def test_a_mapping_makes_the_events_and_only_what_it_maps_is_written(shop: Desk) -> None:
    assert from_shop(shop, PAYLOAD) == (200, "accepted")

    (record,) = shop.kafka.records
    assert record.key == b"shop/7"
    assert json.loads(record.value)["fields"] == {"status": "pending"}
    assert b"bill" not in record.value


def test_a_payload_that_the_mapping_skips_is_answered_and_nothing_is_written(shop: Desk) -> None:
    assert from_shop(shop, {"what": "weather"}) == (200, "skipped")
    assert shop.kafka.records == []


def test_without_an_acknowledgement_in_time_the_sender_has_to_repeat_the_request() -> None:
    desk = Desk()
    desk.kafka.answers = False

    answer = desk.send(event())

    assert answer.status == 503
    assert ("Retry-After", "5") in answer.headers
    assert desk.counted("sla_gateway_events_total", feed="app", type="ticket.created") == 0


def test_an_error_of_ours_is_answered_so_that_the_sender_repeats_the_request(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    desk.kafka.records = None  # type: ignore[assignment]  # a bug

    assert desk.send(event()).status == 503
    assert "a request failed" in caplog.text


@pytest.mark.parametrize("key", [KEY, OLD_KEY])
def test_while_a_secret_is_replaced_both_are_good(key: bytes) -> None:
    desk = Desk(events_feed(SECRET, b"whsec_" + base64.b64encode(OLD_KEY)))
    body = json.dumps(event()).encode()

    assert desk.request(body, {**JSON, **signed(body, key)}).status == 200


BODY = json.dumps(event()).encode()
HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "signature_missing"),
        (signed(BODY, OLD_KEY), "signature_wrong"),
        (signed(BODY + b" "), "signature_wrong"),
        (signed(BODY, at=NOW - HOUR), "timestamp_stale"),
        (signed(BODY, at=NOW + HOUR), "timestamp_ahead"),
        (signed(BODY) | {"webhook-id": "msg_2"}, "signature_wrong"),
        (signed(BODY) | {"webhook-signature": "nonsense"}, "signature_malformed"),
    ],
)
def test_what_is_not_signed_is_refused_and_the_page_has_the_reason(headers: dict[str, str], reason: str) -> None:
    desk = Desk()

    answer = desk.request(BODY, {**JSON, **headers})

    assert (answer.status, json_of(answer)) == (401, {"outcome": "unauthentic"})
    assert desk.recorder.recent.of("app")[0].detail == reason
    assert desk.kafka.records == []
    assert desk.counted("sla_gateway_requests_total", feed="app", outcome="unauthentic") == 1
    assert desk.counted("sla_gateway_last_received_timestamp_seconds", feed="app") == 0


def test_a_body_that_is_too_large_is_refused_by_its_length() -> None:
    desk = Desk()

    answer = desk.request(b"x" * (MAX_BODY + 1), JSON)

    assert (answer.status, json_of(answer)["outcome"]) == (413, "too_large")
    assert ("Connection", "close") in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json, text/html"},
        {"content-type": "x" * 5_000},
    ],
)
def test_a_body_that_is_not_plain_json_is_refused(headers: dict[str, str]) -> None:
    desk = Desk()

    answer = desk.request(BODY, {**headers, **signed(BODY)})

    assert (answer.status, json_of(answer)["outcome"]) == (415, "unsupported")


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "APPLICATION/JSON; charset=UTF-8", "application/vnd.desk+json", "text/json;charset=utf8"],
)
def test_json_of_any_vendor_is_read(content_type: str) -> None:
    body = json.dumps(event()).encode()

    assert Desk().request(body, {"content-type": content_type, **signed(body)}).status == 200


@pytest.mark.parametrize(
    "path", ["/", "/feeds/", "/feeds/none", "/feeds/app/x", "/feeds/app/", "/feeds/app/x/y", "/feeds/App", "/feed/app"]
)
def test_an_address_of_no_feed_is_not_found(path: str) -> None:
    desk = Desk()

    assert desk.send(event(), path).status == 404
    assert desk.counted("sla_gateway_unknown_requests_total") == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_only_post_brings_payloads(method: str) -> None:
    answer = Desk().request(b"", {}, method=method)

    assert answer.status == 405
    assert ("Allow", "POST") in answer.headers


def test_a_token_is_the_last_part_of_the_address() -> None:
    desk = Desk(Feed("desk", None, SCHEMES["token"], (b"secret-token",)))
    body = json.dumps(event()).encode()

    assert desk.request(body, JSON, "/feeds/desk/secret-token").status == 200
    assert desk.request(body, JSON, "/feeds/desk/another-token").status == 401
    assert desk.request(body, JSON, "/feeds/desk").status == 401
    assert desk.request(body, JSON, "/feeds/desk/secret-token/").status == 404


def test_a_feed_without_a_secret_is_served_under_names_of_this_machine_only() -> None:
    desk = Desk(open_feed("app"))
    body = json.dumps(event()).encode()

    for host in (DESK, "localhost:8080", "desk.localhost", "[::1]:8080"):
        assert desk.request(body, {**JSON, "host": host}).status == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "", "[", "localhost.evil"):
        assert desk.request(body, {**JSON, "host": host}).status == 421


@pytest.mark.parametrize(
    ("payload", "reason", "message"),
    [
        (b"nonsense", "undecodable", "the payload is not JSON"),
        (b'{"what": NaN}', "undecodable", "the payload is not JSON"),
        (b'{"what": "\xff"}', "undecodable", "the payload is not JSON"),
        (b"[" * 100_000, "undecodable", "the payload is not JSON"),
        (b"", "undecodable", "the payload is not JSON"),
        (PAYLOAD | {"status": "lost"}, "unmapped", "lost"),
        (PAYLOAD | {"at": "yesterday"}, "unmapped", ""),
    ],
)
def test_what_the_mapping_does_not_cover_is_a_dead_letter_and_the_answer_is_good(
    shop: Desk, payload: object, reason: str, message: str
) -> None:
    assert from_shop(shop, payload) == (200, "unmapped")

    (record,) = shop.kafka.records
    dead_letter = decode_record(record.value)
    assert (record.topic, record.key) == (TOPICS.feed_rejected, b"shop")
    assert isinstance(dead_letter, RejectedPayload)
    assert (dead_letter.feed, dead_letter.reason, dead_letter.received) == ("shop", reason, NOW)
    assert message in dead_letter.message
    assert dead_letter.body == (payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    assert shop.counted("sla_gateway_rejected_payloads_total", feed="shop", reason=reason) == 1


def test_a_dead_letter_that_cannot_be_written_has_to_be_repeated(shop: Desk) -> None:
    shop.kafka.answers = False

    assert from_shop(shop, b"nonsense") == (503, "unavailable")
    assert shop.counted("sla_gateway_rejected_payloads_total", feed="shop", reason="undecodable") == 0


def test_a_dead_letter_has_headers_that_a_mapping_may_read_and_no_secret(shop: Desk) -> None:
    headers = {
        "x-shop-event": "status",
        "authorization": "Bearer abc",
        "cookie": "a=b",
        "x-api-key": "abc",
        "x-auth-token": "abc",
        "x-forwarded-for": "203.0.113.9",
        "x-real-ip": "203.0.113.9",
        "x-original-uri": "/feeds/shop/TOKEN",
        "x-original-url": "/feeds/shop/TOKEN",
        "x-rewrite-url": "/feeds/shop/TOKEN",
        "x-envoy-original-path": "/feeds/shop/TOKEN",
        "x-request-uri": "/feeds/shop/TOKEN",
        "x-jwt": "abc",
        "user-agent": "desk/1",
        "accept": "*/*",
        "x-long": "x" * 5_000,
    }
    from_shop(shop, b"nonsense", **headers)

    dead_letter = decode_record(shop.kafka.records[0].value)
    assert isinstance(dead_letter, RejectedPayload)
    assert dead_letter.headers == {
        "content-type": "application/json",
        "x-shop-event": "status",
        "user-agent": "desk/1",
        "x-long": "x" * 1_024,
    }


def test_a_dead_letter_of_the_largest_payload_fits_the_topic(shop: Desk) -> None:
    many = {f"x-{number}": "x" * 5_000 for number in range(200)}

    assert from_shop(shop, b"\x00" * MAX_BODY, **many) == (200, "unmapped")

    (limit,) = (spec.at_least["max.message.bytes"] for spec in TOPICS.optional_specs() if spec.name == TOPICS.feed_rejected)
    assert len(shop.kafka.records[0].value) < limit - 1_024


def test_a_tick_of_our_own_contract_goes_to_every_partition() -> None:
    desk = Desk()

    assert desk.send({"type": "feed.tick", "source": "desk", "at": "2026-11-29T10:00:00Z"}).status == 200

    (record,) = desk.kafka.records
    assert record == Outgoing(TOPICS.events, None, record.value, everywhere=True)
    assert desk.counted("sla_gateway_events_total", feed="app", type="feed.tick") == 1


def test_metrics_count_events_their_age_and_the_newest_of_them() -> None:
    desk = Desk()

    desk.send([event(), event(id="e2", at="2026-11-29T11:00:00Z")])

    assert desk.counted("sla_gateway_events_total", feed="app", type="ticket.created") == 2
    assert desk.counted("sla_gateway_newest_event_timestamp_seconds", feed="app") == pytest.approx(
        1_795_950_000, abs=40_000_000
    )
    assert desk.counted("sla_gateway_last_received_timestamp_seconds", feed="app") == NOW / 1e6
    assert desk.counted("sla_gateway_arrival_age_seconds_count", feed="app") == 2
    assert desk.counted("sla_gateway_answer_seconds_count", feed="app") == 1


def test_an_event_at_a_leap_second_is_counted_like_any_other() -> None:
    desk = Desk()

    assert desk.send(event(at="2016-12-31T23:59:60Z")).status == 200
    assert desk.counted("sla_gateway_events_total", feed="app", type="ticket.created") == 1


def test_a_flood_of_refused_requests_hides_no_others_on_the_page() -> None:
    desk = Desk()
    desk.send(event())

    for _ in range(50):
        desk.request(BODY, JSON)

    entries = desk.recorder.recent.of("app")
    assert len(entries) == 21
    assert [entry.outcome for entry in entries].count(Outcome.ACCEPTED) == 1


def test_what_people_wrote_is_in_a_payload_that_is_not_mapped_and_in_no_log_page_or_metric(
    shop: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    written = f"Please call {NAME} on {PHONE}"
    payload = {**PAYLOAD, "id": "h9", "subject": written, "comment": {"body": written}, "from": [NAME, PHONE]}

    assert from_shop(shop, payload) == (200, "accepted")
    assert from_shop(shop, {**payload, "status": "odd"}) == (200, "unmapped")
    assert from_shop(shop, {**payload, "at": "soon"}) == (200, "unmapped")

    events, dead_letters = (
        [r for r in shop.kafka.records if r.topic == name] for name in (TOPICS.events, TOPICS.feed_rejected)
    )
    page = GatewayPage(shop.feeds, shop.recorder.recent, lambda: (True, "")).answer("/", "", "text/html")
    assert page is not None
    assert (len(events), len(dead_letters)) == (1, 2)
    for text in (NAME, PHONE):
        assert [record for record in events if text.encode() in record.value] == []
        assert text not in caplog.text
        assert text.encode() not in page.body
        assert text.encode() not in generate_latest(shop.recorder.metrics.registry)


@pytest.mark.parametrize(("erases", "outcome"), [(False, "unmapped"), (True, "accepted")])
def test_a_feed_erases_tickets_only_if_it_may(erases: bool, outcome: str) -> None:
    desk = Desk(dataclasses.replace(events_feed(), erases=erases))

    assert json_of(desk.send(event(type="ticket.erased")))["outcome"] == outcome
    assert [record.topic for record in desk.kafka.records] == [TOPICS.events if erases else TOPICS.feed_rejected]
