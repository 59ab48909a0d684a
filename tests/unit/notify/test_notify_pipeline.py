"""The way from Kafka to a destination, with a consumer that a test controls."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.errors import CommitFailedError, KafkaError
from aiokafka.structs import TopicPartition

from stream.notify import delivery
from stream.notify import pipeline as module
from stream.notify.delivery import Delivery, Failure, Outgoing
from stream.notify.enqueuer import Enqueuer
from stream.notify.memory import Memory
from stream.notify.message import Writer
from stream.notify.notify_metrics import NotifyMetrics
from stream.notify.pipeline import Pipeline, keep_running
from stream.notify.rules import Destination, Route, Rules
from stream.notify.send_queue import SendQueue
from stream.notify.subscription import Subscription
from stream.sla.effects import Kind
from stream.wire.effect import effect_headers, encode_effect
from tests.effects import effect_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from stream.notify.decision import Sent
    from stream.sla.effects import Effect

TP = TopicPartition("sla-breaches", 0)
WRITER = Writer(None, "")


def breach(number: int) -> Effect:
    return effect_of(Kind.BREACHED, id=f"{number:024x}", ticket=f"desk/{number}")


class FakeConsumer:
    """One partition with records, as aiokafka's consumer shows it to the pipeline."""

    def __init__(self, effects: Sequence[Effect], committed: int | None = 0, age: float = 0.0) -> None:
        self.records = [
            SimpleNamespace(
                topic=TP.topic,
                partition=0,
                offset=offset,
                value=encode_effect(effect),
                headers=effect_headers(effect, b"test"),
                timestamp=int((time.time() - age) * 1_000),
            )
            for offset, effect in enumerate(effects)
        ]
        self.position = committed or 0
        self.commits: list[int] = [] if committed is None else [committed]
        self.refuse_commits = False
        self.assigned: Pipeline | None = None
        self._paused = False

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def subscribe(self, topics: Sequence[str], listener: Pipeline) -> None:
        self.listener = listener
        self._joining = asyncio.ensure_future(listener.on_partitions_assigned([TP]))

    async def revoke_and_assign(self) -> None:
        await self.listener.on_partitions_revoked([TP])
        self.position = self.commits[-1]
        await self.listener.on_partitions_assigned([TP])

    def assignment(self) -> set[TopicPartition]:
        return {TP}

    async def committed(self, _: TopicPartition) -> int | None:
        return self.commits[-1] if self.commits else None

    async def end_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {TP: len(self.records)}

    def seek(self, _: TopicPartition, offset: int) -> None:
        self.position = offset

    def highwater(self, _: TopicPartition) -> int:
        return len(self.records)

    def pause(self, *_: TopicPartition) -> None:
        self._paused = True

    def resume(self, *_: TopicPartition) -> None:
        self._paused = False

    def paused(self) -> set[TopicPartition]:
        return {TP} if self._paused else set()

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.refuse_commits:
            raise CommitFailedError
        self.commits.append(offsets[TP])

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        found = [] if self._paused else self.records[self.position : self.position + max_records]
        if not found:
            await asyncio.sleep(0.01)
            return {}
        await asyncio.sleep(0)
        self.position += len(found)
        return {TP: found}


class Rig:
    """A pipeline to one destination that accepts when the test lets it."""

    def __init__(self, consumer: FakeConsumer) -> None:
        self.consumer = consumer
        self.accepting = True
        self.most = 1_000
        """Messages that it accepts."""
        self.arrived: list[str] = []
        self.memory = Memory()
        rules = Rules({"to": Destination("to", storm=None)}, (Route(to=("to",)),))
        self.metrics = NotifyMetrics(["to"], [], self.memory.__len__)
        queue = SendQueue(lambda effect_id: self.memory.get("to", effect_id), WRITER.digest)
        delivering = Delivery(rules.destinations["to"], WRITER, queue, self.memory, self, self)
        delivering.metrics = self.metrics.of["to"]
        subscription = Subscription({}, [TP.topic], "g", None)
        subscription.consumer = lambda: consumer  # type: ignore[method-assign]
        self.queue = queue
        enqueuer = Enqueuer("to", rules, queue, self.metrics)
        self.pipeline = Pipeline(subscription, enqueuer, delivering, self.metrics.of["to"], self.catch_up)

    async def catch_up(self) -> None: ...

    async def record(self, destination: str, sent: Sequence[tuple[str, Sent]]) -> None: ...

    async def send(self, outgoing: Sequence[Outgoing]) -> Failure | None:
        await asyncio.sleep(0)
        if not self.accepting or len(self.arrived) >= self.most:
            return Failure("down")
        self.arrived += [each.message.id for each in outgoing]
        return None

    async def close(self) -> None: ...


def run(rig: Rig, work: Callable[[], Awaitable[None]]) -> None:
    """Run the pipeline while ``work`` runs, then stop it."""

    async def both() -> None:
        stopping = asyncio.Event()
        running = asyncio.ensure_future(keep_running(rig.pipeline, stopping))
        try:
            async with asyncio.timeout(60):
                await work()
        finally:
            stopping.set()
            await running

    asyncio.run(both())


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110  the pipeline has no event for it
        await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COMMIT_EVERY", 0.02)
    monkeypatch.setattr(delivery, "_FIRST_PAUSE", 20_000)


def test_all_effects_are_sent_in_order_and_committed() -> None:
    rig = Rig(FakeConsumer([breach(number) for number in range(50)]))

    async def work() -> None:
        await until(lambda: rig.consumer.commits[-1] == 50)

    run(rig, work)
    assert rig.arrived == [breach(number).id for number in range(50)]


def test_a_destination_that_is_down_reads_no_further_than_its_queue_holds_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 30)
    rig = Rig(FakeConsumer([breach(number) for number in range(200)]))
    rig.accepting = False

    async def work() -> None:
        await until(lambda: bool(rig.consumer.paused()))
        assert len(rig.queue) == 30
        assert set(rig.consumer.commits) <= {0}
        await until(lambda: bool(rig.metrics.registry.get_sample_value("sla_notify_lag_records", {"destination": "to"})))
        rig.accepting = True
        await until(lambda: len(rig.arrived) == 200)

    run(rig, work)
    assert rig.arrived == [breach(number).id for number in range(200)]
    assert rig.consumer.commits[-1] == 200


def test_a_new_destination_begins_at_the_end_and_commits_that_at_once() -> None:
    rig = Rig(FakeConsumer([breach(number) for number in range(5)], committed=None))

    async def work() -> None:
        await until(lambda: rig.consumer.commits == [5])
        await asyncio.sleep(0.05)

    run(rig, work)
    assert rig.arrived == []


def test_what_was_published_too_long_ago_is_history() -> None:
    rig = Rig(FakeConsumer([breach(1)], age=8 * 86_400))

    async def work() -> None:
        await until(lambda: rig.consumer.commits[-1] == 1)

    run(rig, work)
    assert rig.arrived == []
    labels = {"destination": "to", "reason": "history"}
    assert rig.metrics.registry.get_sample_value("sla_notify_skipped_total", labels) == 1


def test_after_a_rebalance_what_was_not_accepted_is_read_again_and_nothing_is_repeated() -> None:
    rig = Rig(FakeConsumer([breach(number) for number in range(20)]))

    rig.most = 5

    async def work() -> None:
        await until(lambda: rig.pipeline._delivery.failing_since is not None)
        await rig.consumer.revoke_and_assign()
        rig.most = 1_000
        await until(lambda: len(rig.arrived) == 20)

    run(rig, work)
    assert rig.arrived == [breach(number).id for number in range(20)]


def test_a_commit_that_another_owner_prevents_is_no_reason_to_stop() -> None:
    rig = Rig(FakeConsumer([breach(1)]))
    rig.consumer.refuse_commits = True

    async def work() -> None:
        await until(lambda: len(rig.arrived) == 1)
        rig.consumer.refuse_commits = False
        await until(lambda: rig.consumer.commits[-1] == 1)

    run(rig, work)


def test_a_failure_while_partitions_are_assigned_starts_the_pipeline_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(FakeConsumer([breach(1)]))
    failures = [KafkaError("no answer")]

    async def fail_once() -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(rig.pipeline, "_catch_up", fail_once)

    async def work() -> None:
        await until(lambda: len(rig.arrived) == 1)

    run(rig, work)
    assert failures == []


def test_a_record_that_cannot_be_read_is_counted_and_passed_over() -> None:
    rig = Rig(FakeConsumer([breach(1), breach(2)]))
    rig.consumer.records[0].value = b"{}"

    async def work() -> None:
        await until(lambda: rig.consumer.commits[-1] == 2)

    run(rig, work)
    assert rig.arrived == [breach(2).id]
    assert rig.metrics.registry.get_sample_value("sla_notify_unreadable_total") == 1
