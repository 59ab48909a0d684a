"""``breachwatch replay``: runs the engine over a file of ticket events, without a broker."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from stream.cli import completing
from stream.cli.options import instant, judged_by, judged_by_options, make_engine
from stream.cli.output import write
from stream.cli.progress import Progress, share
from stream.cli.replay_comparison import Comparison, change_line
from stream.cli.replay_summary import as_json, as_table
from stream.cli.setting_options import setting_options
from stream.cli.stopping import stoppable
from stream.deployments.export import ExportError
from stream.documents.document import PolicyError
from stream.language.policies import load
from stream.runtime import gc_tuning
from stream.runtime.backtest import backtest
from stream.runtime.outcome_changes import OutcomeChanges
from stream.runtime.settings import ENTRIES
from stream.wire.counting import many
from stream.wire.effect import decode_effect
from stream.wire.lines import LinesError, open_lines

if TYPE_CHECKING:
    from stream.runtime.backtest_slice import MakeEngine


class Replayed(NamedTuple):
    """The input of a replay, and its options."""

    file: Path
    until: int | None
    feed_lag_limit: int
    jobs: int | None


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
@click.option(
    "--compare",
    multiple=True,
    shell_complete=completing.policies,
    help="Print the commitments that have another outcome under these policies, instead of the effects: a file, or the name "
    "of a shipped policy. Repeatable.",
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
    compare: tuple[str, ...],
    keep_fields: str,
    feed_lag_limit: int,
    form: str,
    jobs: int | None,
) -> None:
    """Run the engine over FILE, which has JSON lines of ticket events, optionally gzipped; - is standard input.

    The events set the time, as for a worker with --clock event, and no ticket expires. Effects are written to standard output
    as JSON lines. The output is identical in every run and for any number of processes. Refused records are printed to standard
    error, followed by a summary: what became of the commitments, by policy, commitment and priority. If every line is refused,
    the exit status is 1.

    With --compare the events are judged twice: by --policies or --deployments (before), and by --compare (after). Each
    commitment with another outcome is a JSON line, and the summary has the counts of both.
    """
    make = partial(make_engine, judged_by(policies, deployments), history, keep_fields)
    if "-" in (*policies, str(deployments)):
        if str(file) == "-":
            raise click.UsageError("FILE and the policies cannot both be standard input")
        jobs = 1  # other processes would have to read it too
    gc_tuning.configure()
    if compare:
        after = partial(make_engine, partial(load, compare), history, keep_fields)
        _compare((make, after), Replayed(file, until, feed_lag_limit, jobs), form)
        return
    effects, valid, last = 0, 0, 0
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
            test, blocks = stack.enter_context(backtest(make, lines.blocks(), jobs, feed_lag_limit))
            with progress:
                for part in test.run(blocks, until):
                    write(part.output)
                    effects, valid, last, read = effects + part.effects, valid + part.valid, part.last, lines.share
                    for line, text in part.refusals:
                        refused[text.partition(":")[0]] += 1
                        progress.echo(f"{file}:{line}: {text}")
                    progress.update()
            totals = test.totals()
    except (PolicyError, ExportError, LinesError) as error:
        raise click.ClickException(str(error)) from error
    sys.stdout.buffer.flush()
    click.echo(as_json(totals, refused, effects) if form == "json" else as_table(totals, refused, effects), err=True)
    _fail_without_events(file, refused.total(), valid)


def _compare(engines: tuple[MakeEngine, MakeEngine], replayed: Replayed, form: str) -> None:
    """Replay the file under both engines, and print what differs. Refused lines are printed by the first replay."""
    file, until, feed_lag_limit, jobs = replayed
    if str(file) == "-":
        raise click.UsageError("FILE is read twice and cannot be standard input: write it to a file")
    changes = OutcomeChanges()
    last, refused, valid, read, name = 0, 0, 0, None, "before"
    progress = Progress(lambda: f"replay {name}: {many(last, 'line')}{share(read)}")
    try:
        with stoppable(lambda: "nothing is compared yet; a comparison begins at the start again"), progress:
            for name, make, add in zip(("before", "after"), engines, (changes.before, changes.after), strict=True):
                with open_lines(file) as lines, backtest(make, lines.blocks(), jobs, feed_lag_limit) as (test, blocks):
                    for part in test.run(blocks, until):
                        add(map(decode_effect, part.output.splitlines()))
                        valid, last, read = valid + part.valid, part.last, lines.share
                        for line, text in part.refusals if name == "before" else ():
                            refused += 1
                            progress.echo(f"{file}:{line}: {text}")
                        progress.update()
    except (PolicyError, ExportError, LinesError) as error:
        raise click.ClickException(str(error)) from error
    compared = Comparison(changes.cycles())
    write(b"".join([change_line(change) for change in compared.changed]))
    sys.stdout.buffer.flush()
    click.echo(compared.as_json() if form == "json" else compared.as_table(), err=True)
    _fail_without_events(file, refused, valid)


def _fail_without_events(file: Path, refused: int, valid: int) -> None:
    """Raises ClickException if all lines of a file are refused: it is hardly the file that was meant."""
    if refused and not valid:
        raise click.ClickException(f"{file}: every line is refused, so nothing was replayed")
