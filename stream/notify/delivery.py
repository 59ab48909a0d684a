"""Sends the messages of a queue to its destination: one after another, with growing pauses after a failure.

A batch passes through these steps:

1. Decide again what each effect is to the destination, because messages may have been sent meanwhile.
2. Send the messages, one by itself or several as a summary. If the destination does not accept them, they stay in the queue.
3. Record the accepted messages, in memory at once and then on the topic.
4. Finish the effects: their offsets may be committed.

A crash between 2 and 3 repeats the message after the restart, with the same id. Nothing else is ever repeated or left out.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from stream.notify.decision import Sent, Skipped, decide
from stream.notify.message import Message, Status
from stream.notify.pacing import Pacer
from stream.runtime.failpoint import failpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stream.notify.memory import Memory, SentRecorder
    from stream.notify.message import Writer
    from stream.notify.notify_metrics import DestinationMetrics
    from stream.notify.rules import Destination
    from stream.notify.send_queue import Entry, SendQueue
    from stream.sla.effects import Effect

log = logging.getLogger(__name__)

_SECOND: Final = 1_000_000
_FIRST_PAUSE: Final = _SECOND
_LONGEST_PAUSE: Final = 300 * _SECOND
_LONGEST_ASKED: Final = 3_600 * _SECOND
"""The longest pause that a receiver may demand."""
_ATTEMPTS_OF_REFUSED: Final = 8
"""Attempts for what the receiver refuses for its content."""


class Outgoing(NamedTuple):
    """A message and the effect that it is about, as published."""

    message: Message
    value: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """A destination did not accept, or nobody knows whether it did."""

    reason: str
    """For the log; it has no secret."""
    refused: bool = False
    """The receiver refuses the content, so that waiting alone is unlikely to help."""
    retry_after: float = 0.0
    """Seconds that the receiver demands."""


class Sender(Protocol):
    """Sends to one destination."""

    async def send(self, outgoing: Sequence[Outgoing]) -> Failure | None:
        """Send one message, or several as a summary. ``None``: accepted. It raises nothing that a receiver can cause."""

    async def close(self) -> None: ...


class Delivery:
    """Sends the messages of one destination."""

    def __init__(
        self, destination: Destination, writer: Writer, queue: SendQueue, memory: Memory, recorder: SentRecorder, sender: Sender
    ) -> None:
        self.metrics: DestinationMetrics | None = None
        self.failing_since: int | None = None
        """Time of the first failed attempt since the last success; epoch microseconds."""
        self._destination: Final = destination
        self._writer: Final = writer
        self._queue: Final = queue
        self._memory: Final = memory
        self._recorder: Final = recorder
        self._sender: Final = sender
        self._pacer: Final = Pacer(destination.storm, destination.quiet)
        self._failures = 0
        """In a row."""
        self._refusals = 0
        """In a row, for the content."""
        self._not_before = 0

    def next(self, now: int) -> tuple[int, int | None]:
        """The number of messages to send now, and if it is none, the time of the next call."""
        waiting = self._queue.waiting
        due = self._pacer.due(now, len(waiting), waiting[0].since if waiting else now)
        if due.messages and now < self._not_before:
            return 0, self._not_before
        return due.messages, due.at

    async def send(self, count: int, clock: Callable[[], int]) -> None:
        """Send so many of the oldest, by the steps above."""
        batch = self._queue.begin(count)
        outgoing, known, skipped = self._decided(batch)  # 1
        if outgoing:
            failure = await self._sender.send([each for _, each in outgoing])  # 2
            if failure is not None:
                self._failed(batch, failure, clock())
                return
            failpoint("after_notification")
            self._succeeded(len(outgoing), clock())
        for effect_id, sent in known:  # 3
            self._memory.put(self._destination.name, effect_id, sent)
        if known:
            await self._recorder.record(self._destination.name, known)
        self._queue.finish(batch)  # 4
        if self.metrics is not None:
            self.metrics.sent([each.message.status for _, each in outgoing])
            self.metrics.skipped(skipped)

    def _decided(self, batch: Sequence[Entry]) -> tuple[list[tuple[Entry, Outgoing]], list[tuple[str, Sent]], list[Skipped]]:
        """The messages of a batch, what to remember once they are accepted, and what is not sent."""
        outgoing: list[tuple[Entry, Outgoing]] = []
        known: list[tuple[str, Sent]] = []
        skipped: list[Skipped] = []
        for entry in batch:
            effect = entry.effect
            decision = decide(effect, self._sent, self._writer.digest, routed=entry.routed)
            if isinstance(decision, Skipped):
                skipped.append(decision)
                if decision is Skipped.UNCHANGED:
                    known.append((effect.id, self._known(effect)))
                continue
            outgoing.append((entry, Outgoing(self._writer.message(effect, decision), entry.value)))
            known.append((effect.id, self._known(effect)))
            if decision is Status.WITHDRAWAL and (before := self._sent(effect.retracts)) is not None:
                known.append((effect.retracts, before._replace(withdrawn=True)))
        return outgoing, known, skipped

    def _known(self, effect: Effect) -> Sent:
        return Sent(self._writer.digest(effect), provisional=effect.provisional)

    def _sent(self, effect_id: str) -> Sent | None:
        return self._memory.get(self._destination.name, effect_id)

    def _succeeded(self, messages: int, now: int) -> None:
        if self.failing_since is not None:
            log.info("%s: accepts messages again", self._destination.name)
        self._pacer.sent(now)
        self.failing_since, self._failures, self._refusals, self._not_before = None, 0, 0, 0
        log.info("%s: sent %d message%s", self._destination.name, messages, "" if messages == 1 else "s together")

    def _failed(self, batch: Sequence[Entry], failure: Failure, now: int) -> None:
        self._failures += 1
        self._refusals = self._refusals + 1 if failure.refused else 0
        if self.failing_since is None:
            self.failing_since = now
        if self.metrics is not None:
            self.metrics.failed()
        pause = self._pause(failure)
        self._not_before = now + pause
        text = "%s: attempt %d failed, next in %.1f s: %s"
        log.warning(text, self._destination.name, self._failures, pause / _SECOND, failure.reason)
        refused = self._refusals >= _ATTEMPTS_OF_REFUSED
        tried_since, limit = self.failing_since, self._destination.give_up_after
        # A message may have waited for long before, in quiet hours.
        given_up = [entry for entry in batch if refused or now - max(entry.since, tried_since) >= limit]
        self._queue.again(batch)
        if given_up:
            self._refusals = 0
            ids = ", ".join(entry.effect.id for entry in given_up[:10])
            text = "%s: gave up %d messages (effects %s): %s"
            log.error(text, self._destination.name, len(given_up), ids, failure.reason)
            self._queue.finish(given_up)
            if self.metrics is not None:
                self.metrics.gave_up(len(given_up))

    def _pause(self, failure: Failure) -> int:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE << min(self._failures - 1, 16))
        # Many destinations may have failed at once; they must not come back at once.
        pause = int(pause * random.uniform(0.8, 1.2))  # noqa: S311  no secret
        return max(pause, min(_LONGEST_ASKED, int(failure.retry_after * _SECOND)))
