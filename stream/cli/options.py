"""Options that several commands share: policies, instants, and the settings of a worker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from stream.runtime.settings import CONFIG_FILE, ENTRIES, PREFIX, flag, variable
from stream.wire.instants import InstantError, parse_instant

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


policies_option: Final = click.option(
    "--policies", multiple=True, required=True, help="Policy file, or the name of a shipped policy. Repeatable."
)
"""For commands that load policies: ``stream.language.policies.load`` takes its values as they are."""


def instant(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """For ``callback=``: RFC 3339 to epoch microseconds. Raises click.BadParameter."""
    if text is None:
        return None
    try:
        return parse_instant(text)
    except InstantError as error:
        raise click.BadParameter(str(error)) from error


def settings_flags(command: Callable[..., T]) -> Callable[..., T]:
    """Give a click command a flag for every setting, and ``--config``; it gets texts, or ``None``."""
    for name, entry in reversed(list(ENTRIES.items())):
        default = "must be given" if entry.default is None else f"default {entry.default or 'none'}"
        text = f"{entry.help}  [{variable(name)}; {default}]"
        command = click.option(flag(name), name, metavar="TEXT", help=text)(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar=f"{PREFIX}CONFIG",
        help=f"Settings file.  [{PREFIX}CONFIG; default {CONFIG_FILE} in this folder, if there is one]",
    )(command)
