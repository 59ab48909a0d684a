"""``breachwatch check``: lists every problem of policy files with its file and line."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream.cli import completing
from stream.cli.exit_codes import FAILED
from stream.documents.document import DocumentError, Problem, Severity
from stream.feeds.mapping import load
from stream.language.lint_fields import Carried
from stream.language.policies import ALWAYS_OPEN, check
from stream.runtime.settings import CONFIG_FILE, ENTRIES, SettingsError, variable
from stream.runtime.settings_sources import read_file
from stream.wire.counting import many
from stream.wire.decode import read
from stream.wire.incoming import Incoming
from stream.wire.lines import LinesError, open_lines
from stream.wire.printable import printable

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet


@click.command()
@click.argument("files", nargs=-1, type=click.Path(), shell_complete=completing.policies)
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option(
    "--sample",
    type=click.Path(dir_okay=False, exists=True, allow_dash=True),
    metavar="EVENTS",
    help="Also warn of ticket fields and spellings that these events do not have: a file of JSON lines, gzipped or not.",
)
@click.option(
    "--feed", metavar="MAPPING", help="Also warn of ticket fields that a feed mapping, such as zendesk, does not state."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@click.pass_context
def command(
    ctx: click.Context, files: tuple[str, ...], *, strict: bool, sample: str | None, feed: str | None, as_json: bool
) -> None:
    """Check policy FILES as one set. The name of a shipped policy, such as batoi, stands for its file; - is standard input.

    Without FILES it checks the policies that the settings name, in the environment or in breachwatch.toml.

    Every problem is printed as FILE:LINE: PLACE: MESSAGE, without LINE if the file cannot be read. The exit status is 0 if the
    files are usable. It is 1 if they have errors, or, with --strict, warnings.
    """
    files = files or _of_settings()
    carried = [*([_of_sample(Path(sample))] if sample else ()), *([_of_feed(feed)] if feed else ())]
    checked = check(files, incomplete=True, carried=carried)
    errors = sum(problem.severity is Severity.ERROR for problem in checked.problems)
    counts = _counts(checked.policies) if checked.policies is not None else {}
    usable = errors == 0 and not (strict and checked.problems)
    if as_json:
        problems = [asdict(problem) | {"line": problem.line or None} for problem in checked.problems]
        report = {"usable": usable, "problems": problems, "counts": counts}
        click.echo(json.dumps(report, indent=2))
    else:
        for problem in checked.problems:
            click.echo(click.style(printable(str(problem)), fg="red" if problem.severity is Severity.ERROR else "yellow"))
        click.echo(_summary(checked.problems, errors, counts))
    ctx.exit(0 if usable else FAILED)


def _of_settings() -> tuple[str, ...]:
    """The policies of the workers that the settings name. Raises click.UsageError."""
    try:
        text = os.environ.get(variable("policies")) or read_file(None).get("policies")
        if text is None:
            raise click.UsageError(
                f"name the FILES to check, or set policies in {CONFIG_FILE}; `breachwatch init` writes one with a policy"
            )
        return tuple(ENTRIES["policies"].reader(text))
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except ValueError as error:
        raise click.UsageError(f"policies: {error}") from error


def _of_sample(path: Path) -> Carried:
    """The fields of the events in a file. Records that a worker would reject are left out."""
    carried, events = Carried(str(path)), 0
    try:
        with open_lines(path) as lines:
            for _, line in lines:
                read_line = read(line)
                if isinstance(read_line, Incoming):
                    events += 1
                    carried.add(read_line.event.fields)
    except (OSError, LinesError) as error:
        raise click.ClickException(str(error)) from error
    if not events:
        raise click.ClickException(f"{path} has no valid ticket event: `breachwatch replay` names what is wrong with each line")
    return carried


def _of_feed(name: str) -> Carried:
    """The fields that the rules of a mapping state. Their values come from payloads, and are not known."""
    try:
        mapping = load(name)
    except DocumentError as error:
        raise click.ClickException(str(error)) from error
    stated = {field for rule in mapping.rules for template in rule.say for field in template.fields}
    return Carried(f"the mapping {mapping.name}", {field: set() for field in {*stated, *mapping.fields}})


def _counts(policies: PolicySet) -> dict[str, int]:
    return {
        "policies": len(policies.policies),
        "commitments": sum(len(policy.commitments) for policy in policies.policies),
        "ladders": sum(len(policy.ladders) for policy in policies.policies),
        "calendars": len(policies.calendars.keys() - {ALWAYS_OPEN}),
    }


def _summary(problems: tuple[Problem, ...], errors: int, counts: dict[str, int]) -> str:
    found = f"{many(errors, 'error')}, {many(len(problems) - errors, 'warning')}"
    if not counts:
        return f"not usable: {found}"
    singular = {"policies": "policy", "commitments": "commitment", "ladders": "ladder", "calendars": "calendar"}
    contents = ", ".join(many(count, singular[what], what) for what, count in counts.items())
    return f"{contents}: {found}"
