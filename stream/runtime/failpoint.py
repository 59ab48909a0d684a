"""Where a test can have the process end, as by kill -9. Without ``BREACHWATCH_FAILPOINT`` none of it does anything."""

from __future__ import annotations

import os
from typing import Final

STEPS: Final = ("before_outputs", "in_outputs", "after_outputs", "after_changelog", "after_finish")
"""In the order of a turn. ``in_outputs``: written, not committed. It and ``after_outputs`` come only if something is said."""

_NAME, _, _TIMES = os.environ.get("BREACHWATCH_FAILPOINT", "").partition(":")
_left = int(_TIMES or 1)


def failpoint(step: str) -> None:
    """End the process here, if this is the step of ``BREACHWATCH_FAILPOINT=step:n`` and the n-th time it is reached."""
    global _left  # noqa: PLW0603  one process has one
    if step == _NAME:
        _left -= 1
        if _left == 0:
            os._exit(137)
