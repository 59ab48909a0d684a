"""The life of a partition: each transition as the task takes it, and that no other is possible."""

from __future__ import annotations

import asyncio
import time
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
from faust.types import TP

from stream.runtime.kafka.positions import Batch
from stream.runtime.partition import lifecycle
from stream.runtime.partition import task as tasks
from stream.runtime.partition.lifecycle import TRANSITIONS, IllegalTransitionError, Lifecycle, State
from stream.runtime.partition.shard import Logs, Shard, TicketIndex
from stream.runtime.partition.task import PartitionTask
from stream.runtime.partition.ticket_lists import TicketLists
from stream.runtime.recovery.checkpoint import Checkpoint
from stream.runtime.recovery.tickets import Tickets
from stream.runtime.settings_sources import load
from stream.runtime.timers import Expirations, TimerQueue
from stream.sla.engine import Engine
from stream.sla.policy.resolve import PolicySet

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Step = tuple[State, State]


def _sorted(steps: Iterable[Step]) -> list[Step]:
    return sorted(steps, key=lambda step: (str(step[0].value), str(step[1].value)))


class _Worker:
    """A task without a broker. A unit of work over a batch lasts until ``finish`` is set, and is written at once then."""

    def __init__(self) -> None:
        nowhere: Any = SimpleNamespace(finished=self._finished, close=self._close)
        nothing_open: Any = SimpleNamespace(open=0)
        index: Any = TicketIndex(TimerQueue(), Expirations(), nothing_open, TicketLists())
        settings = load({"policies": "batoi"}, {})
        worker_metrics = SimpleNamespace(events_done=lambda *_: None)
        context: Any = SimpleNamespace(
            wall=lambda: 0,
            engine=Engine(PolicySet((), {})),
            metrics=SimpleNamespace(worker=worker_metrics, woke=lambda _: None),
            passing=time.monotonic,
            abort=lambda _doing, error: self.ends.append(error),
        )
        self.ends: list[BaseException] = []
        self.finished: list[tuple[int, bool]] = []
        self.dropped: list[int] = []
        self.under_way, self.finish = asyncio.Event(), asyncio.Event()
        self.closed = False
        self.task = PartitionTask(
            context, Shard(settings, TP("ticket-events", 0), Tickets(), index, Logs(nowhere, nowhere), Checkpoint())
        )

    async def _close(self) -> None:
        self.closed = True

    def _finished(self, end: int, *, live: bool) -> None:
        self.finished.append((end, live))

    async def process_and_commit(self, _context: object, shard: Shard, batch: Batch) -> bool:
        self.under_way.set()
        await self.finish.wait()
        shard.finished(batch.end)
        return True

    def offer(self, end: int) -> None:
        event: Any = SimpleNamespace(value=Batch([], None, end), ack=lambda: self.dropped.append(end))
        self.task.offer(event)

    async def processed(self, end: int) -> None:
        """Publish input up to there and have it processed."""
        self.finish.set()
        self.offer(end)
        await self.until(lambda: (end, True) in self.finished or (end, False) in self.finished)
        self.finish.clear()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not true():  # noqa: ASYNC110  the task sets no event
                await asyncio.sleep(0)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """The transitions that are taken, in order."""
    taken: list[Step] = []
    enter = Lifecycle.enter

    def noted(life: Lifecycle, state: State) -> None:
        before = life.state
        enter(life, state)
        taken.append((before, state))

    monkeypatch.setattr(lifecycle.Lifecycle, "enter", noted)
    return taken


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[_Worker], Awaitable[None]]], None]:
    def in_a_loop(way: Callable[[_Worker], Awaitable[None]]) -> None:
        async def whole() -> None:
            worker = _Worker()
            monkeypatch.setattr(tasks, "process_and_commit", worker.process_and_commit)
            await way(worker)
            worker.task._task.cancel()

        asyncio.run(whole())

    return in_a_loop


async def _released(worker: _Worker) -> None:
    before = worker.task.life.active
    assert not before
    worker.offer(1)
    assert worker.dropped == [1]

    worker.task.release(10)

    assert worker.task.life.active
    assert worker.task.shard.by_event_time
    await worker.processed(9)
    assert worker.finished == [(9, False)]


async def _left_before_it_began(worker: _Worker) -> None:
    await worker.task.close()

    assert worker.closed


async def _caught_up(worker: _Worker) -> None:
    worker.task.release(10)
    await worker.processed(10)

    assert worker.finished == [(10, True)]
    assert not worker.task.shard.by_event_time


async def _held_while_it_catches_up(worker: _Worker) -> None:
    worker.task.release(10)
    await worker.task.hold()

    worker.offer(5)
    assert worker.dropped == [5]
    assert worker.finished == []


async def _held_in_the_middle_of_a_unit(worker: _Worker) -> None:
    worker.task.release(0)
    await worker.processed(1)
    worker.under_way.clear()
    worker.offer(2)
    await worker.under_way.wait()
    worker.offer(3)

    phase = [asyncio.create_task(worker.task.hold()) for _ in range(2)]
    await worker.until(lambda: worker.task.life.state is State.SUSPENDING)
    assert worker.task.has_work()
    assert not any(one.done() for one in phase)
    worker.finish.set()
    await asyncio.gather(*phase)

    assert [end for end, _ in worker.finished] == [1, 2]
    assert worker.dropped == [1, 2, 3]
    assert not worker.task.has_work()


async def _released_again(worker: _Worker) -> None:
    await _caught_up(worker)
    await worker.task.hold()
    worker.task.release(20)

    assert worker.task.shard.by_event_time
    await worker.processed(20)
    assert worker.finished[-1] == (20, True)


async def _left(worker: _Worker) -> None:
    worker.task.release(10)
    await worker.task.hold()
    await worker.task.close()

    assert worker.closed


WAYS: Final[dict[Step, Callable[[_Worker], Awaitable[None]]]] = {
    (State.CREATED, State.CATCHING_UP): _released,
    (State.CREATED, State.CLOSED): _left_before_it_began,
    (State.CATCHING_UP, State.RUNNING): _caught_up,
    (State.CATCHING_UP, State.SUSPENDING): _held_while_it_catches_up,
    (State.RUNNING, State.SUSPENDING): _held_in_the_middle_of_a_unit,
    (State.SUSPENDING, State.SUSPENDED): _held_in_the_middle_of_a_unit,
    (State.SUSPENDED, State.CATCHING_UP): _released_again,
    (State.SUSPENDED, State.CLOSED): _left,
}
"""Each row of the table to a way in which a partition takes it."""


@pytest.mark.parametrize("step", _sorted(TRANSITIONS), ids=str)
def test_the_task_takes_each_transition_of_the_table(step: Step, steps: list[Step], run: Any) -> None:
    assert step in WAYS, "no test takes this row of the table"

    run(WAYS[step])

    assert step in steps


@pytest.mark.parametrize("step", _sorted(WAYS), ids=str)
def test_no_way_is_kept_for_a_row_that_is_gone(step: Step) -> None:
    assert step in TRANSITIONS


@pytest.mark.parametrize("step", [step for step in product(State, State) if step not in TRANSITIONS], ids=str)
def test_every_other_transition_is_refused_and_leaves_the_state(step: Step) -> None:
    before, after = step
    life = Lifecycle(3)
    life.state = before

    with pytest.raises(IllegalTransitionError, match=f"partition 3 is {before.name}: it cannot become {after.name}"):
        life.enter(after)
    assert life.state is before


def test_a_partition_that_is_not_held_can_neither_be_released_nor_left(run: Any) -> None:
    async def way(worker: _Worker) -> None:
        worker.task.release(10)
        with pytest.raises(IllegalTransitionError):
            worker.task.release(10)
        with pytest.raises(IllegalTransitionError):
            await worker.task.close()

    run(way)


def test_a_bug_within_a_unit_of_work_ends_the_process(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[BaseException] = []

    async def way(worker: _Worker) -> None:
        async def process_and_commit(_context: object, shard: Shard, _batch: Batch) -> bool:
            await asyncio.sleep(0)
            shard.life.enter(State.CREATED)
            return True

        monkeypatch.setattr(tasks, "process_and_commit", process_and_commit)
        worker.task.release(10)
        worker.offer(5)
        await worker.until(lambda: bool(worker.ends))
        ends.extend(worker.ends)

    run(way)

    assert isinstance(ends[0], IllegalTransitionError)
