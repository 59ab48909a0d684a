"""Points at which a test can end the process as ``kill -9`` would. Without ``BREACHWATCH_FAILPOINT`` they do nothing."""

from __future__ import annotations

import os
from typing import Final

STEPS: Final = ("before_outputs", "in_outputs", "after_outputs", "after_changelog", "after_finish")
"""The points of a unit of work, in order. ``in_outputs``: the outputs are written, but not committed. A unit of work without
outputs reaches neither ``in_outputs`` nor ``after_outputs``."""

_NAME, _, _TIMES = os.environ.get("BREACHWATCH_FAILPOINT", "").partition(":")
_left = int(_TIMES or 1)


def failpoint(step: str) -> None:
    """End the process if ``BREACHWATCH_FAILPOINT=step:n`` has this step and this is the n-th call with it."""
    global _left  # noqa: PLW0603  the counter of the process
    if step == _NAME:
        _left -= 1
        if _left == 0:
            os._exit(137)
