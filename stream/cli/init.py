"""``breachwatch init``: writes the files of a first project."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

import click

from stream.cli.test import STORIES
from stream.language.policies import shipped
from stream.runtime.settings import CONFIG_FILE

_SETTINGS: Final = """\
# Settings of all breachwatch commands in this directory. `breachwatch worker --help` lists them.

broker = "127.0.0.1:9092"
policies = ["policies/desk.yaml"]
"""
_STORIES: Final = """\
# Tests of policies/desk.yaml: run them with `breachwatch test`.

- story: A p1 ticket that nobody answers for a business hour is breached
  policies: [desk.yaml]
  zone: Europe/Brussels
  ticket: {priority: p1}
  watching: [first_response]
  happens:
    - 2026-11-16 09:00: created by customer
    - 2026-11-16 10:30: agent answers
  until: 2026-11-16 12:00
  then:
    - 2026-11-16 09:45: first_response warned 75%
    - 2026-11-16 10:00: first_response breached
    - 2026-11-16 10:30: first_response met_late
"""


@click.command("init")
@click.argument("directory", default=".", type=click.Path(file_okay=False, path_type=Path))
def command(directory: Path) -> None:
    """Write the files of a first project into DIRECTORY: settings, a policy to edit, and a story that tests it.

    It overwrites nothing.
    """
    policy = shipped("starter").read_text("utf-8").replace("starter", "desk")
    files = {CONFIG_FILE: _SETTINGS, "policies/desk.yaml": policy, str(STORIES): _STORIES}
    if there := [name for name in files if (directory / name).exists()]:
        raise click.ClickException(f"{', '.join(str(directory / name) for name in there)}: exists already; nothing was written")
    for name, text in files.items():
        path = directory / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        except OSError as error:
            raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
        click.echo(path)
    enter = "" if directory == Path() else f"cd {shlex.quote(str(directory))}; "
    click.echo(f"Next: {enter}breachwatch check; breachwatch test", err=True)
