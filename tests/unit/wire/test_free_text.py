"""Free text that people wrote about a ticket reaches neither a stored state nor any output of breachwatch."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import msgspec

from stream.language.policies import load, shipped
from stream.notify.message import Status, Writer
from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.events import ATTRIBUTES, ERASURE, EVENT_TYPES
from stream.sla.explain.explain import explain_state
from stream.wire.decode import decode
from stream.wire.effect import encode_effect
from stream.wire.explanation import encode_explanation
from stream.wire.incoming import Incoming
from stream.wire.ticket_event import FeedTick, Wire
from stream.writeback.record import TicketRecord
from stream.writeback.record import encode as encode_record
from stream.writeback.values import values
from tests.free_text import NAME, PHONE, TYPES, payloads

if TYPE_CHECKING:
    from stream.sla.effects import Effect


def test_the_payloads_cover_every_event_type() -> None:
    assert sorted(TYPES) == sorted([*EVENT_TYPES, ERASURE])


def test_no_free_text_of_any_event_type_is_kept_or_shown() -> None:
    policies = load([shipped("starter")])
    engine, state, shown = Engine(policies), None, []
    effects: list[Effect] = []
    for payload in payloads("desk/1", "2026-03-02T09:00:00Z"):
        assert NAME.encode() in payload
        assert PHONE.encode() in payload
        incoming = decode(b"desk/1", payload, now=None, max_ahead=0)
        assert isinstance(incoming, Incoming)
        step = engine.apply(state, incoming.ticket, incoming.event, incoming.event.at)
        state = step.state
        effects += step.effects
        shown += [codec.encode(state), *map(encode_effect, step.effects)]
        shown.append(encode_explanation(explain_state(policies, state)))

    writer, record = Writer(None, "https://desk.example/{number}"), TicketRecord()
    for number, effect in enumerate(effects):
        message = writer.message(effect, Status.NEWS)
        shown += [f"{message.title}{message.body}".encode(), writer.digest(effect).encode()]
        record.take(effect, "sla-breaches/0", number)
        shown += [encode_record(record), str(values(record)).encode()]

    assert len(effects) > 5
    assert len(shown) > 2 * len(TYPES) + 4 * len(effects) - 1
    for text in (NAME, PHONE, "Ada", "5550"):
        assert [found for found in shown if text.encode() in found] == []


IDENTIFIERS = {"id", "source", "ticket", "into", "party", "commitment", "level"}
"""Keys that name something. The contract keeps them, and ``fields``, which policies use."""
CLOSED = {"type", "at", "seq", "actor", "public", "by", "impact"}
"""Keys with a grammar or a list of values, which cannot hold a sentence."""
FREE = {"reason"}


def test_every_key_of_an_event_is_an_identifier_a_closed_value_or_free_text_that_is_dropped() -> None:
    types = [struct for struct in get_args(Wire) if struct is not FeedTick]
    keys = {field.encode_name for struct in types for field in msgspec.structs.fields(struct)} | {"type"}

    assert keys == IDENTIFIERS | CLOSED | FREE | {"fields"}
    assert FREE.isdisjoint(ATTRIBUTES)
