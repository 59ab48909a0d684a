"""``breachwatch topics``: creates the topics, lists what is wrong with them, or moves tickets to new partitions."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from aiokafka.errors import KafkaError

from stream.cli import stopping
from stream.cli.exit_codes import FAILED
from stream.cli.setting_options import environment, setting_options
from stream.cli.stopping import stoppable
from stream.cli.subcommands import Group
from stream.runtime.kafka.connection import from_environment, why_not
from stream.runtime.kafka.denied import DeniedError
from stream.runtime.kafka.outage import plain
from stream.runtime.kafka.policy_log import PolicyLog, PolicyLogError
from stream.runtime.kafka.topic_admin import create, exists, verify, verify_optional
from stream.runtime.kafka.topics import SHORTEST_RETENTION_MS, Topics
from stream.runtime.recovery.cluster import Cluster
from stream.runtime.recovery.moves import RepartitionError
from stream.runtime.recovery.repartition import repartition
from stream.runtime.settings import ENTRIES, SettingsError
from stream.wire.counting import many
from stream.wire.forms import NewerReleaseError

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

_UNIT_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


_where: Final = setting_options("broker", "app_id", "topic_prefix")
_sized: Final = setting_options("broker", "app_id", "topic_prefix", "partitions", "rejected_retention")


def _milliseconds(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    """Convert ``90m``, ``36h``, ``30d`` or ``forever`` to milliseconds. Forever is -1, as in Kafka."""
    if text is None:
        return None
    if text == "forever":
        return -1
    match = re.fullmatch(r"([1-9]\d*)([mhd])", text)
    if match is None:
        raise click.BadParameter(f"{text!r} is not a valid retention: use 90m, 36h, 30d or forever")
    milliseconds = int(match[1]) * _UNIT_MS[match[2]]
    if milliseconds < SHORTEST_RETENTION_MS:
        raise click.BadParameter(f"{text!r} is too short: workers that are down for a while would miss events; use 1d")
    return milliseconds


@click.group("topics", cls=Group, context_settings={"show_default": True})
def command() -> None:
    """Create or check the topics on a Kafka cluster, or move tickets to new partitions."""


@command.command("create")
@_sized
@click.option(
    "--replication", type=click.IntRange(-1, 16), default=-1, help="Number of replicas; -1: the default of the cluster."
)
@click.option(
    "--retention",
    callback=_milliseconds,
    help="Retention of events, such as 36h, 30d or forever; default: that of the cluster. Effects are kept for 400d, or longer "
    "if this is longer.",
)
def _create(
    broker: str,
    app_id: str,
    topic_prefix: str,
    partitions: str,
    rejected_retention: str,
    replication: int,
    retention: int | None,
) -> None:
    """Create missing topics, then check all of them. Running it again changes nothing."""
    topics = topics_of(app_id, topic_prefix, rejected_retention)
    client = client_of(broker)
    _refuse_names_of_others(broker, topics)
    made = create(broker, topics, partitions=int(partitions), replication=replication, retention_ms=retention, client=client)
    for line in _answered(broker, made):
        click.echo(line)
    _report(broker, topics, int(partitions))


@command.command("check")
@_sized
def _check(broker: str, app_id: str, topic_prefix: str, partitions: str, rejected_retention: str) -> None:
    """List problems of the topics and how to fix them. The exit status is 1 if there are any."""
    topics = topics_of(app_id, topic_prefix, rejected_retention)
    _refuse_names_of_others(broker, topics)
    _report(broker, topics, int(partitions))


@command.command("repartition")
@_where
def _repartition(broker: str, app_id: str, topic_prefix: str) -> None:
    """Move tickets after partitions were added to the input topic.

    Workers read the partitions for which they were started, and the state of a ticket is in the partition of its key. When the
    input has more partitions than the tickets are in, stop all workers and run this command. It moves each ticket to the
    partition to which its events go now, and gives the other topics as many partitions. Then start the workers with the new
    number.

    It refuses while workers run, and while the partitions from before have events that are not processed. If it is interrupted,
    run it again.
    """
    cluster = Cluster(broker, topics_of(app_id, topic_prefix), client_of(broker))
    try:
        with stoppable(lambda: "start no worker: run the same command again, which goes on from there"):
            done = _answered(broker, repartition(cluster))
    except (RepartitionError, NewerReleaseError) as error:
        raise click.ClickException(str(error)) from error
    if done.before == done.after:
        click.echo(f"nothing to do: the tickets are in {done.after} partitions, as many as the input has")
        return
    for key in done.split:
        click.echo(f"{key.decode('utf-8', 'replace')}: its events since the change are published again", err=True)
    click.echo(
        f"moved {len(done.moved)} of {many(done.tickets, 'ticket')}, from {done.before} to {many(done.after, 'partition')}"
    )
    click.echo(f"start the workers with --partitions {done.after}")


def client_of(broker: str) -> dict[str, Any]:
    """Return client arguments for this address; the rest are settings of the worker. Raises click.ClickException."""
    try:
        return from_environment(broker, environment())
    except (SettingsError, OSError) as error:
        raise click.ClickException(str(error)) from error


def topics_of(app_id: str, topic_prefix: str, rejected_retention: str = "") -> Topics:
    """The topics of an installation. ``rejected_retention``: the text of the setting, or empty. Raises click.UsageError."""
    entry = ENTRIES["rejected_retention"]
    kept = entry.reader(rejected_retention or entry.default or "")
    try:
        return Topics(app_id, topic_prefix, kept // 1_000)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _refuse_names_of_others(broker: str, topics: Topics) -> None:
    """Raises click.ClickException if another installation has these names, as a worker finds out at its start."""

    async def read() -> None:
        client = client_of(broker)
        if not await exists(broker, topics.policies, client=client):
            return
        try:
            await PolicyLog(client, topics).read()
        except DeniedError as error:
            click.echo(f"not checked whether another installation has these names: {error}", err=True)

    try:
        _answered(broker, read())
    except PolicyLogError as error:
        raise click.ClickException(str(error)) from error


def _report(broker: str, topics: Topics, partitions: int) -> None:
    problems = _answered(broker, verify(broker, topics, partitions=partitions, client=client_of(broker)))
    of_optional, missing = _answered(broker, verify_optional(broker, topics, client=client_of(broker)))
    for problem in (*problems, *of_optional):
        click.echo(problem, err=True)
    for name in missing:
        click.echo(f"note: there is no topic {name}, which no worker needs: `breachwatch topics create` creates it", err=True)
    if problems or of_optional:
        raise click.exceptions.Exit(FAILED)
    each = f"{many(partitions, 'partition')} each, and one of {topics.policies}"
    click.echo(f"all {len(topics.specs())} topics of workers on {broker} are correct, with {each}")


def _answered(broker: str, work: Coroutine[object, object, T]) -> T:
    # The client logs every failed attempt; the error below is reported once, with advice.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return stopping.run(work)
    except KafkaError as error:
        raise no_answer(broker, error) from error


def no_answer(broker: str, error: KafkaError) -> click.ClickException:
    """Return the error for a failed request to Kafka, with advice."""
    if isinstance(error, DeniedError):
        return click.ClickException(f"Kafka at {broker}: {error}")
    advice = asyncio.run(why_not(client_of(broker))).text
    return click.ClickException(f"no answer from Kafka at {broker} ({plain(error)})\n{advice}")
