"""Batches of which a part is unmapped, payloads that are read beside the event loop, and what the gateway logs of refusals."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from stream.feeds.mapping import check, load
from stream.feeds.reading import Unmapped
from stream.feeds.rejected_payload import RejectedPayload, decode_record
from stream.gateway import gateway
from stream.gateway.feed import Feed, Received
from stream.gateway.payload import read_by_parts
from stream.gateway.refusal_log import RefusalLog
from tests.unit.gateway.served import DESK, JSON, NOW, TOPICS, Desk

if TYPE_CHECKING:
    from pathlib import Path

AT = NOW // 1_000


def stage(ticket: int, value: str) -> dict[str, Any]:
    """A change of the stage of a ticket, as HubSpot sends it."""
    return {
        "occurredAt": AT,
        "subscriptionType": "ticket.propertyChange",
        "objectId": ticket,
        "changeSource": "CRM_UI",
        "propertyName": "hs_pipeline_stage",
        "propertyValue": value,
    }


def hubspot() -> Desk:
    return Desk(Feed("desk", load("hubspot"), None, ()))


def outcome(desk: Desk, payload: object) -> dict[str, Any]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    content: dict[str, Any] = json.loads(desk.request(body, JSON, "/feeds/desk").body)
    return content


def test_of_a_batch_only_the_elements_that_do_not_fit_are_a_dead_letter() -> None:
    desk = hubspot()

    assert outcome(desk, [stage(1, "2"), stage(2, "4711"), stage(3, "4")]) == {"outcome": "unmapped", "events": 2}

    *events, dead_letter = desk.kafka.records
    assert [event.key for event in events] == [b"hubspot/1", b"hubspot/3"]
    rejected = decode_record(dead_letter.value)
    assert dead_letter.topic == TOPICS.feed_rejected
    assert isinstance(rejected, RejectedPayload)
    assert json.loads(rejected.body) == [stage(2, "4711")]
    assert "4711" in rejected.message


@pytest.mark.parametrize("payload", [[stage(2, "4711")], {"a": 1}, b"nonsense", [stage(1, "4711"), stage(2, "4712")]])
def test_a_payload_without_an_element_that_fits_is_a_dead_letter_as_it_is(payload: object) -> None:
    desk = hubspot()

    content = outcome(desk, payload)

    if content == {"outcome": "skipped"}:
        return
    (dead_letter,) = desk.kafka.records
    rejected = decode_record(dead_letter.value)
    assert isinstance(rejected, RejectedPayload)
    if isinstance(payload, bytes):
        assert rejected.body == payload
    else:
        assert json.loads(rejected.body) == payload


@pytest.mark.parametrize(
    "more", [300 * "[" + 300 * "]", 990 * "[" + 990 * "]", "12345678901234567890123", '"\\u00fc", "a": 1e15']
)
def test_an_element_is_kept_in_the_bytes_in_which_it_came(more: str) -> None:
    desk = hubspot()
    fits, bad = json.dumps(stage(1, "2")), json.dumps(stage(2, "4711"))[:-1] + f', "more": {more}}}'

    assert outcome(desk, f"[{fits},\n {bad}]".encode()) == {"outcome": "unmapped", "events": 1}

    rejected = decode_record(desk.kafka.records[-1].value)
    assert isinstance(rejected, RejectedPayload)
    assert rejected.body in (f"[{bad}]".encode(), f"[{fits},\n {bad}]".encode())


def test_without_batch_a_list_is_unmapped_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "whole.yaml").write_text("extends: hubspot\nbatch: false\n", "utf-8")
    body = json.dumps([stage(1, "2"), stage(2, "4711")]).encode()

    part = read_by_parts(Feed("desk", load(tmp_path / "whole.yaml"), None), body, {}, NOW)

    assert (part.reading.events, part.body) == ((), body)


def test_batch_is_true_or_false(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("extends: hubspot\nbatch: maybe\n", "utf-8")

    (problem,) = check(tmp_path / "wrong.yaml").problems

    assert (problem.line, problem.message) == (2, "must be true or false, not `maybe`")


def test_a_large_payload_is_read_in_another_thread_and_a_small_one_here(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, threads = hubspot(), list[bool]()

    def reading(*arguments: Any) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        return read_by_parts(*arguments)

    monkeypatch.setattr(gateway, "read_by_parts", reading)

    assert outcome(desk, [stage(1, "2")])["events"] == 1
    assert outcome(desk, [stage(number, "2") for number in range(1_000)])["events"] == 1_000
    assert threads == [True, False]


def test_a_large_payload_that_cannot_be_read_in_time_has_to_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, release = hubspot(), threading.Event()

    def reading(*arguments: Any) -> Any:
        release.wait()
        return read_by_parts(*arguments)

    monkeypatch.setattr(gateway, "read_by_parts", reading)
    monkeypatch.setattr(gateway, "_LONGEST_WAIT", 0.01)

    async def ask() -> int:
        request = Received("POST", "/feeds/desk", "", {"host": DESK, **JSON}, b" " * 100_000)
        try:
            return (await desk.gateway.answer(request)).status
        finally:
            release.set()

    assert asyncio.run(ask()) == 503
    assert desk.kafka.records == []


def test_each_kind_of_refusal_is_logged_once_a_minute_with_the_number_of_the_others(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    refusals = RefusalLog(lambda: now)
    why = Unmapped("the table `status` has no row for 'Ada Free-Text': add one", 12, "status", "desk.yaml")

    for _ in range(3):
        refusals.unmapped("desk", "unmapped", why)
        refusals.unauthentic("desk", "the signature does not match")
    refusals.unmapped("shop", "undecodable", Unmapped("no JSON", 0, ""))
    now = 61.0
    refusals.unmapped("desk", "unmapped", why)

    assert caplog.messages == [
        "feed desk: a payload is unmapped, desk.yaml:12; it is kept as a dead letter",
        "feed desk: a request is not authentic: the signature does not match",
        "feed shop: a payload is undecodable; it is kept as a dead letter",
        "feed desk: a payload is unmapped, desk.yaml:12; it is kept as a dead letter; 2 more since the last such line",
    ]


def test_the_log_of_a_refusal_has_no_part_of_the_payload(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    desk = hubspot()

    outcome(desk, [stage(1, "Ada Free-Text +00 5550 0199")])

    (line,) = caplog.messages
    assert line.startswith("feed desk: a payload is unmapped, ")
    assert "Ada" not in line
    assert "5550" not in line
