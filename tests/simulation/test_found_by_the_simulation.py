"""What the simulation has found, each as small as it can be."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pytest
from faust.types import TP

from stream import __version__
from stream.runtime.kafka.topics import Topics
from stream.runtime.kafka.transport import Record
from stream.runtime.recovery.changelog import Changelog
from stream.runtime.recovery.checkpoint import Checkpoint
from stream.runtime.recovery.output_recovery import read_back
from stream.runtime.recovery.outputs import ORIGIN, Outputs, fence
from tests.simulation.brokers import Brokers
from tests.simulation.clients import SimulatedClients
from tests.simulation.coordinators import Transactions
from tests.simulation.log import Log
from tests.simulation.loop import Loop
from tests.simulation.network import Network
from tests.simulation.producers import PlainProducer
from tests.simulation.worker import empty_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from stream.runtime.recovery.store import Store

_TOPICS = Topics("test")
_FROM_THE_BEGINNING = Checkpoint(outputs=dict.fromkeys((_TOPICS.breaches, _TOPICS.escalations, _TOPICS.rejected), 0))


def _dead_letter(origin: bytes) -> Record:
    return Record(b"desk/1", b"{}", [(ORIGIN, origin)])


class _Owners:
    """Owners of partition 0, one after the other, each from the same checkpoint."""

    def __init__(self, loop: Loop) -> None:
        network = Network(loop, Random(1))
        log = Log((spec.name for spec in _TOPICS.specs()), 1)
        self.brokers = Brokers(network, log, Transactions(log, network.later), 100)
        self.clients = SimulatedClients(self.brokers, 100)

    async def changelog(self, store: Store) -> Changelog:
        producer = PlainProducer(self.brokers)
        await producer.start()
        return Changelog(self.clients, _TOPICS.changelog, 0, cast("Any", producer), store)

    async def next(self) -> Outputs:
        outputs = await fence(self.clients, _TOPICS, [0])
        await read_back(self.clients, _TOPICS, outputs, {0: _FROM_THE_BEGINNING})
        return outputs[0]


def _run(way: Callable[[_Owners], Awaitable[Any]]) -> Any:
    loop = Loop(Random(1))

    async def whole() -> Any:
        return await way(_Owners(loop))

    return loop.run(whole())


def test_dead_letters_of_input_that_is_not_committed_are_known_after_the_partition_is_live() -> None:
    async def way(owners: _Owners) -> set[bytes]:
        outputs = await owners.next()
        await outputs.write({_TOPICS.rejected: [_dead_letter(b"4@0")]})
        outputs.finished(5, live=False)
        await outputs.write({_TOPICS.rejected: [_dead_letter(b"5@0")]})
        outputs.finished(6, live=True)
        outputs.end_recovery()
        outputs.unknown_from(0)
        # A rebalance now, in which the group has not committed: both come again.
        return outputs.emitted_ids

    assert _run(way) == {b"4@0", b"5@0"}


def test_dead_letters_of_the_owner_before_are_known_until_their_input_is_committed() -> None:
    async def way(owners: _Owners) -> list[set[bytes]]:
        before = await owners.next()
        await before.write({_TOPICS.rejected: [_dead_letter(b"4@0")]})
        outputs = await owners.next()
        outputs.end_recovery()
        outputs.finished(5, live=True)
        known = [set(outputs.emitted_ids)]
        outputs.unknown_from(4)
        known.append(set(outputs.emitted_ids))
        outputs.unknown_from(5)
        return [*known, outputs.emitted_ids]

    assert _run(way) == [{b"4@0"}, {b"4@0"}, set()]


def test_an_epoch_that_begins_while_the_partition_is_lost_and_regained_hides_no_record() -> None:
    async def way(owners: _Owners) -> tuple[int, dict[bytes, bytes]]:
        store, producer = empty_store(_TOPICS.changelog), PlainProducer(owners.brokers)
        await producer.start()
        await producer.write(_TOPICS.changelog, 0, [Record(b"desk/%d" % number, b"state", []) for number in range(3)])
        records = owners.brokers.log.committed(_TOPICS.changelog)
        store.restore(0, records)
        changelog = Changelog(owners.clients, _TOPICS.changelog, 0, cast("Any", producer), store)
        beginning = asyncio.get_running_loop().create_task(changelog.begin(1, Checkpoint()))
        await asyncio.sleep(0)
        await store.on_rebalance(set(), {TP(_TOPICS.changelog, 0)}, set())
        store.restore(0, records[:1])
        await beginning
        store.restore(0, records)
        return store.reached(0), dict(store.of(0).items())

    assert _run(way) == (2, dict.fromkeys((b"desk/0", b"desk/1", b"desk/2"), b"state"))


def test_an_epoch_does_not_begin_when_the_partition_was_lost_before() -> None:
    async def way(owners: _Owners) -> int:
        store, producer = empty_store(_TOPICS.changelog), PlainProducer(owners.brokers)
        await producer.start()
        changelog = Changelog(owners.clients, _TOPICS.changelog, 0, cast("Any", producer), store)
        await store.on_rebalance(set(), {TP(_TOPICS.changelog, 0)}, set())
        await changelog.begin(1, Checkpoint())
        return owners.brokers.log.of(_TOPICS.changelog, 0).end

    assert _run(way) == 0


def test_a_take_over_of_an_older_generation_that_comes_late_counts_for_nothing() -> None:
    async def way(owners: _Owners) -> dict[bytes, bytes]:
        stores = [empty_store(_TOPICS.changelog) for _ in range(3)]
        owner, late = await owners.changelog(stores[0]), await owners.changelog(stores[1])
        await owner.begin(1, Checkpoint())
        stores[0].of(0)[b"desk/1"] = b"new"
        await owner.write({b"desk/1": b"new"}, Checkpoint(5))
        await owner.begin(3, Checkpoint(5))
        stores[1].of(0)[b"desk/1"] = b"old"
        with pytest.raises(RuntimeError, match="another worker has partition 0, since epoch 4"):
            await late.begin(2, Checkpoint())
        stores[2].restore(0, owners.brokers.log.committed(_TOPICS.changelog))
        assert (await owners.changelog(stores[2])).found() == Checkpoint(5, release=__version__)
        return dict(stores[2].of(0).items())

    assert _run(way) == {b"desk/1": b"new"}


@pytest.mark.parametrize("found", [0, 1, 2, 40])
@pytest.mark.parametrize("generation", [1, 2, 39, 40])
def test_of_two_who_take_over_from_the_same_records_the_one_of_the_later_generation_is_the_owner(
    found: int, generation: int
) -> None:
    """Epochs are above the generations after a backup is restored, and when the group is forgotten and counts from 1 again."""

    async def way(owners: _Owners) -> dict[bytes, bytes]:
        stores = [empty_store(_TOPICS.changelog) for _ in range(3)]
        for store in stores:
            store.begin_epoch(0, found)
        owner, late = await owners.changelog(stores[0]), await owners.changelog(stores[1])
        await owner.begin(generation + 1, Checkpoint())
        stores[0].of(0)[b"desk/1"] = b"new"
        await owner.write({b"desk/1": b"new"}, Checkpoint(5))
        stores[1].of(0)[b"desk/1"] = b"old"
        with pytest.raises(RuntimeError, match="another worker has partition 0, since epoch"):
            await late.begin(generation, Checkpoint())
        stores[2].restore(0, owners.brokers.log.committed(_TOPICS.changelog))
        assert (await owners.changelog(stores[2])).found() == Checkpoint(5, release=__version__)
        return dict(stores[2].of(0).items())

    assert _run(way) == {b"desk/1": b"new"}
