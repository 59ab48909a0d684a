"""Which events were written lately, so that a look-back does not write them again."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stream.feeds.reading import MappedEvent

MOST: Final = 200_000


class Recent:
    """The newest written events, as hashes. Forgetting one does no harm: a repeated event changes nothing."""

    def __init__(self, most: int = MOST) -> None:
        self._most: Final = most
        self._hashes = dict[bytes, None]()

    def fresh(self, events: Iterable[MappedEvent]) -> list[MappedEvent]:
        """Those that were not written lately, each once."""
        found = {_hash(event): event for event in events}
        return [event for key, event in found.items() if key not in self._hashes]

    def add(self, events: Sequence[MappedEvent]) -> None:
        """These were written and are safe."""
        for event in events:
            self._hashes[_hash(event)] = None
        while len(self._hashes) > self._most:
            del self._hashes[next(iter(self._hashes))]


def _hash(event: MappedEvent) -> bytes:
    return blake2b(event.value, digest_size=16).digest()
