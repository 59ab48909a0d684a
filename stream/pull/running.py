"""Runs a puller: to a file, to the topic once, or following."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from stream.pull.api import Cursor
from stream.pull.client import Client, Patience
from stream.pull.cursor_log import CursorLog
from stream.pull.feed_ticks import FeedTicks
from stream.pull.follow import Following, pull_all
from stream.pull.output import FileOutput, TopicOutput
from stream.pull.passes import Feed, unnoticed
from stream.wire.instants import parse_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.feeds.mapping import FeedMapping
    from stream.pull.api import Api
    from stream.pull.outcome import Outcome
    from stream.pull.output import Output
    from stream.pull.passes import PageDone, Report
    from stream.runtime.kafka.topics import Topics

_log: Final = logging.getLogger(__name__)

_INSISTING: Final = Patience()
_FOLLOWING: Final = Patience(attempts=4)
"""A pass that fails is repeated after the interval, so it need not insist."""


class UnknownStartError(Exception):
    """It is not known where to begin."""


@dataclass(frozen=True, slots=True)
class Source:
    """The feed to pull, and the options."""

    name: str
    """Of the feed."""
    api: Api
    url: str
    headers: Mapping[str, str]
    mapping: FeedMapping
    report: Report
    page_done: PageDone = unnoticed

    def client(self, patience: Patience = _INSISTING) -> Client:
        return Client(self.url, self.headers, patience=patience, per_minute=self.api.per_minute)

    def feed(self, output: Output) -> Feed:
        return Feed(self.name, self.mapping, output, self.report, page_done=self.page_done)


@dataclass(frozen=True, slots=True)
class Target:
    """The cluster."""

    client: Mapping[str, Any]
    """Arguments of an aiokafka client (``stream.runtime.kafka.connection``)."""
    topics: Topics


async def to_file(source: Source, since: int, file: BinaryIO) -> Outcome:
    """Everything since then, as JSON lines in the order of their times. Raises UnauthorizedError, OSError."""
    output = FileOutput(file)
    async with source.client() as client:
        outcome = await pull_all(source.feed(output), source.api.resources(client), since, {}, _nowhere)
    await output.finish()
    return outcome


async def to_topic(source: Source, since: int | None, target: Target) -> Outcome:
    """Everything since then, or since the feed was last pulled, to the topic of ticket events.

    With ``since`` it is a history beside the feed, and what is kept about the feed is neither read nor written. Raises
    UnauthorizedError, UnknownStartError, TakenOverError, KafkaError.
    """
    output, log = TopicOutput(target.client, target.topics), CursorLog(target.client, target.topics, source.name)
    async with source.client() as client:
        feed, resources = source.feed(output), source.api.resources(client)
        try:
            await output.start()
            if since is not None:
                return await pull_all(feed, resources, since, {}, _nowhere)
            await log.start()
            if not log.positions:
                raise UnknownStartError(f"the feed {source.name} was never pulled: give --since to begin")
            oldest = min(cursor.updated_at for cursor in _cursors(log).values())
            return await pull_all(feed, resources, oldest, _cursors(log), log.save)
        finally:
            await log.stop()
            await output.stop()


async def follow(source: Source, since: int | None, interval: float, target: Target) -> None:
    """Pull every ``interval`` seconds, until it is cancelled. ``since``: where to begin if the feed was never pulled.

    Raises UnauthorizedError, TakenOverError, and KafkaError at the start.
    """
    output, log = TopicOutput(target.client, target.topics), CursorLog(target.client, target.topics, source.name)
    async with source.client(_FOLLOWING) as client:
        feed, resources = source.feed(output), source.api.resources(client)
        begin = feed.clock() if since is None else since

        async def connect() -> None:
            await output.start()
            await log.start()

        async def one_pass() -> Outcome:
            return await pull_all(feed, resources, begin, _cursors(log), log.save)

        try:
            await connect()
            for resource in resources:
                if resource.name not in log.positions:
                    # Before the first pass: whoever comes after a puller that dies in it begins here, and not at its own start.
                    await log.save(resource.name, Cursor(begin, ""), None)
            _log.info("following %s at %s every %.0f s%s", source.name, source.url, interval, _place(log))
            look_back = max(resource.look_back for resource in resources)
            ticks = FeedTicks(source.mapping.source, look_back, interval, output.tick, _complete_to(log))
            ticking = asyncio.create_task(ticks.run())
            try:
                await Following(interval, one_pass, connect, ticks).run()
            finally:
                ticking.cancel()
                with suppress(asyncio.CancelledError):
                    await ticking
        finally:
            await log.stop()
            await output.stop()


async def _nowhere(resource: str, cursor: Cursor, complete_to: int | None) -> None:
    """Keep no position: the records of the feed stay as they are."""


def _cursors(log: CursorLog) -> dict[str, Cursor]:
    return {resource: position.cursor for resource, position in log.positions.items()}


def _complete_to(log: CursorLog) -> int | None:
    known = [position.complete_to for position in log.positions.values()]
    return min((parse_instant(text) for text in known if text is not None), default=None) if None not in known else None


def _place(log: CursorLog) -> str:
    if not log.positions:
        return ""
    return ", from " + ", ".join(f"{name} {position.updated_at}" for name, position in log.positions.items())
