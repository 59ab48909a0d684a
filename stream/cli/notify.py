"""``breachwatch notify``: runs the service that informs people of effects, and tries its rules."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click
import msgspec

from stream.cli.exit_codes import BUG, WRONG
from stream.cli.log_lines import log_to_stderr
from stream.cli.notify_samples import sample
from stream.cli.setting_options import environment, setting_options, settings_file, table_options
from stream.cli.subcommands import Group
from stream.cli.topics import client_of, topics_of
from stream.notify.rules_reader import RulesError, read_rules
from stream.notify.settings import TABLE, NotifySettings
from stream.runtime.settings import LogFormat
from stream.runtime.signals import handled_signals
from stream.runtime.table_settings import Sources, table_of, values_of, variable
from stream.wire.counting import many
from stream.wire.effect import decode_effect, encode_effect
from stream.wire.forms import NewerReleaseError
from stream.wire.instants import InstantError, parse_instant
from stream.wire.lines import LinesError, open_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from stream.notify.rules import Rules
    from stream.sla.effects import Effect

    Command = TypeVar("Command", bound="Callable[..., Any]")

_PAUSE: Final = 2.0
"""Seconds until the next attempt to reach Kafka."""
_END: Final = "end"
_LOGGER: Final = logging.getLogger("stream.notify")


@click.group("notify", cls=Group)
def command() -> None:
    """Inform people and other programs of breaches, warnings and escalations."""


@command.command("run")
@setting_options("broker", "topic_prefix", "token", "log_format")
@table_options(TABLE, NotifySettings)
def _run(broker: str, topic_prefix: str, token: str, log_format: str, **flags: str | None) -> None:
    """Send messages by the rules until Ctrl-C or SIGTERM.

    Each message is sent once: after a restart it goes on where each destination was. A destination that fails is tried again,
    and holds no other up. Exit status 2: the settings or the rules are wrong, and a restart does not help.
    """
    settings = _settings(flags)
    rules = _rules(Path(settings.rules))
    from stream.notify.senders import DestinationsError, senders_of
    from stream.notify.service import Options, Service
    from stream.runtime.kafka.topic_reader import MissingTopicError
    from stream.runtime.startup import RefusedError

    log_to_stderr(LogFormat(log_format))
    begin = None if settings.begin == _END else parse_instant(settings.begin)
    topics, client = topics_of("breachwatch", topic_prefix), client_of(broker)
    options = Options(broker, client, topics, settings.listen, token, begin)

    async def run() -> None:
        await Service(rules, senders_of(rules.destinations.values(), os.environ), options).run()

    with handled_signals():
        try:
            asyncio.run(run())
            _LOGGER.info("stopped")
        except DestinationsError as error:
            _refuse("destinations cannot be used", error.problems)
        except NewerReleaseError as error:
            _refuse("a newer release has run", [str(error)])
        except MissingTopicError as error:
            _refuse("the topics are wrong", [f"{error}: run `breachwatch topics create`"])
        except RefusedError as error:
            _refuse(error.what, error.problems)
        except asyncio.CancelledError:
            _LOGGER.info("stopped")
        except BaseExceptionGroup as group:
            if (newer := group.subgroup(NewerReleaseError)) is not None:
                _refuse("a newer release has run", [str(newer.exceptions[0])])
            _LOGGER.exception("stopped at once: a bug; nothing is lost, and a restart goes on where each destination was")
            sys.exit(BUG)
        except OSError as error:
            _refuse(f"cannot listen on {settings.listen}", [f"{error.strerror or error}: set --listen"])


@command.command("check")
@click.argument("rules", type=click.Path(path_type=Path))
@click.option("--secrets", is_flag=True, help="Check also that each env: and file: leads to a usable URL or secret.")
def _check(rules: Path, *, secrets: bool) -> None:
    """Check the file RULES and the file of roles that it names, and list every problem with its file and line."""
    found = _rules(rules)
    if secrets:
        from stream.notify.senders import DestinationsError, senders_of

        try:
            senders_of(found.destinations.values(), os.environ)
        except DestinationsError as error:
            raise click.ClickException(str(error)) from error
    click.echo(
        f"{rules}: {many(len(found.destinations), 'destination')}, {many(len(found.routes), 'route')}, "
        f"{many(len(found.holders), 'role')}"
    )


@command.command("try")
@click.argument("rules", type=click.Path(path_type=Path))
@click.argument("effects", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False, exists=True))
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def _try(rules: Path, effects: Path, *, as_json: bool) -> None:
    """Print what would be sent to whom for the effects in EFFECTS, and send nothing.

    EFFECTS has JSON lines, as `breachwatch replay` and `breachwatch watch --json` print them; - is standard input. Neither
    grouping nor quiet hours are applied.
    """
    from stream.notify.trial import Trial

    trial = Trial(_rules(rules))
    try:
        with open_lines(effects) as lines:
            for number, line in lines:
                for destination, message in trial.add(_effect(effects, number, line)):
                    if as_json:
                        shown = {"to": destination, "id": message.id, "status": message.status, "title": message.title}
                        click.echo(json.dumps({**shown, "text": message.body}, ensure_ascii=False))
                    else:
                        click.echo(f"to {destination}: {message.title}")
                        for text in message.body.split("\n"):
                            click.echo(f"    {text}")
    except LinesError as error:
        raise click.ClickException(str(error)) from error
    click.echo(trial.summary(), err=True)


@command.command("test")
@click.argument("destination")
@click.option(
    "--rules",
    type=click.Path(path_type=Path),
    default="notify.yaml",
    show_default=True,
    envvar=variable(TABLE, "rules"),
    help="File of the rules.",
)
def _test(destination: str, rules: Path) -> None:
    """Send a sample message to DESTINATION, and report whether it was accepted."""
    found = _rules(rules)
    if destination not in found.destinations:
        raise click.UsageError(f"there is no destination {destination!r}; there are: {', '.join(found.destinations)}")
    from stream.notify.delivery import Outgoing
    from stream.notify.message import Status, Writer
    from stream.notify.senders import sender_of

    effect = sample()
    message = Writer(found.zone, found.ticket_url).message(effect, Status.NEWS)

    async def send() -> Any:
        sender = sender_of(found.destinations[destination], os.environ)
        try:
            return await sender.send([Outgoing(message, encode_effect(effect))])
        finally:
            await sender.close()

    try:
        failure = asyncio.run(send())
    except ValueError as error:
        raise click.ClickException(f"destination {destination}: {error}") from error
    if failure is not None:
        raise click.ClickException(f"{destination} did not accept the message: {failure.reason}")
    click.echo(f"{destination} has accepted the message: {message.title}")


def _settings(flags: dict[str, str | None]) -> NotifySettings:
    problems: list[str] = []
    sources = Sources(flags, environment(), settings_file())
    values = values_of(NotifySettings, TABLE, sources, table_of(sources.file, TABLE, problems), problems)
    settings = None if problems else NotifySettings(**values)
    if settings is not None and settings.begin != _END:
        try:
            parse_instant(settings.begin)
        except InstantError as error:
            problems.append(f"begin: {error}; or use {_END}")
    if settings is None or problems:
        _refuse("the settings are wrong", problems)
    return settings


def _rules(path: Path) -> Rules:
    try:
        rules, warnings = read_rules(path)
    except RulesError as error:
        _refuse("the rules are wrong", list(map(str, error.problems)))
    for warning in warnings:
        click.echo(warning, err=True)
    return rules


def _effect(file: Path, number: int, line: bytes) -> Effect:
    try:
        return decode_effect(line)
    except (msgspec.DecodeError, InstantError) as error:
        raise click.ClickException(f"{file}:{number}: not an effect: {error}") from error


def _refuse(what: str, problems: list[str]) -> NoReturn:
    click.echo(f"breachwatch notify: {what}:", err=True)
    for problem in problems:
        click.echo(f"  {problem}", err=True)
    sys.exit(WRONG)
