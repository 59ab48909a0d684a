"""Whatever the bytes, ``decode`` answers; what it accepts keeps the JSON Schema; what we write it reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stream.sla.events import ACTOR_KINDS, EVENT_TYPES, STATUSES, Event, EventType
from stream.wire.decode import Rejected, Tick, decode
from stream.wire.effect import encode_event, encode_tick
from stream.wire.incoming import Incoming
from stream.wire.instants import END, FIRST
from stream.wire.ticket_fields import one_form
from tests.examples import examples

SCHEMAS = Path(__file__).parents[2] / "schemas"
SCHEMA = Draft202012Validator(json.loads((SCHEMAS / "ticket-event.v1.json").read_text()))
VALID = [json.loads(path.read_text()) for path in sorted((SCHEMAS / "examples/ticket-event/valid").iterdir())]

identifiers = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
texts = st.text(st.characters(codec="utf-8"), max_size=12).map(one_form)
instants = st.integers(FIRST, END - 1)
names = identifiers.map(one_form).filter(lambda name: name[0] != "@" and name not in {"status", "priority"})


@st.composite
def ticket_fields(draw: st.DrawFn) -> dict[str, str | list[str]]:
    fields: dict[str, str | list[str]] = draw(st.dictionaries(names, texts | st.lists(texts, max_size=3), max_size=4))
    known = {"status": st.sampled_from(STATUSES), "priority": texts, "tags": st.lists(texts, max_size=3) | st.just("")}
    for name in draw(st.sets(st.sampled_from(sorted(known)))):
        fields[name] = draw(known[name])
    return fields


@st.composite
def events(draw: st.DrawFn) -> Event:
    kind: EventType = draw(st.sampled_from(EVENT_TYPES))
    keys: dict[str, Any] = {}
    match kind:
        case "ticket.created":
            keys["fields"] = {"status": draw(st.sampled_from(STATUSES)), **draw(ticket_fields())}
        case "ticket.changed":
            keys["fields"] = draw(ticket_fields())
        case "comment.added":
            keys["public"] = draw(st.booleans())
        case "ticket.merged":
            keys["into"] = draw(identifiers) + "/other"
        case "dependency.started" | "dependency.ended":
            keys["party"] = one_form(draw(identifiers))
        case "extension.granted":
            keys = {"commitment": one_form(draw(identifiers)), "by": draw(st.sampled_from(["30m", "1h30m", "2bd4bh", "1mo"]))}
        case "resolution.accepted":
            keys["by"] = draw(st.sampled_from(["customer", "manager"]))
        case "escalation.requested":
            keys = {"level": draw(texts), "impact": draw(st.sampled_from(["", "production", "business_risk"]))}
        case "escalation.acknowledged" | "escalation.released":
            keys = {"level": draw(texts)}
    return Event(
        at=draw(instants),
        id=draw(identifiers),
        type=kind,
        source=draw(identifiers),
        seq=draw(st.integers(0, 2**63 - 1)),
        actor=draw(st.none() | st.sampled_from(ACTOR_KINDS)),
        **keys,
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
paths: list[tuple[str, ...]] = [(key,) for key in sorted({key for valid in VALID for key in valid})]
paths += [("fields", key) for key in ("status", "priority", "tags", "team", "@answered", "", "x" * 65)]
paths += [("actor", "kind"), ("actor", "id")]
times = st.from_regex(
    SCHEMA.schema["$defs"]["FeedTick"]["properties"]["at"]["pattern"], fullmatch=True, alphabet=st.characters(codec="ascii")
)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A valid example with a few of its keys set to something else, or gone."""
    event = json.loads(json.dumps(draw(st.sampled_from(VALID))))
    for path in draw(st.lists(st.sampled_from(paths), min_size=1, max_size=3)):
        place = event
        for key in path[:-1]:
            place = place.setdefault(key, {}) if isinstance(place, dict) else {}
        if not isinstance(place, dict):
            continue
        if draw(st.booleans()):
            place[path[-1]] = draw(times if path == ("at",) else json_values)
        else:
            place.pop(path[-1], None)
    return dict(event)


def check(value: bytes, key: bytes) -> None:
    found = decode(key, value, now=None)

    if isinstance(found, Rejected):
        assert found.message
    else:
        SCHEMA.validate(json.loads(value))
    if isinstance(found, Incoming):
        assert decode(key, encode_event(found.ticket, found.event), now=None) == found


@given(st.binary(max_size=200))
@example(b'{"type":"feed.tick","source":"s","at":"2026-03-02T12:00:00Z"}')
def test_any_bytes_get_an_answer(value: bytes) -> None:
    check(value, b"k")


@given(json_values)
def test_any_json_gets_an_answer(value: Any) -> None:
    check(json.dumps(value).encode(), b"k")


@settings(max_examples=examples(600))
@given(mutated())
def test_what_is_accepted_of_a_mutated_event_keeps_the_schema(event: dict[str, Any]) -> None:
    ticket = event.get("ticket")
    check(json.dumps(event).encode(), ticket.encode() if isinstance(ticket, str) else b"k")


@settings(max_examples=examples(400))
@given(st.sampled_from(VALID), st.data())
def test_a_record_with_damaged_bytes_gets_an_answer(event: dict[str, Any], data: st.DataObject) -> None:
    value = bytearray(json.dumps(event, ensure_ascii=False).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(value) - 1))
        value[start : start + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=3))
    check(bytes(value), event.get("ticket", "k").encode())


@given(identifiers, events())
def test_reading_an_event_gives_back_what_was_written(ticket: str, event: Event) -> None:
    assert decode(ticket.encode(), encode_event(ticket, event), now=None) == Incoming(ticket, event)


@given(identifiers, events())
def test_what_we_write_keeps_the_schema(ticket: str, event: Event) -> None:
    SCHEMA.validate(json.loads(encode_event(ticket, event)))


@given(identifiers, instants)
def test_reading_a_tick_gives_back_what_was_written(source: str, at: int) -> None:
    assert decode(b"any", encode_tick(source, at), now=None) == Tick(source, at)


raw_texts = st.text(st.sampled_from("ae@\u0301\u00e9\u212b\\/\n") | st.characters(codec="utf-8"), max_size=8)


@given(st.dictionaries(raw_texts, raw_texts, max_size=3))
@example({"cafe\u0301": "cafe\u0301", "team": "a"})
def test_a_text_that_is_escaped_is_the_same_text(fields: dict[str, str]) -> None:
    event = {"type": "ticket.changed", "id": "1", "source": "s", "ticket": "k", "at": "2026-03-02T12:00:00Z", "fields": fields}
    escaped, plain = (
        decode(b"k", json.dumps(event, ensure_ascii=ascii_only).encode(), now=None) for ascii_only in (True, False)
    )
    assert escaped == plain
    assert not isinstance(escaped, Incoming) or all(one_form(name) == name for name in escaped.event.fields)
