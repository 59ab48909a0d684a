"""``breachwatch feed retry``: sends the dead letters of a feed again, through its present mapping."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import click

from stream.cli import completing
from stream.cli.reading import SINCE_HELP, run, since
from stream.cli.setting_options import environment, setting_options, settings_file
from stream.cli.stopping import stoppable
from stream.cli.topics import client_of, topics_of
from stream.gateway.feed_definitions import load_mapping, mapping_of
from stream.gateway.outbox import Outbox
from stream.gateway.retry import Result, Retrier, Wanted
from stream.runtime.kafka.topic_reader import Place, open_topics
from stream.runtime.settings import SettingsError
from stream.runtime.table_settings import Sources
from stream.wire.counting import many
from stream.wire.instants import format_instant
from stream.wire.printable import printable

if TYPE_CHECKING:
    from stream.feeds.mapping import FeedMapping
    from stream.runtime.kafka.topic_reader import Since

_APP: Final = "breachwatch"
_PATIENCE: Final = 30.0
"""The most seconds to wait for the acknowledgement of one dead letter's events."""


@click.command("retry")
@click.argument("feed")
@setting_options("broker", "topic_prefix")
@click.option(
    "--mapping",
    shell_complete=completing.mappings,
    help="Mapping: a file, the name of a shipped one, or `events`. Default: that of the feed's settings.",
)
@click.option("--since", "start", callback=since, help=f"Only payloads that arrived since then: {SINCE_HELP}.")
@click.option("--until", callback=since, help="Only payloads that arrived before; as for --since.")
@click.option("--offset", "first", type=click.IntRange(0), help="First offset on the topic, as --dry-run prints it.")
@click.option("--last-offset", "last", type=click.IntRange(0), help="Last offset. Default: with --offset, the same one.")
@click.option("--again", is_flag=True, help="Also those that were sent again before.")
@click.option("--dry-run", is_flag=True, help="Print what would become of each, and send nothing.")
def command(
    feed: str,
    broker: str,
    topic_prefix: str,
    mapping: str | None,
    start: Since | None,
    until: Since | None,
    first: int | None,
    last: int | None,
    again: bool,
    dry_run: bool,
) -> None:
    """Send the dead letters of FEED again, through its present mapping, and print what became of each.

    What was sent again is recorded, so a second run sends nothing twice: it prints that it was sent before. --again sends it
    nevertheless, which changes nothing where the mapping gives the same ids. The exit status is 1 if Kafka does not answer.
    """
    if isinstance(until, Place):
        raise click.UsageError(f"--until needs {SINCE_HELP}, but not begin")
    wanted = Wanted(
        feed,
        first or 0,
        first if last is None else last,
        start if isinstance(start, int) else 0,
        until,
        again=again,
        dry_run=dry_run,
    )
    try:
        found = load_mapping(mapping) if mapping else mapping_of(feed, Sources({}, environment(), settings_file()))
    except SettingsError as error:
        raise click.ClickException("\n".join(error.problems)) from error
    counts: Counter[Result] = Counter()
    with stoppable(lambda: f"{_summary(counts) or 'nothing was sent'}; run the same command again, which goes on from there"):
        run(broker, _retry(broker, topic_prefix, found, wanted, counts))
    click.echo(_summary(counts) or f"there is no such dead letter of {feed}", err=True)
    if counts[Result.NOT_ACKNOWLEDGED]:
        raise click.ClickException("Kafka did not acknowledge; run the command again, which goes on from there")


def _summary(counts: Counter[Result]) -> str:
    return ", ".join(f"{count} {result.value}" for result, count in counts.items())


async def _retry(broker: str, topic_prefix: str, mapping: FeedMapping | None, wanted: Wanted, counts: Counter[Result]) -> None:
    client, topics = client_of(broker), topics_of(_APP, topic_prefix)
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(open_topics(broker, client, [topics.feed_rejected]))
        outbox = None
        if not wanted.dry_run:
            outbox = Outbox(client, (topics.events, topics.feed_rejected), _PATIENCE)
            await outbox.start()
            stack.push_async_callback(outbox.stop)
        retrier = Retrier(reader, outbox, topics, mapping, lambda: time.time_ns() // 1_000)
        async for done in retrier.run(wanted):
            counts[done.result] += 1
            events = f" ({many(done.events, 'event')})" if done.events > 1 else ""
            detail = f": {done.detail}{events}" if done.detail else ""
            click.echo(f"{done.offset}  {format_instant(done.received)}  {done.result.value}{printable(detail)}")
