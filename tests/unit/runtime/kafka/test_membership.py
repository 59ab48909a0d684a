"""Whether the group confirms the generation of a take-over: ``Consumer.is_member``, over the coordinator of aiokafka."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from stream.runtime.kafka.consumer import Consumer, ConsumerThread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class _Thread(ConsumerThread):
    """Over a coordinator that would confirm whatever it is asked."""

    def __init__(self, generation: int) -> None:  # of aiokafka: it is -1 from a refusal until it has joined again
        self.asked: list[int] = []
        coordinator = SimpleNamespace(generation=generation, _do_heartbeat=self._do_heartbeat)
        self._its_consumer = SimpleNamespace(_coordinator=coordinator)

    async def _do_heartbeat(self) -> bool:
        self.asked.append(self._its_consumer._coordinator.generation)
        return True

    def _ensure_consumer(self) -> Any:
        return self._its_consumer

    async def call_thread(self, fun: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        return await fun(*args, **kwargs)


def _confirmed(app: int, thread: _Thread) -> bool:
    """``app``: the generation that Faust knows."""
    consumer: Any = SimpleNamespace(_thread=thread, app=SimpleNamespace(consumer_generation_id=app))
    return asyncio.run(Consumer.is_member(consumer))


def test_a_member_of_the_current_generation_is_confirmed() -> None:
    assert _confirmed(5, _Thread(5))


def test_a_generation_that_aiokafka_has_joined_already_confirms_nothing_of_the_one_before() -> None:
    """Between the answer to the join and the assignment Faust knows the generation before: it has passed."""
    thread = _Thread(7)

    assert not _confirmed(5, thread)
    assert thread.asked == []


@pytest.mark.parametrize("app", [5, -1, 0])
def test_a_worker_that_joins_again_asks_nothing(app: int) -> None:
    """The refusal would come when it has become a member, and aiokafka would forget that."""
    thread = _Thread(-1)

    assert not _confirmed(app, thread)
    assert thread.asked == []
