"""The program as a click group: it loads each command when it is called, and ends in a defined way whatever stops it."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stream.cli import colour
from stream.cli.exit_codes import BUG, INTERRUPTED, NO_READER
from stream.cli.subcommands import Group

if TYPE_CHECKING:
    from collections.abc import Mapping

Entry = tuple[str, str]
"""A module with an attribute ``command``, and a line of help."""


class Program(Group):
    """``groups``: heading to the commands below it, by name."""

    def __init__(self, *args: Any, groups: Mapping[str, Mapping[str, Entry]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.groups: Final = groups
        self._entries: Final = {name: entry for group in groups.values() for name, entry in group.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's signature
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._entries:
            return None
        module = self._entries[cmd_name][0]
        command = import_module(module).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.command is not a click command")
        colour.accept(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for heading, commands in self.groups.items():
            with formatter.section(heading):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and turn what ends it early into an exit code and at most a line of text."""
        if sys.stdout is None:  # closed by the shell: `>&-`
            sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  until the process ends
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except BrokenPipeError:
            _discard_output()
            ctx.exit(NO_READER)
        except KeyboardInterrupt:
            click.echo("\nstopped by Ctrl-C before the end", err=True)
            ctx.exit(INTERRUPTED)
        except OSError as error:
            what = str(error.strerror or error)
            if not error.filename:
                _discard_output()  # perhaps what could not be written
            raise click.ClickException(f"{error.filename}: {what}" if error.filename else what) from error
        except Exception:  # noqa: BLE001  the last resort: everything that a user can cause has its own error
            traceback.print_exc()
            click.echo("This is a bug in breachwatch: please report it with the lines above.", err=True)
            ctx.exit(BUG)
        return result


def _discard_output() -> None:
    """Let what is still buffered for standard output go nowhere; its flush at the end of the process would fail again."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
