"""``breachwatch import``: converts an exported status log to ticket events, as JSON lines in order of time."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import IO

import click

from stream.sources.status_log import LogError, read_rows, ticket_name, to_events
from stream.sources.status_mapping import LogMapping, MappingError, read_mapping
from stream.wire.effect import encode_event


@click.command(name="import")
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--mapping",
    "mapping_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML file that maps columns and statuses.",
)
@click.option(
    "-o", "--output", type=click.File("wb", lazy=True), default="-", help="File for the events (default: standard output)."
)
@click.option("--strict", is_flag=True, help="Exit with status 1 if a row was refused.")
def command(log: Path, mapping_file: Path, output: IO[bytes], strict: bool) -> None:
    """Convert LOG to ticket events. LOG is a CSV export with one status change per row, optionally gzipped.

    A row that the mapping cannot interpret is refused. Refused rows are printed to standard error with their line and reason,
    followed by a summary.
    """
    try:
        mapping = read_mapping(mapping_file.read_text(encoding="utf-8-sig"), str(mapping_file))
    except MappingError as error:
        _stop(error.problems)
    except UnicodeDecodeError:
        _stop([f"{mapping_file}:1: is not UTF-8 text"])
    refused = 0

    def refuse(line: int, reason: str) -> None:
        nonlocal refused
        refused += 1
        click.echo(f"{log}:{line}: refused: {reason}", err=True)

    try:
        with _open(log) as lines:
            rows = read_rows(lines, mapping, refuse)
    except LogError as error:
        _stop([f"{log}: {error}"])
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        _stop([f"{log}: the gzip file is damaged or cut short: {error}"])
    counts: Counter[str] = Counter()
    silent = 0
    for row, events in to_events(rows, mapping):
        ticket = ticket_name(mapping, row.case)
        silent += not events
        for event in events:
            counts[event.type] += 1
            output.write(encode_event(ticket, event) + b"\n")
    _summarise(len(rows), refused, silent, counts, mapping)
    if strict and refused:
        sys.exit(1)


def _open(log: Path) -> IO[str]:
    """Open the log as text. The first bytes show whether it is gzipped. Bytes that are not UTF-8 become surrogate escapes."""
    with log.open("rb") as start:
        zipped = start.read(2) == b"\x1f\x8b"
    file = gzip.open(log, "rb") if zipped else log.open("rb")  # noqa: SIM115  the wrapper closes it
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _summarise(read: int, refused: int, silent: int, counts: Counter[str], mapping: LogMapping) -> None:
    click.echo(
        f"{read + refused} rows: {read} read, of which {silent} change nothing; {refused} refused\n"
        f"{counts['ticket.created']} tickets of {mapping.source}, {counts.total()} events",
        err=True,
    )
    for name, count in sorted(counts.items()):
        click.echo(f"{count:>9} {name}", err=True)


def _stop(problems: list[str]) -> None:
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(2)
