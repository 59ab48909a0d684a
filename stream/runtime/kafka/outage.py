"""Reports in the log that no broker answers, once for each outage, and that one answers again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaConnectionError, NodeNotReadyError

from stream.runtime.settings import flag, variable

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("stream.worker")


def plain(error: Exception) -> str:
    """The text of an error of a client, for people: aiokafka reports a broker that is away by its own data structures."""
    if isinstance(error, KafkaConnectionError | NodeNotReadyError):
        return "no connection"
    return str(error) or type(error).__name__


class Outage:
    """The record of the answers of the brokers at one address. Times are those of ``clock``, seconds."""

    def __init__(self, bootstrap: str, clock: Callable[[], float]) -> None:
        """``clock``: a monotonic one."""
        self._bootstrap: Final = bootstrap
        self._clock: Final = clock
        self._answered = clock()
        """The last answer, or the start."""
        self._away = False

    def no_answer(self, error: Exception) -> None:
        """A request has failed."""
        if not self._away:
            self._away = True
            log.warning(
                "the Kafka broker at %s does not answer (%s): check that it is running and reachable from here (%s, %s); this "
                "process waits for it",
                self._bootstrap,
                plain(error),
                flag("broker"),
                variable("broker"),
            )

    def answer(self) -> None:
        """A broker has answered."""
        now = self._clock()
        if self._away:
            self._away = False
            log.info(
                "the Kafka broker at %s answers again, %.0f s after its last answer", self._bootstrap, now - self._answered
            )
        self._answered = now
