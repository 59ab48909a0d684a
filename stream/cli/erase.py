"""``breachwatch erase``: takes what is known of tickets out of the state, while workers run."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import click
from aiokafka.structs import TopicPartition

from stream.cli.erase_view import ASKED, leaving
from stream.cli.options import clock_of_workers, instant
from stream.cli.reading import run
from stream.cli.setting_options import setting_options
from stream.cli.topics import client_of, topics_of
from stream.runtime.kafka.denied import DeniedError
from stream.runtime.kafka.publisher import Publisher
from stream.runtime.kafka.topic_admin import admin_client, metadata, missing_input, values_of
from stream.runtime.setting_values import AUTO, micros
from stream.runtime.settings import ENTRIES, ClockMode
from stream.sla.events import ERASURE, Event
from stream.wire.effect import encode_event
from stream.wire.instants import format_instant
from stream.wire.printable import printable
from stream.wire.ticket_event import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream.runtime.kafka.topics import Topics

SOURCE: Final = "breachwatch"
"""Of the events that ask for it."""
_NOT_YET: Final = 3
_POLL_SECONDS: Final = 0.5


class _Placed(NamedTuple):
    """An event that asks for an erasure, on the input."""

    ticket: str
    partition: int
    offset: int


def _tickets(_: click.Context, __: click.Parameter, tickets: tuple[str, ...]) -> tuple[str, ...]:
    for ticket in tickets:
        if not 0 < len(ticket) <= MAX_ID or any("\ud800" <= character <= "\udfff" for character in ticket):
            raise click.BadParameter(f"{ticket!r} is not the name of a ticket: it has 1 to {MAX_ID} characters in UTF-8")
    return tuple(dict.fromkeys(tickets))


def _seconds(_: click.Context, __: click.Parameter, text: str) -> float:
    try:
        return micros(text) / 1e6
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("erase")
@click.argument("tickets", metavar="TICKET...", nargs=-1, required=True, callback=_tickets)
@setting_options("broker", "app_id", "topic_prefix", "retention")
@click.option("--dry-run", is_flag=True, help="Print from where the tickets would go, and when; erase nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before it is done.")
@click.option(
    "--partition",
    type=click.IntRange(0),
    help="The partition of the tickets, which their pages show. Default: by the hash that Kafka's own producers use.",
)
@clock_of_workers
@click.option("--at", callback=instant, help="The instant of the erasure (RFC 3339); only with --clock event, which needs it.")
@click.option(
    "--wait",
    callback=_seconds,
    default="30s",
    show_default=True,
    help="How long to wait until workers have processed it; 0s: not at all.",
)
def command(
    tickets: tuple[str, ...],
    broker: str,
    app_id: str,
    topic_prefix: str,
    retention: str,
    dry_run: bool,
    yes: bool,
    partition: int | None,
    clock: str,
    at: int | None,
    wait: float,
) -> None:
    """Erase the data of each TICKET: its fields, its history, its deadlines. It cannot be undone.

    The command publishes an event of type ticket.erased for each ticket on the input, which workers process after all that was
    published before. Commitments that are open are cancelled. Every later event of the ticket is ignored, however old it is.
    Delete the ticket in the helpdesk first.

    A name that no ticket has is noted as erased as well, and this command cannot know it: look at the page of the ticket first.

    It prints when the data has left each topic. What was published before, such as breaches, stays for the retention of its
    topic.

    Exit status 0: the workers of this installation have erased them; 1: no answer from Kafka, or not confirmed; 3: published,
    and not processed by workers yet.
    """
    if (clock == ClockMode.EVENT) != (at is not None):
        raise click.UsageError("--at is needed with --clock event, whose time is that of the feed, and only there")
    topics = topics_of(app_id, topic_prefix)
    if problems := run(broker, missing_input(broker, topics, client=client_of(broker))):
        raise click.ClickException("\n".join(problems))
    for ticket in tickets:
        click.echo(f"to be erased: {printable(ticket)}")
    for line in leaving(topics, run(broker, _settings(broker, topics)), _kept(retention)):
        click.echo(f"  {line}")
    if dry_run:
        click.echo("dry run: nothing was published")
        return
    if not yes:
        click.confirm(f"Erase {'these tickets' if len(tickets) > 1 else 'this ticket'}? It cannot be undone", abort=True)
    placed = run(broker, _publish(broker, topics, tickets, partition, time.time_ns() // 1_000 if at is None else at))
    waiting = run(broker, _processed(broker, topics, placed, wait))
    for one in placed:
        if one in waiting:
            where = f"partition {one.partition}, offset {one.offset}"
            click.echo(
                f"{printable(one.ticket)}: published ({where}); it is erased as soon as a worker of {topics.group} has "
                "processed it"
            )
        else:
            click.echo(f"{printable(one.ticket)}: erased")
    click.echo(
        "A name that no ticket had is noted as erased as well. Workers do not answer this command, so it does not know which: "
        "compare the names with the pages of the tickets before."
    )
    if waiting:
        raise click.exceptions.Exit(_NOT_YET)


def _kept(retention: str) -> int | None:
    """Microseconds; ``None``: for ever."""
    value: int | None = ENTRIES["retention"].reader(retention)
    return micros("30d") if value == AUTO else value


async def _settings(broker: str, topics: Topics) -> Mapping[str, Mapping[str, str]]:
    """Of the topics that exist, as far as the account may see them."""
    specs = (*topics.specs(), *topics.optional_specs())
    found: dict[str, Mapping[str, str]] = {}
    async with admin_client(broker, client_of(broker)) as admin:
        for spec in specs:
            try:
                if (await metadata(admin, [spec.name])).partitions:
                    found |= await values_of(admin, {spec.name: ASKED})
            except DeniedError as error:
                click.echo(f"not known when it has left {spec.name}: {error}", err=True)
    return found


async def _publish(broker: str, topics: Topics, tickets: Sequence[str], partition: int | None, at: int) -> list[_Placed]:
    placed = []
    async with Publisher(client_of(broker), topics.events) as publisher:
        for ticket in tickets:
            event = Event(at, f"erase/{format_instant(at)}", ERASURE, SOURCE)
            placed.append(_Placed(ticket, *await publisher.placed(encode_event(ticket, event), ticket.encode(), partition)))
    return placed


async def _processed(broker: str, topics: Topics, placed: Sequence[_Placed], seconds: float) -> list[_Placed]:
    """Those that no worker has processed when the time is over."""
    ends = time.monotonic() + seconds
    async with admin_client(broker, client_of(broker)) as admin:
        while True:
            committed = await admin.list_consumer_group_offsets(topics.group)
            waiting = [
                one
                for one in placed
                if (known := committed.get(TopicPartition(topics.events, one.partition))) is None or known.offset <= one.offset
            ]
            if not waiting or time.monotonic() >= ends:
                return waiting
            await asyncio.sleep(_POLL_SECONDS)
