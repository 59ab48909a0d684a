"""Memory that was freed between objects that stay is given back to the system."""

from __future__ import annotations

import os
from pathlib import Path

from stream.runtime.freed_memory import give_back

PIECES = 60_000


def resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_freed_memory_between_pieces_that_stay_is_given_back() -> None:
    pieces = [bytes(1_000) for _ in range(PIECES)]
    kept = pieces[::100]
    del pieces
    before = resident()

    assert give_back()

    assert resident() < before - PIECES * 1_000 // 2
    assert len(kept) == PIECES // 100
