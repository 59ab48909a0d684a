"""Faust's recovery of the table, changed so that no take-over begins before all tickets of the assignment are restored.

Faust 0.15.3 completes a recovery too early in two cases:

* Another rebalance, or the stop of the worker, interrupts it. Faust catches the exception by which it would notice.
* The broker does not answer within ``broker_request_timeout`` where the changelog ends. Faust continues with older offsets.

A partition that is taken over without its tickets emits nothing for them, and its first checkpoint hides the true one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from faust import tables
from faust.tables import recovery

from stream.runtime.kafka.consumer import FAUST_LOG

if TYPE_CHECKING:
    from faust.types import TP


class Recovery(recovery.Recovery):  # type: ignore[misc]  # Faust ships no types that mypy could follow
    """Restores the tickets after each rebalance, and completes only when they are restored."""

    logger = FAUST_LOG

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Take over what this generation of the group assigned, all of it restored.

        Raises Faust's ServiceStopped and RebalanceAgain, as Faust's own methods do: its task ends, or restores again.
        """
        if self.should_stop:
            raise recovery.ServiceStopped
        if generation_id != self.app.consumer_generation_id:
            raise recovery.RebalanceAgain
        if self._is_incomplete():
            self.signal_recovery_start.set()
            raise recovery.RebalanceAgain
        await super().on_recovery_completed(generation_id)

    async def _build_highwaters(self, consumer: Any, tps: set[TP], destination: Any, title: str) -> None:
        destination.clear()  # Without an answer in time, the ends of the recovery before would count.
        await super()._build_highwaters(consumer, tps, destination, title)

    def _is_incomplete(self) -> bool:
        """Whether records are not restored that the changelog had when this recovery began.

        It does not ask again where the changelog ends: a worker that was replaced and has not noticed may append to it until
        the take-over fences it. Those records count for nothing (``stream.runtime.recovery.changelog``).
        """
        ends = self.active_highwaters
        restored = {tp: offset for tp, offset in self.active_offsets.items() if offset is not None}
        return any(tp not in ends or ends[tp] > restored.get(tp, -1) for tp in self.active_tps)


class TableManager(tables.TableManager):  # type: ignore[misc]
    """Faust's, with our recovery."""

    logger = FAUST_LOG
    _recovery: Recovery | None = None

    @property
    def recovery(self) -> Recovery:
        if self._recovery is None:
            self._recovery = Recovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
