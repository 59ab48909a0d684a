"""Takes one record of the input to its ticket, or to a dead letter with its reason."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from stream.runtime.kafka.positions import Marker
from stream.runtime.kafka.transport import Record
from stream.runtime.recovery.output_recovery import origin
from stream.runtime.recovery.outputs import ORIGIN
from stream.runtime.settings import ClockMode
from stream.sla.events import ERASURE
from stream.sla.policy.date_problems import WrongDate, wrong_dates
from stream.sla.step import Outcome
from stream.wire.decode import Rejected, RejectReason, Tick, conflicting, decode
from stream.wire.effect import DeadLetter, encode_rejected
from stream.wire.incoming import Incoming

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.observe.metrics.registry import Result, UnmatchedCause
    from stream.runtime.partition.changes import Changes
    from stream.runtime.partition.engines import Engines
    from stream.runtime.partition.shard import Shard
    from stream.runtime.settings import Settings
    from stream.sla.events import Event
    from stream.sla.policy.spelling import Misspelling
    from stream.sla.ticket.state import State

MOST_MISSPELLINGS: Final = 100
"""A partition logs no more values that differ from the policies' in spelling alone."""

_MARKER: Final = Marker  # compiled code looks up the imported name in a dict, at each use
# Up to Python 3.11 naming an enum's member costs as much as a call.
_APPLIED: Final = Outcome.APPLIED
_CONFLICT: Final = Outcome.CONFLICT
_TOO_LATE: Final = Outcome.TOO_LATE
_DUPLICATE: Final = Outcome.DUPLICATE
_ERASED: Final = Outcome.ERASED
_RESULT: Final[dict[Outcome, Result]] = {
    Outcome.LATE: "late",
    _DUPLICATE: "duplicate",
    _ERASED: "erased",
}


class Intake:
    """Applies records to the tickets of one partition, and counts what became of them. Instants are epoch microseconds."""

    def __init__(self, settings: Settings, shard: Shard, clock: int, engines: Engines, changes: Changes) -> None:
        """``clock``: the machine's clock at the beginning of the unit of work."""
        self._applied: Final[dict[str, int]] = {}
        """Counts of applied events by type. Not a ``Counter``, which costs five times as much to change."""
        self._others: Final[Counter[tuple[str, Result]]] = Counter()
        """Counts of other events by type and result."""
        self.rejected: Final[Counter[RejectReason]] = Counter()
        self.unmatched: Final[Counter[UnmatchedCause]] = Counter()
        """Tickets to which nothing is promised."""
        self.misspelt: Final[dict[Misspelling, str]] = {}
        """Why, with the first such ticket: what this partition has not logged yet."""
        self.wrong_dates: Final[dict[WrongDate, tuple[str, str]]] = {}
        """Fields from which a clock cannot start, with the ticket and the event: what this partition has not logged yet."""
        self._settings: Final = settings
        self._max_ahead: Final[int] = settings.max_ahead
        self._shard: Final = shard
        self._received: Final[dict[str, int]] = shard.feeds.received
        self._engines: Final = engines
        self._changes: Final = changes
        self._clock: Final = clock
        self._clock_is_feed: Final[bool] = settings.clock is ClockMode.EVENT

    def events(self) -> Iterator[tuple[str, Result, int]]:
        """Type and result of events, and their count."""
        for type_, count in self._applied.items():
            yield type_, "applied", count
        for (type_, result), count in self._others.items():
            yield type_, result, count

    def take(self, record: Any) -> None:
        """Apply a record."""
        now = None if self._clock_is_feed else self._clock
        key, value = record.key, record.value
        if type(value) is _MARKER:
            if value.refused is not None:
                self._reject(record, value.refused)
            return
        read = decode(key, value, now=now, max_ahead=self._max_ahead)
        if not isinstance(read, Incoming):
            if isinstance(read, Tick):
                self._tick(read)
            else:
                self._reject(record, read)
            return
        event = read.event
        self._receive(event)
        changes, engines, shard = self._changes, self._engines, self._shard
        state = changes.state(key)
        arrived = 0
        if now is None:
            now = shard.watermark
        else:  # a broker's clock may be ahead of ours; without a timestamp, an event arrived when it happened
            arrived = record.timestamp * 1_000
            arrived = max(min(arrived if arrived >= 0 else event.at, now), shard.since)
        step = engines.of(key, state).apply(state, read.ticket, event, now, arrived)
        if step.outcome is _CONFLICT:
            self._reject(record, conflicting(event))
            return
        if step.outcome is _TOO_LATE:
            message = f"older than the {self._settings.history} newest events that are kept of this ticket"
            self._reject(record, Rejected(RejectReason.TOO_LATE, message, "$.at"))
            if state is not None and step.state is not state:
                changes.keep(key, state, step, by_event=True)
            return
        self._count(event.type, step.outcome)
        if step.unmatched:
            self._note_unmatched(read.ticket, step.state)
        if step.outcome is not _DUPLICATE and step.outcome is not _ERASED:
            if event.fields and engines.current.policies.dated:
                self._note_wrong_dates(read.ticket, event)
            changes.keep(key, state, step, by_event=True)
            if arrived:
                changes.shown_by_arrival(key, step, shard.past_on_arrival.get(key, 0), arrived)
            if step.state.head.deployment != engines.newest:  # the event may be from before the newest deployment
                engines.sweep_again(key, step.state.head.deployment)

    def _count(self, type_: str, outcome: Outcome) -> None:
        if outcome is _APPLIED:
            self._applied[type_] = self._applied.get(type_, 0) + 1
        else:
            self._others[type_, _RESULT[outcome]] += 1

    def _receive(self, event: Event) -> None:
        """Time has come to the event, and so has its source; an erasure states nothing about either."""
        if event.type == ERASURE:
            return
        at, shard = event.at, self._shard
        if at > shard.watermark:
            shard.watermark = at
        received = self._received
        newest = received.get(event.source)
        if newest is None:
            shard.feeds.event(event.source, at)
        elif at > newest:
            received[event.source] = at
        if at >= self._engines.stale_from:
            self._engines.find_stale(at)

    def _tick(self, tick: Tick) -> None:
        shard, engines = self._shard, self._engines
        shard.advance_watermark(tick.at)
        clock = shard.watermark if self._clock_is_feed else self._clock
        if shard.feeds.tick(tick.source, tick.at, tick.state, clock) or tick.at >= engines.stale_from:
            engines.find_stale(engines.reached())
        self._count("feed.tick", _APPLIED)

    def _note_unmatched(self, ticket: str, state: State) -> None:
        spellings = self._engines.current.deployments.timeline.last.policies.spellings()
        misspelt = list(spellings.misspelt(state.head.fields))
        self.unmatched["spelling" if misspelt else "other"] += 1
        known = self._shard.misspelt
        for one in misspelt:
            if one not in known and len(known) < MOST_MISSPELLINGS:
                known.add(one)
                self.misspelt[one] = ticket

    def _note_wrong_dates(self, ticket: str, event: Event) -> None:
        known = self._shard.wrong_dates
        for wrong in wrong_dates(self._engines.current.policies, event.fields, event.fields):
            if wrong not in known:
                known.add(wrong)
                self.wrong_dates[wrong] = ticket, event.id

    def _reject(self, record: Any, rejected: Rejected) -> None:
        dead_letter = encode_rejected(
            DeadLetter(
                rejected,
                key=record.key,
                value=None if type(record.value) is Marker else record.value,
                topic=self._shard.source.topic,
                partition=self._shard.number,
                offset=record.offset,
                at=self._clock,
            )
        )
        self._changes.dead_letters.append(Record(record.key, dead_letter, [(ORIGIN, origin(record))]))
        self.rejected[rejected.reason] += 1
