"""``breachwatch feed``: lists, checks and tries the mappings of feeds, and begins one of your own."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

from stream.cli import completing
from stream.cli.exit_codes import FAILED, WRONG
from stream.cli.feed_retry import command as retry
from stream.cli.payload_files import PayloadFileError, payloads
from stream.cli.subcommands import Group
from stream.documents.document import Severity, read_document
from stream.documents.readers import suggestion
from stream.feeds.mapping import Checked, Delivery, check, load, mapping_file, shipped
from stream.feeds.reading import read
from stream.pull.apis import NAMES as APIS
from stream.wire.counting import many
from stream.wire.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stream.feeds.mapping import FeedMapping

_BEGIN: Final = """\
# What the payloads of your desk mean. This mapping extends the one that ships with breachwatch: state only what differs.
#
# The shipped mapping:         breachwatch feed show {name}
# Every problem of this file:  breachwatch feed check {file}
# The events of a payload:     breachwatch feed try {file} payload.json

extends: {name}

# The source of the events, and the first part of each ticket: {source}/4711. Give each of your desks its own.
source: {source}

"""
_TABLES: Final = """\
# Values of your desk that the shipped tables do not have, or have otherwise. Remove the # of the lines that you change.
# These are the shipped rows. "*" would be the row of every other value; null leaves the key out of the event.
#tables:
"""
_END: Final = """\
# Ticket fields that policies ask for, and that only your desk has. They win over the fields of the shipped mapping.
#fields:
#  contract: "{path.to.the.contract}"
#  team: {from: "{path.to.the.group}", table: team}

# Rules that are tried before the shipped ones, such as what to leave out.
#events:
#  - when: path.to.the.brand == '42'
#    skip: this brand has no SLA
"""


@click.group("feed", cls=Group)
def command() -> None:
    """Work with the mappings of feeds: what the payloads of a helpdesk mean. A shipped mapping is named, such as rt."""


@command.command("list")
def _list() -> None:
    """List the mappings that ship with breachwatch: how each is delivered and signed."""
    rows = [(name, _delivery(mapping), mapping.title) for name in shipped() for mapping in [load(name)]]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, delivery, title in rows:
        click.echo(f"{name:<{widths[0]}}  {delivery:<{widths[1]}}  {title}")


def _delivery(mapping: FeedMapping) -> str:
    signed = f"push ({mapping.signature.name})" if mapping.signature else "push"
    return ", ".join(signed if way == "push" else way for way in mapping.delivery)


def _check_shipped(name: str) -> None:
    """Raises click.ClickException unless a mapping of this name ships."""
    if name not in (there := shipped()):
        meant = suggestion(name, there)
        raise click.ClickException(f"no mapping {name!r} ships with breachwatch{meant}; there are: {', '.join(there)}")


@command.command("show")
@click.argument("name", shell_complete=completing.mapping_names)
def _show(name: str) -> None:
    """Print the shipped mapping NAME."""
    _check_shipped(name)
    click.echo(mapping_file(name).read_text("utf-8"), nl=False)


@command.command("check")
@click.argument("mappings", nargs=-1, required=True, metavar="MAPPING...", shell_complete=completing.mappings)
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@click.pass_context
def _check(ctx: click.Context, mappings: tuple[str, ...], *, strict: bool, as_json: bool) -> None:
    """Check each MAPPING, a file or the name of a shipped mapping.

    Every problem is printed as FILE:LINE: PLACE: MESSAGE, without LINE if the file cannot be read. The exit status is 0 if the
    mappings are usable. It is 1 if one has errors, or, with --strict, warnings.
    """
    found = {name: check(name) for name in mappings}
    usable = all(one.mapping is not None and not (strict and one.problems) for one in found.values())
    if as_json:
        problems = [asdict(problem) for one in found.values() for problem in one.problems]
        click.echo(json.dumps({"usable": usable, "problems": problems}, indent=2))
    else:
        for name, one in found.items():
            for problem in one.problems:
                click.echo(str(problem))
            click.echo(_summary(name, one))
    ctx.exit(0 if usable else FAILED)


def _summary(name: str, one: Checked) -> str:
    counts = Counter(problem.severity for problem in one.problems)
    found = f"{many(counts[Severity.ERROR], 'error')}, {many(counts[Severity.WARNING], 'warning')}"
    if one.mapping is None:
        return f"{name}: not usable: {found}"
    return f"{name}: {many(len(one.mapping.rules), 'rule')}, {_delivery(one.mapping) or 'no delivery'}: {found}"


@command.command("try")
@click.argument("mapping_name", metavar="MAPPING", shell_complete=completing.mappings)
@click.argument("files", nargs=-1, required=True, metavar="PAYLOAD...", type=click.Path(allow_dash=True, path_type=Path))
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="A header of the request; may be repeated.")
@click.pass_context
def _try(ctx: click.Context, mapping_name: str, files: tuple[Path, ...], headers: tuple[str, ...]) -> None:
    """Read each PAYLOAD by MAPPING and print its events as JSON lines. Nothing is published.

    A PAYLOAD is a file of JSON: a payload, a list of payloads, or one on each line; - is standard input. A dead letter of the
    gateway is a payload too, with the headers that it has.

    A payload that does not fit is reported with the line of the mapping and the path of the value, and a payload without events
    with the reason. The exit status is 1 if a payload does not fit, and 2 if the mapping or a file is not usable.
    """
    checked = check(mapping_name)
    if checked.mapping is None:
        _stop(str(problem) for problem in checked.problems)
    given = dict(_header(text) for text in headers)
    counts: Counter[str] = Counter()
    whole_lists = any(rule.each is not None and rule.path.startswith("doc") for rule in checked.mapping.rules)
    try:
        for payload in payloads(files, whole_lists=whole_lists):
            reading = read(checked.mapping, payload.payload, {**payload.headers, **given}, payload.received or _now())
            for event in reading.events:
                click.echo(event.value)
            if reading.skipped is not None:
                click.echo(f"{payload.name}: no event: {reading.skipped}", err=True)
            if reading.unmapped is not None:
                click.echo(f"{payload.name}: does not fit: {printable(str(reading.unmapped))}", err=True)
            counts.update({"payload": 1, "event": len(reading.events), "unmapped": int(reading.unmapped is not None)})
    except PayloadFileError as error:
        _stop([str(error)])
    summary = f"{many(counts['payload'], 'payload')}: {many(counts['event'], 'event')}, {counts['unmapped']} not mapped"
    click.echo(summary, err=True)
    ctx.exit(FAILED if counts["unmapped"] else 0)


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--header")
    return name, value


def _now() -> int:
    return time.time_ns() // 1_000


def _stop(problems: Iterable[str]) -> NoReturn:
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(WRONG)


@command.command("init")
@click.argument("name", shell_complete=completing.mapping_names)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file  [default: NAME.yaml]")
def _init(name: str, output: Path | None) -> None:
    """Write a mapping of your own that extends the shipped mapping NAME. It overwrites nothing."""
    _check_shipped(name)
    file = output or Path(f"{name}.yaml")
    if file.exists():
        raise click.ClickException(f"{file}: exists already; nothing was written")
    begin = _BEGIN.format(name=name, file=file, source=load(name).source)
    try:
        file.write_text(begin + _shipped_tables(name) + _END, "utf-8")
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from error
    click.echo(file)
    click.echo("Next:", err=True)
    for step in _next_steps(name, file):
        click.echo(f"  {step}", err=True)


def _next_steps(name: str, file: Path) -> Iterator[str]:
    """The commands that follow, from the check to the first event on the topic."""
    mapping = load(name)
    yield f"breachwatch feed check {file}"
    yield f"breachwatch feed try {file} payload.json"
    if Delivery.PUSH in mapping.delivery:
        signed = f" --secret {name}=env:SECRET" if mapping.signature else ""
        yield f"breachwatch gateway --feed {name}={file}{signed}"
    if Delivery.PULL in mapping.delivery and name in APIS:
        reached = "--url https://... --credentials env:CREDENTIALS"
        yield f"breachwatch pull --feed {name}={file} {reached} --since 30d -o events.jsonl"


def _shipped_tables(name: str) -> str:
    """The rows of the shipped tables as comments; empty if it has none."""
    data = read_document(mapping_file(name)).data
    tables = data.get("tables", {}) if isinstance(data, dict) else {}
    lines = [
        line
        for table, rows in tables.items()
        for line in (f"#  {table}:", *(f"#    {json.dumps(key)}: {json.dumps(value)}" for key, value in rows.items()))
    ]
    return _TABLES + "\n".join(lines) + "\n\n" if lines else ""


command.add_command(retry)
