"""The events that were written lately, so that a look-back does not write them again."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Final = 200_000


class Recent:
    """The newest written values, as hashes. Forgetting one does no harm: a repeated event changes nothing."""

    def __init__(self, most: int = MOST) -> None:
        self._most: Final = most
        self._hashes = dict[bytes, None]()

    def knows(self, value: bytes) -> bool:
        return _hash(value) in self._hashes

    def add(self, values: Iterable[bytes]) -> None:
        """These were written and are safe."""
        for value in values:
            self._hashes[_hash(value)] = None
        while len(self._hashes) > self._most:
            del self._hashes[next(iter(self._hashes))]


def _hash(value: bytes) -> bytes:
    return blake2b(value, digest_size=16).digest()
