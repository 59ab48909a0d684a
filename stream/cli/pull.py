"""``breachwatch pull``: reads what happened from the API of a helpdesk, to a file or to the topic of ticket events."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn

import click
from aiokafka.errors import KafkaError

from stream.cli import stopping
from stream.cli.exit_codes import FAILED, WRONG
from stream.cli.log_lines import log_to_stderr
from stream.cli.newer_release import NewerRelease
from stream.cli.progress import Progress
from stream.cli.reading import until_stopped
from stream.cli.setting_options import environment, setting_options, settings_file, table_options
from stream.cli.stopping import stoppable
from stream.cli.topics import client_of, no_answer, topics_of
from stream.documents.document import DocumentError
from stream.feeds.mapping import Delivery, FeedMapping, load
from stream.pull import running
from stream.pull.apis import NAMES, api
from stream.pull.cursor_log import TakenOverError
from stream.pull.errors import UnauthorizedError
from stream.pull.settings import TABLE, PullSettings, load_settings, sent_in_clear
from stream.runtime.kafka.topic_admin import exists, missing_input
from stream.runtime.secret_values import SecretError, secret
from stream.runtime.setting_values import micros
from stream.runtime.settings import CONFIG_FILE, ENTRIES, SettingsError, flag
from stream.runtime.signals import handled_signals
from stream.runtime.startup import RefusedError, until_answered
from stream.runtime.table_settings import variable
from stream.wire.counting import many
from stream.wire.forms import NewerReleaseError
from stream.wire.instants import InstantError, parse_instant

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from stream.feeds.reading import Unmapped
    from stream.pull.api import Api, Document
    from stream.pull.outcome import Outcome

_APP: Final = "breachwatch"
"""The default app id: pulling needs none, but the command that creates the topics does."""
_MOST_LISTED: Final = 20
"""Documents that are not mapped for one reason, and that are listed."""


def _since(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return time.time_ns() // 1_000 - micros(text)
    except ValueError:  # it is not a length of time
        pass
    try:
        return parse_instant(text)
    except InstantError as error:
        raise click.BadParameter(f"{text!r} is neither a length of time, such as 30d, nor an instant (RFC 3339)") from error


@click.command("pull")
@table_options(TABLE, PullSettings)
@click.option(
    "--since",
    callback=_since,
    help="Where to begin: so long ago, such as 30d, or an instant (RFC 3339). With --follow: if the feed was never pulled.",
)
@click.option("--follow", "following", is_flag=True, help="Go on pulling, to the topic of ticket events, until it is stopped.")
@click.option("--to-topic", is_flag=True, help="Publish the events instead of writing them to a file.")
@click.option(
    "-o", "--output", type=click.File("wb", lazy=True), default="-", help="File for the events (default: standard output)."
)
@click.option("--allow-unmapped", is_flag=True, help="Exit with status 0 although the mapping does not cover every document.")
@setting_options("broker", "topic_prefix", "log_format")
def command(
    since: int | None,
    following: bool,
    to_topic: bool,
    output: IO[bytes],
    allow_unmapped: bool,
    broker: str,
    topic_prefix: str,
    log_format: str,
    **flags: str | None,
) -> None:
    """Pull ticket events from the API of a helpdesk.

    Without --follow it reads everything since --since, and writes JSON lines in the order of their times, for breachwatch
    replay. With --to-topic it publishes them as history. Without --since, --to-topic goes on where the feed was left.

    With --follow it polls the helpdesk, publishes what has changed, and keeps on the topic feed-state how far it
    has come. Only one process can follow a feed: a second one takes over from the first.

    The exit status is 1 if something could not be read or is not mapped, and 2 if settings or the mapping are wrong.
    """
    pulled = _Pulled()
    try:
        settings = load_settings(flags, environment(), settings_file())
        mapping = load(settings.feed.mapping)
        source = _source(settings, mapping, pulled)
    except SettingsError as error:
        _refuse(error.problems)
    except DocumentError as error:
        _refuse([str(problem) for problem in error.problems])
    if sent_in_clear(settings.url):
        click.echo(f"warning: {settings.url} is not encrypted: the credentials can be read on the way; use https", err=True)
    if not following and not to_topic and since is None:
        raise click.UsageError("give --since, where to begin, such as --since 30d")
    if following or to_topic:
        target = running.Target(client_of(broker), topics_of(_APP, topic_prefix))
    if following:
        log_to_stderr(ENTRIES["log_format"].reader(log_format))
        with handled_signals():
            _run(broker, until_stopped(_follow(broker, source, since, settings.every / 1e6, target)))
        logging.getLogger("stream.pull").info("stopped")
        return
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # reported once, with advice
    again = "run the same command again" + ("" if since is not None else ", which goes on from there")
    did = "published" if to_topic else "read, and nothing was written"
    with stoppable(lambda: f"{pulled.text()} {did}; {again}"), pulled.progress:
        if to_topic:
            _run(broker, _check_topics(broker, target, kept=since is None))
            outcome = _run(broker, running.to_topic(source, since, target))
        else:
            assert since is not None
            outcome = _run(broker, running.to_file(source, since, output))  # type: ignore[arg-type]  # a lazy file of click is one
    _summarise(outcome, allow_unmapped=allow_unmapped)


def _source(settings: PullSettings, mapping: FeedMapping, pulled: _Pulled) -> running.Source:
    """Raises SettingsError."""
    name = settings.api or next((each for each in (mapping.name, mapping.source) if each in NAMES), "")
    if not name:
        raise SettingsError([f"the mapping {mapping.file} is of no known API: set {flag('api')} to one of {', '.join(NAMES)}"])
    if Delivery.PULL not in mapping.delivery:
        raise SettingsError([f"the mapping {mapping.file} reads only what a helpdesk sends: `delivery` must have pull"])
    found: Api = api(name)
    try:
        headers = found.headers(secret(settings.credentials, environment()).decode().strip())
    except SecretError as error:
        where = f"{flag('credentials')}, {variable(TABLE, 'credentials')}, or credentials below [{TABLE}] in {CONFIG_FILE}"
        raise SettingsError([f"{error} (the reference is given by {where})"]) from error
    except ValueError as error:
        raise SettingsError([f"{settings.credentials}: the credentials are not {found.credentials}: {error}"]) from error
    return running.Source(settings.feed.name, found, settings.url, headers, mapping, pulled.unmapped, pulled.page)


class _Pulled:
    """Shows how far it is, and lists the documents that the mapping does not cover: each once, and few of one reason."""

    def __init__(self) -> None:
        self.progress: Final = Progress(lambda: f"pull: {self.text()}")
        self._documents = self._events = 0
        self._listed: Counter[tuple[str, int, str]] = Counter()
        self._seen = set[tuple[str, str]]()

    def text(self) -> str:
        return f"{many(self._events, 'event')} from {many(self._documents, 'document')}"

    def page(self, documents: int, events: int) -> None:
        self._documents += documents
        self._events += events
        self.progress.update()

    def unmapped(self, resource: str, document: Document, unmapped: Unmapped) -> None:
        if (resource, document.id) in self._seen:
            return
        self._seen.add((resource, document.id))
        kind = (unmapped.reason, unmapped.line, unmapped.path)
        self._listed[kind] += 1
        if self._listed[kind] <= _MOST_LISTED:
            self.progress.echo(f"{resource} {document.id}: not mapped: {unmapped}")
        if self._listed[kind] == _MOST_LISTED:
            self.progress.echo("    further documents with this reason are not listed")


async def _follow(broker: str, source: running.Source, since: int | None, interval: float, target: running.Target) -> None:
    await until_answered(target.client, "pull --follow", partial(_check_topics, broker, target, kept=True))
    await running.follow(source, since, interval, target)


async def _check_topics(broker: str, target: running.Target, *, kept: bool) -> None:
    """``kept``: the positions of the feed are read or written. Raises click.ClickException if a topic is missing."""
    problems = await missing_input(broker, target.topics, client=target.client)
    for name in (target.topics.feed_rejected, *([target.topics.feed_state] if kept else [])):
        if not await exists(broker, name, client=target.client):
            problems.append(f"topic {name} is missing: run `breachwatch topics create`, which creates what is missing")
    if problems:
        raise click.ClickException("\n".join(problems))


def _run(broker: str, work: Coroutine[Any, Any, Any]) -> Any:
    """Raises click.ClickException."""
    try:
        return stopping.run(work)
    except KafkaError as error:
        raise no_answer(broker, error) from error
    except NewerReleaseError as error:
        raise NewerRelease(str(error)) from error
    except (UnauthorizedError, TakenOverError, running.UnknownStartError, RefusedError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _summarise(outcome: Outcome, *, allow_unmapped: bool) -> None:
    counts = outcome.counts
    for resource, error in outcome.failed.items():
        click.echo(f"{resource} was not read to its end: {error}", err=True)
    click.echo(
        f"{many(counts.events, 'event')} from {many(counts.documents, 'document')}, {counts.unmapped} not mapped", err=True
    )
    if outcome.failed or (counts.unmapped and not allow_unmapped):
        sys.exit(FAILED)


def _refuse(problems: list[str]) -> NoReturn:
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(WRONG)
