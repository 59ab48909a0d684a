"""A history keeps of its events whatever they state."""

from __future__ import annotations

from itertools import product
from typing import Final

import pytest

from stream.sla.events import ACTOR_KINDS, ATTRIBUTES, EVENT_TYPES, Event
from stream.sla.ticket.history import packed

PLAIN: Final = Event(at=1_763_000_000_000_000, id="e-1", type="comment.added", source="desk")
OTHERS: Final[dict[str, object]] = {
    "at": 1_763_000_000_000_001,
    "id": "e-2",
    "type": "ticket.changed",
    "source": "chat",
    "seq": 3,
    "actor": "agent",
    "fields": {"status": "open"},
    "public": True,
    "arrived": 1_763_000_000_000_007,
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_each_attribute_of_an_event_comes_back(name: str) -> None:
    event = PLAIN.replace(**{name: OTHERS.get(name, "customer")})

    assert event != PLAIN
    assert packed([PLAIN, event, PLAIN]).events == [PLAIN, event, PLAIN]


def test_each_type_actor_and_visibility_comes_back() -> None:
    kinds = product(EVENT_TYPES, (None, *ACTOR_KINDS), (False, True))
    events = [
        Event(at, f"e-{at}", type_, "desk", actor=actor, public=public) for at, (type_, actor, public) in enumerate(kinds)
    ]

    assert packed(events).events == events


def test_an_id_that_no_event_has_is_not_looked_for() -> None:
    history = packed([PLAIN])

    assert history.may_know("e-1")
    assert not history.may_know("e-2")
