"""Faust's recovery of the table, changed so that no take-over begins before all tickets of the assignment are restored.

Faust 0.15.3 completes a recovery too early in two cases:

* Another rebalance, or the stop of the worker, interrupts it. Faust catches the exception by which it would notice.
* The broker does not answer within ``broker_request_timeout`` where the changelog ends. Faust continues with older offsets.

A partition that is taken over without its tickets emits nothing for them, and its first checkpoint hides the true one.
"""

from __future__ import annotations

from faust import tables
from faust.tables import recovery

from stream.runtime.kafka.consumer import FAUST_LOG


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
        if await self._is_incomplete():
            self.signal_recovery_start.set()
            raise recovery.RebalanceAgain
        await super().on_recovery_completed(generation_id)

    async def _is_incomplete(self) -> bool:
        """Whether the changelog has records that are not restored. Raises ``aiokafka.errors.KafkaError``."""
        if not self.active_tps:
            return False
        ends = await self.app.consumer.highwaters(*self.active_tps)
        restored = {tp: 0 if (last := self.active_offsets.get(tp)) is None else last + 1 for tp in ends}
        return any(ends[tp] > restored[tp] for tp in ends)


class TableManager(tables.TableManager):  # type: ignore[misc]
    """Faust's, with our recovery."""

    logger = FAUST_LOG
    _recovery: Recovery | None = None

    @property
    def recovery(self) -> Recovery:
        if self._recovery is None:
            self._recovery = Recovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
