"""A group of commands as click shows it, with whole lines of help, and with what a misspelt command may be."""

from __future__ import annotations

from difflib import get_close_matches

import click


class Group(click.Group):
    """click cuts the help of a command to one line of the terminal, also in the middle of a sentence."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name, known = args[0] if args else "", self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            near = get_close_matches(name, known, 1)
            meant = f"Did you mean {near[0]!r}?" if near else f"`{ctx.command_path} --help` lists the commands."
            ctx.fail(f"No such command {name!r}. {meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl([(name, _sentence(command)) for name, command in commands.items() if command is not None])


def _sentence(command: click.Command) -> str:
    """The first paragraph of the help of a command, on one line."""
    return command.get_short_help_str(limit=10_000)
