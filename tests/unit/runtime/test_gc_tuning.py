"""The garbage collector does not visit the objects that a worker keeps, and still finds those that it has dropped."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from stream.runtime.gc_tuning import configure, freeze

if TYPE_CHECKING:
    from collections.abc import Iterator


class Knot:
    """Refers to itself, so that only the garbage collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def default_collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.freeze()


def test_frozen_objects_are_not_visited_again() -> None:
    kept = [Knot() for _ in range(100)]
    freeze()
    visited = {id(thing) for thing in gc.get_objects()}
    assert not any(id(knot) in visited for knot in kept)


def test_the_next_freeze_frees_frozen_objects_that_are_no_longer_used() -> None:
    knot = Knot()
    reference = weakref.ref(knot)
    freeze()
    del knot
    gc.collect()
    assert reference() is not None
    freeze()
    assert reference() is None


def test_a_unit_of_work_with_thousands_of_objects_causes_no_collection() -> None:
    configure()
    gc.collect()
    collections = []
    gc.callbacks.append(lambda phase, _info: collections.append(phase))
    try:
        work = [[number] for number in range(40_000)]
    finally:
        gc.callbacks.pop()
    assert len(work) == 40_000
    assert collections == []
