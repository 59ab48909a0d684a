"""``breachwatch publish``: a file of JSON lines onto the topic of ticket events, at the pace of its events or at once."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from stream.cli.topics import client_of, no_answer
from stream.runtime.kafka.topics import Topics
from stream.runtime.setting_values import micros
from stream.runtime.settings import flag, variable
from stream.wire.decode import Rejected, Tick, decode
from stream.wire.effect import encode_tick
from stream.wire.lines import key_of, open_lines
from stream.wire.ticket_event import Incoming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Command = TypeVar("Command", bound="Callable[..., Any]")

_AT_ONCE: Final = 5_000
"""Records under way before we wait for the broker."""
_LONGEST_NAP: Final = 0.5
_DEMO: Final = Path("demo")
_TICKER: Final = "publish"
"""Source of the ticks that we make up ourselves."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast event time passes."""

    speed: float | None
    """Seconds of event time a second; ``None``: as fast as the broker takes it."""
    tick_every: int | None
    """Microseconds of event time between two ticks; ``None``: no ticks between events."""
    last_tick: bool
    """Whether to say at the end that the feed is complete up to its last event."""


@dataclass(slots=True)
class Tally:
    """What was published."""

    events: int = 0
    ticks: int = 0
    unsound: int = 0
    """Lines among the events that are none that is valid."""


class Publisher:
    """Publishes lines in their order. Deliveries are awaited in groups, so that an error is not found at the end only."""

    def __init__(self, producer: Any, topic: str, partitions: list[int], pace: Pace) -> None:
        self.tally: Final = Tally()
        self._producer = producer
        self._topic = topic
        self._partitions = partitions
        self._pace = pace
        self._under_way: list[Any] = []
        self._began: tuple[float, int] | None = None
        self._newest: int | None = None
        self._ticked: int | None = None
        self._tick_at: int | None = None

    async def line(self, line: bytes, *, refuse: str | None) -> None:
        """Publish one line. ``refuse``: where it stands, if a line that is no valid event is an error; ``None``: let it go.

        Raises click.ClickException for a line that is refused.
        """
        key = key_of(line)
        heard = decode(key, line, now=None)
        if isinstance(heard, Rejected):
            self.tally.unsound += 1
            if refuse is not None:
                raise click.ClickException(f"{refuse}: {heard.reason}: {heard.message} {heard.path}".rstrip())
            # The worker judges it: that is what the topic of rejected events is for.
            await self._send(line, key=key or b"")
            self.tally.events += 1
            return
        at = heard.event.at if isinstance(heard, Incoming) else heard.at
        await self._pass_to(at)
        if isinstance(heard, Tick):
            await self._tick(line)
            self._ticked = max(self._ticked or at, at)
        else:
            await self._send(line, key=key)
            self.tally.events += 1

    async def finish(self) -> None:
        """Say that the feed is complete up to its last event, and wait until everything is delivered."""
        if self._pace.last_tick and self._newest is not None and self._newest != self._ticked:
            await self._tick(encode_tick(_TICKER, self._newest))
        await self._delivered()

    async def _pass_to(self, at: int) -> None:
        every, newest = self._pace.tick_every, self._newest
        if newest is None:
            self._began = (time.monotonic(), at)
            self._tick_at = at + every if every is not None else None
        while every is not None and self._tick_at is not None and self._tick_at < at:
            await self._wait_for(self._tick_at)
            await self._tick(encode_tick(_TICKER, self._tick_at))
            self._tick_at += every
        self._newest = at if newest is None else max(newest, at)
        await self._wait_for(at)

    async def _wait_for(self, at: int) -> None:
        if self._pace.speed is None or self._began is None:
            return
        began, first = self._began
        due = began + (at - first) / 1e6 / self._pace.speed
        while (left := due - time.monotonic()) > 0:
            await self._delivered()
            await asyncio.sleep(min(left, _LONGEST_NAP))

    async def _tick(self, line: bytes) -> None:
        for partition in self._partitions:
            await self._send(line, partition=partition)
        self.tally.ticks += 1

    async def _send(self, line: bytes, *, key: bytes | None = None, partition: int | None = None) -> None:
        self._under_way.append(await self._producer.send(self._topic, line, key=key, partition=partition))
        if len(self._under_way) >= _AT_ONCE:
            await self._delivered()

    async def _delivered(self) -> None:
        under_way, self._under_way = self._under_way, []
        for delivery in under_way:
            await delivery


def _speed(_: click.Context, __: click.Parameter, text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise click.BadParameter(f"{text!r} is no speed: write a number above 0, such as 60, or max")
    return speed


def _span(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        span = micros(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if not span:
        raise click.BadParameter("a tick every 0 s has no end; write 1m, say")
    return span


def _shared(name: str, default: str, text: str) -> Callable[[Command], Command]:
    return click.option(flag(name), envvar=variable(name), default=default, show_default=True, help=text)


@click.command("publish")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
@_shared("broker", "127.0.0.1:9092", "Kafka bootstrap addresses, host:port, separated by commas.")
@_shared("topic_prefix", "", "Put before the name of every topic.")
@click.option("--speed", callback=_speed, default="max", show_default=True, help="Seconds of event time a second: 60, or max.")
@click.option("--tick-every", callback=_span, help="Say in each partition how far the feed is, each 1m of event time, say.")
@click.option("--no-tick", is_flag=True, help="Do not say at the end that the feed is complete up to its last event.")
@click.option("--refuse", is_flag=True, help="Stop at a line that is no valid event, instead of publishing it as it is.")
def command(
    file: Path,
    broker: str,
    topic_prefix: str,
    speed: float | None,
    tick_every: int | None,
    no_tick: bool,
    refuse: bool,
) -> None:
    """Publish FILE (JSON lines of ticket events, may be gzipped, - for standard input) to the topic of ticket events.

    Where there is no file of that name, "demo" is the feed of breachwatch demo: two weeks of a support desk in January 2026.
    Events are published in the order of the file, keyed by their ticket. A feed.tick goes to every partition. A line that
    is no valid event is published as it is, for the worker to reject.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # said below, once, with what to do
    pace = Pace(speed, tick_every, last_tick=not no_tick)
    began = time.monotonic()
    try:
        tally = asyncio.run(_publish(file, broker, Topics(app_id="publish", prefix=topic_prefix).events, pace, refuse=refuse))
    except KafkaError as error:
        raise no_answer(broker, error) from error
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    took = max(time.monotonic() - began, 1e-9)
    unsound = f", {tally.unsound} of them no valid events" if tally.unsound else ""
    click.echo(
        f"published {tally.events} events{unsound} and {tally.ticks} ticks in {took:.1f} s, {tally.events / took:.0f} a second",
        err=True,
    )


@contextmanager
def _lines_of(file: Path) -> Iterator[Iterable[tuple[int, bytes]]]:
    if file == _DEMO and not file.exists():
        from stream.demo.feed import feed
        from stream.language.policies import load, shipped

        yield enumerate((record.value for record in feed(load([shipped("batoi")]).calendars["batoi-office"])), 1)
    else:
        with open_lines(file) as lines:
            yield lines


async def _publish(file: Path, broker: str, topic: str, pace: Pace, *, refuse: bool) -> Tally:
    with _lines_of(file) as lines:
        producer = AIOKafkaProducer(
            **client_of(broker),
            client_id="breachwatch-publish",
            enable_idempotence=True,
            linger_ms=5,
            max_batch_size=256 * 1024,
            max_request_size=2 * 1024 * 1024,
        )
        try:
            await producer.start()
            partitions = await producer.partitions_for(topic)
            publisher = Publisher(producer, topic, sorted(partitions), pace)
            for number, line in lines:
                where = f"{file}:{number}"
                try:
                    await publisher.line(line, refuse=where if refuse else None)
                except MessageSizeTooLargeError as error:
                    raise click.ClickException(f"{where}: {len(line)} bytes are more than the topic takes") from error
            await publisher.finish()
        finally:
            await producer.stop()
    return publisher.tally
