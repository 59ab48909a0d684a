"""A desk of write-back in the process of the test, on a real helpdesk."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from stream.writeback.apis.opening import opened
from stream.writeback.desk import Desk, Tickets
from stream.writeback.desk_file import load
from stream.writeback.metrics import WritebackMetrics
from stream.writeback.record import TicketRecord
from tests.effects import effect_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream.sla.effects import Kind

HOUR = 3_600_000_000
NINE = 1_772_442_000_000_000  # 2026-03-02T09:00:00Z


class Written:
    """Records of tickets, and what came of writing them."""

    def __init__(self, folder: Path, file: str, secret: str) -> None:
        path = folder / "desk.yaml"
        path.write_text(file, "utf-8")
        self._file, _ = load(str(path))
        self._secret = secret
        self.records: dict[str, TicketRecord] = {}
        self._offset = 0

    def take(self, ticket: str, kind: Kind, hours: int, **fields: Any) -> None:
        """An effect ``hours`` after nine o'clock. It is due an hour after that."""
        effect = effect_of(
            kind, id=f"{kind}-{hours}", ticket=ticket, at=NINE + hours * HOUR, due_at=NINE + (hours + 1) * HOUR, **fields
        )
        self.records.setdefault(ticket, TicketRecord()).take(effect, "out/0", self._offset)
        self._offset += 1

    def write(self, *tickets: str, meanwhile: Callable[[], object] | None = None) -> dict[str, float]:
        """Write tickets; how many ended how. ``meanwhile``: what somebody else does between a reading and the change."""
        return asyncio.run(self._write(tickets, meanwhile))

    async def _write(self, tickets: tuple[str, ...], meanwhile: Callable[[], object] | None) -> dict[str, float]:
        ended: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()

        async def end(ticket: str, done: bool) -> None:
            ended.put_nowait((ticket, done))

        metrics = WritebackMetrics([self._file.name])
        async with opened(self._file, {"SECRET": self._secret}) as reached:
            read = reached.api.read

            async def read_then(ticket: str, rules: Any) -> Any:
                nonlocal meanwhile
                found = await read(ticket, rules)
                if meanwhile is not None:
                    await asyncio.to_thread(meanwhile)
                    meanwhile = None
                return found

            reached.api.read = read_then  # type: ignore[method-assign]
            hooks = Tickets(self.records.__getitem__, lambda _: None, end)
            desk = Desk(reached, hooks, metrics, write=True)
            task = asyncio.ensure_future(desk.run())
            for ticket in tickets:
                desk.add(ticket, 0, 1)
            for _ in tickets:
                waits = asyncio.ensure_future(ended.get())
                await asyncio.wait([waits, task], timeout=60, return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    await task  # it ended with an error
                assert await asyncio.wait_for(waits, 1) in [(ticket, True) for ticket in tickets], desk.problem
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        samples = [sample for family in metrics.registry.collect() for sample in family.samples]
        return {
            sample.labels["outcome"]: sample.value
            for sample in samples
            if sample.name == "sla_writeback_tickets_total" and sample.value
        }
