"""``breachwatch replay``: the engine over a file of ticket events, without a broker."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click

from stream.feeds.decode import Incoming, Rejected, RejectReason, decode
from stream.feeds.lines import key_of, open_lines
from stream.feeds.wire import encode_effect
from stream.language.document import PolicyError
from stream.language.policies import load
from stream.sla.engine import Engine, Outcome
from stream.sla.playback import Playback
from stream.tools.options import instant, policy_paths


@click.command("replay")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
@click.option("--policies", multiple=True, required=True, help="Policy file, or the name of a shipped policy. Repeatable.")
@click.option("--until", callback=instant, help="Let time pass to this instant (RFC 3339) after the last event.")
@click.option("--history", default=200, show_default=True, help="Events kept per ticket to fold late ones in.")
def command(file: Path, policies: tuple[str, ...], until: int | None, history: int) -> None:
    """Run the engine over FILE (JSON lines of ticket events, may be gzipped, - for standard input).

    Time is what the events say. Effects go to standard output as JSON lines, the same bytes from run to run; a line about
    each record that is refused, and a summary, go to standard error. No ticket is ever forgotten, as by a worker with
    --clock event.
    """
    try:
        playback = Playback(Engine(load(policy_paths(policies)), history=history))
    except PolicyError as error:
        raise click.ClickException(str(error)) from error
    refused: Counter[RejectReason] = Counter()
    said = 0
    write = sys.stdout.buffer.write
    with open_lines(file) as lines:
        for number, line in lines:
            record = decode(key_of(line), line, now=None)
            if isinstance(record, Rejected):
                refused[record.reason] += 1
                click.echo(f"{file}:{number}: {record.reason}: {record.message} {record.path}".rstrip(), err=True)
                continue
            if isinstance(record, Incoming):
                late = playback.outcomes[Outcome.TOO_LATE]
                effects = playback.event(record.ticket, record.event)
            else:
                effects = playback.tick(record.at)
            for effect in effects:
                said += 1
                write(encode_effect(effect) + b"\n")
            if isinstance(record, Incoming) and playback.outcomes[Outcome.TOO_LATE] > late:
                refused[RejectReason.TOO_LATE] += 1
                click.echo(f"{file}:{number}: {RejectReason.TOO_LATE}: older than the history kept of its ticket", err=True)
    if until is not None:
        for effect in playback.tick(until):
            said += 1
            write(encode_effect(effect) + b"\n")
    sys.stdout.buffer.flush()
    click.echo(_summary(playback, refused, said), err=True)


def _summary(playback: Playback, refused: Counter[RejectReason], said: int) -> str:
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(playback.outcomes.items()))
    why = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items())) or "none"
    return f"{len(playback.states)} tickets; events: {outcomes or 'none'}; refused: {why}; {said} effects"
