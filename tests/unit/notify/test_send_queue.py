"""What waits for a destination, when it is sent, and how far its input is finished."""

from __future__ import annotations

from typing import Any

import pytest

from stream.language.zones import read_tzinfo
from stream.notify.decision import Sent, Skipped
from stream.notify.pacing import MOST_TOGETHER, Due, Pacer, quiet_until
from stream.notify.rules import Quiet, Storm
from stream.notify.send_queue import Entry, Position, SendQueue
from stream.sla.effects import Effect, Kind, Reason
from stream.wire.instants import parse_instant
from tests.effects import effect_of

MINUTE = 60_000_000
HOUR = 60 * MINUTE


class Boxed:
    """An queue that is given effects of one partition, one after another."""

    def __init__(self) -> None:
        self.sent: dict[str, Sent] = {}
        self.queue = SendQueue(self.sent.get, lambda effect: f"{effect.id.partition('.')[0]} {effect.due_at}")
        self._offset = 0

    def take(self, effect: Effect, *, routed: bool = True, partition: int = 0) -> Skipped | None:
        entry = Entry(effect, b"", Position(("sla-breaches", partition), self._offset), self._offset, routed)
        self._offset += 1
        return self.queue.take(entry)

    def send(self, count: int = 1) -> list[str]:
        batch = self.queue.begin(count)
        self.queue.finish(batch)
        self.sent.update({entry.effect.id: Sent("") for entry in batch})
        return [entry.effect.id for entry in batch]

    def waiting(self) -> list[str]:
        return [entry.effect.id for entry in self.queue.waiting]


@pytest.fixture
def box() -> Boxed:
    return Boxed()


def breach(effect_id: str, **parts: Any) -> Effect:
    return effect_of(Kind.BREACHED, id=effect_id, **parts)


def back(effect_id: str, retracts: str, reason: Reason = Reason.CORRECTED) -> Effect:
    return effect_of(Kind.BREACH_RETRACTED, id=effect_id, retracts=retracts, reason=reason, late=True)


def test_only_what_lies_before_the_oldest_that_waits_is_finished(box: Boxed) -> None:
    for effect_id in ("a", "b", "c"):
        box.take(breach(effect_id))
    assert box.queue.finished() == {("sla-breaches", 0): 0}

    batch = box.queue.begin(2)
    box.queue.again(batch)
    assert box.queue.finished() == {("sla-breaches", 0): 0}

    assert box.send() == ["a"]
    assert box.queue.finished() == {("sla-breaches", 0): 1}
    assert box.send(5) == ["b", "c"]
    assert box.queue.finished() == {("sla-breaches", 0): 3}


def test_what_is_passed_over_is_finished(box: Boxed) -> None:
    box.queue.pass_over(Position(("sla-breaches", 2), 41))

    assert box.queue.finished() == {("sla-breaches", 2): 42}


def test_a_fact_that_is_taken_back_while_it_waits_is_not_sent(box: Boxed) -> None:
    box.take(breach("a"))

    assert box.take(back("b", "a")) is Skipped.NOT_SENT
    assert box.waiting() == []
    assert box.queue.finished() == {("sla-breaches", 0): 2}


def test_a_fact_that_is_being_sent_is_taken_back_by_a_message(box: Boxed) -> None:
    box.take(breach("a"))
    batch = box.queue.begin(1)

    assert box.take(back("b", "a")) is None
    box.queue.finish(batch)
    box.sent["a"] = Sent("")
    assert box.waiting() == ["b"]


def test_a_fact_that_is_restated_while_it_waits_is_sent_once_in_its_newest_form(box: Boxed) -> None:
    box.take(breach("a", due_at=1))
    box.take(breach("z"))

    assert box.take(back("b", "a", Reason.RESTATED)) is Skipped.RESTATED
    assert box.take(breach("a.1", due_at=2, late=True), routed=False) is None
    assert box.waiting() == ["a.1", "z"], "in the place of the first"
    assert box.queue.finished() == {("sla-breaches", 0): 0}, "a restart reads all of them again"
    assert box.queue.waiting[0].routed


def test_an_effect_that_waits_already_is_not_taken_twice(box: Boxed) -> None:
    box.take(breach("a"))

    assert box.take(breach("a")) is Skipped.SENT_BEFORE
    assert box.waiting() == ["a"]


def test_partitions_that_another_process_has_are_forgotten(box: Boxed) -> None:
    box.take(breach("a"), partition=0)
    box.take(breach("b"), partition=1)

    box.queue.drop({("sla-breaches", 0)})

    assert box.waiting() == ["b"]
    assert box.queue.finished() == {("sla-breaches", 1): 1}


def test_an_attempt_may_end_after_its_partitions_are_gone(box: Boxed) -> None:
    box.take(breach("a"))
    batch = box.queue.begin(1)
    box.queue.drop({("sla-breaches", 0)})
    box.take(breach("a"))

    box.queue.finish(batch)

    assert box.waiting() == ["a"], "the same effect, read again, is another entry"


STORM = Storm(3, 5 * MINUTE)


def test_messages_are_sent_one_by_one_as_long_as_they_are_few() -> None:
    pacer = Pacer(STORM, None)
    for _ in range(3):
        assert pacer.due(0, 1, 0) == Due(1, None)
        pacer.sent(0)

    assert pacer.due(0, 1, 0) == Due(0, 5 * MINUTE)


def test_many_at_once_become_one_summary_at_once() -> None:
    assert Pacer(STORM, None).due(0, 400, 0) == Due(400, None)
    assert Pacer(STORM, None).due(0, 4_000, 0) == Due(MOST_TOGETHER, None)


def test_more_than_the_limit_within_the_window_wait_and_become_one_summary() -> None:
    pacer = Pacer(STORM, None)
    for _ in range(3):
        pacer.sent(0)

    assert pacer.due(MINUTE, 1, MINUTE).messages == 0
    assert pacer.due(4 * MINUTE, 2, MINUTE).messages == 0
    assert pacer.due(5 * MINUTE, 2, MINUTE).messages == 1, "the window has moved on"


def test_nobody_waits_longer_than_the_window() -> None:
    pacer = Pacer(STORM, None)
    for minute in range(3):
        pacer.sent(minute * MINUTE)

    assert pacer.due(6 * MINUTE, 3, MINUTE) == Due(3, None)


def test_without_a_limit_nothing_is_put_together() -> None:
    assert Pacer(None, None).due(0, 500, 0) == Due(1, None)


def test_nothing_waits_nothing_is_due() -> None:
    assert Pacer(STORM, None).due(0, 0, 0) == Due(0, None)


def at(text: str) -> int:
    return parse_instant(text)


NIGHTS = Quiet(20 * 60, 7 * 60, frozenset({5, 6}), read_tzinfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-25T19:30:00+01:00", None),
        ("2026-03-25T20:00:00+01:00", "2026-03-26T07:00:00+01:00"),
        ("2026-03-26T06:59:30+01:00", "2026-03-26T07:00:00+01:00"),
        ("2026-03-26T07:00:00+01:00", None),
        # From Friday evening to Monday morning, over a change of clocks.
        ("2026-03-27T20:15:00+01:00", "2026-03-30T07:00:00+02:00"),
        ("2026-03-28T12:00:00+01:00", "2026-03-30T07:00:00+02:00"),
    ],
)
def test_quiet_time_ends_when_neither_hours_nor_days_are_quiet(now: str, until: str | None) -> None:
    assert quiet_until(NIGHTS, at(now)) == (None if until is None else at(until))


def test_in_quiet_hours_messages_wait_and_come_together_afterwards() -> None:
    pacer = Pacer(STORM, NIGHTS)
    night, morning = at("2026-03-25T23:00:00+01:00"), at("2026-03-26T07:00:00+01:00")

    assert pacer.due(night, 4, night) == Due(0, morning)
    assert pacer.due(night + HOUR, 40, night) == Due(0, morning)
    assert pacer.due(morning, 40, night) == Due(40, None)


def test_hours_of_a_day_may_be_quiet() -> None:
    noon = Quiet(12 * 60, 13 * 60, frozenset(), read_tzinfo("UTC"))

    assert quiet_until(noon, at("2026-03-25T12:30:00Z")) == at("2026-03-25T13:00:00Z")
    assert quiet_until(noon, at("2026-03-25T13:00:00Z")) is None
