"""A worker limits the rate of pages, and rejected clients get the time to wait."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest

from stream.observe.pages.limits import Limits, TooManyRequestsError


class Clock:
    """Advances only when a test sets it."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def ask(limits: Limits) -> None:
    with limits.page():
        pass


def test_after_a_burst_the_rate_applies_and_a_rejected_request_gets_the_time_to_wait() -> None:
    clock = Clock()
    limits = Limits(a_second=2, burst=3, clock=clock)
    for _ in range(3):
        ask(limits)

    with pytest.raises(TooManyRequestsError, match="too many pages were requested") as refused:
        ask(limits)
    assert (refused.value.rate, refused.value.wait) == (True, 1)

    clock.now += 0.5
    ask(limits)
    with pytest.raises(TooManyRequestsError):
        ask(limits)


def test_at_a_slow_rate_the_next_request_succeeds_after_the_time_to_wait() -> None:
    clock = Clock()
    limits = Limits(a_second=0.1, burst=1, clock=clock)
    ask(limits)
    with pytest.raises(TooManyRequestsError) as refused:
        ask(limits)

    clock.now += refused.value.wait

    ask(limits)


def test_a_quiet_time_allows_at_most_one_burst() -> None:
    clock = Clock()
    limits = Limits(a_second=100, burst=2, clock=clock)
    clock.now += 3_600
    ask(limits)
    ask(limits)

    with pytest.raises(TooManyRequestsError):
        ask(limits)


def test_rejected_requests_do_not_count_against_the_rate() -> None:
    clock = Clock()
    limits = Limits(a_second=1, burst=1, clock=clock)
    ask(limits)
    for _ in range(50):
        with pytest.raises(TooManyRequestsError):
            ask(limits)

    clock.now += 1

    ask(limits)


def test_pages_are_built_one_at_a_time_and_only_a_few_requests_wait() -> None:
    limits = Limits(at_once=3)
    may_end = threading.Event()
    making: list[None] = []
    most: list[int] = []

    def page() -> None:
        with limits.page():
            making.append(None)
            most.append(len(making))
            may_end.wait(30)
            making.pop()

    with ThreadPoolExecutor(10) as threads:
        asked = as_completed([threads.submit(page) for _ in range(10)], timeout=30)
        refused = [next(asked).exception() for _ in range(7)]
        may_end.set()
        for each in asked:
            each.result()

    assert {type(each) for each in refused} == {TooManyRequestsError}
    assert {(each.rate, each.wait) for each in refused if isinstance(each, TooManyRequestsError)} == {(False, 1)}
    assert most == [1, 1, 1]
    ask(limits)


def test_a_page_that_fails_frees_its_place() -> None:
    limits = Limits(at_once=1)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="no page"), limits.page():
            raise RuntimeError("no page")

    ask(limits)
