"""No sequence of events of the contract makes a changelog record or an effect that Kafka refuses by default."""

from __future__ import annotations

import random

import pytest

from stream.language.policies import load
from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.events import EVENT_TYPES, Event
from stream.sla.ticket.bounds import MOST_EFFECT, MOST_STATE
from stream.wire.effect import encode_effect
from tests.examples import examples

SECOND = 1_000_000
START = 1_800_000_000 * SECOND


@pytest.mark.parametrize("policies", ["botpenguin", "baar"])
@pytest.mark.parametrize("seed", range(examples(2)))
def test_no_events_of_the_contract_make_a_record_that_kafka_refuses(policies: str, seed: int) -> None:
    draw, engine, state = random.Random(seed), Engine(load([policies]), keep=None), None

    def text(most: int) -> str:
        return draw.choice(["x", "ü", "\u0001", "😀", '"'])[:1] * draw.choice([1, most // 2, most])

    def one(number: int) -> Event:
        type_ = draw.choice(["ticket.changed", "ticket.changed", *EVENT_TYPES])
        fields: dict[str, str | list[str]] = {}
        if type_ in ("ticket.created", "ticket.changed"):
            fields = {text(20) + str(draw.randrange(10_000)): text(1024) for _ in range(draw.randrange(63))}
            fields["status"] = draw.choice(["new", "open", "pending", "on_hold", "solved", "closed"])
            if draw.random() < 0.3:
                fields["tags"] = [text(1024) for _ in range(draw.randrange(256))]
        return Event(
            START + draw.choice([number, number, number - 40]) * SECOND,
            f"{number}" + text(240),
            type_,
            draw.choice(["desk", text(256)]),
            draw.choice([0, 2**63 - 1]),
            draw.choice([None, "customer", "agent"]),
            fields,
            public=draw.random() < 0.5,
            party=f"{draw.randrange(300)}" + text(250) if type_.startswith("dependency") else "",
            commitment=draw.choice(["resolution", text(256)]) if type_ == "extension.granted" else "",
            by=draw.choice(["36500d", "1h"]) if type_ == "extension.granted" else "",
            level=draw.choice(["lead", text(256)]) if type_.startswith("escalation") else "",
            into="desk/2" if type_ == "ticket.merged" else "",
        )

    for number in range(500):
        step = engine.apply(state, "desk/1", one(number), START)
        state = step.state
        assert len(codec.encode(state)) <= MOST_STATE
        for effect in step.effects:
            assert len(encode_effect(effect)) <= MOST_EFFECT
