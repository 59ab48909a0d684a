"""``breachwatch rebuild``: builds all tickets again, from the events."""

from __future__ import annotations

import sys
import time

import click

from stream.cli.recovery import WOULD, cluster_of, dry_run_option, run, where
from stream.runtime.recovery.rebuild import plan_rebuild, rebuild
from stream.wire.counting import many
from stream.wire.instants import format_instant


@click.command("rebuild")
@where
@click.option("--partial", is_flag=True, help="Also if records at the beginning of the input were deleted.")
@dry_run_option
def command(broker: str, app_id: str, topic_prefix: str, *, partial: bool, dry_run: bool) -> None:
    """Let the workers rebuild all tickets from the input, after the changelog was lost.

    Stop all workers, and create the changelog with `breachwatch topics create`. Effects that are still in the outputs are not
    published again. With --dry-run, the exit status is 3 if it would be done.
    """
    cluster = cluster_of(broker, app_id, topic_prefix)
    planned = run(broker, plan_rebuild(cluster, partial=partial))
    since = f", the first of {format_instant(planned.since)}" if planned.since else ""
    click.echo(f"{many(planned.events, 'record')} of {cluster.topics.events}{since}")
    if planned.lost:
        click.echo(f"{planned.lost:,} records before them were deleted: effects of their tickets will be provisional", err=True)
    click.echo(
        "the outputs are whole: only effects that are missing there are published"
        if planned.whole_outputs
        else "the outputs have lost records: effects that are missing there are published as late"
    )
    if dry_run:
        sys.exit(WOULD)
    run(broker, rebuild(cluster, planned, time.time_ns() // 1_000))
    click.echo(f"start the workers with --partitions {len(planned.begins)}: they read the input from its beginning")
