"""``breachwatch worker``: reads the settings, and runs ``stream.runtime.worker`` until a signal stops it."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from stream.cli.exit_codes import WRONG
from stream.cli.grouped_options import GroupedOptions
from stream.cli.log_lines import log_to_stderr
from stream.cli.options import settings_flags
from stream.runtime.settings import SettingsError
from stream.runtime.settings_sources import from_command, misspelt_variables

if TYPE_CHECKING:
    from pathlib import Path


@click.command(
    cls=GroupedOptions, help="Run a worker: ticket events in, breaches and escalations out. Stop it with Ctrl-C or SIGTERM."
)
@settings_flags
def command(config: Path | None, **flags: str | None) -> None:
    try:
        settings = from_command(config, flags, os.environ)
    except SettingsError as error:
        _refuse("the settings are wrong", error.problems)
    from stream.runtime.signals import handled_signals
    from stream.runtime.startup import RefusedError
    from stream.runtime.worker import run

    log_to_stderr(settings.log_format)
    for warning in misspelt_variables(os.environ):
        logging.getLogger(__name__).warning(warning)
    try:
        with handled_signals():
            run(settings)
    except RefusedError as error:
        _refuse(error.what, error.problems)


def _refuse(what: str, problems: list[str]) -> NoReturn:
    click.echo(f"breachwatch worker: {what}:", err=True)
    for problem in problems:
        click.echo(f"  {problem}", err=True)
    sys.exit(WRONG)
