"""All that the clients of a run talk to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.simulation.coordinators import Transactions
    from tests.simulation.log import Log
    from tests.simulation.network import Network


class Brokers(NamedTuple):
    """The brokers, from outside."""

    network: Network
    log: Log
    transactions: Transactions
    records_of_a_batch: int
    """At most so many."""
