"""Payloads in our own contract: events as JSON and as CloudEvents."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from stream.gateway.contract import read_events
from tests.unit.gateway.served import JSON, event

EXAMPLES = Path(__file__).parents[3] / "schemas/examples/ticket-event"
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
BATCHED = {"content-type": "application/cloudevents-batch+json"}
BINARY = JSON | {"ce-specversion": "1.0", "ce-id": "c1", "ce-source": "/desk", "ce-type": "desk.ticket"}


def cloud_event(data: object = None, **changes: Any) -> dict[str, Any]:
    envelope = {"specversion": "1.0", "id": "c1", "source": "/desk", "type": "desk.ticket", "data": data or event()}
    return {key: value for key, value in (envelope | changes).items() if value is not None}


def values(body: object, headers: dict[str, str]) -> list[dict[str, Any]]:
    reading = read_events(json.dumps(body).encode(), headers)
    assert reading.unmapped is None
    return [json.loads(mapped.value) for mapped in reading.events]


@pytest.mark.parametrize("file", sorted((EXAMPLES / "valid").glob("*.json")), ids=lambda file: file.stem)
def test_every_valid_event_of_the_contract_is_taken_as_it_is(file: Path) -> None:
    body = file.read_bytes()

    (mapped,) = read_events(body, JSON, erases=True).events

    assert mapped.value == body
    assert mapped.ticket == json.loads(body).get("ticket", "")


INVALID = [
    file
    for file in sorted((EXAMPLES / "invalid").iterdir())
    # The worker decides what is too far ahead; a list is good here.
    if not file.stem.endswith(".future") and file.name != "a-list.undecodable.json"
]


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.name)
def test_no_invalid_event_is_taken(file: Path) -> None:
    reading = read_events(file.read_bytes(), JSON)

    assert reading.unmapped is not None
    assert reading.events == ()


def test_a_list_has_several_events_and_one_that_is_invalid_refuses_all() -> None:
    good = [event(), event("desk/2")]

    assert values(good, JSON) == good
    reading = read_events(json.dumps([*good, event(at="2026-11-29")]).encode(), JSON)
    assert reading.events == ()
    assert reading.unmapped is not None
    assert reading.unmapped.path == "$[2].at"
    assert reading.unmapped.reason.startswith("invalid: ")


def test_an_empty_list_is_skipped() -> None:
    assert read_events(b"[]", JSON).skipped == "the list is empty"


def test_the_data_of_a_structured_cloud_event_is_the_event() -> None:
    assert values(cloud_event(), STRUCTURED) == [event()]
    encoded = base64.b64encode(json.dumps(event()).encode()).decode()
    assert values(cloud_event(data=None, data_base64=encoded) | {"data": None}, STRUCTURED) == [event()]


def test_a_batch_has_several_cloud_events() -> None:
    assert values([cloud_event(), cloud_event(event("desk/2"))], BATCHED) == [event(), event("desk/2")]


def test_the_body_of_a_binary_cloud_event_is_the_event() -> None:
    assert values(event(), BINARY) == [event()]


@pytest.mark.parametrize(
    ("body", "headers", "path"),
    [
        (cloud_event(specversion="0.3"), STRUCTURED, "$.specversion"),
        (cloud_event() | {"data": event(type="none")}, STRUCTURED, "$.data"),
        ({**cloud_event(), "data_base64": "?"}, STRUCTURED, "$.data_base64"),
        ({key: value for key, value in cloud_event().items() if key != "data"}, STRUCTURED, "$.data"),
        ({"data": event()}, STRUCTURED, "$"),
        ([cloud_event(), cloud_event(event(ticket=""))], BATCHED, "$[1].data.ticket"),
        (cloud_event(), BATCHED, "$"),
        ([cloud_event()], STRUCTURED, "$"),
        (event(), BINARY | {"ce-specversion": "2"}, "header.ce-specversion"),
    ],
)
def test_a_wrong_cloud_event_is_unmapped_with_its_place(body: object, headers: dict[str, str], path: str) -> None:
    reading = read_events(json.dumps(body).encode(), headers)

    assert reading.events == ()
    assert reading.unmapped is not None
    assert reading.unmapped.path.startswith(path)


@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"[" * 100_000, b'{"a":' * 50_000, b"\xff", b"[\xff]", b'[{"x": NaN}]', b"null", b"3", b"\xef\xbb\xbf[]"],
)
@pytest.mark.parametrize("headers", [JSON, STRUCTURED, BATCHED, BINARY])
def test_no_body_raises(body: bytes, headers: dict[str, str]) -> None:
    reading = read_events(body, headers)

    assert reading.events == ()
    assert reading.unmapped is not None


def test_a_payload_has_a_bounded_number_of_events() -> None:
    many = json.dumps([event()] * 10_001).encode()

    reading = read_events(many, JSON)

    assert reading.unmapped is not None
    assert reading.unmapped.reason == "more than 10000 events"
    assert len(read_events(json.dumps([event()] * 10_000).encode(), JSON).events) == 10_000


def test_a_payload_with_an_erasure_is_refused_unless_the_feed_may_erase() -> None:
    erasure = event(type="ticket.erased")
    for payload, headers in (
        ([event(), erasure], JSON),
        (cloud_event(erasure), STRUCTURED),
        ([cloud_event(erasure)], BATCHED),
        (erasure, BINARY),
    ):
        body = json.dumps(payload).encode()
        unmapped = read_events(body, headers).unmapped

        assert unmapped is not None
        assert "may not erase tickets" in unmapped.reason
        assert unmapped.path.endswith(".type")
        assert read_events(body, headers, erases=True).unmapped is None
