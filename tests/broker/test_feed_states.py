"""A feed lags: what its tickets conclude is provisional, over the death of the worker, until the feed is complete again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.effects import Kind
from stream.sla.feed_state import FeedState
from stream.wire.effect import encode_tick
from tests.broker.running import HOUR, START, Sent, Worker, all_committed, effects, event, publish, sent, until

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics
    from stream.sla.effects import Effect


def ticks(source: str, at: int, state: FeedState | None = None) -> list[Sent]:
    return [Sent(None, encode_tick(source, at, state), partition) for partition in range(4)]


def test_breaches_of_a_lagging_feed_are_provisional_over_a_takeover_and_then_confirmed_or_taken_back(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    created = [
        sent(name, event(name, "ticket.created", START, fields={"priority": "p1"}, actor="customer")) for name in ("t/1", "t/2")
    ]
    source = "desk"  # of the events of tests.broker.running
    with Worker(broker, topics, tmp_path, "--clock", "event").ready() as worker:
        publish(broker, topics, [*created, *ticks(source, START, FeedState.LAGGING), *ticks("other", START + 100 * HOUR)])
        until(lambda: all_committed(broker, topics), "both are breached", worker)
        until(lambda: 'sla_feed_waiting_tickets{source="desk"} 2.0' in worker.page("metrics"), "both wait", worker)
        assert 'sla_feed_state{feed_state="lagging",source="desk"} 1.0' in worker.page("metrics")
        assert "lagging: breaches are provisional" in worker.page("")
        worker.kill()
    first = [effect for effect, _ in effects(broker, topics) if effect.kind is Kind.BREACHED]
    assert {effect.ticket for effect in first} == {"t/1", "t/2"}
    assert {effect.provisional_reason for effect in first} == {"feed_lagging"}
    answer = sent("t/2", event("t/2", "comment.added", START + 1, actor="agent", public=True))
    with Worker(broker, topics, tmp_path, "--clock", "event").ready() as worker:
        publish(broker, topics, [answer, *ticks(source, START + 100 * HOUR, FeedState.COMPLETE)])
        until(lambda: all_committed(broker, topics), "the feed is complete", worker)
        until(lambda: 'sla_feed_waiting_tickets{source="desk"} 0.0' in worker.page("metrics"), "nothing waits", worker)
    lasting: dict[str, Effect] = {}
    for effect, _ in effects(broker, topics):
        if effect.retracts:
            del lasting[effect.retracts]
        else:
            lasting[effect.id] = effect
    answered = {effect.ticket for effect in lasting.values() if effect.kind is Kind.MET}
    breached = [(effect.ticket, effect.provisional, effect.late) for effect in lasting.values() if effect.kind is Kind.BREACHED]
    assert "t/2" in answered
    assert ("t/1", False, False) in breached
    assert not any(provisional for _, provisional, _ in breached)
