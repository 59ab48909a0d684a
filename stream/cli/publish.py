"""``breachwatch publish``: publishes a file of JSON lines to the topic of ticket events, at a given speed."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from stream.cli.progress import Progress, share
from stream.cli.setting_options import setting_options
from stream.cli.stopping import run, stoppable
from stream.cli.topics import client_of, no_answer, topics_of
from stream.runtime.kafka.publisher import InvalidEventError, Pace, PacedFeed, Published, Publisher
from stream.runtime.kafka.topic_admin import missing_input
from stream.runtime.setting_values import micros
from stream.wire.counting import many
from stream.wire.lines import Lines, open_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_MOST_LISTED: Final = 20
"""Lines that are not valid and are named."""
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


def _interval(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        interval = micros(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if not interval:
        raise click.BadParameter("the interval must be longer than 0 s: use 1m, for example")
    return interval


@click.command("publish")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
@setting_options("broker", "topic_prefix")
@click.option(
    "--speed", callback=_speed, default="max", show_default=True, help="Seconds of event time per second, such as 60, or max."
)
@click.option(
    "--tick-every", callback=_interval, help="Publish a tick to every partition at this interval of event time, such as 1m."
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
    began, sent = time.monotonic(), _Sent(file)
    try:
        with stoppable(sent.report):
            run(_publish(sent, broker, topic_prefix, pace, refuse=refuse))
    except KafkaError as error:
        raise no_answer(broker, error) from error
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    took, done = max(time.monotonic() - began, 1e-9), sent.published
    invalid = f", {done.invalid} of them invalid," if done.invalid else ""
    click.echo(
        f"published {many(done.events, 'event')}{invalid} and {many(done.ticks, 'tick')} in {took:.1f} s, "
        f"{done.events / took:.0f} per second",
        err=True,
    )


class _Sent:
    """Progress through a file, and its lines that are not valid."""

    def __init__(self, file: Path) -> None:
        self.published = Published()
        self.last = 0
        """The number of the last line that was published."""
        self.file: Final = file
        self._share: Callable[[], float | None] = lambda: None
        self._listed = 0
        self.progress: Final = Progress(self._text)

    def reading(self, lines: Lines | None) -> None:
        """``lines``: ``None`` if there is no file whose share can be shown."""
        if lines is not None:
            self._share = lambda: lines.share

    def invalid(self, number: int, why: InvalidEventError) -> None:
        """Name a line that is not valid, up to a number of them."""
        self._listed += 1
        if self._listed <= _MOST_LISTED:
            self.progress.echo(f"{self.file}:{number}: not valid, a worker rejects it: {why}")
        if self._listed == _MOST_LISTED:
            self.progress.echo("    further lines that are not valid are only counted; --refuse stops at the first")

    def report(self) -> str:
        """For whoever has stopped it."""
        if not self.last:
            return "nothing was published"
        done = f"published {many(self.published.events, 'event')}, up to line {self.last} of {self.file}"
        if self.file == _DEMO or str(self.file) == "-":
            return f"{done}; to publish all of it again is harmless, because workers ignore what they know"
        return (
            f"{done}; to go on: `tail -n +{self.last + 1} {self.file} | breachwatch publish -` (zcat first if it is gzipped); "
            "to publish all of it again is harmless, because workers ignore what they know"
        )

    def _text(self) -> str:
        return f"publish: {many(self.published.events, 'event')}{share(self._share())}"


@contextmanager
def _lines_of(file: Path) -> Iterator[Iterable[tuple[int, bytes]]]:
    if file == _DEMO and not file.exists():
        from stream.demo.feed import feed
        from stream.language.policies import load, shipped

        yield enumerate((record.value for record in feed(load([shipped("batoi")]).calendars["batoi-office"])), 1)
    else:
        with open_lines(file) as lines:
            yield lines


async def _publish(sent: _Sent, broker: str, topic_prefix: str, pace: Pace, *, refuse: bool) -> None:
    client, topics, file = client_of(broker), topics_of(_APP, topic_prefix), sent.file
    with _lines_of(file) as lines, sent.progress:
        if problems := await missing_input(broker, topics, client=client):
            raise click.ClickException("\n".join(problems))
        async with Publisher(client, topics.events) as publisher:
            feed = PacedFeed(publisher, pace)
            sent.published = feed.published
            sent.reading(lines if isinstance(lines, Lines) else None)
            for number, line in sent.progress.each(lines):
                where = f"{file}:{number}"
                try:
                    if (problem := await feed.line(line, refuse=refuse)) is not None:
                        sent.invalid(number, problem)
                    sent.last = number
                except InvalidEventError as error:
                    raise click.ClickException(f"{where}: {error}; {sent.report()}") from error
                except MessageSizeTooLargeError as error:
                    raise click.ClickException(f"{where}: {len(line)} bytes exceed the limit of the topic") from error
            await feed.finish()
