"""``breachwatch rejected``: lists and shows the dead letters of ticket events, and publishes their events again."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stream.cli.dead_letter_topic import open_dead_letters
from stream.cli.dead_letters import DeadLetterFilter, DeadLetterPlace, place, places, selected
from stream.cli.exit_codes import FAILED
from stream.cli.output import write
from stream.cli.reading import SINCE_HELP, run, since
from stream.cli.rejected_view import Summary, as_json, whole
from stream.cli.republishing import Republisher
from stream.cli.setting_options import setting_options
from stream.cli.stopping import stoppable
from stream.cli.subcommands import Group
from stream.cli.topics import client_of, topics_of
from stream.cli.watch_view import zone_option
from stream.runtime.kafka.publisher import Publisher
from stream.runtime.kafka.topic_admin import missing_input
from stream.runtime.kafka.topic_reader import Place
from stream.wire.decode import RejectReason
from stream.wire.lines import LinesError, open_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.cli.watch_view import LocalTime
    from stream.runtime.kafka.topic_reader import Since

    Command = TypeVar("Command", bound="Callable[..., Any]")


def _selecting(command: Command) -> Command:
    """Add the options of a DeadLetterFilter to a click command; ``_filter`` takes their values."""
    for option in (
        click.option("--until", callback=since, help="Only those that were rejected before; as for --since."),
        click.option("--since", "start", callback=since, help=f"Only those that were rejected since then: {SINCE_HELP}."),
        click.option("--source", "sources", multiple=True, help="Only events of this source. Repeatable."),
        click.option("--ticket", "tickets", multiple=True, help="Only events of this ticket. Repeatable."),
        click.option(
            "--reason",
            "reasons",
            multiple=True,
            type=click.Choice([reason.value for reason in RejectReason]),
            help="Only those with this reason. Repeatable.",
        ),
    ):
        command = option(command)
    return command


def _filter(
    reasons: tuple[str, ...], tickets: tuple[str, ...], sources: tuple[str, ...], start: Since | None, until: Since | None
) -> DeadLetterFilter:
    if isinstance(until, Place):
        raise click.BadParameter(f"--until needs {SINCE_HELP}, but not begin")
    return DeadLetterFilter(
        frozenset(map(RejectReason, reasons)),
        frozenset(tickets),
        frozenset(sources),
        Place.BEGIN if start is None else start,
        until,
    )


@click.group("rejected", cls=Group)
def command() -> None:
    """List and show the records that workers have rejected, and publish their events again.

    A worker writes a dead letter of each record that breaks the contract to ticket-events-rejected, with the reason and the
    bytes. The place of a dead letter is its partition and offset on that topic, such as 3:81442.
    """


@command.command("list")
@setting_options("broker", "topic_prefix")
@_selecting
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, help="Number of dead letters to list.")
@zone_option
@click.option("--json", "form", flag_value="json", help="Print every dead letter as a line of JSON, without its body.")
@click.option(
    "--bodies",
    "form",
    flag_value="bodies",
    help="Print the body of every dead letter as a line, for a program that corrects them.",
)
def _list(
    broker: str,
    topic_prefix: str,
    reasons: tuple[str, ...],
    tickets: tuple[str, ...],
    sources: tuple[str, ...],
    start: Since | None,
    until: Since | None,
    limit: int,
    clock: LocalTime,
    form: str | None,
) -> None:
    """Count the dead letters by reason, and list the newest."""
    wanted, summary = _filter(reasons, tickets, sources, start, until), Summary(limit)

    async def read() -> None:
        async with open_dead_letters(broker, topics_of("breachwatch", topic_prefix)) as topic:
            async for dead_letter in selected(topic.reader, wanted):
                if form == "json":
                    click.echo(as_json(dead_letter))
                elif form == "bodies":
                    await topic.print_line(dead_letter)
                else:
                    summary.add(dead_letter)

    with stoppable(lambda: "not all dead letters were read"):
        run(broker, read())
    if form is None:
        for line in summary.lines(clock):
            click.echo(line)


@command.command("show")
@click.argument("where", metavar="PLACE", callback=place)
@setting_options("broker", "topic_prefix")
@zone_option
@click.option("--body", is_flag=True, help="Print only the body, byte for byte, to be corrected and republished with --file.")
def _show(where: DeadLetterPlace, broker: str, topic_prefix: str, clock: LocalTime, body: bool) -> None:
    """Show the dead letter at PLACE: the reason, the record with its headers and body, and what to do."""

    async def read() -> None:
        async with open_dead_letters(broker, topics_of("breachwatch", topic_prefix)) as topic:
            dead_letter = await topic.at(where)
            record = await topic.record(dead_letter)
            value = dead_letter.content.value if record is None else record.value
            if body:
                if value is None:
                    raise click.ClickException(f"{where}: the record has no value")
                write(value)
                return
            for line in whole(dead_letter, value, None if record is None else list(record.headers), clock):
                click.echo(line)
            if record is None and dead_letter.may_be_cut:
                click.echo("The body is only the beginning of the value: the rest is gone with the record.", err=True)

    run(broker, read())


@command.command("republish")
@click.argument("wheres", metavar="[PLACE]...", nargs=-1, callback=places)
@setting_options("broker", "topic_prefix")
@_selecting
@click.option(
    "--file",
    type=click.Path(path_type=Path, allow_dash=True, dir_okay=False, exists=True),
    help="Publish corrected events from this file instead: JSON lines, or one event as `show --body` prints it; - is standard "
    "input.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be published, and publish nothing.")
def _republish(
    wheres: tuple[DeadLetterPlace, ...],
    broker: str,
    topic_prefix: str,
    reasons: tuple[str, ...],
    tickets: tuple[str, ...],
    sources: tuple[str, ...],
    start: Since | None,
    until: Since | None,
    file: Path | None,
    dry_run: bool,
) -> None:
    """Publish rejected events again: those at PLACE, those that the options select, or corrected ones from a file.

    Each goes to its ticket's partition, under its ticket as the key. An event that breaks the contract is not published: the
    line gives the reason, and the exit status is 1. Without --file events are published unchanged, which helps after settings
    were changed, or where only the key was wrong.

    Running the command again is harmless: a worker ignores an event whose source, id and seq it knows.
    """
    wanted = _filter(reasons, tickets, sources, start, until)
    if sum((bool(wheres), not wanted.selects_all, file is not None)) != 1:
        raise click.UsageError("give either places, or options such as --reason, or --file")
    names = topics_of("breachwatch", topic_prefix)

    def stopped() -> str:
        return f"{again.summary()}; run the same command again"

    async def publish() -> None:
        async with AsyncExitStack() as stack:
            if problems := await missing_input(broker, names, client=client_of(broker)):
                raise click.ClickException("\n".join(problems))
            if not dry_run:
                again.publisher = await stack.enter_async_context(Publisher(client_of(broker), names.events))
            if file is not None:
                with open_lines(file) as lines:
                    await again.lines(str(file), iter(lines))
            else:
                async with open_dead_letters(broker, names) as topic:
                    found = topic.each(wheres) if wheres else selected(topic.reader, wanted)
                    async for dead_letter in found:
                        record = await topic.record(dead_letter) if dead_letter.may_be_cut else None
                        await again.dead_letter(dead_letter, dead_letter.content.value if record is None else record.value)
            await again.finish()

    again = Republisher(dry_run=dry_run)
    try:
        with stoppable(stopped):
            run(broker, publish())
    except (OSError, LinesError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(again.summary(), err=True)
    if again.refused:
        raise click.exceptions.Exit(FAILED)
