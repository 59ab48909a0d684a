"""When the interpreter looks for reference cycles: seldom, and never at what stays.

A turn makes hundreds of thousands of objects that all live until it ends, and none of them in a cycle. At the usual pace
each of them is looked at several times for nothing: a quarter of a worker's time. And every full search would visit
whatever a worker holds for each of a million tickets, while deadlines wait.
"""

from __future__ import annotations

import gc
from typing import Final

_THRESHOLDS: Final = (50_000, 3, 300)
"""Objects that have been made and not let go, searches of the youngest, searches of the middle-aged. Few of the
second: what is middle-aged by then is searched in one pause; what is older than that is hardly ever looked at."""


def configure() -> None:
    """From now on, until this process ends."""
    gc.set_threshold(*_THRESHOLDS)


def freeze() -> None:
    """Search once through everything, and spare what is left from all later searches.

    It takes as long as there are objects. What was spared before is searched as well, so that nothing stays that was given up.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
