"""Requests to the brokers, and what may become of them on the way."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from aiokafka.errors import KafkaError, RequestTimedOutError

from tests.simulation.process import this_process

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.simulation.loop import Loop
    from tests.simulation.process import Process

T = TypeVar("T")

REQUESTS: Final = ("init", "add", "append", "end", "read", "input", "group", "commit")
"""Of producers: begin, add a partition to a transaction, write, end a transaction. Of consumers: read what workers have
written, read the input. Of members of the group: join and heartbeats, commits."""
PATIENCE: Final = 1.5
"""Seconds after which a client stops waiting for an answer."""


class _Call(NamedTuple):
    kind: str
    request: Callable[[], Any]
    process: Process
    """Which asks."""


class Network:
    """Carries requests. ``random`` chooses how long each takes, and which are lost."""

    def __init__(self, loop: Loop, random: Random) -> None:
        self.loop: Final = loop
        self.trouble = 0.0
        """The share of requests that something happens to."""
        self.slow = 0.0
        """The share of requests that take long, and arrive."""
        self.stragglers = 0.0
        """The share of requests that arrive seconds after the process that sent them was killed."""
        self._random: Final = random
        with loop.within(loop.environment):
            self._environment: Final = copy_context()

    def heal(self) -> None:
        """Everything arrives, and soon."""
        self.trouble = self.slow = self.stragglers = 0.0

    @property
    def now_ms(self) -> int:
        """What the brokers write into records: milliseconds."""
        return int(self.loop.time() * 1_000)

    def later(self, action: Callable[..., None], *args: Any) -> None:
        """The brokers do this after a while, whatever becomes of those who asked for it."""
        self.loop.call_later(self._delay(), action, *args, context=self._environment)

    async def ask(self, kind: str, request: Callable[[], T], *, may_be_late: bool = True) -> T:
        """What the brokers answer. ``kind``: one of ``REQUESTS``.

        Raises what the request raises, and RequestTimedOutError when no answer comes: then the brokers never got the request,
        did what it asks for, or will do it later, when others have asked for more.
        """
        loop, random = self.loop, self._random
        call = _Call(kind, request, this_process())
        answer: Any = loop.create_future()
        fate = random.random() if self.trouble else 1.0
        if fate >= self.trouble:
            loop.call_later(self._delay(), self._serve, call, answer, context=self._environment)
            return await answer  # type: ignore[no-any-return]
        fate /= self.trouble
        if fate < 0.4:  # the answer is lost
            loop.call_later(self._delay(), self._serve, call, None, context=self._environment)
        elif fate < 0.7 and may_be_late:
            late = PATIENCE + random.random() * 12
            loop.call_later(late, self._serve, call, None, context=self._environment)
        loop.call_later(PATIENCE, _time_out, answer, context=self._environment)
        return await answer  # type: ignore[no-any-return]

    def _serve(self, call: _Call, answer: Any) -> None:
        if self.stragglers and not call.process.alive and self._random.random() < self.stragglers:
            self.loop.call_later(self._random.random() * 10, self._serve, call, None, context=self._environment)
            return
        try:
            result = call.request()
        except KafkaError as error:
            if answer is not None:
                self.later(_fail, answer, error)
            return
        call.process.served(call.kind)
        if answer is not None:
            self.later(_give, answer, result)

    def _delay(self) -> float:
        """Seconds: mostly a few milliseconds, sometimes much longer than others."""
        chance = self._random.random()
        if chance < self.slow:
            return 0.05 + chance / self.slow * 0.8
        return 0.0002 + chance * 0.004


class GroupLink:
    """The way of one worker to the coordinator of its group, which can be cut while it reaches all other brokers.

    No request is late here. An old commit after a newer one would set the group back, and no client of Kafka could prevent it.
    """

    def __init__(self, network: Network) -> None:
        self.cut = False
        self._network: Final = network

    async def ask(self, kind: str, request: Callable[[], T]) -> T:
        """As ``Network.ask``."""
        if self.cut:
            await asyncio.sleep(PATIENCE)
            raise RequestTimedOutError
        return await self._network.ask(kind, request, may_be_late=False)


def _give(answer: Any, result: object) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: Any, error: KafkaError) -> None:
    if not answer.done():
        answer.set_exception(error)


def _time_out(answer: Any) -> None:
    _fail(answer, RequestTimedOutError())
