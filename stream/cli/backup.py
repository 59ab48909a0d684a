"""``breachwatch backup``: what an installation stores, into a file."""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import mkstemp

import click

from stream.cli.recovery import cluster_of, report, run, where
from stream.runtime.recovery.backup import back_up
from stream.runtime.recovery.backup_file import BackupWriter
from stream.wire.counting import many


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@where
def command(file: Path, broker: str, app_id: str, topic_prefix: str) -> None:
    """Copy the stored data of an installation into FILE, while its workers run.

    FILE gets the tickets, the events that are not in them yet, the log of deployments, and the records of pull, notify and
    writeback: JSON lines in gzip. It has the fields of tickets, so only you may read it: keep it as safe as the topics. An
    existing FILE is replaced once the new one is whole.
    """
    cluster = cluster_of(broker, app_id, topic_prefix)
    if file.exists() and not file.is_file():
        raise click.ClickException(f"{file}: not a file: name one that is to be written")
    part = _beside(file)
    try:
        with part.open("wb") as output:
            writer = BackupWriter(output)
            run(broker, back_up(cluster, writer, time.time_ns() // 1_000, report))
            output.flush()
            os.fsync(output.fileno())
        part.replace(file)
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    click.echo(f"{file}: {many(writer.lines, 'line')}")


def _beside(file: Path) -> Path:
    """A new file in the same folder, which nobody else may read. Raises click.ClickException."""
    try:
        descriptor, name = mkstemp(".part", f"{file.name}.", file.parent)
    except FileNotFoundError as error:
        raise click.ClickException(f"{file}: the folder {file.parent} does not exist: create it") from error
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error
    os.close(descriptor)
    return Path(name)
