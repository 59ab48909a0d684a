"""The ``stream.runtime.kafka.clients.Clients`` of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.simulation.producers import TransactionalProducer
from tests.simulation.reader import Reader

if TYPE_CHECKING:
    from tests.simulation.brokers import Brokers


class SimulatedClients:
    """Makes clients for the code under test."""

    def __init__(self, brokers: Brokers, fetched: int) -> None:
        """``fetched``: records that one fetch brings of a partition."""
        self._brokers: Final = brokers
        self._fetched: Final = fetched

    def reader(self, name: str) -> Reader:
        return Reader(self._brokers, self._fetched)

    def transactional_producer(self, name: str, transactional_id: str) -> TransactionalProducer:
        return TransactionalProducer(self._brokers, transactional_id)
