"""A worker that dies at each step of a unit of work: effects and dead letters exactly once, and correct tickets."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from stream.language.policies import load
from stream.runtime.failpoint import STEPS
from stream.sla.codec import codec
from stream.sla.effects import Kind
from stream.sla.engine import Engine
from stream.sla.playback import Playback
from tests.broker.running import (
    HOUR,
    PATIENCE,
    SECOND,
    START,
    Sent,
    Worker,
    all_committed,
    dead_letters,
    effects,
    event,
    now,
    publish,
    replayed,
    restored,
    sent,
    substance,
    tick,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics
    from stream.sla.ticket.state import State


@pytest.mark.parametrize("step", STEPS)
def test_dying_at_any_step_of_a_unit_of_work_changes_neither_effects_nor_tickets(
    broker: str, topics: Topics, tmp_path: Path, step: str
) -> None:
    feed = []
    for number in range(120):
        ticket, at = f"desk/{number}", START + number * SECOND
        feed.append((ticket, event(ticket, "ticket.created", at, fields={"priority": "p1"}, actor="customer")))
        if number % 2:
            feed.append((ticket, event(ticket, "comment.added", at + HOUR // 4, actor="agent", public=True)))
        if number % 6 < 2:
            feed.append((ticket, event(ticket, "ticket.erased", at + HOUR // 3)))
            feed.append((ticket, event(ticket, "ticket.created", at + HOUR // 2, fields={"priority": "p1"}, actor="customer")))
    feed.sort(key=lambda entry: entry[1].key)
    end = START + 100 * HOUR
    bad = [Sent(b"desk/%d" % number, b"?") for number in range(20)]
    records = [*(sent(*entry) for entry in feed[:90]), *bad, *(sent(*entry) for entry in feed[90:]), *tick(end)]
    for first in range(0, len(records), 20):  # a fetch ends with a batch of the producer
        publish(broker, topics, records[first : first + 20])

    flags = ("--clock", "event", "--batch", "20", "--commit-interval", "1m")
    for time in ("1", "6"):
        with Worker(broker, topics, tmp_path, *flags, failpoint=f"{step}:{time}") as worker:
            assert worker.process.wait(60) == 137
    with Worker(broker, topics, tmp_path, "--clock", "event") as worker:
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    found = Counter(substance(effect) for effect, _ in effects(broker, topics))
    assert found == dict.fromkeys(replayed(tmp_path, feed, end), 1)
    assert len(dead_letters(broker, topics)) == len(bad)
    playback = Playback(Engine(load([tmp_path / "policy.yaml"])))
    for ticket, what in feed:
        list(playback.event(ticket, what))
    list(playback.tick(end))
    store = restored(broker, topics)
    states = {key.decode(): codec.decode(value) for number in range(4) for key, value in store.of(number).items()}
    assert {ticket: _known(state) for ticket, state in states.items()} == {
        ticket: _known(state) for ticket, state in playback.states.items()
    }


def _known(state: State) -> object:
    head = state.head
    return head.last, head.next, {name: commitment_state.parts() for name, commitment_state in head.commitments.items()}


def test_an_event_from_before_a_deadline_retracts_the_breach_of_a_dying_worker(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    at = now()
    created = event("desk/1", "ticket.created", at, fields={"priority": "quick"}, actor="customer")
    answered = event("desk/1", "comment.added", at + SECOND, actor="agent", public=True)
    # The first effect is the start and the second the breach, after which the ticket is not written.
    with Worker(broker, topics, tmp_path, failpoint="after_outputs:2").ready() as worker:
        publish(broker, topics, [sent("desk/1", created)])
        assert worker.process.wait(PATIENCE) == 137
    publish(broker, topics, [sent("desk/1", answered)])
    with Worker(broker, topics, tmp_path) as worker:
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    found = [effect for effect, _ in effects(broker, topics) if effect.commitment == "first_response"]
    breach = next(effect for effect in found if effect.kind is Kind.BREACHED)
    assert [effect.kind for effect in found] == [Kind.STARTED, Kind.BREACHED, Kind.BREACH_RETRACTED, Kind.MET]
    assert [effect.retracts for effect in found if effect.kind is Kind.BREACH_RETRACTED] == [breach.id]


def test_no_dead_letter_since_the_last_commit_is_repeated(broker: str, topics: Topics, tmp_path: Path) -> None:
    bad = [Sent(b"desk/1", b"?", 0)] * 11_000
    publish(broker, topics, bad)

    flags = ("--commit-interval", "1m", "--batch", "2000")
    with Worker(broker, topics, tmp_path, *flags, failpoint="after_outputs:5") as worker:
        assert worker.process.wait(PATIENCE) == 137
    # Of five units of work, none of which is committed. They are small on a busy machine, because a unit ends in time.
    assert len(dead_letters(broker, topics)) > 1_000
    with Worker(broker, topics, tmp_path) as worker:
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    assert sorted(dead_letter.offset for dead_letter in dead_letters(broker, topics)) == list(range(len(bad)))
