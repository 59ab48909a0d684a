"""How many examples Hypothesis draws: as many as a property states, times ``BREACHWATCH_EXAMPLES`` (1 unless it is set)."""

from __future__ import annotations

import os

FACTOR = float(os.environ.get("BREACHWATCH_EXAMPLES", "1"))


def examples(count: int) -> int:
    """That many, more for a long search by hand, fewer for a short run; at least one."""
    return max(1, round(count * FACTOR))
