"""The take-over: its order, and what becomes of it when another rebalance begins. On a broker: tests/broker."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from faust.types import TP

from stream.runtime import takeover
from stream.runtime.kafka.topics import Topics
from stream.runtime.partition.lifecycle import State
from stream.runtime.recovery.checkpoint import Checkpoint
from stream.runtime.settings_sources import load
from stream.runtime.takeover import Assignment, Restored, close, take_over
from stream.sla.engine import Engine
from stream.sla.policy.resolve import PolicySet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.runtime.partition.task import PartitionTask


class _Outputs:
    def __init__(self, worker: _Worker, partition: int) -> None:
        self._worker, self._partition = worker, partition
        self.deployed = worker.deployed

    def unknown_from(self, _committed: int) -> dict[str, int]:
        return {"sla-breaches": 7}

    async def close(self) -> None:
        self._worker.did(f"close {self._partition}")


class _Changelog:
    def __init__(self, worker: _Worker, partition: int) -> None:
        self._worker, self._partition = worker, partition

    def found(self) -> Checkpoint | None:
        self._worker.did(f"read the checkpoint of {self._partition}")
        return Checkpoint(5)

    async def begin(self, generation: int, checkpoint: Checkpoint) -> None:
        self._worker.did(f"begin an epoch of {self._partition}")
        self._worker.begun[self._partition] = generation, checkpoint


class _Worker:
    """All that a take-over works with; it notes what is done, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.generation = 1
        self.done: list[str] = []
        self.when: dict[str, Any] = {}
        """What else happens when something is done."""
        self.tasks: dict[int, PartitionTask] = {}
        self.given_up: list[int] = []
        self.renewed: set[int] = set()
        self.is_member = True
        """The answer of the group to this worker."""
        self.deployed: dict[bytes, int] = {}
        """Record keys to deployments that are read back from the outputs of each partition."""
        self.begun: dict[int, tuple[int, Checkpoint]] = {}
        counts = SimpleNamespace(begin=lambda number: self.did(f"index {number}"))
        metrics: Any = SimpleNamespace(
            open_commitments=counts, partition=lambda *_, **__: None, partition_revoked=self.given_up.append
        )
        metrics.woke = lambda _: None
        store: Any = SimpleNamespace(
            of=lambda _: {},
            is_renewed=lambda number, _: number in self.renewed,
            taken_over=lambda number: self.did(f"release {number}"),
        )
        self.restored = Restored(store, SimpleNamespace())  # type: ignore[arg-type]
        consumer = SimpleNamespace(highwaters=self._highwaters, is_member=self._is_member)
        self.context: Any = SimpleNamespace(
            settings=load({"policies": "batoi"}, {}),
            topics=Topics("test"),
            metrics=metrics,
            consumer=consumer,
            wall=lambda: 0,
            engine=Engine(PolicySet((), {})),
            clients=None,
            passing=time.monotonic,
        )
        monkeypatch.setattr(takeover, "fence", self._fence)
        monkeypatch.setattr(takeover, "read_back", self._read_back)
        monkeypatch.setattr(takeover, "Changelog", lambda _clients, _topic, number, *_: _Changelog(self, number))

    def did(self, what: str) -> None:
        self.done.append(what)
        self.when.pop(what, lambda: None)()

    async def _fence(self, _clients: object, _topics: object, partitions: Iterable[int]) -> dict[int, _Outputs]:
        partitions = list(partitions)
        self.did(f"fence {partitions}")
        return {number: _Outputs(self, number) for number in partitions}

    async def _read_back(self, *_: object) -> None:
        self.did("read back")

    async def _is_member(self) -> bool:
        self.did("ask the group")
        return self.is_member

    async def _highwaters(self, *tps: TP) -> dict[TP, int]:
        self.did("ask for the ends")
        return dict.fromkeys(tps, 40)

    async def assign(self, *numbers: int) -> None:
        generation = self.generation
        owned = frozenset(TP("ticket-events", number) for number in numbers)
        await take_over(
            self.context, self.restored, self.tasks, Assignment(owned, generation, lambda: self.generation != generation)
        )

    async def hold(self) -> None:
        for task in self.tasks.values():
            await task.hold()

    def states(self) -> dict[int, State]:
        return {number: task.life.state for number, task in self.tasks.items()}


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> _Worker:
    return _Worker(monkeypatch)


def test_each_step_of_all_partitions_is_over_before_the_next_begins(worker: _Worker) -> None:
    async def run() -> None:
        await worker.assign(0, 1)
        assert worker.states() == {0: State.CATCHING_UP, 1: State.CATCHING_UP}

    asyncio.run(run())

    assert worker.done[:7] == [
        "ask the group",
        "fence [0, 1]",
        "read the checkpoint of 0",
        "read the checkpoint of 1",
        "read back",
        "index 0",
        "index 1",
    ]
    assert worker.done[7:10] == ["ask for the ends", "begin an epoch of 0", "begin an epoch of 1"]
    assert sorted(worker.done[10:]) == ["release 0", "release 1"]
    assert worker.begun == dict.fromkeys((0, 1), (1, Checkpoint(5, {"sla-breaches": 7}, partitions=4)))
    assert [task.shard.watermark for task in worker.tasks.values()] == [5, 5]
    assert [task.shard.catch_up_to for task in worker.tasks.values()] == [40, 40]


def test_a_partition_that_stays_begins_an_epoch_of_its_new_generation_and_is_released(worker: _Worker) -> None:
    async def run() -> None:
        await worker.assign(0)
        stays = worker.tasks[0]
        await worker.hold()
        worker.done.clear()
        worker.generation += 1
        stays.shard.advance_watermark(9)
        await worker.assign(0)

        assert worker.tasks == {0: stays}
        assert stays.life.state is State.CATCHING_UP

    asyncio.run(run())

    assert worker.done == ["ask the group", "fence []", "read back", "ask for the ends", "begin an epoch of 0", "release 0"]
    assert worker.begun == {0: (2, Checkpoint(9, {"sla-breaches": 7}, partitions=4))}


@pytest.mark.parametrize("renewed", [False, True])
def test_a_partition_that_went_or_came_anew_from_the_changelog_is_left_before_the_fence(worker: _Worker, renewed: bool) -> None:
    async def run() -> None:
        await worker.assign(0, 1)
        before = worker.tasks[1]
        await worker.hold()
        worker.done.clear()
        worker.renewed = {1} if renewed else set()
        await worker.assign(*((0, 1) if renewed else (0,)))

        assert before.life.state is State.CLOSED
        assert worker.tasks.get(1) is not before

    asyncio.run(run())

    assert worker.done[:3] == ["close 1", "ask the group", "fence [1]" if renewed else "fence []"]
    assert worker.given_up == [1]


@pytest.mark.parametrize("step", ["fence [1]", "read back", "index 1", "ask for the ends", "begin an epoch of 1"])
def test_when_another_rebalance_has_begun_what_is_new_is_closed_and_nothing_is_released(worker: _Worker, step: str) -> None:
    def another() -> None:
        worker.generation += 1

    async def run() -> None:
        await worker.assign(0)
        await worker.hold()
        worker.done.clear()
        worker.when[step] = another
        generation = worker.generation
        await worker.assign(0, 1)

        assert worker.generation == generation + 1
        assert worker.states() == {0: State.SUSPENDED}

    asyncio.run(run())

    assert worker.done[-1] == "close 1"
    assert ("begin an epoch of 1" in worker.done) == (step == "begin an epoch of 1"), "the tickets may be gone already"
    assert not any(what.startswith("release") for what in worker.done)
    assert worker.given_up == [1]


def test_a_worker_that_the_group_has_replaced_takes_nothing_over(worker: _Worker) -> None:
    """It was suspended, and has restored what its successor wrote: its epoch would be above that of the successor."""

    async def run() -> None:
        await worker.assign(0)
        await worker.hold()
        worker.done.clear()
        worker.begun.clear()
        worker.is_member = False
        taking = asyncio.create_task(worker.assign(0, 1))
        await asyncio.sleep(2 * takeover._CHECK_INTERVAL)
        assert not taking.done(), "Faust would let the input flow"
        worker.generation += 1
        await taking

        assert worker.states() == {0: State.SUSPENDED}

    asyncio.run(run())

    assert (set(worker.done), worker.begun) == ({"ask the group"}, {})


def test_a_take_over_goes_on_when_the_coordinator_answers_again(worker: _Worker) -> None:
    worker.is_member = False

    async def run() -> None:
        taking = asyncio.create_task(worker.assign(0))
        await asyncio.sleep(2 * takeover._CHECK_INTERVAL)
        worker.is_member = True
        await taking

    asyncio.run(run())

    assert list(worker.begun) == [0]


def test_a_take_over_whose_generation_has_passed_when_the_group_answers_fences_nobody(worker: _Worker) -> None:
    async def run() -> None:
        worker.when["ask the group"] = lambda: setattr(worker, "generation", 2)
        await worker.assign(0)

    asyncio.run(run())

    assert (worker.done, worker.tasks) == (["ask the group"], {})


def test_partitions_that_an_overtaken_take_over_released_are_held_first(worker: _Worker) -> None:
    async def run() -> None:
        await worker.assign(0)  # the next rebalance had begun, and nobody held what this one released
        await worker.assign(0)

        assert worker.states() == {0: State.CATCHING_UP}

    asyncio.run(run())


def test_a_worker_that_is_assigned_nothing_asks_nothing(worker: _Worker) -> None:
    asyncio.run(worker.assign())

    assert worker.done == ["fence []", "read back"]


def test_a_partition_that_was_released_while_the_worker_ends_is_held_and_left(worker: _Worker) -> None:
    async def run() -> None:
        await worker.hold()  # the worker got SIGTERM while this take-over was under way
        await worker.assign(0)
        task = worker.tasks[0]
        await close(worker.context, task)

        assert task.life.state is State.CLOSED

    asyncio.run(run())

    assert worker.given_up == [0]


def test_a_take_over_waits_for_a_deployment_that_the_owner_before_knew(worker: _Worker) -> None:
    worker.deployed = {b"ticket": 3}

    async def run() -> None:
        taking = asyncio.create_task(worker.assign(0))
        await asyncio.sleep(3 * takeover._CHECK_INTERVAL)
        assert worker.begun == {}
        worker.context.engine.deployments = worker.context.engine.deployments.add(3, 5, PolicySet((), {}))
        await taking

    asyncio.run(run())

    assert list(worker.begun) == [0]


def test_a_take_over_that_waits_for_a_deployment_is_given_up_when_another_rebalance_begins(worker: _Worker) -> None:
    worker.deployed = {b"ticket": 3}

    async def run() -> None:
        taking = asyncio.create_task(worker.assign(0))
        await asyncio.sleep(2 * takeover._CHECK_INTERVAL)
        worker.generation += 1
        await taking

    asyncio.run(run())

    assert (worker.begun, worker.tasks) == ({}, {})


def test_a_worker_ends_when_effects_are_judged_by_a_deployment_that_does_not_come(
    worker: _Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner before has died when its effects were written, and the checkpoint with the deployment was not."""
    worker.deployed = {b"ticket": 3}
    monkeypatch.setattr(takeover, "_PATIENCE", 0.0)

    with pytest.raises(
        RuntimeError, match="partition 0 was judged by deployment 3, and this worker knows the log of deployments up to 0"
    ):
        asyncio.run(worker.assign(0))

    assert worker.begun == {}
