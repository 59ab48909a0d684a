"""``breachwatch gateway``: reads the settings, and runs ``stream.gateway.run`` until a signal stops it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click

from stream.cli import completing
from stream.cli.exit_codes import WRONG
from stream.cli.setting_options import environment, setting_options, settings_file, table_options
from stream.cli.topics import client_of, topics_of
from stream.gateway.feed_definitions import TABLE, FeedOptions
from stream.gateway.settings import GatewaySettings, load_gateway
from stream.runtime.settings import ENTRIES, LogFormat, SettingsError
from stream.runtime.table_settings import Sources

if TYPE_CHECKING:
    from collections.abc import Callable

Command = TypeVar("Command", bound="Callable[..., Any]")

_APP: Final = "breachwatch"
"""The default app id: the topics that the gateway writes to do not have it in their names."""


def feed_options(function: Command) -> Command:
    """Add the options that define feeds to a click command."""
    for name, metavar, text in (
        ("scheme", "NAME=SCHEME", "How the requests of a feed are signed, if not as its mapping states. Repeatable."),
        (
            "secret",
            "NAME=env:VARIABLE|file:PATH",
            "Secret of a feed. Repeatable: several of one feed while a secret is being replaced.",
        ),
        (
            "feed",
            "NAME=MAPPING",
            "Feed and its mapping: a file, the name of a shipped one, or `events` for events in our own contract. Repeatable.",
        ),
    ):
        complete = completing.feed_pairs if name == "feed" else None
        option = click.option(f"--{name}", f"{name}s", metavar=metavar, multiple=True, shell_complete=complete, help=text)
        function = option(function)
    return function


@click.command("gateway")
@feed_options
@setting_options("broker", "topic_prefix", "log_format")
@table_options(TABLE, GatewaySettings)
def command(broker: str, topic_prefix: str, log_format: str, **options: Any) -> None:
    """Receive the webhooks of helpdesks over HTTP, and publish their ticket events. Stop it with Ctrl-C or SIGTERM.

    Each feed has the address POST /feeds/NAME, or /feeds/NAME/TOKEN where the secret is a token. Without a secret, a feed can
    only be reached from this machine.
    """
    pairs = FeedOptions(*(options.pop(name) for name in ("feeds", "secrets", "schemes")))
    try:
        settings = load_gateway(Sources(options, environment(), settings_file()), pairs)
    except SettingsError as error:
        _refuse("the settings are wrong", error.problems)
    from stream.cli.log_lines import log_to_stderr
    from stream.gateway.run import run
    from stream.runtime.signals import handled_signals
    from stream.runtime.startup import RefusedError

    form: LogFormat = ENTRIES["log_format"].reader(log_format)
    log_to_stderr(form)
    try:
        with handled_signals():
            run(settings, client_of(broker), topics_of(_APP, topic_prefix))
    except RefusedError as error:
        _refuse(error.what, error.problems)


def _refuse(what: str, problems: list[str]) -> NoReturn:
    click.echo(f"breachwatch gateway: {what}:", err=True)
    for problem in problems:
        click.echo(f"  {problem}", err=True)
    sys.exit(WRONG)
