"""``breachwatch deploy``: put policies in force, undo that, or judge anew from an instant in the past."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from stream.cli import completing
from stream.cli.ask_workers import ask_workers
from stream.cli.deploy_options import Wanted, epoch_now
from stream.cli.deploy_view import Report, listed, since
from stream.cli.deployment_export import export_log, import_log
from stream.cli.exit_codes import DIFFERENT, FAILED, REFUSED
from stream.cli.installation import Installation
from stream.cli.options import clock_of_workers, instant
from stream.cli.setting_options import setting_options
from stream.deployments.facts import Code, Severity
from stream.deployments.proposal import LEAD, Author, Proposal, stamped
from stream.language.policies import check
from stream.runtime.rehearsal import rehearse
from stream.runtime.settings import ENTRIES
from stream.sla.policy.resolve import PolicySet
from stream.wire.lines import LinesError, open_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stream.deployments.log import Log
    from stream.runtime.rehearsal import Rehearsal

NO_POLICIES: Final = PolicySet((), {})
ACCEPTABLE: Final = (Code.VERSION_STAYS_IN_FORCE.value,)
"""Codes of errors that may be meant: whoever removes the newest version of a policy may know that it keeps its range."""
_ANY: Final = "any"


def _accepted(_: click.Context, __: click.Parameter, text: str) -> int | None:
    """A number; ``None``: any."""
    if text == _ANY:
        return None
    if not text.isdecimal():
        raise click.BadParameter(f"{text!r} is neither a number nor {_ANY}")
    return int(text)


@click.command("deploy")
@click.argument("files", nargs=-1, type=click.Path(), shell_complete=completing.policies)
@setting_options("broker", "app_id", "topic_prefix", "token", "keep_fields")
@click.option(
    "--undo",
    "undoes",
    is_flag=True,
    help="Restore the policies from before the last deployment, from the instant of that deployment on.",
)
@click.option(
    "--withdraw-all", is_flag=True, help="Instead of FILES: withdraw all policies, so that nothing is promised any more."
)
@click.option("--rejudge-from", callback=instant, help="Judge everything again from this instant (RFC 3339) on, by FILES.")
@click.option("--dry-run", is_flag=True, help="Print what would change, and deploy nothing.")
@click.option(
    "--against",
    type=click.Path(path_type=Path, allow_dash=True, dir_okay=False, exists=True),
    help="Count the effects on the open tickets of this file of ticket events (JSON lines, optionally gzipped).",
)
@click.option(
    "--ask", help="Count the effects on the open tickets of all running workers. TEXT: URL of the pages of one of them."
)
@click.option(
    "--accept-breaches",
    callback=_accepted,
    default="0",
    show_default=True,
    metavar="NUMBER|any",
    help="Deploy if at most this number of open deadlines would breach at once.",
)
@click.option(
    "--accept",
    "accepted_problems",
    type=click.Choice(ACCEPTABLE),
    multiple=True,
    help="Deploy although the step has this error. Repeatable.",
)
@clock_of_workers
@click.option(
    "--at", callback=instant, help="The instant of the feed (RFC 3339) from which the policies hold; only with --clock event."
)
@click.option(
    "--by", default="", help="Role or account that deploys. Everybody who can read the log of deployments can read it."
)
@click.option("--note", default="", help="Reason for the deployment, in one line.")
@click.option(
    "--export",
    "export_to",
    type=click.Path(path_type=Path, allow_dash=True, dir_okay=False),
    help="Write all deployments to this file, or to standard output (-), and deploy nothing.",
)
@click.option(
    "--import",
    "import_from",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Bring back a log that was lost: append all deployments of this export to the log, which must be empty.",
)
@click.option("--list", "list_all", is_flag=True, help="List all deployments, and deploy nothing.")
@click.option(
    "--history",
    type=click.IntRange(min=2),
    default=200,
    show_default=True,
    help="With --against: events kept per ticket so that late ones can be put in their place; as for replay.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    broker: str,
    app_id: str,
    topic_prefix: str,
    rejudge_from: int | None,
    against: Path | None,
    ask: str | None,
    token: str,
    accept_breaches: int | None,
    clock: str,
    at: int | None,
    by: str,
    note: str,
    export_to: Path | None,
    import_from: Path | None,
    accepted_problems: tuple[str, ...],
    history: int,
    keep_fields: str,
    *,
    withdraw_all: bool,
    undoes: bool,
    dry_run: bool,
    list_all: bool,
    as_json: bool,
) -> None:
    """Put the policies of FILES in force for all workers from one instant on.

    FILES are the complete set: a policy that is in none of them is withdrawn; --withdraw-all withdraws all. The command prints
    the difference from the policies in force and the problems of the step. If nothing changes, it deploys nothing.

    It refuses to deploy if more open deadlines would breach at once than --accept-breaches allows, or if they were not counted
    (--ask, --against).

    Exit status 0: deployed, or nothing changes; 1: an error in a file, no answer from Kafka, or another deployment came first;
    3: with --dry-run, it would be deployed; 4: refused.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # reported below, once, with what to do
    installation = Installation(broker, app_id, topic_prefix)
    wanted = Wanted(files, withdraw_all, undoes, rejudge_from, at, Author(by, note))
    alone = [export_to is not None, import_from is not None, list_all]
    wanted.check(clock, alone=sum(alone), counts_twice=ask is not None and against is not None)
    if import_from is not None:
        import_log(installation, import_from)
        return
    policies = _load(files) if files else NO_POLICIES if withdraw_all else None
    found = installation.read()
    if export_to is not None:
        export_log(found, export_to)
        return
    if list_all:
        for line in listed(found.log.entries.values()):
            click.echo(line)
        return
    proposal = wanted.proposal(found, policies)
    rehearsal = None
    if found.log.last is not None and not proposal.changes_nothing:
        if ask is not None:
            rehearsal = ask_workers(ask, proposal.record, token)
        elif against is not None:
            rehearsal = _rehearsed(found.log, proposal, against, history, ENTRIES["keep_fields"].reader(keep_fields))
    report = Report(proposal, rehearsal, _objections(proposal, rehearsal, accept_breaches, accepted_problems))
    if not as_json:
        for line in report.lines():
            click.echo(line)
    for objection in report.refused:
        click.echo(f"refused: {objection}", err=True)
    entry = None
    if not (dry_run or report.refused or proposal.changes_nothing):
        earliest = epoch_now() + LEAD if at is None else at
        entry = installation.append(stamped(proposal, earliest))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report.as_json(entry)), indent=2).decode())
    elif entry is not None:
        click.echo(f"deployed as number {entry.number}, {since(entry.at)}")
    ctx.exit(REFUSED if report.refused else DIFFERENT if dry_run and not proposal.changes_nothing else 0)


def _rehearsed(log: Log, proposal: Proposal, against: Path, history: int, keep: frozenset[str] | None) -> Rehearsal:
    """Raises click.ClickException."""
    try:
        with open_lines(against) as lines:
            return rehearse(log, proposal, lines, history, keep)
    except OSError as error:
        raise click.ClickException(f"{against}: {error}") from error
    except LinesError as error:
        raise click.ClickException(str(error)) from error


def _load(files: tuple[str, ...]) -> PolicySet:
    """The policies of the files, with all problems on standard error. Raises click.exceptions.Exit."""
    checked = check(files)
    for problem in checked.problems:
        click.echo(str(problem), err=True)
    if checked.policies is None:
        raise click.exceptions.Exit(FAILED)
    return checked.policies


def _objections(
    proposal: Proposal, rehearsal: Rehearsal | None, accepted: int | None, problems: Sequence[str]
) -> tuple[str, ...]:
    """``accepted``: so many breaches, ``None``: any. ``problems``: codes of errors that are accepted."""
    return (*_errors(proposal, problems), *_breaches(proposal, rehearsal, accepted))


def _errors(proposal: Proposal, accepted: Sequence[str]) -> Iterator[str]:
    """``accepted``: codes of errors."""
    if proposal.changes_nothing or proposal.difference is None:
        return
    codes = [one.code for one in proposal.difference.problems if one.severity is Severity.ERROR and one.code not in accepted]
    if codes:
        meant = "".join([f", or accept with --accept {code} what is meant" for code in ACCEPTABLE if code in codes])
        yield f"the step has {len(codes)} error{'s' if len(codes) > 1 else ''}, listed above: correct the files{meant}"


def _breaches(proposal: Proposal, rehearsal: Rehearsal | None, accepted: int | None) -> Iterator[str]:
    if proposal.changes_nothing or proposal.difference is None or accepted is None:
        return
    if rehearsal is None:
        yield (
            "it is not known how many open deadlines would breach at once: count those of the workers with --ask URL, or "
            "those of a recorded feed with --against FILE, or accept any number with --accept-breaches any"
        )
    elif rehearsal.impact.breaches > accepted:
        yield (
            f"open deadlines that would breach at once: {rehearsal.impact.breaches}; accepted: {accepted}; correct the files, "
            f"or accept them with --accept-breaches {rehearsal.impact.breaches}"
        )
