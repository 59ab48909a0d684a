"""Writes the tickets of one desk, one after the other: a desk that is slow or down delays no other.

A ticket is written in these steps:

1. Compare the values that the rules want with the values that were written last. If they are equal, the ticket is done.
2. Read the ticket. Leave out values that the helpdesk has already, so that a repetition after a crash writes nothing.
3. Change the ticket as it was read. If it has been changed in between, read it again.
4. Put the written values into the record of the ticket, and the record into the topic of states.

A crash between 3 and 4 repeats the ticket after the restart, and 2 finds that nothing is left to do.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from stream.writeback.api import ConflictError, Outcome, RefusedError, RetryError
from stream.writeback.difference import change_of, wanted
from stream.writeback.metrics import DeskStatus
from stream.writeback.pacing import TicketLimit
from stream.writeback.rule import FieldRule
from stream.writeback.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from stream.writeback.api import Api
    from stream.writeback.desk_file import DeskFile
    from stream.writeback.metrics import WritebackMetrics
    from stream.writeback.pacing import Pace
    from stream.writeback.record import TicketRecord
    from stream.writeback.rule import Rule

_ATTEMPTS: Final = 4
"""To change a ticket that others change at the same time."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class OpenDesk(NamedTuple):
    """A desk that can be reached."""

    file: DeskFile
    api: Api
    pace: Pace


class Tickets(NamedTuple):
    """The functions of the service that a desk calls."""

    record: Callable[[str], TicketRecord]
    begin: Callable[[str], None]
    """The ticket is being written."""
    end: Callable[[str, bool], Awaitable[None]]
    """It was written, or refused (``True``), or must be written again (``False``)."""


class Desk:
    """One helpdesk. ``run`` writes until it is cancelled."""

    def __init__(self, opened: OpenDesk, tickets: Tickets, metrics: WritebackMetrics, *, write: bool) -> None:
        """``write`` ``False``: what would be written is logged instead."""
        self.file: Final = opened.file
        self.waiting: Final = Waiting()
        self.pace: Final = opened.pace
        self.problem = ""
        """Why the helpdesk does not take changes now; empty: it does."""
        self._api: Final = opened.api
        self._tickets: Final = tickets
        self._metrics: Final = metrics
        self._write: Final = write
        self._limit: Final = TicketLimit()
        self._changed: Final = asyncio.Event()
        self._idle: Final = asyncio.Event()
        self._idle.set()
        self.held = False
        """No further ticket is begun."""

    def status(self) -> DeskStatus:
        """For metrics."""
        return DeskStatus(self.file.name, len(self.waiting), self.waiting.oldest, bool(self.problem))

    def add(self, ticket: str, due: float, since: float) -> None:
        """Let a ticket be written at ``due`` (seconds of the event loop's clock)."""
        self.waiting.add(ticket, due, since)
        self._changed.set()

    async def hold(self) -> None:
        """Begin no further ticket, and wait for the one that is being written."""
        self.held = True
        await self._idle.wait()

    def release(self) -> None:
        self.held = False
        self._changed.set()

    async def run(self) -> None:
        """Write the tickets as they become due."""
        clock = asyncio.get_running_loop().time
        while True:
            self._changed.clear()
            due = self.waiting.next
            wait = None if due is None or self.held else max(due, self.pace.paused_until) - clock()
            if wait is None or wait > 0:
                with suppress(TimeoutError):  # then a ticket is due
                    await asyncio.wait_for(self._changed.wait(), wait)
                continue
            taken = self.waiting.take(clock())
            if taken is not None:
                self._idle.clear()
                try:
                    await self._one(*taken)
                finally:
                    self._idle.set()

    async def _one(self, ticket: str, since: float) -> None:
        """Write a ticket that has waited since ``since``."""
        clock = asyncio.get_running_loop().time
        if wait := self._limit.wait(ticket, clock()):
            self.add(ticket, clock() + wait, since)
            return
        self._tickets.begin(ticket)
        record = self._tickets.record(ticket)
        texts, unlisted = wanted(record, self.file.rules)
        for message in unlisted:
            log.warning("%s: ticket %s: %s", self.file.name, ticket, message)
            self._metrics.unlisted(self.file.name)
        if not texts:
            await self._tickets.end(ticket, True)
            return
        try:
            outcome, texts = await self._change_or_parts(ticket, texts)
        except RetryError as error:
            pause = self.pace.failed(clock(), error.after)
            if self.problem != str(error):
                self.problem = str(error)
                log.warning("%s: %s; trying again in %.0f s", self.file.name, error, pause)
            await self._tickets.end(ticket, False)
            self.add(ticket, clock() + pause, since)
            return
        except RefusedError as error:
            outcome = error.outcome
            log.warning("%s: ticket %s is not written (%s): %s", self.file.name, ticket, outcome, error)
        except ConflictError as error:
            # Others change it all the time: it is tried again after the rest.
            log.info("%s: ticket %s: %s", self.file.name, ticket, error)
            await self._tickets.end(ticket, False)
            self.add(ticket, clock() + _ATTEMPTS, since)
            return
        if self.problem:
            log.info("%s: takes changes again", self.file.name)
            self.problem = ""
        self.pace.answered()
        self._metrics.wrote(self.file.name, outcome)
        if outcome in (Outcome.WRITTEN, Outcome.UNCHANGED, Outcome.DRY_RUN):
            record.written.update({rule.place: text for rule, text in texts.items()})
        await self._tickets.end(ticket, True)

    async def _change_or_parts(
        self, ticket: str, texts: Mapping[Rule, str | bool]
    ) -> tuple[Outcome, Mapping[Rule, str | bool]]:
        """As ``_change``. If a change is refused, each part of it is tried alone: one wrong field keeps back no other."""
        try:
            return await self._change(ticket, texts)
        except RefusedError as error:
            if error.outcome is not Outcome.REFUSED or len(texts) == 1:
                raise
        done: dict[Rule, str | bool] = {}
        refused: list[RefusedError] = []
        for rule, text in texts.items():
            try:
                await self._change(ticket, {rule: text})
                done[rule] = text
            except RefusedError as error:
                log.warning("%s: ticket %s: %s is not written: %s", self.file.name, ticket, rule.place, error)
                refused.append(error)
        if not done:
            raise refused[-1]
        for each in refused:
            self._metrics.wrote(self.file.name, each.outcome)
        return Outcome.WRITTEN, done

    async def _change(self, ticket: str, texts: Mapping[Rule, str | bool]) -> tuple[Outcome, Mapping[Rule, str | bool]]:
        """The outcome, and the values that the helpdesk now has. Raises RetryError, RefusedError, ConflictError."""
        id_ = self.file.id_of(ticket)
        if id_ is None:
            raise RefusedError(Outcome.GONE, "it is not a ticket of this desk")
        if not self._write:
            log.info("%s: ticket %s would get %s", self.file.name, ticket, shown(texts))
            return Outcome.DRY_RUN, texts
        asked = tuple(rule for rule in texts if isinstance(rule, FieldRule))
        clock = asyncio.get_running_loop().time
        for attempt in range(1, _ATTEMPTS + 1):
            current = await _understood(self._api.read(id_, asked))
            if current.closed:
                raise RefusedError(Outcome.CLOSED, "it takes no changes any more")
            if missing := [rule for rule in asked if rule.field not in current.fields]:
                names = ", ".join(rule.field for rule in missing)
                log.warning("%s: ticket %s has no field %s that the account sees", self.file.name, ticket, names)
                texts = {rule: text for rule, text in texts.items() if rule not in missing}
                asked = tuple(rule for rule in asked if rule not in missing)
                self._metrics.wrote(self.file.name, Outcome.REFUSED)
            change = change_of(texts, current)
            if not change:
                return Outcome.UNCHANGED, texts
            try:
                await _understood(self._api.write(id_, change, current))
            except ConflictError:
                if attempt == _ATTEMPTS:
                    raise
                continue
            self._limit.written(ticket, clock())
            log.info("%s: ticket %s has %s", self.file.name, ticket, shown(texts))
            return Outcome.WRITTEN, texts
        raise AssertionError("the last attempt returns or raises")


async def _understood(work: Coroutine[object, object, T]) -> T:
    """The result of a request. An answer of another form than the API documents must not end the process: it is refused."""
    try:
        return await work
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        log.exception("an answer is not understood")
        raise RefusedError(Outcome.REFUSED, f"the answer is not understood: {error!r}") from error


def shown(texts: Mapping[Rule, str | bool]) -> str:
    """For logs: ``SLA due = 2026-03-02 09:00:00, tag:sla-breached = yes``."""
    words = {True: "yes", False: "no", "": "nothing"}
    return ", ".join(f"{rule.place} = {words.get(text, text)}" for rule, text in texts.items())
