"""The first step of each process that serves: wait until Kafka answers, or refuse to start where waiting does not help."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiokafka.errors import KafkaError

from stream.runtime.kafka.connection import why_not
from stream.runtime.kafka.denied import DeniedError
from stream.runtime.kafka.outage import plain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 5.0

log = logging.getLogger("stream.startup")

T = TypeVar("T")


class RefusedError(Exception):
    """The process cannot start with its configuration."""

    def __init__(self, what: str, problems: list[str]) -> None:
        """``what`` is one clause, such as "the topics are wrong". Each of the ``problems`` has its remedy."""
        super().__init__("\n".join([what, *problems]))
        self.what = what
        self.problems = problems


async def until_answered(client: Mapping[str, Any], who: str, request: Callable[[], Awaitable[T]]) -> T:
    """Return the result of a request to Kafka, which is repeated until a broker answers: it may be starting.

    ``client``: arguments of an aiokafka client. ``who``: the process, such as "a worker". Raises RefusedError if the account
    lacks a permission, or if the broker refuses the connection for a reason that lasts.
    """
    bootstrap = ",".join(client["bootstrap_servers"])
    wait, began, failed = _FIRST_WAIT, time.monotonic(), False
    while True:
        try:
            answer = await request()
        except DeniedError as error:
            raise RefusedError(f"the account may not do what {who} does", [str(error)]) from error
        except (KafkaError, OSError) as error:
            refusal = await why_not(client)
            if refusal.final:
                raise RefusedError(f"the Kafka broker at {bootstrap} refuses the connection", [refusal.text]) from error
            text = "no answer from the Kafka broker at %s (%s): %s; next attempt in %.1f s"
            log.warning(text, bootstrap, plain(error), refusal.text, wait)
            failed = True
        else:
            if failed:
                waited = time.monotonic() - began
                log.info("the Kafka broker at %s answers, %.0f s after the first attempt", bootstrap, waited)
            return answer
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
