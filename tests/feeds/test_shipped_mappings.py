"""Every shipped mapping gives the expected events of its payloads, and no personal data."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from stream.feeds.mapping import load, shipped
from stream.feeds.reading import read
from stream.feeds.signature import Refusal, SignedRequest, verify
from stream.wire.decode import read as decode
from stream.wire.incoming import Incoming
from tests.feeds.recorded import FOLDER, RECEIVED, SYSTEMS, expected, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.feeds.reading import Reading

SIGNED = [system for system in SYSTEMS if (FOLDER / system / "secret.txt").exists()]
PERSONAL = re.compile(
    r"(first|last|full|display|real|user)_?name|e?mail|phone|login|body|content|comment|notes?|subject|title|description|text"
    r"|address|avatar|bio|signature|message|resolution|summary",
    re.IGNORECASE,
)
"""Keys of payloads with personal data or free text."""


def readings(system: str) -> list[Reading]:
    mapping = load(system)
    return [read(mapping, payload.payload, payload.headers, RECEIVED) for payload in recorded(system)]


def personal(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from personal(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from personal(inner, key)
    elif isinstance(value, str) and len(value) > 3 and (PERSONAL.search(key) or "@" in value):
        yield value


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)
    else:
        yield str(value)


def test_every_shipped_mapping_has_payloads() -> None:
    assert shipped() == SYSTEMS


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_payloads_give_the_expected_events(system: str) -> None:
    found = readings(system)

    assert [str(reading.unmapped) for reading in found if reading.unmapped] == []
    assert [json.loads(event.value) for reading in found for event in reading.events] == expected(system)


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_event_comes_late_for_another_one_of_its_payload(system: str) -> None:
    for reading in readings(system):
        keys = [found.event.key for event in reading.events for found in [decode(event.value)] if isinstance(found, Incoming)]
        assert keys == sorted(keys)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_same_payload_gives_the_same_bytes(system: str) -> None:
    assert readings(system) == readings(system)


@pytest.mark.parametrize("system", SYSTEMS)
def test_no_event_has_personal_data_or_free_text_of_its_payload(system: str) -> None:
    mapping = load(system)
    for payload in recorded(system):
        avoid = set(personal(payload.payload))
        for event in read(mapping, payload.payload, payload.headers, RECEIVED).events:
            shared = avoid & set(texts(json.loads(event.value)))
            assert not shared, f"{payload.name}: {shared}"
            assert b"@" not in event.value


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_mapping_states_how_its_helpdesk_is_signed_and_hands_over_payloads(system: str) -> None:
    mapping = load(system)

    assert mapping.title
    assert mapping.delivery
    assert mapping.signature is not None or "push" not in mapping.delivery


@pytest.mark.parametrize("system", SIGNED)
def test_the_recorded_signatures_are_good_and_another_body_or_secret_is_refused(system: str) -> None:
    scheme = load(system).signature
    assert scheme is not None
    secret = (FOLDER / system / "secret.txt").read_bytes().strip()
    for payload in recorded(system):
        signed_at = int(payload.headers.get("webhook-timestamp", 0)) * 1_000_000
        request = SignedRequest(payload.raw, payload.headers)

        assert verify(scheme, request, [b"whsec_b3RoZXI=", secret], signed_at) is None
        assert verify(scheme, request, [b"whsec_b3RoZXI="], signed_at) == Refusal.WRONG
        changed = SignedRequest(payload.raw + b" ", payload.headers)
        assert verify(scheme, changed, [secret], signed_at) == Refusal.WRONG
