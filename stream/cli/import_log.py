"""``breachwatch import``: converts an exported status log to ticket events, as JSON lines in order of time."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click

from stream.cli.exit_codes import FAILED, WRONG
from stream.cli.progress import Progress
from stream.cli.stopping import stoppable
from stream.documents.readers import suggestion
from stream.sources.log_file import LogFileError, open_log
from stream.sources.log_rows import Cause, LogError, Refusal, read_rows, ticket_name
from stream.sources.status_log import to_events
from stream.sources.status_mapping import MappingError, read_mapping
from stream.wire.counting import many
from stream.wire.effect import encode_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stream.sources.log_mapping import LogMapping

MOST_LISTED: Final = 20
"""Refused rows of one cause that are listed, unless all of them are asked for."""


@click.command(name="import")
@click.argument("log", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--mapping",
    "mapping_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="YAML file that maps columns and statuses.",
)
@click.option(
    "-o", "--output", type=click.File("wb", lazy=True), default="-", help="File for the events (default: standard output)."
)
@click.option("--allow-refused", is_flag=True, help="Exit with status 0 although rows were refused.")
@click.option("--strict", is_flag=True, help="Exit with status 1 also for rows that the mapping refuses on purpose.")
@click.option("--list-refused", is_flag=True, help=f"List every refused row (default: {MOST_LISTED} of each cause).")
def command(log: Path, mapping_file: Path, output: IO[bytes], allow_refused: bool, strict: bool, list_refused: bool) -> None:
    """Convert LOG to ticket events; - is standard input.

    LOG is a CSV export with one status change per row, plain, gzipped or in a ZIP file, in any encoding.

    A row that cannot be read or interpreted is refused. Refused rows are printed to standard error with their line and reason,
    followed by a summary. The exit status is 1 if a row was refused that the mapping does not refuse on purpose.
    """
    if str(log) == str(mapping_file) == "-":
        raise click.UsageError("LOG and --mapping cannot both be standard input")
    try:
        with click.open_file(str(mapping_file), encoding="utf-8-sig") as file:
            mapping = read_mapping(file.read(), str(mapping_file))
    except MappingError as error:
        _stop(error.problems)
    except UnicodeDecodeError:
        _stop([f"{mapping_file}:1: is not UTF-8 text"])
    read, written, counts = 0, 0, Counter[str]()

    def done() -> str:
        if not written:
            return f"{many(read, 'line')} of {log} read, and nothing written"
        return (
            f"{many(counts.total(), 'event')} of {many(written, 'row')} written, of {many(len(rows), 'row')}: the output is cut"
        )

    progress = Progress(lambda: f"import: {many(read, 'line')} read, {many(counts.total(), 'event')} written")
    refused = _Refused(log, None if list_refused else MOST_LISTED, progress)

    def counted(lines: Iterable[str]) -> Iterator[str]:
        nonlocal read
        for line in progress.each(lines):
            read += 1
            yield line

    silent = 0
    with stoppable(done), progress:
        try:
            with open_log(log, mapping.encoding) as lines:
                rows = read_rows(counted(lines), mapping, refused.add)
        except (LogError, LogFileError) as error:
            _stop([f"{log}: {error}"])
        for row, events in progress.each(to_events(rows, mapping)):
            ticket = ticket_name(mapping, row.case)
            silent += not events
            for event in events:
                counts[event.type] += 1
                output.write(encode_event(ticket, event) + b"\n")
            written += 1
    refused.summarise(mapping)
    click.echo(
        f"{many(len(rows), 'row')} read, of which {silent} change nothing; {many(refused.lines.total(), 'line')} refused\n"
        f"{many(counts['ticket.created'], 'ticket')} of {mapping.source}, {many(counts.total(), 'event')}",
        err=True,
    )
    for name, count in sorted(counts.items()):
        click.echo(f"{count:>9} {name}", err=True)
    failures = refused.lines.total() - (0 if strict else refused.lines[Cause.MAPPING])
    if failures and not allow_refused:
        sys.exit(FAILED)


class _Refused:
    """Lists refused rows and counts them."""

    def __init__(self, log: Path, most: int | None, progress: Progress) -> None:
        """``most``: rows of one cause that are listed; ``None``: all."""
        self.lines: Counter[Cause] = Counter()
        self._rows: Counter[Cause] = Counter()
        self._statuses: Counter[str] = Counter()
        self._log = log
        self._most = most
        self._progress = progress

    def add(self, refusal: Refusal) -> None:
        self.lines[refusal.cause] += refusal.lines
        self._rows[refusal.cause] += 1
        if refusal.status:
            self._statuses[refusal.status] += 1
        if self._most is None or self._rows[refusal.cause] <= self._most:
            self._progress.echo(f"{self._log}:{refusal.line}: refused: {refusal.reason}")

    def summarise(self, mapping: LogMapping) -> None:
        """Print the number of refused lines of each cause, and the statuses that the mapping does not have."""
        for cause, lines in self.lines.most_common():
            hidden = 0 if self._most is None else max(0, self._rows[cause] - self._most)
            rest = f"; {hidden} are not listed: --list-refused lists them" if hidden else ""
            click.echo(f"refused for {cause}: {many(lines, 'line')}{rest}", err=True)
        for status, count in self._statuses.most_common(MOST_LISTED):
            click.echo(f"{count:>9} {status!r}{suggestion(status, mapping.statuses)}", err=True)
        if len(self._statuses) > MOST_LISTED:
            click.echo(f"          and {len(self._statuses) - MOST_LISTED} other statuses", err=True)


def _stop(problems: list[str]) -> None:
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(WRONG)
