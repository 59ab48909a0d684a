"""``breachwatch publish``: publishes a file of JSON lines to the topic of ticket events, at a given speed."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from stream.cli.setting_options import setting_options
from stream.cli.topics import client_of, no_answer, topics_of
from stream.runtime.kafka.publisher import InvalidEventError, Pace, PacedFeed, Published, Publisher
from stream.runtime.kafka.topic_admin import missing_input
from stream.runtime.setting_values import micros
from stream.wire.lines import open_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DEMO: Final = Path("demo")
_APP: Final = "breachwatch"
"""The default app id: publishing needs none, but the command that creates the topics does."""


def _speed(_: click.Context, __: click.Parameter, text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise click.BadParameter(f"{text!r} is not a valid speed: use a number above 0, such as 60, or max")
    return speed


def _span(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        span = micros(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if not span:
        raise click.BadParameter("the interval must be longer than 0 s: use 1m, for example")
    return span


@click.command("publish")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
@setting_options("broker", "topic_prefix")
@click.option(
    "--speed", callback=_speed, default="max", show_default=True, help="Seconds of event time per second, such as 60, or max."
)
@click.option(
    "--tick-every", callback=_span, help="Publish a tick to every partition at this interval of event time, such as 1m."
)
@click.option("--no-tick", is_flag=True, help="Do not publish the tick that marks the feed as complete up to its last event.")
@click.option("--refuse", is_flag=True, help="Stop at an invalid line instead of publishing it unchanged.")
def command(
    file: Path,
    broker: str,
    topic_prefix: str,
    speed: float | None,
    tick_every: int | None,
    no_tick: bool,
    refuse: bool,
) -> None:
    """Publish FILE to the topic of ticket events. FILE has JSON lines, optionally gzipped; - is standard input.

    Events keep the order of the file, and their ticket is their key. A feed.tick goes to every partition. An invalid line is
    published unchanged, and the worker rejects it. If no file is named demo, FILE can be demo: the feed of breachwatch demo,
    two weeks of a support desk in January 2026.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # reported once below, with advice
    pace = Pace(speed, tick_every, last_tick=not no_tick)
    began = time.monotonic()
    try:
        done = asyncio.run(_publish(file, broker, topic_prefix, pace, refuse=refuse))
    except KafkaError as error:
        raise no_answer(broker, error) from error
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    took = max(time.monotonic() - began, 1e-9)
    invalid = f", {done.invalid} of them invalid" if done.invalid else ""
    click.echo(
        f"published {done.events} events{invalid} and {done.ticks} ticks in {took:.1f} s, {done.events / took:.0f} per second",
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


async def _publish(file: Path, broker: str, topic_prefix: str, pace: Pace, *, refuse: bool) -> Published:
    client, topics = client_of(broker), topics_of(_APP, topic_prefix)
    with _lines_of(file) as lines:
        if problems := await missing_input(broker, topics, client=client):
            raise click.ClickException("\n".join(problems))
        async with Publisher(client, topics.events) as publisher:
            feed = PacedFeed(publisher, pace)
            for number, line in lines:
                where = f"{file}:{number}"
                try:
                    await feed.line(line, refuse=refuse)
                except InvalidEventError as error:
                    raise click.ClickException(f"{where}: {error}") from error
                except MessageSizeTooLargeError as error:
                    raise click.ClickException(f"{where}: {len(line)} bytes exceed the limit of the topic") from error
            await feed.finish()
    return feed.published
