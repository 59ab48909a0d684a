"""``breachwatch worker``: reads the settings, and runs ``stream.runtime.worker`` until a signal stops it."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Final, NoReturn

import click

from stream.cli.options import settings_flags
from stream.runtime.settings import SettingsError, from_command, misspelt_variables

if TYPE_CHECKING:
    from pathlib import Path

USAGE: Final = 2
"""Exit status when settings, policies or topics are wrong, so that a restart does not help."""


@click.command(help="Run a worker: ticket events in, breaches and escalations out. Stop it with Ctrl-C or SIGTERM.")
@settings_flags
def command(config: Path | None, **flags: str | None) -> None:
    try:
        settings = from_command(config, flags, os.environ)
    except SettingsError as error:
        _refuse("the settings are wrong", error.problems)
    from stream.runtime.preflight import RefusedError
    from stream.runtime.worker import run

    _log_to_stderr()
    for warning in misspelt_variables(os.environ):
        logging.getLogger(__name__).warning(warning)
    try:
        run(settings)
    except RefusedError as error:
        _refuse(error.what, error.problems)


class _RateLimit(logging.Filter):
    """Passes at most one line per second from libraries. While a broker is away, they log every attempt of every request."""

    def __init__(self) -> None:
        super().__init__()
        self._last = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("stream") or record.levelno >= logging.CRITICAL:
            return True
        if record.created - self._last < 1:
            return False
        self._last = record.created
        return True


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.addFilter(_RateLimit())
    text = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.WARNING, format=text, handlers=[handler], force=True)
    logging.getLogger("stream").setLevel(logging.INFO)
    # Below this level, they log every step of a rebalance.
    for library in ("faust", "mode", "aiokafka"):
        logging.getLogger(library).setLevel(logging.ERROR)


def _refuse(what: str, problems: list[str]) -> NoReturn:
    click.echo(f"breachwatch worker: {what}:", err=True)
    for problem in problems:
        click.echo(f"  {problem}", err=True)
    sys.exit(USAGE)
