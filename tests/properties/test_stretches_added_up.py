"""Adding up the stretches before the kept history changes no effect, whatever the events and their order."""

from __future__ import annotations

import random

import pytest

from stream.language.policies import load
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.ticket import stopwatch
from tests.examples import examples

SECOND = 1_000_000
CONTRACTS = {"botpenguin": "botpenguin", "baar": "baar", "batoi": "priority-support"}


def life(seed: int, contract: str) -> list[tuple[Event, int]]:
    """Events with the instants at which they arrive; some are late."""
    draw, at, found = random.Random(seed), 1_790_000_000 * SECOND, []
    begin: dict[str, str | list[str]] = {"priority": "p1", "category": "high", "contract": contract, "sender": "registered"}
    found.append((Event(at, "e0", "ticket.created", "d", fields=begin), at))
    for number in range(1, 120):
        at += draw.choice([1, 60, 3_600, 20_000, 90_000]) * SECOND
        when = at - draw.choice([1, 100]) * SECOND if number > 5 and draw.random() < 0.1 else at
        kind, actor = draw.random(), draw.choice(["agent", "customer"])
        if kind < 0.6:
            fields = {"status": draw.choice(["open", "open", "pending", "solved", "on_hold"])}
        elif kind < 0.7:
            fields = {"priority": draw.choice(["p1", "p2", "p3"]), "category": draw.choice(["critical", "high", "low"])}
        else:
            deleted = kind < 0.75
            type_ = "ticket.deleted" if deleted else "comment.added"
            found.append((Event(when, f"e{number}", type_, "d", 0, actor, public=not deleted and draw.random() < 0.7), at))  # type: ignore[arg-type]
            continue
        found.append((Event(when, f"e{number}", "ticket.changed", "d", 0, actor, fields), at))  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("policies", CONTRACTS)
@pytest.mark.parametrize("seed", range(examples(10)))
def test_effects_are_those_of_the_whole_history(monkeypatch: pytest.MonkeyPatch, policies: str, seed: int) -> None:
    monkeypatch.setattr(stopwatch, "MOST_STRETCHES", 1)
    cut, whole = Engine(load([policies]), history=6), Engine(load([policies]), history=10_000)
    state, all_of_it = None, None
    for event, arrival in life(seed, CONTRACTS[policies]):
        one, other = cut.apply(state, "d/1", event, arrival), whole.apply(all_of_it, "d/1", event, arrival)
        if one.outcome is not other.outcome:
            return  # older than what one of them keeps
        state, all_of_it = one.state, other.state
        assert one.effects == other.effects
    assert state is not None
    assert all_of_it is not None
    later = 1_900_000_000 * SECOND
    assert cut.wake(state, later).effects == whole.wake(all_of_it, later).effects
