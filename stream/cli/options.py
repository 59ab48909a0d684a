"""Options that several commands share: policies, instants, and the settings of a worker."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from stream.cli import completing
from stream.cli.setting_options import environment, setting_option
from stream.deployments.export import read_export
from stream.language.policies import load
from stream.runtime.settings import CONFIG_FILE, ENTRIES, PREFIX, ClockMode, variable
from stream.sla.engine import Engine
from stream.wire.instants import InstantError, parse_instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.runtime.backtest_slice import ReadPolicies

T = TypeVar("T")


policies_option: Final = click.option(
    "--policies",
    multiple=True,
    required=True,
    shell_complete=completing.policies,
    help="Policy file, or name of a shipped policy. Repeatable.",
)
"""For commands that load policies. ``stream.language.policies.load`` accepts its values unchanged."""


def judged_by_options(command: Callable[..., T]) -> Callable[..., T]:
    """Add ``--policies`` and ``--deployments`` to a click command; ``judged_by`` takes both values."""
    command = click.option(
        "--deployments",
        is_eager=True,
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True, exists=True),
        help="Instead of --policies: all deployments of an installation, as written by `breachwatch deploy --export`.",
    )(command)
    return click.option(
        "--policies",
        multiple=True,
        shell_complete=completing.policies,
        callback=_or_those_of_the_settings,
        help="Policy file, or name of a shipped policy. Repeatable.  "
        f"[{variable('policies')}, policies in {CONFIG_FILE}; required without --deployments]",
    )(command)


def _or_those_of_the_settings(context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """The policies of the workers that the settings name, if neither these nor deployments were given."""
    text = environment().get(variable("policies"))
    if given or text is None or context.params.get("deployments") is not None:
        return given
    try:
        return tuple(ENTRIES["policies"].reader(text))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def judged_by(policies: tuple[str, ...], deployments: Path | None) -> ReadPolicies:
    """A function that reads the policies, or the deployments. It raises PolicyError, or ExportError and OSError.

    Raises click.UsageError.
    """
    if bool(policies) == (deployments is not None):
        raise click.UsageError("give either --policies or --deployments")
    return partial(load, policies) if deployments is None else partial(read_export, deployments)


def make_engine(read_policies: ReadPolicies, history: int, keep_fields: str) -> Engine:
    """``keep_fields``: the text of the setting. Raises what ``read_policies`` raises."""
    return Engine(read_policies(), history=history, keep=ENTRIES["keep_fields"].reader(keep_fields))


clock_of_workers: Final = click.option(
    "--clock",
    type=click.Choice([mode.value for mode in ClockMode]),
    envvar="BREACHWATCH_CLOCK",
    default="wall",
    show_default=True,
    help="Setting 'clock' of the workers.",
)
"""For commands that depend on the clock of the workers and cannot ask them."""


def instant(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """Convert RFC 3339 to epoch microseconds, as a click callback. Raises click.BadParameter."""
    if text is None:
        return None
    try:
        return parse_instant(text)
    except InstantError as error:
        raise click.BadParameter(str(error)) from error


def settings_flags(command: Callable[..., T]) -> Callable[..., T]:
    """Add ``--config`` and a flag for every setting to a click command. It receives each value as text, or ``None``."""
    for name, entry in reversed(list(ENTRIES.items())):
        command = setting_option(name, entry, variable(name))(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar=f"{PREFIX}CONFIG",
        help=f"Settings file.  [{PREFIX}CONFIG; default {CONFIG_FILE} in this folder, if it exists]",
    )(command)
