"""Timers: their queue, the clock that they use, and that results do not depend on how a feed is cut into batches."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from operator import length_hint
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.structs import ConsumerRecord
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from stream.language.policies import load as load_policies
from stream.observe.metrics.open_counts import OpenCommitmentCounts
from stream.observe.metrics.registry import Metrics
from stream.runtime.kafka import positions
from stream.runtime.kafka.positions import Batch
from stream.runtime.kafka.topics import Topics
from stream.runtime.partition import task as tasks
from stream.runtime.partition import time_slices
from stream.runtime.partition.commit import WorkerContext, process_and_commit
from stream.runtime.partition.lifecycle import State
from stream.runtime.partition.shard import Logs, Shard, TicketIndex
from stream.runtime.partition.sweep import Sweep
from stream.runtime.partition.task import PartitionTask
from stream.runtime.partition.ticket_lists import TicketLists
from stream.runtime.partition.time_slices import Stop
from stream.runtime.partition.unit_of_work import UnitOfWork
from stream.runtime.recovery.checkpoint import Checkpoint
from stream.runtime.recovery.outputs import DEPLOYED
from stream.runtime.recovery.tickets import Tickets
from stream.runtime.settings_sources import load
from stream.runtime.suspension import SuspensionDetector
from stream.runtime.timers import Expirations, TimerQueue
from stream.sla.codec import codec
from stream.sla.effects import Effect, Kind
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.policy.spelling import Misspelling
from stream.sla.ticket.state import open_commitments
from stream.wire.effect import decode_effect, encode_event, encode_tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from stream.runtime.kafka.transport import Record

SECOND = 1_000_000
HOUR = 3_600 * SECOND
START = 1_798_794_000 * SECOND

_POLICY = """
policies:
  - policy: shop
    version: 1
    applies_to: always
    calendar: 24x7
    commitments:
      - metric: first_response
        target: 1h
        warn_at: 50%
"""


# The timer queue.


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("set"), st.integers(0, 5), st.one_of(st.none(), st.integers(0, 20))),
            st.tuples(st.just("take"), st.just(0), st.integers(0, 20)),
            st.tuples(st.just("soonest"), st.just(0), st.just(0)),
        )
    )
)
def test_the_queue_behaves_like_a_dictionary(steps: list[tuple[str, int, int | None]]) -> None:
    queue, plain = TimerQueue(), dict[bytes, int]()
    for what, number, instant in steps:
        ticket = b"%d" % number
        if what == "set":
            queue.move(ticket, plain.pop(ticket, None), instant)
            if instant is not None:
                plain[ticket] = instant
        elif what == "soonest":
            assert queue.soonest() == min(plain.values(), default=None)
        else:
            assert instant is not None
            taken = queue.take(instant)
            if taken is None:
                assert not plain or min(plain.values()) > instant
            else:
                soonest = min(plain.values())
                assert plain.pop(taken) == soonest <= instant
        assert len(queue) == len(plain)


def test_tickets_that_share_an_instant_are_all_taken() -> None:
    queue = TimerQueue()
    for ticket in (b"a", b"b", b"c", b"d"):
        queue.move(ticket, None, 10)
    queue.move(b"b", 10, None)
    queue.move(b"c", 10, 20)
    queue.move(b"a", None, 10)  # it is there

    assert len(queue) == 3
    assert {queue.take(10), queue.take(10)} == {b"a", b"d"}
    assert queue.take(10) is None
    assert queue.take(20) == b"c"
    assert len(queue) == 0


def test_a_ticket_that_never_was_at_an_instant_leaves_the_others_there() -> None:
    queue = TimerQueue()
    queue.move(b"a", None, 10)
    queue.move(b"b", 10, 20)
    queue.move(b"c", 5, None)

    assert list(queue.in_order()) == [(10, b"a"), (20, b"b")]
    assert len(queue) == 2


def test_a_ticket_that_moves_keeps_its_key_as_the_table_has_it() -> None:
    queue, key = TimerQueue(), b"desk/1"
    queue.move(key, None, 10)
    queue.move(bytes(bytearray(key)), 10, 20)

    assert queue.take(20) is key


def test_an_expiration_is_replaced_removed_and_taken() -> None:
    expirations = Expirations()
    for ticket, instant in ((b"a", 10), (b"b", 20), (b"c", 30), (b"a", 40), (b"b", None), (b"d", None)):
        expirations.set(ticket, instant)

    assert len(expirations) == 2
    assert [expirations.take(30), expirations.take(30), expirations.take(40)] == [b"c", None, b"a"]
    expirations.set(b"a", 50)
    assert list(expirations.in_order()) == [(50, b"a")]


def test_tickets_are_taken_soonest_first_and_only_up_to_the_given_instant() -> None:
    queue = TimerQueue()
    for ticket, instant in ((b"c", 30), (b"a", 10), (b"b", 20)):
        queue.move(ticket, None, instant)

    assert [queue.take(20), queue.take(20), queue.take(20)] == [b"a", b"b", None]
    assert queue.soonest() == 30


def test_a_ticket_has_only_the_instant_that_was_set_last() -> None:
    queue = TimerQueue()
    queue.move(b"a", None, 10)
    queue.move(b"a", 10, 30)
    queue.move(b"a", 30, 20)

    assert queue.take(19) is None
    assert queue.take(20) == b"a"
    assert queue.take(1_000) is None


def test_many_changes_of_few_tickets_do_not_make_the_queue_grow() -> None:
    queue = TimerQueue()
    for number in range(100_000):
        queue.move(b"%d" % (number % 10), number - 10 if number >= 10 else None, number)

    assert len(queue._heap) <= 2_048
    assert queue.soonest() == 99_990


# The clocks.


class _Partition:
    """A shard without a task and a broker: the test runs its units of work."""

    def __init__(self, folder: Path, *, clock: str = "wall", text: str = _POLICY, **settings: str) -> None:
        policy = folder / "policy.yaml"
        policy.write_text(text, "utf-8")
        policies = load_policies([policy])
        self.engine = Engine(policies)
        self.settings = load({"policies": str(policy), "clock": clock, "grace": "200ms", **settings}, {})
        self.wall = START
        self.forgotten: list[bytes] = []
        absent: Any = None
        metrics = Metrics(policies)
        self.context = WorkerContext(
            settings=self.settings,
            topics=Topics("test"),
            engine=self.engine,
            metrics=metrics,
            wall=lambda: self.wall,
            consumer=absent,
            clients=absent,
            suspension_detector=SuspensionDetector(3),
        )
        nothing_read_back: Any = SimpleNamespace(deployed={}, emitted_ids=set(), unconfirmed={})
        index = TicketIndex(TimerQueue(), Expirations(), metrics.open_commitments.begin(0), TicketLists())
        self.shard = Shard(
            self.settings, TP("ticket-events", 0), Tickets(), index, Logs(nothing_read_back, absent), Checkpoint()
        )

    def go_live(self) -> None:
        """Enter the state after all records published before the release are processed."""
        self.shard.life.enter(State.CATCHING_UP)
        self.shard.life.enter(State.RUNNING)

    def unit_of_work(self) -> UnitOfWork:
        return UnitOfWork(self.engine, self.settings, self.shard, self.wall, lambda: 0.0)

    def run(self, work: UnitOfWork, step: Callable[[], Stop]) -> tuple[bool, list[Effect]]:
        """Run a unit of work. Returns whether it is done, and its effects."""
        while (stop := step()) is Stop.YIELD:
            work.suspend()
            work.resume()
        work.changes.write(list(work.changes.changed))
        self.forgotten += work.changes.forgotten
        return stop is Stop.DONE, work.changes.effects

    def take(self, records: list[ConsumerRecord[bytes, bytes]]) -> list[Effect]:
        batch, effects = Batch(records, None, len(records)), []
        done = False
        while not done:
            work = self.unit_of_work()
            done, more = self.run(work, partial(work.take, batch))
            effects += more
        self.shard.cursor = 0
        return effects

    def wake(self) -> list[Effect]:
        effects: list[Effect] = []
        done = False
        while not done:
            work = self.unit_of_work()
            done, more = self.run(work, partial(work.wake, self.shard.clock(self.wall)))
            effects += more
        return effects


def _records(feed: Iterable[tuple[str, Event] | int]) -> list[ConsumerRecord[bytes, bytes]]:
    records = []
    for offset, what in enumerate(feed):
        key, value = (b"", encode_tick("desk", what)) if isinstance(what, int) else (what[0].encode(), encode_event(*what))
        records.append(ConsumerRecord("ticket-events", 0, offset, 0, 0, key, value, None, len(key), len(value), ()))
    return records


def _created(ticket: str, at: int) -> tuple[str, Event]:
    return ticket, Event(at=at, id=f"{ticket}-created", type="ticket.created", source="desk", fields={"priority": "p1"})


def _answered(ticket: str, at: int) -> tuple[str, Event]:
    return ticket, Event(at=at, id=f"{ticket}-{at}", type="comment.added", source="desk", actor="agent", public=True)


def _breaches(effects: list[Effect]) -> list[tuple[str, int]]:
    return [(effect.ticket, effect.at) for effect in effects if effect.kind is Kind.BREACHED]


def test_while_catching_up_a_deadline_passes_when_the_feed_passes_it(tmp_path: Path) -> None:
    async def run() -> None:
        context = _Partition(tmp_path)
        context.wall = START + 100 * HOUR  # the worker was down for long
        first = context.take(_records([_created("a", START), _created("b", START), _answered("a", START + HOUR // 2)]))
        assert _breaches(first) == []
        assert _breaches(context.wake()) == []

        second = context.take(_records([_created("c", START + 2 * HOUR)]))
        assert _breaches(second) == [("b", START + HOUR)]

    asyncio.run(run())


def test_while_catching_up_an_event_from_the_future_makes_no_breach_early(tmp_path: Path) -> None:
    async def run() -> None:
        context = _Partition(tmp_path)
        context.wall = START + HOUR - 60 * SECOND
        assert _breaches(context.take(_records([_created("a", START), _created("b", START + HOUR + SECOND)]))) == []

        context.wall = START + HOUR + context.settings.grace + 1
        assert _breaches(context.take([])) == [("a", START + HOUR)]

    asyncio.run(run())


def test_a_live_partition_declares_a_breach_by_the_clock_after_the_grace(tmp_path: Path) -> None:
    async def run() -> None:
        context = _Partition(tmp_path)
        context.take(_records([_created("a", START)]))
        context.go_live()

        context.wall = START + HOUR + context.settings.grace
        assert _breaches(context.wake()) == []  # exactly at the deadline is in time

        context.wall += 1
        (breach,) = [effect for effect in context.wake() if effect.kind is Kind.BREACHED]
        assert breach.at == START + HOUR
        assert breach.detected_at == context.wall

    asyncio.run(run())


def test_in_event_time_a_live_partition_follows_the_feed_and_its_ticks(tmp_path: Path) -> None:
    async def run() -> None:
        context = _Partition(tmp_path, clock="event")
        context.wall = START + 100 * HOUR
        context.take(_records([_created("a", START)]))
        context.go_live()
        assert context.wake() == []

        effects = context.take(_records([START + HOUR + 1]))
        assert _breaches(effects) == [("a", START + HOUR)]

    asyncio.run(run())


@pytest.mark.parametrize("size", [1, 3, 7, 1_000])
def test_effects_do_not_depend_on_how_the_feed_is_cut_into_batches(tmp_path: Path, size: int) -> None:
    feed: list[tuple[str, Event] | int] = []
    for number in range(40):
        feed.append(_created(f"t{number}", START + number * HOUR // 8))
        if number % 3:
            # Some answers arrive late, after events that pass their deadline.
            feed.insert(len(feed) - number % 9, _answered(f"t{number}", START + number * HOUR // 8 + number % 5 * HOUR // 3))
    feed.append(START + 50 * HOUR)

    async def effects(batch: int) -> list[Effect]:
        context = _Partition(tmp_path, clock="event")
        records = _records(feed)
        return [effect for at in range(0, len(records), batch) for effect in context.take(records[at : at + batch])]

    assert asyncio.run(effects(size)) == asyncio.run(effects(len(feed)))


def test_a_unit_of_work_takes_no_more_events_than_the_setting_allows_and_the_next_one_continues(tmp_path: Path) -> None:
    async def run() -> None:
        context = _Partition(tmp_path, clock="event", batch="10")
        batch = Batch(_records([_created(f"t{number}", START) for number in range(125)]), None, 125)
        taken, done = [0], False
        while not done:
            work = UnitOfWork(context.engine, context.settings, context.shard, context.wall, lambda: 0.0)
            done, _ = context.run(work, partial(work.take, batch))
            taken.append(len(context.shard.tickets))

        assert taken == [*range(0, 125, 10), 125]

    asyncio.run(run())


def test_a_unit_of_work_ends_after_its_time_and_the_next_one_continues(tmp_path: Path) -> None:
    async def run() -> None:
        context = _Partition(tmp_path, clock="event")
        batch = Batch(_records([_created(f"t{number}", START) for number in range(25)]), None, 25)
        seconds = 0.0

        def passing() -> float:
            nonlocal seconds
            seconds += time_slices.MOST_SECONDS / 12
            return seconds

        cursors, done = [], False
        while not done:
            work = UnitOfWork(context.engine, context.settings, context.shard, context.wall, passing)
            done, _ = context.run(work, partial(work.take, batch))
            cursors.append(context.shard.cursor)

        assert len(cursors) > 3
        assert cursors == sorted(cursors)
        assert len(context.shard.tickets) == cursors[-1] == 25

    asyncio.run(run())


def test_a_batch_is_unpacked_slice_by_slice_whatever_the_units_of_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "SLICE", 4)

    async def run() -> None:
        context = _Partition(tmp_path, clock="event")
        records = _records([_created(f"t{number}", START) for number in range(24)])
        given = iter(records)
        batch = Batch(given, None, 24)
        seconds = 0.0

        def passing() -> float:
            nonlocal seconds
            seconds += time_slices.MOST_SECONDS / 12
            return seconds

        units, done = 0, False
        while not done:
            taken = len(context.shard.tickets)
            assert batch.records[context.shard.cursor :][:1] == records[taken : taken + 1]  # whose age is measured
            assert 24 - length_hint(given) == min(4 * (taken // 4) + 4, 24)
            work = UnitOfWork(context.engine, context.settings, context.shard, context.wall, passing)
            done, _ = context.run(work, partial(work.take, batch))
            units += 1

        assert units > 3
        assert len(context.shard.tickets) == context.shard.input == 24

    asyncio.run(run())


def test_a_unit_of_work_yields_often_and_leaves_the_table_as_it_was_before(tmp_path: Path) -> None:
    async def run() -> None:
        context = _Partition(tmp_path, clock="wall")
        context.go_live()
        batch = Batch(_records([_created(f"t{number}", START) for number in range(25)]), None, 25)
        seconds = 0.0

        def passing() -> float:
            nonlocal seconds
            seconds += time_slices.SLICE_SECONDS / 4
            return seconds

        work = UnitOfWork(context.engine, context.settings, context.shard, context.wall, passing)
        yields = 0
        while work.take(batch) is Stop.YIELD:
            work.suspend()
            assert context.shard.cursor == len(work.changes.changed)
            assert not context.shard.tickets
            assert context.shard.open_counts.open == 0
            seconds += 2 * time_slices.MOST_SECONDS  # the time of other partitions, which does not count
            work.resume()
            yields += 1
        work.changes.write(list(work.changes.changed))

        assert yields >= 5
        assert {key for _, key in context.shard.timers.in_order()} == set(context.shard.tickets)
        assert context.shard.open_counts.open > 0
        assert len(work.changes.changed) == len(context.shard.tickets) == 25

    asyncio.run(run())


def test_timers_that_expire_during_a_yield_fire_in_the_next_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_slices, "SLICE_SECONDS", 0.0)
    effects: list[Effect] = []

    async def write(what: dict[str, Iterable[Record]] | dict[bytes, bytes | None], _checkpoint: object = None) -> None:
        for records in what.values():
            if records is not None and not isinstance(records, bytes):
                effects.extend(decode_effect(record.value or b"") for record in records)

    async def run() -> list[int]:
        context = _Partition(tmp_path, clock="wall")
        context.take(_records([_created("a", START), _created("b", START + 1), _created("c", START + SECOND)]))
        shard = context.shard
        context.go_live()
        unknown: Any = SimpleNamespace(
            woken_until={},
            emitted_ids=set(),
            deployed={},
            recovered=True,
            may_be_forgotten=lambda: False,
            unknown_from=lambda _: {},
            write=write,
        )
        shard.outputs = shard.changelog = unknown
        readings = iter(range(START + HOUR + context.settings.grace + 2, START + 2 * HOUR, 5 * SECOND))
        ours: Any = SimpleNamespace(committed=lambda _: 0, prove=lambda _: asyncio.sleep(0))
        worker = replace(context.context, wall=lambda: next(readings), consumer=ours)

        counts = []
        for _ in range(2):
            assert await process_and_commit(worker, shard, None)
            counts.append(len(_breaches(effects)))
        return counts

    assert asyncio.run(run()) == [2, 3]
    assert all(effect.detected_at > effect.at for effect in effects)


def test_all_waiting_events_are_processed_between_two_units_of_work_for_timers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def order(share: float, seconds: float) -> list[str]:
        monkeypatch.setattr(tasks, "EVENTS_SHARE", share)
        monkeypatch.setattr(tasks, "EVENTS_SECONDS", seconds)
        context = _Partition(tmp_path, clock="wall")
        context.wall = START + HOUR
        done: list[str] = []
        enough = asyncio.Event()

        async def cycle(_context: object, _partition: object, batch: Batch | None) -> bool:
            done.append("timers" if batch is None else "events")
            if len(done) == 9:
                enough.set()
            await asyncio.sleep(0)
            return True

        monkeypatch.setattr(tasks, "process_and_commit", cycle)
        task = PartitionTask(context.context, context.shard)
        context.shard.timers.move(b"t", None, START)  # nothing wakes it, so a timer is always due
        task.release(0)
        task.life.enter(State.RUNNING)
        for _ in range(4):
            task.offer(SimpleNamespace(value=Batch([], None, 0), ack=lambda: None))
        await enough.wait()
        await task.hold()
        return done

    assert asyncio.run(order(1e12, 3600.0))[:6] == ["timers", *["events"] * 4, "timers"]
    assert asyncio.run(order(1e12, 0.0))[:9] == [*["timers", "events"] * 4, "timers"]
    assert asyncio.run(order(0.0, 3600.0))[:9] == [*["timers", "events"] * 4, "timers"]


def test_a_ticket_without_a_commitment_is_counted_and_a_misspelt_value_is_named_once(tmp_path: Path) -> None:
    async def run() -> None:
        context = _Partition(tmp_path, text=_POLICY.replace("target: 1h", "target: {p1: 1h}").replace("warn_at: 50%", ""))
        fields = {"a": "P1", "b": "P1", "c": "p9", "d": "p1"}
        feed = [
            (ticket, Event(at=START, id=ticket, type="ticket.created", source="desk", fields={"priority": priority}))
            for ticket, priority in fields.items()
        ]
        work = context.unit_of_work()
        context.run(work, partial(work.take, Batch(_records(feed), None, len(feed))))
        context.shard.cursor = 0
        again = context.unit_of_work()
        more = Event(at=START, id="e", type="ticket.created", source="desk", fields={"priority": "P1"})
        context.run(again, partial(again.take, Batch(_records([("e", more)]), None, 1)))

        assert work.intake.unmatched == {"spelling": 2, "other": 1}
        assert work.intake.misspelt == {Misspelling("priority", "P1", "p1"): "a"}
        assert (again.intake.unmatched, again.intake.misspelt) == ({"spelling": 1}, {})

    asyncio.run(run())


def test_a_value_that_is_no_date_is_applied_and_named_once_with_its_ticket_and_event(tmp_path: Path) -> None:
    async def run() -> None:
        context = _Partition(tmp_path, text=_POLICY.replace("warn_at: 50%", "starts_at: planned"))
        fields = {"a": "soon", "b": "2026-03-02", "c": "later"}
        feed = [
            (ticket, Event(at=START, id=f"e-{ticket}", type="ticket.created", source="desk", fields={"planned": planned}))
            for ticket, planned in fields.items()
        ]
        work = context.unit_of_work()
        context.run(work, partial(work.take, Batch(_records(feed), None, len(feed))))

        ((wrong, where),) = work.intake.wrong_dates.items()
        assert (wrong.field, where) == ("planned", ("a", "e-a"))
        assert (len(work.changes.changed), work.intake.rejected, work.changes.dead_letters) == (3, {}, [])

    asyncio.run(run())


def test_a_full_unit_of_work_leaves_the_rest_to_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_slices, "MOST_WOKEN", 10)

    async def run() -> None:
        context = _Partition(tmp_path, clock="event")
        context.take(_records([_created(f"t{number}", START) for number in range(25)]))
        batch = Batch(_records([START + 10 * HOUR]), None, 1)

        breached, count = [], 0
        done = False
        while not done:
            work = context.unit_of_work()
            done, effects = context.run(work, partial(work.take, batch))
            assert len(effects) <= 10 * 2
            breached += _breaches(effects)
            count += 1

        assert count >= 3
        assert sorted(breached) == sorted((f"t{number}", START + HOUR) for number in range(25))

    asyncio.run(run())


def test_a_survey_on_a_ticket_that_was_removed_begins_no_commitment_and_is_removed_too(tmp_path: Path) -> None:
    """The survey comes after the ticket was dropped: all that is known of it is the survey."""
    closed = Event(at=START + HOUR, id="closed", type="ticket.changed", source="desk", fields={"status": "closed"})
    survey = Event(at=START + 50 * 24 * HOUR, id="csat", type="ticket.changed", source="desk", fields={"csat": "good"})
    feed: list[tuple[str, Event] | int] = [
        _created("a", START),
        ("a", closed),
        START + 40 * 24 * HOUR,
        ("a", survey),
        START + 60 * 24 * HOUR,
        START + 90 * 24 * HOUR,
    ]

    async def run() -> None:
        context = _Partition(tmp_path, clock="event", retention="30d")
        records = _records(feed)
        context.take(records[:3])
        assert (context.forgotten, set(context.shard.tickets)) == ([b"a"], set())
        assert context.take(records[3:5]) == []
        state = codec.decode(context.shard.tickets[b"a"])
        assert (state.head.partial, state.head.started, state.wake_at) == (True, False, None)
        assert context.take(records[5:]) == []
        assert (context.forgotten, set(context.shard.tickets)) == ([b"a", b"a"], set())

    asyncio.run(run())


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_closed_ticket_is_removed_when_the_feed_passes_its_retention(tmp_path: Path, size: int) -> None:
    closed = Event(at=START + HOUR, id="closed", type="ticket.changed", source="desk", fields={"status": "closed"})
    feed: list[tuple[str, Event] | int] = [
        _created("a", START),
        _created("open", START),
        ("a", closed),
        START + 31 * 24 * HOUR - 23 * HOUR - 1,
        START + 31 * 24 * HOUR - 23 * HOUR,
    ]

    async def run() -> None:
        for live in (False, True):
            context = _Partition(tmp_path)
            context.wall = START + 100 * 24 * HOUR
            if live:
                context.go_live()
            records = _records(feed)
            for first in range(0, 4, size):
                context.take(records[first : min(first + size, 4)])
            context.wake()
            assert (context.forgotten, set(context.shard.tickets)) == ([], {b"a", b"open"})
            context.take(records[4:])
            assert (context.forgotten, set(context.shard.tickets)) == ([b"a"], {b"open"})

            again = context.take(_records([_answered("a", START + 2 * HOUR)]))
            assert codec.decode(context.shard.tickets[b"a"]).head.partial
            assert _breaches(again) == []
            assert context.forgotten == [b"a"]

    asyncio.run(run())


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_open_commitment_counts_always_equal_a_count_of_all_tickets(tmp_path: Path, size: int) -> None:
    dice = Random(5)
    feed: list[tuple[str, Event] | int] = []
    for hour in range(1_500):
        ticket, at = f"t{dice.randrange(200)}", START + hour * HOUR
        status = dice.choice(("open", "pending", "solved", "closed"))
        changed = Event(at=at, id=f"{hour}", type="ticket.changed", source="desk", fields={"status": status})
        late = at - dice.randrange(HOUR, 60 * HOUR)
        feed.append(dice.choice((_created(ticket, at), _answered(ticket, at), _answered(ticket, late), (ticket, changed))))
        if hour % 50 == 0:
            feed.append(feed[-1])  # a repetition
        if hour % 700 == 0:
            feed.append(at)

    async def run() -> None:
        context = _Partition(tmp_path, clock="event", retention="20d")
        records, most = _records(feed), 0
        for first in range(0, len(records), size):
            context.take(records[first : first + size])
            shard = context.shard
            most = max(most, shard.open_counts.open)
            if first % 7 == 0 or size > 7:
                fresh = OpenCommitmentCounts(shard.open_counts._metrics)
                for key in shard.tickets:
                    fresh.add(open_commitments(codec.decode(shard.tickets[key])))
                assert _counted(shard.open_counts) == _counted(fresh)
        assert most > 5
        assert context.forgotten

    asyncio.run(run())


def _counted(open_counts: OpenCommitmentCounts) -> tuple[object, ...]:
    states = [{number: count for number, count in there.items() if count} for there in open_counts.states.values()]
    return open_counts.open, states, open_counts.due, open_counts.began


def test_another_fact_with_a_known_identity_becomes_a_dead_letter_and_changes_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        context = _Partition(tmp_path)
        first = _created("a", START)
        other = "a", Event(at=START, id=first[1].id, type="ticket.changed", source="desk", fields={"status": "closed"})
        work = context.unit_of_work()

        assert work.take(Batch(_records([first, other, first]), None, 3)) is Stop.DONE
        (dead_letter,) = work.changes.dead_letters
        assert b'"reason":"conflict"' in (dead_letter.value or b"")
        assert work.intake.rejected == {"conflict": 1}
        assert work.changes.changed[b"a"].state.head.fields["status"] == "new"

    asyncio.run(run())


def test_an_invalid_record_becomes_a_dead_letter_and_the_others_are_processed(tmp_path: Path) -> None:
    async def run() -> None:
        context = _Partition(tmp_path)
        records = _records([_created("a", START), _created("b", START), _created("c", START)])
        records[1] = replace(records[1], value=b"?")
        work = context.unit_of_work()

        done, _ = context.run(work, lambda: work.take(Batch(records, None, 3)))
        assert done
        assert len(work.changes.dead_letters) == 1
        assert set(work.changes.changed) == {b"a", b"c"}

    asyncio.run(run())


# Events from before a deployment that come after its sweep.


def test_a_ticket_that_is_first_seen_after_the_sweep_and_began_before_the_deployment_is_swept(tmp_path: Path) -> None:
    async def run() -> None:
        context = _Partition(tmp_path)
        context.go_live()
        (tmp_path / "shorter.yaml").write_text(_POLICY.replace("target: 1h", "target: 45m"), "utf-8")
        deployed = START + HOUR // 4
        deployments = context.engine.deployments.add(1, deployed, load_policies([tmp_path / "shorter.yaml"]))
        context.engine.deployments = deployments
        context.wall = deployed + 60 * SECOND
        context.shard.swept = 1

        context.take(_records([_created("late", START)]))
        assert context.shard.swept == 0, "after a crash now, all tickets are swept again"
        work = context.unit_of_work()
        done, effects = context.run(work, partial(work.sweep, context.shard.clock(context.wall)))

        assert [(effect.kind, effect.at, effect.due_at) for effect in effects] == [
            (Kind.RETARGETED, deployed, START + HOUR * 3 // 4)
        ]
        assert done
        assert (context.shard.swept, context.shard.sweep) == (1, None)

    asyncio.run(run())


def test_a_ticket_that_is_woken_by_what_a_predecessor_knew_is_swept_again(tmp_path: Path) -> None:
    """While the partition catches up, time passes with events, and the newest deployment is not met."""

    async def run() -> None:
        context = _Partition(tmp_path)
        context.shard.life.enter(State.CATCHING_UP)
        context.take(_records([_created("a", START)]))
        (tmp_path / "shorter.yaml").write_text(_POLICY.replace("target: 1h", "target: 45m"), "utf-8")
        deployed = START + HOUR // 4
        context.engine.deployments = context.engine.deployments.add(1, deployed, load_policies([tmp_path / "shorter.yaml"]))
        context.shard.outputs.deployed[b"a"] = 0
        context.shard.swept = 1  # the sweep found nothing to change before the instant of the deployment
        context.wall = START + 3 * HOUR

        effects = context.take(_records([_created("b", START + 2 * HOUR)]))
        assert [(effect.kind, effect.at) for effect in effects if effect.ticket == "a"][-1] == (Kind.BREACHED, START + HOUR)
        assert context.shard.swept == 0
        context.shard.outputs.deployed.clear()
        context.shard.life.enter(State.RUNNING)
        work = context.unit_of_work()
        done, effects = context.run(work, partial(work.sweep, context.shard.clock(context.wall)))

        assert done
        assert (Kind.BREACHED, START + HOUR * 3 // 4) in [(effect.kind, effect.at) for effect in effects]
        assert (context.shard.swept, context.shard.sweep) == (1, None)

    asyncio.run(run())


def test_a_ticket_that_a_sweep_has_passed_is_swept_again_after_an_event_from_before_the_deployment(tmp_path: Path) -> None:
    async def run() -> None:
        context = _Partition(tmp_path)
        context.go_live()
        context.engine.deployments = context.engine.deployments.add(
            1, START + HOUR // 4, load_policies([tmp_path / "policy.yaml"])
        )
        context.wall = START + HOUR // 2
        tickets = Tickets()
        tickets[b"first"], tickets[b"second"] = b"", b""
        context.shard.sweep = sweep = Sweep(1, tickets, TimerQueue())
        sweep.take()

        context.take(_records([_created("first", START)]))

        assert (len(sweep), sweep.take(), sweep.take(), sweep.take()) == (2, b"second", b"first", None)

    asyncio.run(run())


def test_an_effect_names_the_deployment_by_which_its_ticket_was_judged(tmp_path: Path) -> None:
    """A successor judges by it as well: by a newer one it would not find the effect again, nor take it back."""
    emitted: list[Record] = []

    async def write(what: dict[str, Iterable[Record]] | dict[bytes, bytes | None], _checkpoint: object = None) -> None:
        for records in what.values():
            if records is not None and not isinstance(records, bytes):
                emitted.extend(records)

    async def run() -> None:
        context = _Partition(tmp_path)
        same = load_policies([tmp_path / "policy.yaml"])
        context.engine.deployments = context.engine.deployments.add(1, START - HOUR, same).add(2, START - HOUR // 2, same)
        shard = context.shard
        shard.life.enter(State.CATCHING_UP)
        outputs: Any = SimpleNamespace(
            woken_until={},
            emitted_ids=set(),
            deployed={b"known to a predecessor": 1},
            recovered=True,
            may_be_forgotten=lambda: False,
            write=write,
            unknown_from=lambda _: {},
            finished=lambda _end, live: None,
        )
        shard.outputs = shard.changelog = outputs
        ours: Any = SimpleNamespace(committed=lambda _: 0, prove=lambda _: asyncio.sleep(0), finish=lambda *_: None)
        batch = Batch(_records([_created("known to a predecessor", START), _created("new", START)]), None, 2)
        await process_and_commit(replace(context.context, consumer=ours), shard, batch)

    asyncio.run(run())

    assert {(record.key, dict(record.headers)[DEPLOYED]) for record in emitted} == {
        (b"known to a predecessor", b"1"),
        (b"new", b"2"),
    }
