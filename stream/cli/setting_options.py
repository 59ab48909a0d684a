"""Settings as options of commands that are not workers: from a flag, the environment, ``breachwatch.toml``, or the default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from stream.cli.completing import of_setting
from stream.runtime.settings import CONFIG_FILE, ENTRIES, PREFIX, SECRETS, SettingsError, flag, variable
from stream.runtime.settings_sources import read_file, secret, usual_file
from stream.runtime.table_settings import entries
from stream.runtime.table_settings import variable as table_variable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream.runtime.settings import Entry

Command = TypeVar("Command", bound="Callable[..., Any]")

_FILE: Final = "stream.cli.setting_options"
"""The key under which a context keeps the settings of the file."""
_PATH: Final = f"{_FILE}.path"


def setting_option(name: str, entry: Entry, where: str, **more: Any) -> Callable[[Command], Command]:
    """An option for a setting, which receives its text. ``where``: what else sets it."""
    default = "required" if entry.default is None else f"default {entry.default or 'none'}"
    facts = "; ".join(filter(None, (where, entry.bounds, default)))
    return click.option(
        flag(name),
        name,
        metavar="|".join(entry.choices) or "TEXT",
        shell_complete=of_setting(entry),
        help=f"{entry.help}  [{facts}]",
        **more,
    )


def table_options(table: str, kind: type[Any]) -> Callable[[Command], Command]:
    """Add a flag for every setting of a table of the file to a click command; ``kind`` is the dataclass of the settings."""

    def decorate(function: Command) -> Command:
        for name, entry in reversed(entries(kind).items()):
            where = f"{table_variable(table, name)}, {name} below [{table}] in {CONFIG_FILE}"
            function = setting_option(name, entry, where)(function)
        return function

    return decorate


def setting_options(*names: str) -> Callable[[Command], Command]:
    """Add ``--config`` and a flag for each of these settings to a click command. It receives their texts, which are valid."""

    def decorate(function: Command) -> Command:
        for name in reversed(names):
            option = setting_option(name, ENTRIES[name], variable(name), envvar=variable(name), callback=_valid)
            function = option(function)
        return click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            envvar=f"{PREFIX}CONFIG",
            is_eager=True,
            expose_value=False,
            callback=_read,
            help=f"Settings file.  [{PREFIX}CONFIG; default {CONFIG_FILE} in this folder, if it exists]",
        )(function)

    return decorate


def settings_file() -> Path | None:
    """The settings file of the command that runs. ``None``: there is none."""
    found: Path | None = click.get_current_context().meta[_PATH]
    return found


def environment() -> Mapping[str, str]:
    """The environment over the settings file of the command that runs, as variables. For settings that have no option."""
    context = click.get_current_context(silent=True)
    return {**({} if context is None else context.meta.get(_FILE, {})), **os.environ}


def _read(context: click.Context, _option: click.Parameter, file: Path | None) -> None:
    """Keep the settings of the file as variables."""
    try:
        texts = read_file(file)
    except SettingsError as error:
        raise click.UsageError("\n".join(error.problems)) from error
    context.meta[_PATH] = usual_file(file)
    context.meta[_FILE] = {variable(name): text for name, text in texts.items()}


def _valid(context: click.Context, option: click.Parameter, text: str | None) -> str:
    name = str(option.name)
    try:
        if text is None and name in SECRETS:
            text = secret(variable(name), os.environ)
        given = text if text is not None else context.meta[_FILE].get(variable(name), ENTRIES[name].default)
        ENTRIES[name].reader(given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return str(given)
