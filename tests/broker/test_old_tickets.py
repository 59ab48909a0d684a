"""Tickets of last year on a worker that is live: their effects are late, taken back by nothing, and nobody's delay."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from stream.sla.effects import Kind
from tests.broker.running import (
    HOUR,
    SECOND,
    Emitted,
    Sent,
    Worker,
    all_committed,
    effects,
    event,
    now,
    publish,
    sent,
    tick,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics
    from stream.sla.events import Event

DAY = 24 * HOUR
QUICKLY = ("--settling", "3s")


def history(ticket: str, at: int) -> list[Event]:
    """Answered after ten minutes, which is in time; solved after two days, which is not."""
    return [
        event(ticket, "ticket.created", at, fields={"priority": "p1"}, actor="customer"),
        event(ticket, "comment.added", at + HOUR // 6, actor="agent", public=True),
        event(ticket, "ticket.changed", at + 2 * DAY, fields={"status": "solved"}, actor="agent"),
        event(ticket, "ticket.changed", at + 9 * DAY, fields={"status": "closed"}, actor="system"),
    ]


def of_ticket(found: list[Emitted], ticket: str) -> list[str]:
    """``"type commitment"`` of its effects that are not routine."""
    return [f"{e.kind} {e.ladder or e.commitment}" for e, _ in found if e.ticket == ticket and not e.routine]


EXPECTED = ["commitment.met first_response", "commitment.breached resolution", "commitment.met_late resolution"]


def value(worker: Worker, name: str, label: str = "") -> float:
    """The sum of the series of that name that have this label."""
    lines = [
        line for line in worker.page("metrics").splitlines() if line.startswith((f"{name}{{", f"{name} ")) and label in line
    ]
    return sum(float(line.rpartition(" ")[2]) for line in lines if label in line)


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_history_that_arrives_step_by_step_on_a_live_worker_is_late_and_never_taken_back(
    broker: str, topics: Topics, tmp_path: Path, newest_first: bool
) -> None:
    events = history("desk/old", now() - 400 * DAY)
    with Worker(broker, topics, tmp_path, *QUICKLY).ready().live() as worker:
        for one in reversed(events) if newest_first else events:
            publish(broker, topics, [sent("desk/old", one)])
            time.sleep(1)
        found = until(lambda: len(of_ticket(all_ := effects(broker, topics), "desk/old")) >= 3 and all_, "effects", worker)
        until(lambda: value(worker, "sla_late_breaches_total") == 1, "a late breach is counted", worker)

        assert of_ticket(found, "desk/old") == EXPECTED
        assert {effect.late for effect, _ in found} == {True}
        assert not [effect for effect, _ in found if effect.retracts]
        assert value(worker, "sla_breach_detection_delay_seconds_count") == 0
        assert value(worker, "sla_commitments_total", 'outcome="breached"') == 1


def test_news_of_other_tickets_and_of_the_same_one_is_as_fast_as_ever(broker: str, topics: Topics, tmp_path: Path) -> None:
    with Worker(broker, topics, tmp_path, "--settling", "10m").ready().live() as worker:
        at = now()
        old = event("desk/mine", "ticket.created", at - 3 * HOUR, fields={"priority": "p1"}, actor="customer")
        quick = event("desk/other", "ticket.created", at, fields={"priority": "quick"}, actor="customer")
        publish(broker, topics, [sent("desk/mine", old), sent("desk/other", quick)])
        found = until(
            lambda: [one for one in effects(broker, topics) if one.effect.kind is Kind.BREACHED],
            "the quick breach",
            worker,
        )
        assert [(one.effect.ticket, one.effect.late) for one in found] == [("desk/other", False)]
        assert value(worker, "sla_breach_detection_delay_seconds_count") == 1

        answer = event("desk/mine", "comment.added", now(), actor="agent", public=True)
        publish(broker, topics, [sent("desk/mine", answer)])
        found = until(lambda: len(mine := _mine(broker, topics)) >= 5 and mine, "the answer and what waited for it", worker)

    # Two topics have no order between them: what is of one instant may come either way.
    shown = sorted((e.at, f"{e.kind} {e.ladder}".strip(), e.late) for e, _ in found)
    assert [(what, late) for _, what, late in shown] == [
        ("commitment.warned", True),
        ("commitment.breached", True),
        ("escalation.raised shop-late", True),
        ("commitment.met_late", False),
        ("escalation.released shop-late", False),
    ]


def _mine(broker: str, topics: Topics) -> list[Emitted]:
    return [one for one in effects(broker, topics) if one.effect.ticket == "desk/mine" and not one.effect.routine]


def test_what_was_in_the_input_before_the_first_worker_ever_started_is_late_and_the_rest_is_not(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    at = now()
    records: list[Sent] = [sent("desk/old", one) for one in history("desk/old", at - 400 * DAY)]
    records.append(sent("desk/new", event("desk/new", "ticket.created", at, fields={"priority": "quick"}, actor="customer")))
    publish(broker, topics, records)

    with Worker(broker, topics, tmp_path, *QUICKLY).ready().live() as worker:
        found = until(lambda: len(all_ := effects(broker, topics)) >= 8 and all_, "all effects", worker)

    assert of_ticket(found, "desk/old") == EXPECTED
    assert {effect.ticket for effect, _ in found if effect.late} == {"desk/old"}
    assert [effect.kind for effect, _ in found if effect.ticket == "desk/new"][-1] is Kind.BREACHED


def test_a_history_that_is_published_again_after_a_restart_changes_nothing(broker: str, topics: Topics, tmp_path: Path) -> None:
    at = now()
    news = event("desk/new", "ticket.created", at, fields={"priority": "p1"}, actor="customer")
    old = [sent("desk/old", one) for one in history("desk/old", at - 400 * DAY)]
    with Worker(broker, topics, tmp_path, *QUICKLY).ready().live() as worker:
        publish(broker, topics, [sent("desk/new", news), *old, *tick(at)])
        until(lambda: of_ticket(effects(broker, topics), "desk/old") == EXPECTED, "its effects", worker)
        assert worker.stop() == 0
    with Worker(broker, topics, tmp_path, *QUICKLY).ready().live() as worker:
        publish(broker, topics, [*tick(now()), *old])
        until(lambda: all_committed(broker, topics), "all is processed", worker)
        until(lambda: value(worker, "sla_events_total", 'result="duplicate"') >= len(old), "it is known", worker)

    assert of_ticket(effects(broker, topics), "desk/old") == EXPECTED


@pytest.mark.parametrize("failpoint", ["after_outputs", "in_outputs", "after_changelog"])
def test_a_worker_that_dies_when_a_ticket_has_settled_publishes_each_effect_once(
    broker: str, topics: Topics, tmp_path: Path, failpoint: str
) -> None:
    events = history("desk/old", now() - 400 * DAY)
    with Worker(broker, topics, tmp_path, *QUICKLY).ready().live():
        publish(broker, topics, [sent("desk/old", one) for one in events[:1]])
        time.sleep(1)
    with Worker(broker, topics, tmp_path, *QUICKLY, failpoint=failpoint) as dying:
        assert dying.process.wait(90) != 0
    publish(broker, topics, [sent("desk/old", one) for one in events[1:]])
    with Worker(broker, topics, tmp_path, *QUICKLY).ready().live() as worker:
        until(lambda: "commitment.met_late resolution" in of_ticket(effects(broker, topics), "desk/old"), "all of it", worker)

    found = effects(broker, topics)
    ids = [effect.id for effect, _ in found]
    assert len(ids) == len(set(ids))
    assert {effect.late for effect, _ in found} == {True}
    taken_back = {effect.retracts for effect, _ in found}
    unretracted = [one for one in found if one.effect.id not in taken_back and not one.effect.retracts]
    assert sorted(of_ticket(unretracted, "desk/old")) == sorted(EXPECTED)


def test_a_breach_shortly_before_its_event_arrived_is_news_and_in_no_detection_delay(
    broker: str, topics: Topics, tmp_path: Path
) -> None:
    with Worker(broker, topics, tmp_path).ready().live() as worker:
        created = event("desk/1", "ticket.created", now() - 30 * SECOND, fields={"priority": "quick"}, actor="customer")
        publish(broker, topics, [sent("desk/1", created)])
        found = until(
            lambda: [one for one in effects(broker, topics) if one.effect.kind is Kind.BREACHED],
            "the breach",
            worker,
        )
        until(lambda: value(worker, "sla_commitments_total", 'outcome="breached"') == 1, "it is counted", worker)

        assert [one.effect.late for one in found] == [False]
        assert value(worker, "sla_breach_detection_delay_seconds_count") == 0
