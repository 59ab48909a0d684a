"""``breachwatch writeback``: writes the state of tickets into the helpdesks that have them, or checks the files of desks."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click
from aiokafka.errors import KafkaError

from stream.cli.log_lines import log_to_stderr
from stream.cli.newer_release import NewerRelease
from stream.cli.setting_options import environment, setting_options, settings_file, table_options
from stream.cli.subcommands import Group
from stream.cli.topics import client_of, no_answer, topics_of
from stream.documents.document import DocumentError
from stream.runtime.kafka.topic_reader import MissingTopicError, existing_topics
from stream.runtime.secret_values import SecretError
from stream.runtime.settings import LogFormat, SettingsError
from stream.runtime.signals import handled_signals
from stream.runtime.startup import RefusedError, until_answered
from stream.runtime.table_settings import Sources
from stream.wire.counting import many
from stream.wire.forms import NewerReleaseError
from stream.writeback.apis.opening import opened
from stream.writeback.desk_file import load as load_desk
from stream.writeback.metrics import WritebackMetrics
from stream.writeback.server import Server
from stream.writeback.service import Service
from stream.writeback.settings import TABLE, WritebackSettings
from stream.writeback.settings import load as load_settings
from stream.writeback.states import MemoryStates, States

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.runtime.kafka.topics import Topics
    from stream.writeback.desk_file import DeskFile

log = logging.getLogger("stream.writeback")

_APP: Final = "breachwatch"
"""The default app id: the topics that are read and written here do not have it in their names."""


@click.group("writeback", cls=Group, invoke_without_command=True)
@setting_options("broker", "topic_prefix", "log_format")
@table_options(TABLE, WritebackSettings)
@click.option(
    "--write", is_flag=True, envvar="BREACHWATCH_WRITEBACK_WRITE", help="Write. Without it, log what would be written."
)
@click.pass_context
def command(
    context: click.Context, /, broker: str, topic_prefix: str, log_format: str, write: bool, **flags: str | None
) -> None:
    """Write deadlines, breaches and escalations into the helpdesk.

    It reads the outputs of the workers and keeps fields and tags of each ticket current: the next deadline, whether a
    commitment is breached, the level of escalation, the team that takes over. Files of desks name the fields. Without --write
    it logs what it would write, and changes nothing.
    """
    if context.invoked_subcommand is not None:
        return
    try:
        settings = load_settings(Sources(flags, environment(), settings_file()))
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    desks = _desks(settings.desks)
    topics = topics_of(_APP, topic_prefix)
    log_to_stderr(LogFormat(log_format))
    try:
        with handled_signals():
            asyncio.run(_run(settings, desks, (broker, topics), write=write))
    except KafkaError as error:
        raise no_answer(broker, error) from error
    except NewerReleaseError as error:
        raise NewerRelease(str(error)) from error
    except SecretError as error:
        raise click.ClickException(str(error)) from error


@command.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
def _check(files: tuple[str, ...]) -> None:
    """Check files of desks: list every problem with its line. The exit status is 1 if there are any."""
    _desks(files)
    click.echo(f"{many(len(files), 'file')}: no errors")


def _desks(files: Iterable[str]) -> list[DeskFile]:
    """Raises click.ClickException with every problem of every file."""
    desks, problems = [], list[str]()
    for file in files:
        try:
            desk, warnings = load_desk(file)
        except DocumentError as error:
            problems.append(str(error))
        else:
            desks.append(desk)
            for warning in warnings:
                click.echo(warning, err=True)
    names = [desk.name for desk in desks]
    if twice := {name for name in names if names.count(name) > 1}:
        problems.append(f"two desks have the name {', '.join(sorted(twice))}: give each a name of its own")
    if problems:
        raise click.ClickException("\n".join(problems))
    return desks


async def _run(settings: WritebackSettings, desks: list[DeskFile], cluster: tuple[str, Topics], *, write: bool) -> None:
    """Run until a signal ends it. Raises KafkaError, SecretError, click.ClickException."""
    task = asyncio.current_task()
    assert task is not None
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    try:
        await _serve(settings, desks, cluster, write=write)
    except asyncio.CancelledError:
        log.info("stopped")
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group


async def _serve(settings: WritebackSettings, desks: list[DeskFile], cluster: tuple[str, Topics], *, write: bool) -> None:
    broker, topics = cluster
    client: dict[str, Any] = client_of(broker)
    needed = (topics.breaches, topics.escalations, topics.writeback_state)
    try:
        await until_answered(client, "writeback", partial(existing_topics, broker, client, needed))
    except MissingTopicError as error:
        raise click.ClickException(f"{error}: run `breachwatch topics create`") from error
    except RefusedError as error:
        raise click.ClickException(str(error)) from error
    metrics = WritebackMetrics([desk.name for desk in desks])
    states = (States if write else MemoryStates)(client, topics.writeback_state)
    async with AsyncExitStack() as stack:
        reached = [await stack.enter_async_context(opened(desk, os.environ)) for desk in desks]
        service = Service(settings, reached, states, metrics, write=write)
        server = Server(service, metrics)
        stack.push_async_callback(server.stop)
        try:
            where = await server.start(settings.listen)
        except OSError as error:
            raise click.ClickException(f"cannot listen on {settings.listen}: {error.strerror}: set --listen") from error
        log.info("health and metrics on http://%s/; %s", where, "writing" if write else "dry run: nothing is written")
        await service.run(client, topics)
