"""Every example under schemas/examples: the schema and the code must agree on it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from schemas.build import build, text
from stream.feeds.rejected_payload import decode_record, encode_record
from stream.sla.effects import Kind
from stream.sla.events import ERASURE, EVENT_TYPES
from stream.wire.decode import Rejected, RejectReason, Tick, decode
from stream.wire.effect import decode_effect, decode_rejected, encode_effect, encode_rejected
from stream.wire.incoming import Incoming
from stream.wire.instants import parse_instant

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "schemas" / "examples"
OBVIOUS = {"partition", "offset", "actor", "kind", "type"}
"""Keys of which the name, or the description of the struct, suffices."""
CONTRACTS = ("ticket-event", "sla-effect", "rejected-event", "feed-rejected")
NOW = parse_instant("2026-03-10T00:00:00Z")


def schema(contract: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((ROOT / "schemas" / f"{contract}.v1.json").read_text()))


def examples(contract: str, kind: str) -> list[Any]:
    found = sorted((EXAMPLES / contract / kind).iterdir())
    assert found
    return [pytest.param(path, id=path.name) for path in found]


def decoded(path: Path) -> Incoming | Tick | Rejected:
    """As the record with the ticket for its key; the .json files are for people, with line breaks."""
    value = path.read_bytes()
    data = json.loads(value) if path.suffix == ".json" else None
    key = data.get("ticket", "") if isinstance(data, dict) else ""
    return decode(key.encode(), value, now=NOW)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_schema_is_itself_a_valid_schema(contract: str) -> None:
    Draft202012Validator.check_schema(schema(contract).schema)


@pytest.mark.parametrize("name", build())
def test_a_schema_follows_from_the_structs(name: str) -> None:
    assert (ROOT / "schemas" / name).read_text("utf-8") == text(build()[name]), "run `make schemas`"


def test_every_contract_that_is_generated_is_tested_here() -> None:
    assert set(build()) == {f"{contract}.v1.json" for contract in CONTRACTS}


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_key_of_a_schema_is_described_where_it_is_not_obvious(contract: str) -> None:
    whole = schema(contract).schema
    bare = [
        name
        for part in (whole, *whole["$defs"].values())
        for name, part_schema in part.get("properties", {}).items()
        if "description" not in part_schema and name not in OBVIOUS
    ]

    assert bare == []


@pytest.mark.parametrize("contract", CONTRACTS)
def test_no_description_speaks_of_the_code(contract: str) -> None:
    assert "``" not in json.dumps(schema(contract).schema)


@pytest.mark.parametrize("path", [p for contract in CONTRACTS for p in examples(contract, "valid")])
def test_the_schema_accepts_a_valid_example(path: Path) -> None:
    schema(path.parents[1].name).validate(json.loads(path.read_text()))


def breaking_the_contract(contract: str) -> list[Any]:
    """Not those that are no JSON, nor the sound event whose time only a clock can refuse."""
    return [p for p in examples(contract, "invalid") if p.id.endswith((".invalid.json", ".undecodable.json"))]


@pytest.mark.parametrize("path", [p for contract in CONTRACTS for p in breaking_the_contract(contract)])
def test_the_schema_refuses_an_example_that_breaks_the_contract(path: Path) -> None:
    assert not schema(path.parents[1].name).is_valid(json.loads(path.read_text()))


@pytest.mark.parametrize("path", examples("ticket-event", "valid"))
def test_decode_accepts_a_valid_ticket_event(path: Path) -> None:
    assert isinstance(decoded(path), Incoming | Tick)


@pytest.mark.parametrize("path", examples("ticket-event", "invalid"))
def test_decode_refuses_an_invalid_ticket_event_for_the_reason_in_its_name(path: Path) -> None:
    refused = decoded(path)

    assert isinstance(refused, Rejected)
    assert refused.reason == path.name.split(".")[-2]
    assert refused.message
    assert refused.path.startswith("$.") or refused.reason is RejectReason.UNDECODABLE


@pytest.mark.parametrize("path", examples("sla-effect", "valid"))
def test_an_effect_read_and_written_again_is_the_same_json(path: Path) -> None:
    written = json.loads(path.read_text())
    effect = decode_effect(path.read_bytes())

    assert list(json.loads(encode_effect(effect)).items()) == list(written.items())
    assert decode_effect(encode_effect(effect)) == effect


@pytest.mark.parametrize("path", examples("rejected-event", "valid"))
def test_a_dead_letter_read_and_written_again_is_the_same_json(path: Path) -> None:
    written = json.loads(path.read_text())
    dead_letter = decode_rejected(path.read_bytes())
    again = json.loads(encode_rejected(dead_letter))

    assert again == {name: value for name, value in written.items() if name != "value_bytes"}


@pytest.mark.parametrize("path", examples("feed-rejected", "valid"))
def test_a_record_of_feed_rejected_read_and_written_again_is_the_same_json(path: Path) -> None:
    written = json.loads(path.read_text())

    assert json.loads(encode_record(decode_record(path.read_bytes()))) == written


@pytest.mark.parametrize("path", examples("feed-rejected", "invalid"))
def test_a_record_of_feed_rejected_that_breaks_the_contract_is_refused(path: Path) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_record(path.read_bytes())


def test_there_is_a_valid_example_of_every_event_type() -> None:
    shown = {json.loads(path.read_text())["type"] for path in (EXAMPLES / "ticket-event" / "valid").iterdir()}

    assert shown == {*EVENT_TYPES, ERASURE, "feed.tick"}


def test_there_is_a_valid_example_of_every_kind_of_effect() -> None:
    shown = {json.loads(path.read_text())["type"] for path in (EXAMPLES / "sla-effect" / "valid").iterdir()}

    assert shown == set(Kind)


def test_there_is_a_valid_example_of_a_dead_letter_for_every_reason() -> None:
    shown = {json.loads(path.read_text())["reason"] for path in (EXAMPLES / "rejected-event" / "valid").iterdir()}

    assert shown == set(RejectReason)


@pytest.mark.parametrize("name", ["time-without-zone", "unknown-type", "unknown-reason", "seconds-as-text"])
def test_decode_effect_refuses_what_no_effect_can_be(name: str) -> None:
    with pytest.raises((msgspec.ValidationError, ValueError)):
        decode_effect((EXAMPLES / "sla-effect" / "invalid" / f"{name}.invalid.json").read_bytes())


def test_the_examples_shown_in_the_documentation_are_the_files() -> None:
    page = (ROOT / "docs/reference/events.md").read_text()
    shown = re.findall(r"\]\(\.\./\.\./(schemas/examples/[^)]+\.json)\)[^\n]*\n\n```json\n(.*?)```", page, flags=re.DOTALL)

    assert len(shown) == page.count("```json")
    assert [path for path, text in shown if (ROOT / path).read_text() != text] == []


def test_the_format_of_an_instant_is_checked() -> None:
    """It is not without the package that checks it."""
    instant = Draft202012Validator({"format": "date-time"}, format_checker=Draft202012Validator.FORMAT_CHECKER)

    assert instant.is_valid("2026-11-30T10:00:00Z")
    assert not instant.is_valid("yesterday")
