"""``breachwatch explain``: shows how the deadlines of a ticket were calculated."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from stream.cli import completing
from stream.cli.explain_view import lines
from stream.cli.options import instant, judged_by, judged_by_options, make_engine
from stream.cli.setting_options import setting_options
from stream.deployments.export import ExportError
from stream.documents.document import PolicyError
from stream.language.zones import UnknownZoneError, read_zone
from stream.sla.engine import Engine
from stream.sla.erasure import is_erased
from stream.sla.explain.explain import explain
from stream.sla.step import Outcome
from stream.wire.decode import Rejected, RejectReason, conflicting, decode
from stream.wire.explanation import encode_explanation
from stream.wire.incoming import Incoming
from stream.wire.instants import format_instant
from stream.wire.lines import LinesError, key_of, open_lines
from stream.wire.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.sla.engine import Engine
    from stream.sla.events import Event
    from stream.sla.explain.explanation import Explanation
    from stream.sla.ticket.state import State

_NEAR: Final = 5


def _zone(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    try:
        return None if name is None else read_zone(name).name
    except UnknownZoneError as error:
        raise click.BadParameter(f"{name!r} is not an IANA time zone: use one such as Asia/Kolkata") from error


@click.command("explain")
@click.argument("ticket")
@click.option(
    "--events",
    "file",
    required=True,
    help="File of ticket events as JSON lines, optionally gzipped; - for standard input.",
    type=click.Path(path_type=Path, allow_dash=True, dir_okay=False, exists=True),
)
@judged_by_options
@click.option("--commitment", help="Show only this commitment with its levels, or only this ladder.")
@click.option(
    "--until", callback=instant, help="Explain as of this instant (RFC 3339). Default: the newest instant of the file."
)
@click.option(
    "--zone",
    callback=_zone,
    shell_complete=completing.zones,
    help="Show all times in this IANA zone. Default: the zone of each calendar.",
)
@click.option(
    "--history",
    type=click.IntRange(min=2),
    default=200,
    show_default=True,
    help="Events kept per ticket so that late ones can be put in their place; as for replay.",
)
@setting_options("keep_fields")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (schemas/explanation.v1.json) with times in UTC.")
def command(
    ticket: str,
    file: Path,
    policies: tuple[str, ...],
    deployments: Path | None,
    commitment: str | None,
    until: int | None,
    zone: str | None,
    history: int,
    keep_fields: str,
    as_json: bool,
) -> None:
    """Explain the deadlines of TICKET: the policy, the time that counted, the time that did not, and the reasons.

    The counted spans of a deadline add up to the elapsed time. Continued to the deadline, they add up to the target. Future
    spans assume that no further event arrives.
    """
    try:
        read = judged_by(policies, deployments)()
    except (PolicyError, ExportError) as error:
        raise click.ClickException(str(error)) from error
    try:
        arrived, newest = _read(file, ticket)
    except LinesError as error:
        raise click.ClickException(str(error)) from error
    events = list(_accepted(make_engine(lambda: read, history, keep_fields), ticket, arrived))
    upto = newest if until is None else until
    if (first := min(event.at for event in events)) > upto:
        raise click.UsageError(f"ticket {ticket!r} begins at {format_instant(first)}, after --until: choose a later --until")
    explanation = explain(read, ticket, events, upto)
    if commitment is not None:
        explanation = _only(explanation, commitment)
    if as_json:
        click.echo(msgspec.json.format(encode_explanation(explanation), indent=2))
        return
    for line in lines(explanation, zone):
        click.echo(line)


def _read(file: Path, ticket: str) -> tuple[list[Event], int]:
    """Return the ticket's events in order of arrival, and the newest instant of the file. Print a count of refused lines."""
    events: list[Event] = []
    tickets: set[str] = set()
    newest = 0
    refused: Counter[RejectReason] = Counter()
    with open_lines(file) as numbered:
        for _, line in numbered:
            record = decode(key_of(line), line, now=None)
            if isinstance(record, Rejected):
                refused[record.reason] += 1
                continue
            if isinstance(record, Incoming):
                tickets.add(record.ticket)
                newest = max(newest, record.event.at)
                if record.ticket == ticket:
                    events.append(record.event)
            else:
                newest = max(newest, record.at)
    if refused:
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items()))
        click.echo(f"{file}: refused lines: {why}", err=True)
    if not events:
        raise click.UsageError(f"{file} does not contain ticket {ticket!r}{_near(ticket, tickets)}")
    return events, newest


def _accepted(engine: Engine, ticket: str, arrived: list[Event]) -> Iterable[Event]:
    """Yield the events that a worker would have accepted, as it would keep them, in order of arrival."""
    state: State | None = None
    for event in arrived:
        step = engine.apply(state, ticket, event, event.at)
        state = step.state
        if step.outcome is Outcome.TOO_LATE:
            click.echo(
                f"{printable(event.id)}: {RejectReason.TOO_LATE}: omitted, because it is older than the history kept of its "
                "ticket",
                err=True,
            )
        elif step.outcome is Outcome.CONFLICT:
            click.echo(f"{printable(event.id)}: {RejectReason.CONFLICT}: omitted: {conflicting(event).message}", err=True)
        elif is_erased(state.head):
            when = format_instant(state.head.ended_at)
            raise click.UsageError(f"ticket {ticket!r} was erased on {when}: nothing else is known of it")
        else:
            yield engine.kept(event)


def _only(explanation: Explanation, name: str) -> Explanation:
    found = tuple(deadline for deadline in explanation.deadlines if name in (deadline.commitment, deadline.ladder))
    if not found:
        names = {n for deadline in explanation.deadlines for n in (deadline.commitment, deadline.ladder) if n}
        raise click.UsageError(f"{explanation.ticket} has no commitment or ladder {name!r}{_near(name, names)}")
    return msgspec.structs.replace(explanation, deadlines=found)


def _near(name: str, names: set[str]) -> str:
    near = get_close_matches(name, sorted(names), n=_NEAR, cutoff=0.5) or (sorted(names) if len(names) <= _NEAR else [])
    return f"; similar: {printable(', '.join(near))}" if near else f"; there are {len(names)} others"
