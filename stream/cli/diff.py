"""``breachwatch diff``: what a step from some policy files to others changes, and what may be wrong with it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from stream.cli import completing
from stream.cli.exit_codes import DIFFERENT, FAILED, REFUSED
from stream.cli.options import instant
from stream.deployments.difference import WINDOW_DAYS, difference
from stream.deployments.facts import Severity
from stream.deployments.plan import plan_lines
from stream.deployments.plan_json import plan_json
from stream.documents.document import PolicyError
from stream.language.policies import load

if TYPE_CHECKING:
    from stream.deployments.facts import Difference
    from stream.sla.policy.resolve import PolicySet


@click.command("diff")
@click.argument("old", shell_complete=completing.policies)
@click.argument("new", shell_complete=completing.policies)
@click.option(
    "--old", "more_old", multiple=True, shell_complete=completing.policies, help="One more file of the old side. Repeatable."
)
@click.option(
    "--new", "more_new", multiple=True, shell_complete=completing.policies, help="One more file of the new side. Repeatable."
)
@click.option("--at", callback=instant, help="The instant of the deployment (RFC 3339); default: now.")
@click.option(
    "--days",
    type=click.IntRange(1, 36_525),
    default=WINDOW_DAYS,
    show_default=True,
    help="Compare this many dates of calendars, from that of the deployment on.",
)
@click.option("--strict", is_flag=True, help="Warnings about the step give status 4, as errors do.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@click.pass_context
def command(
    ctx: click.Context,
    old: str,
    new: str,
    more_old: tuple[str, ...],
    more_new: tuple[str, ...],
    at: int | None,
    days: int,
    *,
    strict: bool,
    as_json: bool,
) -> None:
    """Show what changes if the policies of the file NEW are deployed after those of the file OLD.

    Each is a file or the name of a shipped policy; --old and --new add files to a side. Policies, versions, targets and days of
    calendars are compared, and problems of the step are listed: a target shortened in place, a withdrawn policy, a rename
    without `was`, and more.

    Exit status 0: no difference; 1: an error in a file; 3: differences; 4: differences with an error of the step, or with
    --strict with any problem of it.
    """
    sets = [_load(ctx, names) for names in ((old, *more_old), (new, *more_new))]
    found = difference(sets[0], sets[1], time.time_ns() // 1000 if at is None else at, days)
    if as_json:
        click.echo(json.dumps(plan_json(found), indent=2, ensure_ascii=False))
    else:
        for line in plan_lines(found):
            click.echo(line)
    ctx.exit(_status(found, strict=strict))


def _load(ctx: click.Context, names: tuple[str, ...]) -> PolicySet:
    try:
        return load(names)
    except PolicyError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        ctx.exit(FAILED)


def _status(found: Difference, *, strict: bool) -> int:
    if any(strict or problem.severity is Severity.ERROR for problem in found.problems):
        return REFUSED
    return DIFFERENT if found else 0
