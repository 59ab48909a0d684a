"""Publishes events again that were rejected, and refuses those that would be rejected for the same reason."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Final

import click

from stream.wire.counting import many
from stream.wire.decode import Rejected, Tick, decode
from stream.wire.lines import key_of
from stream.wire.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.cli.dead_letters import FoundDeadLetter
    from stream.runtime.kafka.publisher import Publisher

_MOST_LINES: Final = 10_000
"""The most lines of a single event."""


class Republisher:
    """Publishes one event after another, and prints a line for each."""

    def __init__(self, *, dry_run: bool) -> None:
        """``dry_run``: print only what would be published."""
        self.refused = 0
        self.publisher: Publisher | None = None
        """Without one, events are checked only."""
        self._published = 0
        self._dry_run: Final = dry_run

    async def dead_letter(self, dead_letter: FoundDeadLetter, value: bytes | None) -> None:
        """The event of a dead letter, unchanged. ``value``: the whole value as far as it is known."""
        where = str(dead_letter.place)
        if value is None:
            self._refuse(where, "the dead letter has no value: publish the records from their source again")
        else:
            await self._publish(where, value)

    async def lines(self, file: str, lines: Iterator[tuple[int, bytes]]) -> None:
        """Corrected events: one a line, or a single one over several lines."""
        head = list(islice(lines, _MOST_LINES))
        whole = b"\n".join(line for _, line in head)
        if len(head) > 1 and not isinstance(decode(key_of(whole), whole, now=None), Rejected):
            head = [(1, whole)]
        for number, line in chain(head, lines):
            await self._publish(f"{file}:{number}", line)

    async def finish(self) -> None:
        """Wait until all are delivered."""
        if self.publisher is not None:
            await self.publisher.delivered()

    def summary(self) -> str:
        would = "would publish" if self._dry_run else "published"
        refused = f", and refused {self.refused}" if self.refused else ""
        again = "" if self._dry_run else "; to run this again is harmless, because workers ignore what they know"
        return f"{would} {many(self._published, 'event')}{refused}{again}"

    async def _publish(self, where: str, value: bytes) -> None:
        key = key_of(value)
        decoded = decode(key, value, now=None)
        if isinstance(decoded, Rejected):
            path = f" at {decoded.path}" if decoded.path else ""
            self._refuse(where, f"would be rejected again: {decoded.reason}: {decoded.message}{path}")
            return
        if isinstance(decoded, Tick):
            what = f"feed.tick of {decoded.source} to every partition"
            if self.publisher is not None:
                await self.publisher.tick(value)
        else:
            event = decoded.event
            seq = f" seq {event.seq}" if event.seq else ""
            what = f"{decoded.ticket} {event.type} {event.id}{seq} of {event.source}"
            if self.publisher is not None:
                await self.publisher.event(value, key)
        self._published += 1
        click.echo(printable(f"{where}: {'would publish' if self._dry_run else 'published'} {what}"))

    def _refuse(self, where: str, why: str) -> None:
        self.refused += 1
        click.echo(printable(f"{where}: not published: {why}"), err=True)
