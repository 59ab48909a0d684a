"""Reading a list that can only be asked from a time on: nothing is skipped, nothing loops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.pull.api import Cursor
from stream.pull.errors import RefusedError
from stream.pull.pages import by_time

if TYPE_CHECKING:
    from collections.abc import Callable


class _Desk:
    """Items by id, with the time of their last change. ``between`` is called before each question but the first."""

    def __init__(self, times: list[int], between: Callable[[_Desk, int], None] | None = None) -> None:
        self.items = {str(number): at for number, at in enumerate(times)}
        self.questions = 0
        self._between = between

    async def ask(self, since: int, page: int, size: int) -> list[Cursor]:
        self.questions += 1
        if self.questions > 1 and self._between is not None:
            self._between(self, self.questions)
        found = sorted(Cursor(at, number) for number, at in self.items.items() if at >= since)
        return found[(page - 1) * size : page * size]

    def read(self, since: int, size: int) -> list[Cursor]:
        async def run() -> list[Cursor]:
            pages = by_time(since, size, lambda since, page: self.ask(since, page, size), lambda item: item)
            return [item async for page in pages for item in page]

        return asyncio.run(run())


@given(times=st.lists(st.integers(0, 12), max_size=60), since=st.integers(0, 12), size=st.integers(1, 7))
def test_every_item_comes_once_whatever_their_times_and_the_size_of_a_page(times: list[int], since: int, size: int) -> None:
    desk = _Desk(times)

    found = desk.read(since, size)

    assert sorted(found) == sorted(Cursor(at, number) for number, at in desk.items.items() if at >= since)
    assert desk.questions <= 2 * len(times) + 2


@given(times=st.lists(st.integers(0, 6), min_size=8, max_size=40), data=st.data())
def test_an_item_that_changes_between_two_pages_hides_no_other(times: list[int], data: st.DataObject) -> None:
    changes = data.draw(st.lists(st.integers(0, len(times) - 1), max_size=5))

    def change(desk: _Desk, question: int) -> None:
        if changes:
            desk.items[str(changes.pop())] = 100 + question

    # Pages hold more than share one instant: where they do not, no question can separate what has the same time.
    size = max(times.count(at) for at in times) + 1
    desk = _Desk(times, change)

    found = desk.read(0, size)

    assert {item.id for item in found} == set(desk.items)
    assert {Cursor(at, number) for number, at in desk.items.items()} <= set(found)


def test_a_whole_page_of_one_instant_does_not_loop() -> None:
    desk = _Desk([5] * 10 + [6])

    assert len(desk.read(0, 3)) == 11
    assert desk.questions < 10


def test_an_api_that_gives_the_same_page_again_and_again_is_refused() -> None:
    questions = 0

    async def ask(since: int, page: int) -> list[Cursor]:
        nonlocal questions
        questions += 1
        return [Cursor(5, "1"), Cursor(5, "2")]

    async def run() -> list[Cursor]:
        return [item async for page in by_time(0, 2, ask, lambda item: item) for item in page]

    with pytest.raises(RefusedError, match="same page"):
        asyncio.run(run())
    assert questions < 10
