"""``breachwatch replay``: runs the engine over a file of ticket events, without a broker."""

from __future__ import annotations

import sys
from collections import Counter
from functools import partial
from pathlib import Path

import click

from stream.cli.options import instant, judged_by, judged_by_options, make_engine
from stream.cli.replay_summary import as_json, as_table
from stream.cli.setting_options import setting_options
from stream.deployments.export import ExportError
from stream.documents.document import PolicyError
from stream.runtime import gc_tuning
from stream.runtime.backtest import backtest
from stream.wire.lines import LinesError, open_lines


@click.command("replay")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False, exists=True))
@judged_by_options
@click.option("--until", callback=instant, help="Advance time to this instant (RFC 3339) after the last event.")
@click.option(
    "--history",
    type=click.IntRange(min=2),
    default=200,
    show_default=True,
    help="Events kept per ticket so that late ones can be put in their place.",
)
@click.option(
    "--summary",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Form of the summary; json is one line, the last one on standard error.",
)
@setting_options("keep_fields")
@click.option(
    "--jobs", type=click.IntRange(1, 256), help="Number of processes. Default: one per core, or one for a short feed."
)
def command(
    file: Path,
    policies: tuple[str, ...],
    deployments: Path | None,
    until: int | None,
    history: int,
    keep_fields: str,
    form: str,
    jobs: int | None,
) -> None:
    """Run the engine over FILE, which has JSON lines of ticket events, optionally gzipped; - is standard input.

    The events set the time, as for a worker with --clock event, and no ticket expires. Effects are written to standard output
    as JSON lines. The output is identical in every run and for any number of processes. Refused records are printed to standard
    error, followed by a summary: what became of the commitments, by policy, commitment and priority.
    """
    make = partial(make_engine, judged_by(policies, deployments), history, keep_fields)
    gc_tuning.configure()
    effects = 0
    refused: Counter[str] = Counter()
    try:
        with open_lines(file) as lines, backtest(make, lines, jobs) as (test, all_lines):
            for part in test.run(all_lines, until):
                effects += part.effects
                sys.stdout.buffer.write(part.output)
                for line, text in part.refusals:
                    refused[text.partition(":")[0]] += 1
                    click.echo(f"{file}:{line}: {text}", err=True)
            totals = test.totals()
    except (PolicyError, ExportError, LinesError) as error:
        raise click.ClickException(str(error)) from error
    sys.stdout.buffer.flush()
    click.echo(as_json(totals, refused, effects) if form == "json" else as_table(totals, refused, effects), err=True)
