"""Searches for reference cycles spare what a worker holds, and still find what it has given up."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from stream.runtime.gc_tuning import configure, freeze

if TYPE_CHECKING:
    from collections.abc import Iterator


class Knot:
    """Refers to itself: only a search for cycles lets go of it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def usual_collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_stays_is_not_searched_again() -> None:
    kept = [Knot() for _ in range(100)]
    freeze()
    searched = {id(thing) for thing in gc.get_objects()}
    assert not any(id(knot) in searched for knot in kept)


def test_what_was_spared_and_then_given_up_is_found_by_the_next_settling() -> None:
    knot = Knot()
    gone = weakref.ref(knot)
    freeze()
    del knot
    gc.collect()
    assert gone() is not None
    freeze()
    assert gone() is None


def test_a_turn_of_thousands_of_objects_is_not_searched_while_it_runs() -> None:
    configure()
    gc.collect()
    searches = []
    gc.callbacks.append(lambda phase, _info: searches.append(phase))
    try:
        turn = [[number] for number in range(40_000)]
    finally:
        gc.callbacks.pop()
    assert len(turn) == 40_000
    assert searches == []
