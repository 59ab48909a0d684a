"""``breachwatch completion``: prints the script with which a shell completes commands, options and values."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

_PROGRAM: Final = "breachwatch"
_VARIABLE: Final = "_BREACHWATCH_COMPLETE"
"""The variable through which the script asks the program; click derives the name from that of the program."""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that lets SHELL complete commands, options, and values such as the names of shipped policies.

    bash 4.4 or newer, in ~/.bashrc: eval "$(breachwatch completion bash)"

    zsh, in ~/.zshrc after compinit: eval "$(breachwatch completion zsh)"

    fish: breachwatch completion fish > ~/.config/fish/completions/breachwatch.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, _PROGRAM, _VARIABLE).source())
