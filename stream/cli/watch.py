"""``breachwatch watch``: shows effects as they are published."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

import click
import msgspec

from stream.cli import colour
from stream.cli.output import write
from stream.cli.reading import SINCE_HELP, run, since, until_stopped
from stream.cli.setting_options import setting_options
from stream.cli.stopping import stoppable
from stream.cli.topics import client_of, topics_of
from stream.cli.watch_filter import EffectFilter, fields, kinds
from stream.cli.watch_view import effect_line, zone_option
from stream.runtime.kafka.topic_reader import Place, open_topics
from stream.wire.counting import many
from stream.wire.effect import decode_effect
from stream.wire.instants import InstantError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from stream.cli.watch_view import LocalTime
    from stream.runtime.kafka.topic_reader import Since
    from stream.runtime.kafka.topics import Topics
    from stream.sla.effects import Effect, Kind

_MOST_KINDS: Final = 4
"""The kinds that the summary names."""


class _Output:
    """Writes the effects that pass, and counts them."""

    def __init__(self, wanted: EffectFilter, written: Callable[[bytes, Effect], bytes], *, at_once: bool) -> None:
        """``at_once``: write with every batch of records; else they wait for ``flush``."""
        self._lines: Final[list[tuple[int, bytes]]] = []
        self._at_once: Final = at_once
        self._wanted: Final = wanted
        self._written: Final = written
        self._shown: Final[Counter[Kind]] = Counter()
        self._filtered = 0
        self._unreadable = 0

    def add(self, records: list[Any]) -> None:
        for record in records:
            try:
                effect = decode_effect(record.value or b"")
            except (msgspec.DecodeError, InstantError) as error:
                self._unreadable += 1
                where = f"{record.topic}[{record.partition}]@{record.offset}"
                click.echo(f"{where}: not an effect that this breachwatch can read: {error}", err=True)
                continue
            if self._wanted.passes(effect):
                self._shown[effect.kind] += 1
                self._lines.append((record.timestamp, self._written(record.value, effect)))
            else:
                self._filtered += 1
        if self._at_once:
            self.flush()

    def flush(self) -> None:
        """Write the lines that are there in the order in which they were published, over all partitions."""
        if self._lines:
            self._lines.sort(key=_published)  # stable: a partition keeps its order
            lines = [line for _, line in self._lines]
            self._lines.clear()
            write(b"\n".join([*lines, b""]))
            sys.stdout.buffer.flush()

    def summary(self) -> str:
        total = self._shown.total()
        parts = [f"{count} {kind}" for kind, count in self._shown.most_common(_MOST_KINDS)]
        if rest := total - sum(count for _, count in self._shown.most_common(_MOST_KINDS)):
            parts.append(f"{many(rest, 'other')}")
        text = many(total, "effect") + (f" ({', '.join(parts)})" if parts else "")
        text += f"; {many(self._filtered, 'other')} passed no filter" if self._filtered else ""
        return text + (f"; {many(self._unreadable, 'record')} could not be read" if self._unreadable else "")


def _published(line: tuple[int, bytes]) -> int:
    return line[0]


@click.command("watch")
@setting_options("broker", "topic_prefix")
@click.option("--ticket", "tickets", multiple=True, help="Show only this ticket. Repeatable.")
@click.option(
    "--type",
    "types",
    multiple=True,
    callback=kinds,
    help="Show only this type of effect: commitment.breached, breached, or a pattern such as escalation.*. Repeatable.",
)
@click.option("--policy", "policies", multiple=True, help="Show only effects of this policy. Repeatable.")
@click.option("--customer", "customers", multiple=True, help="Show only tickets of this customer. Repeatable.")
@click.option("--priority", "priorities", multiple=True, help="Show only tickets of this priority. Repeatable.")
@click.option(
    "--field",
    "others",
    multiple=True,
    metavar="NAME=VALUE",
    help="Show only tickets with this value in a field, such as team=first-line. Repeatable.",
)
@click.option("--late/--no-late", default=None, help="Show only effects that correct the past, or leave them out.")
@click.option(
    "--routine/--no-routine", default=True, help="Show effects that report progress (started, paused, ...), or leave them out."
)
@click.option(
    "--since", "start", callback=since, help=f"Begin with the effects published since then: {SINCE_HELP}. Default: now."
)
@click.option(
    "--no-follow", is_flag=True, help="End after the effects that are there now, in the order in which they were published."
)
@zone_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, exactly as published, with times in UTC.")
def command(
    broker: str,
    topic_prefix: str,
    tickets: tuple[str, ...],
    types: frozenset[Kind],
    policies: tuple[str, ...],
    customers: tuple[str, ...],
    priorities: tuple[str, ...],
    others: tuple[str, ...],
    late: bool | None,
    routine: bool,
    start: Since | None,
    no_follow: bool,
    clock: LocalTime,
    as_json: bool,
) -> None:
    """Show breaches, escalations and all other effects as they are published, a line each, until Ctrl-C.

    An effect is shown if it matches each option that is given. If an option is repeated, one of its values must match. Only
    effects of committed transactions are shown. The command joins no consumer group and commits nothing, so it takes no effect
    away from anybody.
    """
    wanted = EffectFilter(types, frozenset(tickets), frozenset(policies), fields(priorities, customers, others), late, routine)
    in_colour = colour.on(sys.stdout)

    def line(value: bytes, effect: Effect) -> bytes:
        return value if as_json else effect_line(effect, clock, colour=in_colour).encode("utf-8", "backslashreplace")

    output = _Output(wanted, line, at_once=not no_follow)
    begin = Place.END if start is None else start
    work = _watch(broker, topics_of("breachwatch", topic_prefix), begin, output, follow=not no_follow)

    def incomplete() -> str:
        output.flush()
        return f"not all effects were read; {output.summary()}"

    with stoppable(incomplete):
        run(broker, work if no_follow else until_stopped(work))
    output.flush()
    click.echo(output.summary(), err=True)


async def _watch(broker: str, names: Topics, start: Since, output: _Output, *, follow: bool) -> None:
    async with open_topics(broker, client_of(broker), [names.breaches, names.escalations]) as reader:
        await reader.seek(start)
        async for records in reader.follow() if follow else reader.to_end():
            output.add(records)
