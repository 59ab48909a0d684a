"""``breachwatch help``: the help of a command, or what the exit codes mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from stream.cli.completing import TOPICS, command_names
from stream.cli.exit_codes import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Callable


@click.command("help")
@click.argument("words", nargs=-1, metavar="[COMMAND]...", shell_complete=command_names)
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of COMMAND, such as topics create. `breachwatch help exit-codes` shows what the exit codes mean."""
    if len(words) == 1 and words[0] in _TOPICS:
        _TOPICS[words[0]]()
        return
    parent = ctx.find_root()
    found: click.Command = parent.command
    for word in words:
        if not isinstance(found, click.Group):
            raise click.UsageError(f"{parent.command_path} has no subcommands")
        name, sub, _ = found.resolve_command(parent, [word])
        assert sub is not None
        found, parent = sub, click.Context(sub, info_name=name, parent=parent)
    click.echo(found.get_help(parent))


def _exit_codes() -> None:
    formatter = click.HelpFormatter(max_width=110)
    formatter.write_dl([(str(code), meaning) for code, meaning in MEANINGS.items()])
    click.echo(formatter.getvalue(), nl=False)


_TOPICS: Final[dict[str, Callable[[], None]]] = dict(zip(TOPICS, (_exit_codes,), strict=True))
