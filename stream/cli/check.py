"""``breachwatch check``: lists every problem of policy files with its file and line."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from stream.cli import completing
from stream.cli.counting import many
from stream.cli.exit_codes import FAILED
from stream.documents.document import Problem, Severity
from stream.language.policies import ALWAYS_OPEN, check

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(), shell_complete=completing.policies)
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], *, strict: bool, as_json: bool) -> None:
    """Check policy FILES as one set. The name of a shipped policy, such as batoi, stands for its file; - is standard input.

    Every problem is printed as FILE:LINE: PLACE: MESSAGE. The exit status is 0 if the files are usable. It is 1 if they have
    errors, or, with --strict, warnings.
    """
    checked = check(files)
    errors = sum(problem.severity is Severity.ERROR for problem in checked.problems)
    counts = _counts(checked.policies) if checked.policies is not None else {}
    usable = errors == 0 and not (strict and checked.problems)
    if as_json:
        report = {"usable": usable, "problems": [asdict(problem) for problem in checked.problems], "counts": counts}
        click.echo(json.dumps(report, indent=2))
    else:
        for problem in checked.problems:
            click.echo(click.style(str(problem), fg="red" if problem.severity is Severity.ERROR else "yellow"))
        click.echo(_summary(checked.problems, errors, counts))
    ctx.exit(0 if usable else FAILED)


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
    held = ", ".join(many(count, singular[what], what) for what, count in counts.items())
    return f"{held}: {found}"
