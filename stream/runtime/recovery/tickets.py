"""The tickets of a partition in memory: record key to state. They share what many states have alike.

Whoever reads a state gets the bytes that were put in, so nobody else knows how they are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.sla.codec import frames

if TYPE_CHECKING:
    from collections.abc import Iterator


class Tickets:
    """As a dict of states by record key. The garbage collector does not visit it."""

    def __init__(self) -> None:
        self._states: Final[dict[bytes, bytes]] = {}

    def __len__(self) -> int:
        return len(self._states)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._states)

    def __contains__(self, key: object) -> bool:
        return key in self._states

    def __getitem__(self, key: bytes) -> bytes:
        return frames.whole(self._states[key])

    def __setitem__(self, key: bytes, state: bytes) -> None:
        self._states[key] = frames.cut(state)

    def get(self, key: bytes) -> bytes | None:
        """The state of a ticket; ``None``: there is none."""
        state = self._states.get(key)
        return None if state is None else frames.whole(state)

    def drop(self, key: bytes) -> None:
        """Forget a ticket, if there is one."""
        self._states.pop(key, None)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Record keys and states."""
        for key, state in self._states.items():
            yield key, frames.whole(state)

    def is_timed(self, key: bytes) -> bool:
        """Whether a ticket waits for an instant, without reading its state."""
        state = self._states.get(key)
        return state is not None and frames.is_timed(state)
