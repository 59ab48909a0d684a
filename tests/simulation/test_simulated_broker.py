"""The broker of the simulation does what Kafka does; ``tests/broker/test_script_on_a_broker.py`` plays the same on Kafka."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.errors import (
    IllegalGenerationError,
    InvalidProducerEpoch,
    OutOfOrderSequenceNumber,
    RebalanceInProgressError,
    RequestTimedOutError,
    UnknownMemberIdError,
)

from stream.runtime.kafka.topics import Topics
from stream.runtime.kafka.transport import Record
from tests.simulation.broker_script import EXPECTED, play
from tests.simulation.brokers import Brokers
from tests.simulation.clients import SimulatedClients
from tests.simulation.coordinators import Group, Joined, Transactions
from tests.simulation.log import Append, Log, Partition, Producer, Written
from tests.simulation.loop import Loop
from tests.simulation.network import Network
from tests.simulation.process import Process
from tests.simulation.producers import PlainProducer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_TOPICS = Topics("test")


def _run(way: Callable[[Loop, Brokers], Awaitable[Any]], seed: int = 1) -> Any:
    loop = Loop(Random(seed))
    network = Network(loop, Random(seed))
    log = Log((spec.name for spec in _TOPICS.specs()), 1)

    async def whole() -> Any:
        return await way(loop, Brokers(network, log, Transactions(log, network.later), 100))

    return loop.run(whole())


def _batch(producer: Producer, sequence: int, *values: bytes, transactional: bool = False) -> Append:
    return Append(producer, sequence, transactional, [Record(b"key", value, []) for value in values])


@pytest.mark.parametrize("seed", range(20))
def test_owners_of_a_transactional_id_fence_each_other_and_readers_see_only_what_is_committed(seed: int) -> None:
    async def way(_: Loop, brokers: Brokers) -> list[str]:
        brokers.network.slow = 0.3 if seed % 2 else 0.0
        return await play(SimulatedClients(brokers, 100), _TOPICS)

    assert _run(way, seed) == EXPECTED


def test_a_batch_that_is_sent_again_is_written_once_and_a_gap_or_an_old_epoch_is_refused() -> None:
    partition, producer = Partition("topic", 0), Producer(7, 0)

    assert partition.append(_batch(producer, 0, b"a", b"b"), 5) == Written(0, 5)
    assert partition.append(_batch(producer, 2, b"c"), 6) == Written(2, 6)
    assert partition.append(_batch(producer, 2, b"c"), 7) == Written(2, 6)
    assert partition.append(_batch(producer, 0, b"a", b"b"), 8).offset == -1
    with pytest.raises(OutOfOrderSequenceNumber):
        partition.append(_batch(producer, 4, b"e"), 9)
    partition.append(_batch(Producer(7, 1), 0, b"d"), 10)
    with pytest.raises(InvalidProducerEpoch):
        partition.append(_batch(producer, 3, b"late"), 11)
    assert [entry.value for entry in partition.entries if entry is not None] == [b"a", b"b", b"c", b"d"]


@pytest.mark.parametrize("seed", range(20))
def test_lost_and_late_messages_neither_lose_nor_double_what_an_idempotent_producer_writes(seed: int) -> None:
    async def way(_: Loop, brokers: Brokers) -> list[bytes | None]:
        brokers.network.trouble = 0.3
        while True:
            producer = PlainProducer(brokers)
            try:
                await producer.start()
                for number in range(8):
                    await producer.write(_TOPICS.changelog, 0, [Record(b"key", b"%d" % number, [])])
            except RequestTimedOutError:  # four in a row without an answer: begin anew
                continue
            break
        return [entry.value for entry in brokers.log.committed(_TOPICS.changelog)][-8:]

    assert _run(way, seed) == [b"%d" % number for number in range(8)]


def test_a_group_gives_every_partition_to_one_member_and_takes_no_commit_of_those_that_it_has_dropped() -> None:
    group = Group(Random(1), 4, session=6.0, rebalance=12.0)
    joined: dict[str, Joined] = {}

    def join(member: str, now: float) -> None:
        group.join(member, now, lambda found: joined.update({member: found}))

    join("a", 0.0)
    assert joined["a"] == Joined(1, frozenset(range(4)))
    join("b", 1.0)
    group.commit("a", 1, {0: 5}, 1.5)
    with pytest.raises(RebalanceInProgressError):
        group.heartbeat("a", 1, 2.0)
    join("a", 2.5)
    assert [one.generation for one in joined.values()] == [2, 2]
    assert sorted([*joined["a"].partitions, *joined["b"].partitions]) == list(range(4))
    with pytest.raises(IllegalGenerationError):
        group.commit("a", 1, {0: 6}, 3.0)
    group.heartbeat("a", 2, 8.0)
    group.check_members(9.0)
    with pytest.raises(UnknownMemberIdError):
        group.commit("b", 2, {0: 7}, 9.5)
    join("a", 10.0)
    assert joined["a"] == Joined(3, frozenset(range(4)))
    assert group.committed == {0: 5}


def test_a_process_that_is_killed_does_nothing_more_and_one_that_is_stopped_goes_on() -> None:
    async def way(loop: Loop, _: Brokers) -> list[str]:
        did = []

        async def work(name: str) -> None:
            for number in range(4):
                did.append(f"{name}{number}")
                await asyncio.sleep(1)

        killed, stopped = Process("killed"), Process("stopped")
        loop.spawn(killed, work("k"))
        loop.spawn(stopped, work("s"))
        await asyncio.sleep(1.5)
        loop.kill(killed)
        loop.stop_process(stopped)
        await asyncio.sleep(10)
        did.append("later")
        loop.go_on(stopped)
        await asyncio.sleep(10)
        return did

    did = _run(way)

    assert sorted(did[:4]) == ["k0", "k1", "s0", "s1"]
    assert did[4:] == ["later", "s2", "s3"]
