"""Decides for all commands whether output has colour: ``--color``, ``NO_COLOR``, ``FORCE_COLOR``, or else the terminal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO, Any

_CHOICES: Final = ("auto", "always", "never")
_HELP: Final = (
    "Whether the output has colour. auto: if it is a terminal, unless NO_COLOR or FORCE_COLOR is set. It may also follow the "
    "command."
)


def wanted(choice: str, environment: Mapping[str, str]) -> bool | None:
    """``None``: as each stream is a terminal or not. See https://no-color.org and https://force-color.org."""
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    return True if environment.get("FORCE_COLOR") else None


def on(stream: IO[Any]) -> bool:
    """Whether what a command writes to this stream has colour. For output that does not pass through ``click.echo``."""
    colour = click.get_current_context().color
    return stream.isatty() if colour is None else colour


def _decide(context: click.Context, _option: click.Parameter, choice: str | None) -> None:
    # ``click.echo`` follows the decision in the context, and contexts of subcommands inherit it.
    if choice is not None:
        context.color = wanted(choice, os.environ)


def _option(*, default: str | None, hidden: bool) -> click.Option:
    return click.Option(
        ["--color"],
        type=click.Choice(_CHOICES),
        default=default,
        show_default=not hidden,
        hidden=hidden,
        is_eager=True,
        expose_value=False,
        callback=_decide,
        help=_HELP,
    )


OPTION: Final = _option(default="auto", hidden=False)
"""For the program."""
_AFTER_COMMAND: Final = _option(default=None, hidden=True)


def accept(command: click.Command) -> None:
    """Let a command and all its subcommands take ``--color`` too."""
    if _AFTER_COMMAND not in command.params:
        command.params.append(_AFTER_COMMAND)
    if isinstance(command, click.Group):
        for each in command.commands.values():
            accept(each)
