"""``breachwatch policies``: lists and shows the policies that ship with breachwatch."""

from __future__ import annotations

import click

from stream.cli import completing
from stream.cli.subcommands import Group
from stream.language.policies import shipped, shipped_names


@click.group("policies", cls=Group)
def command() -> None:
    """List or show the policies that ship with breachwatch. Every command takes their names where it takes a file."""


@command.command("list")
def _list() -> None:
    """List the names, with the first line of each file."""
    names = shipped_names()
    width = max(map(len, names))
    for name in names:
        first = shipped(name).read_text("utf-8").partition("\n")[0].lstrip("# ")
        click.echo(f"{name:<{width}}  {first}")


@command.command("show")
@click.argument("name", shell_complete=completing.policy_names)
def _show(name: str) -> None:
    """Print the file of the shipped policy NAME.

    Copy it to make it yours: breachwatch policies show starter > policies.yaml
    """
    try:
        click.echo(shipped(name).read_text("utf-8"), nl=False)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
