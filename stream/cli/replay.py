"""``breachwatch replay``: runs the engine over a file of ticket events, without a broker."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click

from stream.cli.counting import many
from stream.cli.options import instant, judged_by, judged_by_options, make_engine
from stream.cli.output import write
from stream.cli.progress import Progress, share
from stream.cli.replay_summary import as_json, as_table
from stream.cli.setting_options import setting_options
from stream.cli.stopping import stoppable
from stream.deployments.export import ExportError
from stream.documents.document import PolicyError
from stream.runtime import gc_tuning
from stream.runtime.backtest import backtest
from stream.runtime.settings import ENTRIES
from stream.wire.lines import LinesError, open_lines


def _lag_limit(_context: click.Context, _option: click.Parameter, text: str) -> int:
    try:
        limit: int = ENTRIES["feed_lag_limit"].reader(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return limit


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
@setting_options("keep_fields")
@click.option(
    "--feed-lag-limit",
    callback=_lag_limit,
    default=ENTRIES["feed_lag_limit"].default,
    show_default=True,
    help="Setting 'feed_lag_limit' of the workers: how old the completeness of a watched feed may be.",
)
@click.option(
    "--summary",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Form of the summary; json is one line, the last one on standard error.",
)
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
    feed_lag_limit: int,
    form: str,
    jobs: int | None,
) -> None:
    """Run the engine over FILE, which has JSON lines of ticket events, optionally gzipped; - is standard input.

    The events set the time, as for a worker with --clock event, and no ticket expires. Effects are written to standard output
    as JSON lines. The output is identical in every run and for any number of processes. Refused records are printed to standard
    error, followed by a summary: what became of the commitments, by policy, commitment and priority.
    """
    make = partial(make_engine, judged_by(policies, deployments), history, keep_fields)
    if "-" in (*policies, str(deployments)):
        if str(file) == "-":
            raise click.UsageError("FILE and the policies cannot both be standard input")
        jobs = 1  # other processes would have to read it too
    gc_tuning.configure()
    effects, last = 0, 0
    read: float | None = None
    refused: Counter[str] = Counter()

    def done() -> str:
        sys.stdout.buffer.flush()
        return f"the output has {many(effects, 'effect')}, up to line {last} of {file}; a replay begins at the start again"

    progress = Progress(lambda: f"replay: {many(last, 'line')}{share(read)}, {many(effects, 'effect')}")
    try:
        with ExitStack() as stack:
            stack.enter_context(stoppable(done))
            lines = stack.enter_context(open_lines(file))
            test, all_lines = stack.enter_context(backtest(make, lines, jobs, feed_lag_limit))
            with progress:
                for part in test.run(all_lines, until):
                    write(part.output)
                    effects, last, read = effects + part.effects, part.last, lines.share
                    for line, text in part.refusals:
                        refused[text.partition(":")[0]] += 1
                        progress.echo(f"{file}:{line}: {text}")
                    progress.update()
            totals = test.totals()
    except (PolicyError, ExportError, LinesError) as error:
        raise click.ClickException(str(error)) from error
    sys.stdout.buffer.flush()
    click.echo(as_json(totals, refused, effects) if form == "json" else as_table(totals, refused, effects), err=True)
