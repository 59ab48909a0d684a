"""Workers that die: nothing is lost, nothing said twice, nothing invented."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from running import (
    HOUR,
    SECOND,
    START,
    Worker,
    all_committed,
    effects,
    event,
    now,
    publish,
    replayed,
    sent,
    substance,
    tick,
    until,
)

from stream.sla.effects import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.topics import Topics


def test_killed_again_and_again_in_mid_run_it_says_everything_once(broker: str, topics: Topics, tmp_path: Path) -> None:
    feed = []
    for number in range(3_000):
        ticket, at = f"desk/{number}", START + number * SECOND
        feed.append((ticket, event(ticket, "ticket.created", at, fields={"priority": "p1"}, actor="customer")))
        if number % 2:
            answered = event(ticket, "comment.added", at + HOUR // 2, actor="agent", public=True)
            feed.append((ticket, answered))
    feed.sort(key=lambda entry: entry[1].key)
    end = START + 100 * HOUR
    publish(broker, topics, [*(sent(ticket, what) for ticket, what in feed), *tick(end)])

    kills = 0
    while kills < 3:
        before = len(effects(broker, topics))
        with Worker(broker, topics, tmp_path, "--clock", "event", "--batch", "200") as worker:
            until(
                lambda before=before: len(effects(broker, topics)) > before or all_committed(broker, topics), "progress", worker
            )
        kills += 1
    with Worker(broker, topics, tmp_path, "--clock", "event") as worker:
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    said = Counter(substance(effect) for effect, _ in effects(broker, topics))

    assert said.keys() == replayed(tmp_path, feed, end)
    assert max(said.values()) == 1


def test_a_deadline_that_passed_while_no_worker_ran_is_said_by_the_next_one(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    at = now()
    with Worker(broker, topics, tmp_path).ready() as worker:
        created = event("desk/1", "ticket.created", at, fields={"priority": "quick"}, actor="customer")
        publish(broker, topics, [sent("desk/1", created)])
        until(lambda: all_committed(broker, topics), "the ticket is known", worker)
    with Worker(broker, topics, tmp_path) as worker:
        breaches = until(
            lambda: [effect for effect, _ in effects(broker, topics) if effect.kind is Kind.BREACHED], "a breach", worker
        )

    (breach,) = breaches
    assert breach.at == at + 4 * SECOND


def test_a_worker_that_was_down_invents_no_breach_whose_answer_is_already_in_the_log(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    with Worker(broker, topics, tmp_path).ready() as worker:
        at = now() + 8 * SECOND  # so that the deadline passes when the worker is dead for sure
        created = event("desk/1", "ticket.created", at, fields={"priority": "quick"}, actor="customer")
        publish(broker, topics, [sent("desk/1", created)._replace(partition=0)])
        until(lambda: all_committed(broker, topics), "the ticket is known", worker)
    # A breach that is real, and behind it in the same partition the answer because of which the other is none.
    never = event("desk/2", "ticket.created", at, fields={"priority": "quick"}, actor="customer")
    answered = event("desk/1", "comment.added", at + SECOND, actor="agent", public=True)
    publish(broker, topics, [s._replace(partition=0) for s in (sent("desk/2", never), sent("desk/1", answered))])
    until(lambda: now() > at + 5 * SECOND, "the deadlines have passed")
    with Worker(broker, topics, tmp_path) as worker:
        until(lambda: any(effect.kind is Kind.BREACHED for effect, _ in effects(broker, topics)), "the real breach", worker)
        worker.live()
        until(lambda: all_committed(broker, topics), "everything is processed", worker)

    said = [(effect.ticket, effect.kind) for effect, _ in effects(broker, topics)]

    assert ("desk/1", Kind.MET) in said
    assert [ticket for ticket, kind in said if kind is Kind.BREACHED] == ["desk/2"]
    assert Kind.BREACH_RETRACTED not in {kind for _, kind in said}
