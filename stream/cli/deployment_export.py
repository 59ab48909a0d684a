"""Writes the log of deployments to a file, and reads it back into an empty log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from stream.cli.deploy_view import listed
from stream.deployments.export import ExportError, export_line, read_export_log, read_export_records

if TYPE_CHECKING:
    from pathlib import Path

    from stream.cli.installation import Installation
    from stream.runtime.kafka.policy_log import ReadLog


def export_log(found: ReadLog, path: Path) -> None:
    if found.log.last is None:
        raise click.ClickException("nothing was ever deployed, so there is nothing to export")
    try:
        with click.open_file(str(path), "wb") as file:
            for number, value in found.values.items():
                file.write(export_line(found.log.entries[number], value))
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error


def import_log(installation: Installation, path: Path) -> None:
    try:
        log = read_export_log(path)
        if log.last is None:
            raise click.ClickException(f"{path}: there is no deployment in it")
        values = read_export_records(path)
    except (ExportError, OSError) as error:
        raise click.ClickException(str(error)) from error
    restored = installation.restore(values)
    for line in listed(restored.log.entries.values()):
        click.echo(line)
