"""Tunes the garbage collector: it runs rarely, and never visits the objects that stay.

A unit of work makes hundreds of thousands of objects that live until its end, none of them in a cycle. With the default
thresholds the collector visits each of them several times in vain, which takes a quarter of a worker's time. A full collection
would also visit the objects of a million tickets while timers wait.
"""

from __future__ import annotations

import gc
from typing import Final

_THRESHOLDS: Final = (50_000, 3, 300)
"""For each generation: new objects until it is collected, then collections of the younger generation. The second number is
small, because one pause collects the whole middle generation. The third is large, so that full collections are rare."""


def configure() -> None:
    """Set the thresholds for the rest of the process."""
    gc.set_threshold(*_THRESHOLDS)


def freeze() -> None:
    """Run a full collection, and exclude the remaining objects from later collections.

    The time grows with the number of objects. The collection includes objects of an earlier ``freeze``, so that those which
    are no longer used are freed.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
