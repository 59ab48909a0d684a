"""What the simulation has found, each as small as it can be."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from stream.runtime.kafka.topics import Topics
from stream.runtime.kafka.transport import Record
from stream.runtime.recovery.checkpoint import Checkpoint
from stream.runtime.recovery.output_recovery import read_back
from stream.runtime.recovery.outputs import ORIGIN, Outputs, fence
from tests.simulation.clients import Brokers, SimulatedClients
from tests.simulation.coordinators import Transactions
from tests.simulation.log import Log
from tests.simulation.loop import Loop
from tests.simulation.network import Network

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_TOPICS = Topics("test")
_FROM_THE_BEGINNING = Checkpoint(outputs=dict.fromkeys((_TOPICS.breaches, _TOPICS.escalations, _TOPICS.rejected), 0))


def _letter(origin: bytes) -> Record:
    return Record(b"desk/1", b"{}", [(ORIGIN, origin)])


class _Owners:
    """Owners of partition 0, one after the other, each from the same checkpoint."""

    def __init__(self, loop: Loop) -> None:
        network = Network(loop, Random(1))
        log = Log((spec.name for spec in _TOPICS.specs()), 1)
        self._clients = SimulatedClients(Brokers(network, log, Transactions(log, network.later), 100), 100)

    async def next(self) -> Outputs:
        outputs = await fence(self._clients, _TOPICS, [0])
        await read_back(self._clients, _TOPICS, outputs, {0: _FROM_THE_BEGINNING})
        return outputs[0]


def _run(way: Callable[[_Owners], Awaitable[Any]]) -> Any:
    loop = Loop(Random(1))

    async def whole() -> Any:
        return await way(_Owners(loop))

    return loop.run(whole())


def test_dead_letters_of_input_that_is_not_committed_are_known_after_the_partition_is_live() -> None:
    async def way(owners: _Owners) -> set[bytes]:
        outputs = await owners.next()
        await outputs.write({_TOPICS.rejected: [_letter(b"4@0")]})
        outputs.finished(5, live=False)
        await outputs.write({_TOPICS.rejected: [_letter(b"5@0")]})
        outputs.finished(6, live=True)
        outputs.unknown_from(0)
        # A rebalance now, in which the group has not committed: both come again.
        return outputs.emitted_ids

    assert _run(way) == {b"4@0", b"5@0"}


def test_dead_letters_of_the_owner_before_are_known_until_their_input_is_committed() -> None:
    async def way(owners: _Owners) -> list[set[bytes]]:
        before = await owners.next()
        await before.write({_TOPICS.rejected: [_letter(b"4@0")]})
        outputs = await owners.next()
        outputs.finished(5, live=True)
        known = [set(outputs.emitted_ids)]
        outputs.unknown_from(4)
        known.append(set(outputs.emitted_ids))
        outputs.unknown_from(5)
        return [*known, outputs.emitted_ids]

    assert _run(way) == [{b"4@0"}, {b"4@0"}, set()]
