"""``breachwatch restore``: a backup, back into empty topics."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from stream.cli.recovery import WOULD, cluster_of, dry_run_option, report, run, where
from stream.runtime.recovery.restore import plan, restore
from stream.wire.counting import many
from stream.wire.printable import printable


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@where
@dry_run_option
def command(file: Path, broker: str, app_id: str, topic_prefix: str, *, dry_run: bool) -> None:
    """Bring the backup in FILE back into empty topics, on the same cluster or on another one.

    Stop all workers, and create the topics with `breachwatch topics create`. It refuses a file that is not whole, and topics
    that are not empty. On the cluster of the backup the input stays as it is, and workers go on where the tickets stand. On
    another one the input must be empty too. With --dry-run, the exit status is 3 if it would be restored.
    """
    cluster = cluster_of(broker, app_id, topic_prefix)
    planned = run(broker, plan(cluster, file))
    found = planned.summary
    taken = f"of {found.head.group} on cluster {found.head.cluster}, {found.head.taken_at}, by breachwatch {found.head.release}"
    click.echo(
        f"{file}: {printable(taken)}: {many(found.tickets, 'ticket')} in {many(found.head.partitions, 'partition')}, "
        f"{many(found.deployments, 'deployment')}"
    )
    click.echo(
        "the input is that of the backup: workers go on where the tickets stand"
        if planned.same_input
        else f"the input is another one: it gets what is not in the tickets, {many(found.events, 'event')}"
    )
    for name, count in found.stored.items():
        click.echo(f"{name}: {many(count, 'record')}" if name in planned.fills else f"{printable(name)}: stays as it is")
    if dry_run:
        sys.exit(WOULD)
    run(broker, restore(cluster, file, planned, report))
    click.echo(f"restored: start the workers with --partitions {found.head.partitions}")
