"""The sweep of a partition: after a deployment, every ticket is woken once.

1. It begins when the partition's clock has passed the instant from which the deployment holds.
2. Tickets are woken in the order of their next instants, the soonest first; then those that wait for nothing. A ticket meets
   the deployment before any deadline of it fires, whether the sweep, an event or a deadline reaches it first
   (``stream.sla.engine.Engine.wake``). So no deadline fires by a set that is no longer in force.
3. A ticket about which nothing changes is not written.
4. Closed tickets are among them: a deployment that became known late, or that took the place of another one, may take back
   what was decided.
5. The last unit of work writes the number of the deployment into the checkpoint. After a crash the sweep begins again, and
   finds the tickets that it had reached in order.
6. An event from before the deployment may arrive after the sweep has passed its ticket, or when the sweep is over. The ticket
   is then swept again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stream.runtime.timers import TimerQueue


class Sweep:
    """The tickets that are still to be woken."""

    __slots__ = ("_all", "_keys", "_left", "number")

    def __init__(self, number: int, tickets: Iterable[bytes], timers: TimerQueue) -> None:
        """``number``: of the deployment. ``tickets``: the record keys of all tickets of the partition."""
        self.number: Final = number
        keys = timers.soonest_first()
        keys += [key for key in tickets if key not in timers]
        self._left = len(keys)
        self._all: Final = keys
        self._keys: Iterator[bytes] = iter(keys)

    def __len__(self) -> int:
        """How many tickets are left."""
        return self._left

    def add(self, key: bytes) -> None:
        """Wake this ticket (again), after all others."""
        self._all.append(key)
        self._left += 1

    def take(self) -> bytes | None:
        """The next ticket's record key; ``None``: the sweep is done."""
        key = next(self._keys, None)
        self._left = 0 if key is None else self._left - 1
        return key
