"""Encoding: the bytes and headers of effects, dead letters, events and ticks."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.feeds.rejected_payload import decode_record
from stream.sla.effects import Effect, Kind, ProvisionalReason, Reason
from stream.sla.events import Event
from stream.sla.policy.policy import LadderKind
from stream.wire.decode import Rejected, RejectReason, Tick, decode
from stream.wire.effect import (
    MAX_KEPT,
    DeadLetter,
    decode_effect,
    decode_rejected,
    effect_headers,
    encode_effect,
    encode_event,
    encode_rejected,
    encode_tick,
    encode_with_headers,
)
from stream.wire.incoming import Incoming
from stream.wire.instants import END, FIRST, NO_END, format_instant, parse_instant
from stream.wire.output_structs import WireEffect
from tests.effects import effect_of

DUE = parse_instant("2026-03-09T04:00:00Z")
BREACH = effect_of(
    Kind.BREACHED,
    id="518498c96a1c1b3eca53f6cb",
    at=DUE,
    detected_at=DUE + 41_250,
    ticket="desk/1",
    fields={"priority": "p2", "tags": ["b", "a"]},
    policy="priority-support",
    policy_version=3,
    reason=Reason.TIME_USED,
    cause="timer",
    commitment="first_response",
    due_at=DUE,
    elapsed=2_095_500_000,
    target=144_000_000_000,
    calendar="office",
    timezone="Asia/Kolkata",
)

texts = st.text(st.characters(codec="utf-8"), max_size=20)
instants = st.integers(FIRST, END - 1)
deadlines = st.integers(FIRST, NO_END - 1)
lengths = st.integers(0, END)
EVERY_KEY: dict[str, st.SearchStrategy[Any]] = {
    "id": texts,
    "kind": st.sampled_from(Kind),
    "at": instants,
    "detected_at": instants,
    "ticket": texts,
    "fields": st.dictionaries(texts, texts | st.lists(texts, max_size=3), max_size=4),
    "policy": texts,
    "policy_version": st.integers(0, 1000),
    "reason": st.sampled_from(Reason),
    "cause": texts,
    "commitment": texts,
    "ladder": texts,
    "escalation_kind": st.none() | st.sampled_from(LadderKind),
    "level": texts,
    "assign_to": texts,
    "notify": st.lists(texts, max_size=3).map(tuple),
    "owner": texts,
    "cycle": st.integers(1, 1000),
    "due_at": st.none() | deadlines,
    "elapsed": lengths,
    "paused": lengths,
    "target": st.none() | lengths,
    "calendar": texts,
    "timezone": texts,
    "page": st.booleans(),
    "late": st.booleans(),
    "deployment": st.none() | st.integers(0, 1_000_000),
    "provisional": st.booleans(),
    "provisional_reason": st.none() | st.sampled_from(ProvisionalReason),
    "retracts": texts,
    "retracts_kind": st.none() | st.sampled_from(Kind),
    "retracts_reason": st.none() | st.sampled_from(Reason),
    "allowed_from": st.none() | deadlines,
}
effects = st.builds(Effect, **EVERY_KEY)


ON_THE_WIRE = {
    "kind": "type",
    "elapsed": "elapsed_seconds",
    "paused": "paused_seconds",
    "target": "target_seconds",
    "retracts_kind": "retracts_type",
}
"""Fields of an effect that have another name on the wire."""


def test_an_effect_has_a_field_for_each_wire_key_in_their_order() -> None:
    of_the_ticket = {"fields"}  # before those of a retraction, and last on the wire
    names = [ON_THE_WIRE.get(name, name) for name in Effect.__struct_fields__]

    assert set(names) == set(WireEffect.__struct_fields__)
    assert [name for name in names if name not in of_the_ticket] == [
        name for name in WireEffect.__struct_fields__ if name not in of_the_ticket
    ]


def test_an_effect_is_flat_json_with_times_in_utc_and_durations_in_seconds() -> None:
    assert json.loads(encode_effect(BREACH)) == {
        "id": "518498c96a1c1b3eca53f6cb",
        "type": "commitment.breached",
        "at": "2026-03-09T04:00:00Z",
        "detected_at": "2026-03-09T04:00:00.04125Z",
        "ticket": "desk/1",
        "policy": "priority-support",
        "policy_version": 3,
        "commitment": "first_response",
        "cycle": 1,
        "reason": "time_used",
        "cause": "timer",
        "due_at": "2026-03-09T04:00:00Z",
        "elapsed_seconds": 2095.5,
        "paused_seconds": 0,
        "target_seconds": 144000,
        "calendar": "office",
        "timezone": "Asia/Kolkata",
        "late": False,
        "fields": {"priority": "p2", "tags": ["b", "a"]},
    }


def test_whole_seconds_are_encoded_as_integers() -> None:
    assert b'"target_seconds":144000,' in encode_effect(BREACH)


def test_the_bytes_of_an_effect_do_not_depend_on_the_order_in_which_its_fields_were_set() -> None:
    one = msgspec.structs.replace(BREACH, fields={"a": "1", "b": "2"})
    other = msgspec.structs.replace(BREACH, fields={"b": "2", "a": "1"})

    assert encode_effect(one) == encode_effect(other)


def test_these_tests_vary_every_field_of_an_effect() -> None:
    assert set(EVERY_KEY) == set(Effect.__struct_fields__)


@given(effects)
def test_decoding_an_encoded_effect_returns_the_effect(effect: Effect) -> None:
    assert decode_effect(encode_effect(effect)) == effect


def seconds(micros: int | None) -> int | float | None:
    return None if micros is None else micros // 1_000_000 if micros % 1_000_000 == 0 else micros / 1_000_000


def text(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)


@given(effects)
def test_the_bytes_of_an_effect_are_those_that_msgspec_writes_of_the_struct(effect: Effect) -> None:
    values = {ON_THE_WIRE.get(name, name): value for name, value in msgspec.structs.asdict(effect).items()}
    values |= {name: text(values[name]) for name in ("at", "detected_at", "due_at", "allowed_from")}
    values |= {name: seconds(values[name]) for name in ("elapsed_seconds", "paused_seconds", "target_seconds")}

    assert encode_effect(effect) == msgspec.json.encode(WireEffect(**values), order="deterministic")


@given(st.integers(0, END))
def test_a_duration_is_exact_to_the_microsecond(length: int) -> None:
    assert decode_effect(encode_effect(msgspec.structs.replace(BREACH, elapsed=length))).elapsed == length


def test_headers_are_cloudevents_attributes_in_binary_mode() -> None:
    assert effect_headers(BREACH, b"/breachwatch/eu") == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"518498c96a1c1b3eca53f6cb"),
        ("ce_type", b"breachwatch.commitment.breached"),
        ("ce_source", b"/breachwatch/eu"),
        ("ce_time", b"2026-03-09T04:00:00Z"),
        ("content-type", b"application/json"),
    ]


@given(effects, st.binary())
def test_value_and_headers_are_the_same_when_they_are_made_together(effect: Effect, source: bytes) -> None:
    assert encode_with_headers(effect, ("ce_source", source)) == (encode_effect(effect), effect_headers(effect, source))


@given(
    st.builds(Rejected, st.sampled_from(RejectReason), texts, texts),
    st.none() | st.binary(),
    st.none() | st.binary(),
    instants,
)
def test_a_dead_letter_returns_the_original_bytes(rejected: Rejected, key: bytes | None, value: bytes | None, at: int) -> None:
    written = encode_rejected(DeadLetter(rejected, key, value, "ticket-events", 3, 9, at))

    assert decode_rejected(written) == DeadLetter(rejected, key, value, "ticket-events", 3, 9, at)


def test_the_dead_letter_of_a_huge_record_fits_a_kafka_message_and_has_the_length_of_the_value() -> None:
    value = bytes(range(256)) * 8192
    rejected = Rejected(RejectReason.TOO_LARGE, "too long", "")
    written = encode_rejected(DeadLetter(rejected, b"k" * 100_000, value, "t", 0, 0, DUE))

    assert len(written) < 1_000_000
    assert decode_rejected(written).value == value[:MAX_KEPT]
    assert json.loads(written)["value_bytes"] == len(value)


NESTED = b'{"more":' + 5_000 * b"[" + 5_000 * b"]" + b"}"


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", encode_effect(BREACH)[:-1], b'{"id":"\xff"}', NESTED])
def test_bytes_that_are_not_an_effect_raise_an_error(value: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_effect(value)


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b'{"reason":"\xff"}', NESTED])
def test_bytes_that_are_not_a_dead_letter_raise_an_error(value: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_rejected(value)
    with pytest.raises(msgspec.DecodeError):
        decode_record(value)


def test_an_encoded_event_omits_empty_keys() -> None:
    event = Event(at=DUE, id="e1", type="ticket.deleted", source="desk")

    assert json.loads(encode_event("desk/1", event)) == {
        "type": "ticket.deleted",
        "id": "e1",
        "source": "desk",
        "ticket": "desk/1",
        "at": "2026-03-09T04:00:00Z",
    }


def test_a_private_comment_is_encoded_as_private() -> None:
    event = Event(at=DUE, id="e1", type="comment.added", source="desk", actor="agent")

    assert json.loads(encode_event("desk/1", event))["public"] is False
    assert decode(b"desk/1", encode_event("desk/1", event), now=None) == Incoming("desk/1", event)


def test_decoding_an_encoded_tick_returns_the_tick() -> None:
    assert decode(None, encode_tick("desk", DUE), now=None) == Tick("desk", DUE)
