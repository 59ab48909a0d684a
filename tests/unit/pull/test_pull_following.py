"""A puller that follows: what it does when Kafka or the helpdesk is away, and how it states its feed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError

from stream.pull import feed_ticks as feed_ticks_module
from stream.pull.errors import ForbiddenError, RefusedError, UnauthorizedError, UnreachableError
from stream.pull.feed_ticks import FeedTicks
from stream.pull.follow import Following
from stream.pull.outcome import Outcome
from tests.unit.pull.desk import SECOND, START

if TYPE_CHECKING:
    from stream.pull.errors import ApiError


class _Ticks:
    """The ticks that were published. ``away``: how many publications fail first."""

    def __init__(self) -> None:
        self.values: list[tuple[str, str]] = []
        self.away = 0
        self._more = asyncio.Event()

    async def published(self, count: int) -> None:
        """Wait for so many."""
        while len(self.values) < count:
            self._more.clear()
            await self._more.wait()

    async def __call__(self, value: bytes) -> None:
        if self.away:
            self.away -= 1
            raise KafkaConnectionError
        tick = msgspec.json.decode(value)
        self.values.append((tick["state"], tick["at"]))
        self._more.set()


def _feed_ticks(ticks: _Ticks, complete_to: int | None = None, interval: float = 60) -> FeedTicks:
    return FeedTicks("desk", 30 * SECOND, interval, ticks, complete_to)


def _outcome(**failed: ApiError) -> Outcome:
    return Outcome(START + 100 * SECOND, failed=failed)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (_outcome(), ("complete", "2026-03-02T10:01:10Z")),
        (_outcome(notes=ForbiddenError("403")), ("complete", "2026-03-02T10:01:10Z")),
        (_outcome(notes=UnreachableError("502")), ("unreachable", "2026-03-02T10:00:00Z")),
        (_outcome(notes=RefusedError("400")), ("lagging", "2026-03-02T10:00:00Z")),
    ],
    ids=["complete", "forbidden", "unreachable", "refused"],
)
def test_a_tick_states_what_a_pass_found(outcome: Outcome, state: tuple[str, str]) -> None:
    ticks = _Ticks()

    asyncio.run(_feed_ticks(ticks, START).after(outcome))

    assert ticks.values == [state]


def test_before_the_first_complete_pass_nothing_is_stated() -> None:
    ticks = _Ticks()

    asyncio.run(_feed_ticks(ticks).after(_outcome(notes=UnreachableError("502"))))

    assert ticks.values == []


def test_the_state_is_repeated_also_when_kafka_was_away_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = _Ticks()
    monkeypatch.setattr(feed_ticks_module, "EVERY", 0.001)

    async def story() -> None:
        feed_ticks = _feed_ticks(ticks)
        await feed_ticks.after(_outcome())
        ticks.away = 1
        running = asyncio.create_task(feed_ticks.run())
        await ticks.published(3)
        running.cancel()

    asyncio.run(asyncio.wait_for(story(), 60))

    assert {state for state, _ in ticks.values} == {"complete"}


def test_a_pass_that_takes_long_is_a_lagging_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = _Ticks()
    monkeypatch.setattr(feed_ticks_module, "EVERY", 0.001)

    async def story() -> None:
        feed_ticks = _feed_ticks(ticks, interval=0.0001)
        await feed_ticks.after(_outcome())
        running = asyncio.create_task(feed_ticks.run())
        await ticks.published(2)
        running.cancel()

    asyncio.run(asyncio.wait_for(story(), 60))

    assert [state for state, _ in ticks.values][:2] == ["complete", "lagging"]


class _Passes:
    """Passes with the given outcomes; then the puller is stopped."""

    def __init__(self, *outcomes: Outcome | Exception) -> None:
        self.left = list(outcomes)
        self.connects = 0

    async def __call__(self) -> Outcome:
        if not self.left:
            raise asyncio.CancelledError
        outcome = self.left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def connect(self) -> None:
        self.connects += 1

    def follow(self, ticks: _Ticks) -> None:
        following = Following(0, self, self.connect, _feed_ticks(ticks, START))
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(following.run())


def test_while_kafka_is_away_it_connects_again_and_goes_on() -> None:
    ticks, passes = _Ticks(), _Passes(KafkaConnectionError("away"), KafkaConnectionError("away"), _outcome())

    passes.follow(ticks)

    assert passes.connects == 2
    assert [state for state, _ in ticks.values] == ["complete"]


def test_what_is_wrong_is_logged_when_it_begins_and_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    down = _outcome(notes=UnreachableError("502"), audits=ForbiddenError("403"))
    caplog.set_level(logging.INFO, "stream.pull")

    _Passes(down, down, _outcome(audits=ForbiddenError("403"))).follow(_Ticks())

    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", "notes is left out in this pass: 502"),
        ("WARNING", "audits is left out in this pass: 403"),
        ("INFO", "notes was read to its end again"),
    ]


def test_wrong_credentials_end_it() -> None:
    passes = _Passes(UnauthorizedError("401"))

    with pytest.raises(UnauthorizedError):
        asyncio.run(Following(0, passes, passes.connect, _feed_ticks(_Ticks())).run())
