"""What one unit of work of a partition comes to, before any of it is written: tickets changed, effects, dead letters, counts.

No I/O and no ``await``: from the reading of a ticket to its writing nobody else can see it.

The unit changes the shard in memory (tickets, timers, open commitments, watermark) before its outputs are committed and its
changes are in the changelog. Nothing takes such a change back. Memory may run ahead of the log because every exception in
between ends the process (``stream.runtime.abort``), and the next owner starts from what the log has.

Longer than 300 lines because nothing else may change the shard: events, timers, the sweep and the retention do it here.
"""

from __future__ import annotations

import time
from collections import Counter
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

import msgspec

from stream.runtime.kafka.positions import Marker
from stream.runtime.kafka.transport import Record
from stream.runtime.partition.sweep import Sweep
from stream.runtime.recovery.output_recovery import origin
from stream.runtime.recovery.outputs import ORIGIN
from stream.runtime.settings import ClockMode
from stream.runtime.timers import TimerQueue
from stream.sla.codec import codec
from stream.sla.effects import ROUTINE, TIMER, Kind, feed_cause
from stream.sla.engine import Engine, Outcome, Step
from stream.sla.policy.date_problems import WrongDate, wrong_dates
from stream.sla.policy.timeline import NEVER
from stream.sla.ticket.listing import lists_of
from stream.wire.decode import Rejected, RejectReason, Tick, conflicting, decode
from stream.wire.effect import encode_rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream.observe.metrics.registry import Result, UnmatchedCause
    from stream.runtime.kafka.positions import Batch
    from stream.runtime.partition.shard import Shard
    from stream.runtime.settings import Settings
    from stream.sla.effects import Effect
    from stream.sla.events import Event
    from stream.sla.policy.spelling import Misspelling
    from stream.sla.ticket.state import State

MOST_OUTPUTS: Final = 4_000
"""A unit ends when it has this many effects and dead letters (one event may add a few): a successor reads them back."""
MOST_WOKEN: Final = 2_000
"""A unit wakes no more tickets than this: their states are written as one."""
MOST_SECONDS: Final = 0.1
"""A unit ends after so much work: what it emits goes out when it ends."""
MOST_MISSPELLINGS: Final = 100
"""A partition logs no more values that differ from the policies' in spelling alone."""
HISTORY_ARRIVES: Final = 24 * 3_600_000_000
"""Microseconds of the feed's time for which a ticket is kept at least after a change of it."""
SLICE_SECONDS: Final = 0.01
"""Work at a stretch. In between the event loop does what else there is: other partitions' deadlines, heartbeats, answers of
the broker. An event takes some ten steps of the loop from the broker to its effects, and each may wait for a slice of each
partition."""
SWEEP_PART: Final = 0.25
"""Of both in a sweep, in which nothing is urgent: deadlines and events of the partition wait for it and for its writing,
those of other partitions for its slices."""

_RESULT: Final[dict[Outcome, Result]] = {
    Outcome.APPLIED: "applied",
    Outcome.LATE: "late",
    Outcome.DUPLICATE: "duplicate",
}


class Stop(Enum):
    """Why a unit of work stops looking at tickets."""

    DONE = auto()
    FULL = auto()
    """The rest is for another unit, when this one is written."""
    YIELD = auto()
    """It goes on after ``UnitOfWork.resumed``."""


_OUTCOMES: Final = frozenset([kind for kind in Kind if kind not in ROUTINE and kind is not Kind.RETRACTED])
"""Kinds of which no effect is routine: nearly all that is emitted where routine effects are off."""
_BREACHED: Final = Kind.BREACHED
_DONE: Final = Stop.DONE
_FULL: Final = Stop.FULL
_YIELD: Final = Stop.YIELD


def expiration(ended: int | None, retention: int | None, watermark: int = 0) -> int | None:
    """When a ticket is to be forgotten, by the feed's time, epoch microseconds; ``None``: not yet, for it is open, or never.

    ``ended``: as ``State.ended``. ``retention`` in microseconds; ``None``: for ever. ``watermark``: of the feed when the ticket
    was changed last. A ticket that ended long ago is kept for a while: more of its history may be on the way.
    """
    if ended is None or retention is None:
        return None
    return max(ended + retention, watermark + min(retention, HISTORY_ARRIVES))


def _first_read(record: Any) -> int:
    """The first of the offsets up to the record's that were read. Of a refused batch none was: it may have had valid events."""
    marker = record.value if type(record.value) is Marker else None
    if marker is None:
        return int(record.offset)
    return int(record.offset + 1 if marker.refused else marker.first)


class UnitOfWork:
    """Takes events and the passing of time to the tickets of one partition. Instants are epoch microseconds."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        shard: Shard,
        clock: int,
        passing: Callable[[], float] = time.monotonic,
        part: float = 1.0,
    ) -> None:
        """``clock``: the machine's clock at the beginning of the unit. ``passing``: seconds, of a clock nobody sets.
        ``part``: of the usual length of the unit and of its slices."""
        self.states: dict[bytes, State] = {}
        """Tickets that were changed, as they are now."""
        self.settled: dict[bytes, int] = {}
        """Record keys of tickets that time made settle, to the instant of that."""
        self.unmeasured: set[str] = set()
        """Ids of effects that were true before the event arrived that shows them: the delay is the feed's."""
        self.forgotten: dict[bytes, None] = {}
        """Closed tickets whose retention is over. A set would be written in an order that differs between processes."""
        self.effects: list[Effect] = []
        self.dead_letters: list[Record] = []
        """Dead letters, their origin in a header."""
        self.events: Counter[tuple[str, Result]] = Counter()
        self.rejected: Counter[RejectReason] = Counter()
        self.unmatched: Counter[UnmatchedCause] = Counter()
        """Tickets to which nothing is promised."""
        self.misspelt: dict[Misspelling, str] = {}
        """Why, with the first such ticket: what this partition has not logged yet."""
        self.wrong_dates: dict[WrongDate, tuple[str, str]] = {}
        """Fields from which a clock cannot start, with the ticket and the event: what this partition has not logged yet."""
        self.unbuilt = 0
        """Rows of a deployment that could not be built because the history of a ticket is cut."""
        self.cut = 0
        """Tickets that a deployment from before the history that is kept could not rejudge from its own instant on."""
        self.lost: list[tuple[int, int]] = []
        """Offsets of the input, from and up to, that were gone before they were read."""
        self.judged_by: dict[bytes, int] = {}
        """Record keys of tickets to the newest deployment that they were judged by, where that is not the newest of all."""
        self._woken = 0
        self._passing = passing
        self._stopped = passing()
        self._slice = part * SLICE_SECONDS
        self._ends = self._stopped + part * MOST_SECONDS
        self._yield_at = self._stopped + self._slice
        self._idle = True
        """Nothing was done since the last breath: however slow it goes, it goes on."""
        self._unwritten: dict[bytes, None] = {}
        """Changed, and the table does not have it yet; in the order of the changes, which the table keeps."""
        self._engine = engine.snapshot(shard.doubts) if shard.gaps else engine
        self._newest = engine.deployments.timeline.last.number
        self._engines: dict[int, Engine] = {}
        """Engines that know only a part of the deployments, by the last that they know."""
        self._settings = settings
        self._shard = shard
        self._open_counts = shard.open_counts
        self._clock = clock
        self._clock_is_feed = settings.clock is ClockMode.EVENT
        self._feeds = shard.feeds
        self._received = shard.feeds.received
        self._stale_from = NEVER
        """From this instant on feeds are stale that are not known to be."""
        self._find_stale(self._reached())
        self._by_event_time = shard.by_event_time
        """As when the unit began: a rebalance may suspend the partition while the unit yields."""
        self._outcomes_only = not settings.routine

    def resumed(self) -> None:
        """Others had their time, which does not count: go on."""
        now = self._passing()
        self._ends += now - self._stopped
        self._yield_at = now + self._slice
        self._idle = True

    def write(self) -> None:
        """Put changed tickets into the partition's table: whoever looks between two slices finds all of a change."""
        shard, states = self._shard, self.states
        for key in self._unwritten:
            state = states[key]
            shard.tickets[key] = codec.encode(state)
            shard.recent.put(key, state)
            shard.lists.put(key, lists_of(state))
        self._unwritten.clear()
        self._stopped = self._passing()

    def take(self, batch: Batch) -> Stop:
        """Take the records from the partition's cursor on."""
        shard = self._shard
        records, by_event_time = batch.records, self._by_event_time
        while (stop := self._stop()) is None:
            # Time passes with the events: what falls due between two of them is woken between them, wherever a batch
            # happens to end.
            if by_event_time:
                stop = self.wake(shard.clock(self._clock))
                if stop is _DONE:
                    stop = self._forget(shard.watermark)
                if stop is not _DONE:
                    return stop
            if self._feeds.due:
                stop = self._confirm()
                if stop is not _DONE:
                    return stop
            if shard.cursor == len(records):
                self._reach(batch.end, batch.end)
                return self._forget(shard.watermark)
            self._idle = False
            record = records[shard.cursor]
            if record.offset == shard.input:
                shard.input = record.offset + 1
            else:
                self._reach(_first_read(record), record.offset + 1)
            self._take_one(record)
            shard.cursor += 1
        return stop

    def _reach(self, first: int, end: int) -> None:
        """The input was read from one offset up to another. What lies between it and what was read before is gone."""
        shard = self._shard
        expected = shard.input
        if expected is None or end > expected:
            shard.input = end
        if expected is not None and first > expected:
            self.lost.append((expected, first))
            shard.lost(expected, first, self._clock)
            self._engine = self._engine.snapshot(shard.doubts)
            self._engines.clear()

    def wake(self, until: int) -> Stop:
        """Wake the tickets that are due at ``until``."""
        timers = self._shard.timers
        while (key := timers.take(until)) is not None:
            state = self._state(key)
            if state is None:
                raise RuntimeError(f"a deadline of a ticket that is not in the table: {key!r}")
            step = self._engine_for(key, state).wake(state, until)
            if step.wake_at is not None and step.wake_at <= until:
                raise RuntimeError(f"a ticket that was woken at {until} wants to be woken at {step.wake_at}: {key!r}")
            self._idle = False
            self._keep_woken(key, state, step)
            if (arrived := self._shard.past_on_arrival.get(key, 0)) and step.effects:
                self._shown_by_arrival(key, step, arrived, arrived)
            if (stop := self._stop()) is not None:
                return stop
        return _DONE

    def sweep(self, until: int) -> Stop:
        """Wake the next tickets of the sweep that is under way."""
        shard = self._shard
        sweep = shard.sweep
        while sweep is not None and (key := sweep.take()) is not None:
            self._idle = False
            state = self._state(key)
            if state is None:  # forgotten since the sweep began
                continue
            step = self._engine.wake(state, until)
            if step.state is not state:
                self._keep_woken(key, state, step)
            if (stop := self._stop()) is not None:
                return stop
        if sweep is not None:
            shard.swept, shard.sweep = sweep.number, None
        return _DONE

    def _stop(self) -> Stop | None:
        if len(self.effects) + len(self.dead_letters) >= MOST_OUTPUTS or self._woken >= MOST_WOKEN:
            return _FULL
        now = self._passing()
        if now >= self._ends:
            return _FULL
        return _YIELD if now >= self._yield_at and not self._idle else None

    def fire_again(self, woken_until: Mapping[bytes, int], emitted_ids: set[bytes]) -> None:
        """Fire again the timers that a predecessor had fired when it died. ``woken_until``: record key to the newest instant
        (epoch microseconds) of its effects. A ticket is woken only if all resulting effects are in ``emitted_ids``.

        What a deployment changed counts as a timer. A ticket is woken with the deployments that the predecessor knew: another
        one, which changes the record, is met afterwards, and takes back what the predecessor emitted.

        This runs in the first unit of work after a takeover, however short. Effects that are published and not yet in the
        changelog come from the predecessor's last unit of work. If that one only fired timers, the tickets are unchanged and
        the same timers fire here. If it processed events, these come again before any that were published later.
        """
        for key, instant in woken_until.items():
            state = self._state(key)
            if instant >= self._stale_from:
                self._find_stale(instant)
            if state is not None:
                step = self._engine_for(key, state).wake(state, instant + 1)
                if step.effects and all(effect.id.encode() in emitted_ids for effect in step.effects):
                    self._keep(key, state, step)

    def _forget(self, until: int) -> Stop:
        # By the feed's time, in either clock mode: as long as nothing is consumed there is nothing to make room for, and a
        # recorded feed keeps its tickets however old it is.
        expirations = self._shard.expirations
        while (key := expirations.take(until)) is not None:
            self._woken += 1
            self._idle = False
            # Closed it may be, and a commitment of it open all the same.
            self._open_counts.change(self._state(key), None)
            self._shard.tickets.pop(key, None)
            self._shard.recent.drop(key)
            self._shard.lists.put(key, 0)
            self._shard.past_on_arrival.pop(key, None)
            self._feeds.forget(key)
            self.states.pop(key, None)
            self._unwritten.pop(key, None)
            self.forgotten[key] = None
            if (stop := self._stop()) is not None:
                return stop
        return _DONE

    def _take_one(self, record: Any) -> None:
        now = None if self._clock_is_feed else self._clock
        if type(record.value) is Marker:
            if record.value.refused:
                self._reject(record, Rejected(RejectReason.TOO_LARGE, record.value.refused, ""))
            return
        read = decode(record.key, record.value, now=now, max_ahead=self._settings.max_ahead)
        if isinstance(read, Rejected):
            self._reject(record, read)
            return
        if isinstance(read, Tick):
            self._tick(read)
            return
        event = read.event
        self._receive(event)
        key: bytes = record.key
        state = self._state(key)
        arrived = 0
        if now is None:
            now = self._shard.watermark
        else:  # a broker's clock may be ahead of ours
            arrived = max(min(record.timestamp * 1_000, now), self._shard.since)
        step = self._engine_for(key, state).apply(state, read.ticket, event, now, arrived)
        if step.outcome is Outcome.CONFLICT:
            self._reject(record, conflicting(event))
            return
        if step.outcome is Outcome.TOO_LATE:
            message = f"older than the {self._settings.history} newest events that are kept of this ticket"
            self._reject(record, Rejected(RejectReason.TOO_LATE, message, "$.at"))
            if state is not None and step.state is not state:
                self._keep(key, state, step)
            return
        self.events[event.type, _RESULT[step.outcome]] += 1
        if step.unmatched:
            self._note_unmatched(read.ticket, step.state)
        if step.outcome is not Outcome.DUPLICATE:
            if event.fields and self._engine.policies.dated:
                self._note_wrong_dates(read.ticket, event)
            self._keep(key, state, step)
            if arrived:
                self._shown_by_arrival(key, step, self._shard.past_on_arrival.get(key, 0), arrived)
            if step.state.head.deployment != self._newest:
                self._sweep_again(key, step.state.head.deployment)

    def _receive(self, event: Event) -> None:
        """Time has come to the event, and so has its source."""
        at, shard = event.at, self._shard
        if at > shard.watermark:
            shard.watermark = at
        received = self._received
        newest = received.get(event.source)
        if newest is None:
            self._feeds.event(event.source, at)
        elif at > newest:
            received[event.source] = at
        if at >= self._stale_from:
            self._find_stale(at)

    def _tick(self, tick: Tick) -> None:
        self._shard.advance_watermark(tick.at)
        clock = self._shard.watermark if self._clock_is_feed else self._clock
        if self._feeds.tick(tick.source, tick.at, tick.state, clock) or tick.at >= self._stale_from:
            self._find_stale(self._reached())
        self.events["feed.tick", "applied"] += 1

    def _confirm(self) -> Stop:
        """Confirm the effects of tickets whose feeds are complete up to them."""
        feeds = self._feeds
        while (taken := feeds.take()) is not None:
            key, source = taken
            state = self._state(key)
            if state is None:
                raise RuntimeError(f"a ticket that is not in the table waits for a feed: {key!r}")
            self._idle = False
            now = self._shard.watermark if self._clock_is_feed else self._clock
            step = self._engine_for(key, state).confirm(state, now, feeds.complete(state), feed_cause(source))
            self._keep_woken(key, state, step)
            self.unmeasured.update([effect.id for effect in step.effects])
            if (stop := self._stop()) is not None:
                return stop
        return _DONE

    def _reached(self) -> int:
        """The instant to which time has come."""
        return self._shard.watermark if self._clock_is_feed else max(self._clock, self._shard.watermark)

    def _find_stale(self, reached: int) -> None:
        """``reached``: time has come to this instant. No feed is named to the engine before one is stale."""
        stale_from = self._feeds.stale_from()
        is_stale = reached >= stale_from
        self._stale_from = NEVER if is_stale else stale_from
        self._engine.stale = self._feeds.stale() if is_stale else ()
        for engine in self._engines.values():
            engine.stale = self._engine.stale

    def _shown_by_arrival(self, key: bytes, step: Step, before: int, arrived: int) -> None:
        """Note which breaches were true before the event arrived that shows them: no worker could have detected them then.

        ``before``: when the event arrived that set the instants up to this step; 0: they were not past then. ``arrived``: the
        same of the event that was applied.
        """
        past_on_arrival = self._shard.past_on_arrival
        for effect in step.effects:
            if effect.kind is _BREACHED and effect.at < (before if effect.cause == TIMER else arrived):
                self.unmeasured.add(effect.id)
        if step.wake_at is not None and step.wake_at <= arrived:
            past_on_arrival[key] = max(before, arrived)
        elif before:
            del past_on_arrival[key]

    def _note_unmatched(self, ticket: str, state: State) -> None:
        spellings = self._engine.deployments.timeline.last.policies.spellings()
        misspelt = list(spellings.misspelt(state.head.fields))
        self.unmatched["spelling" if misspelt else "other"] += 1
        known = self._shard.misspelt
        for one in misspelt:
            if one not in known and len(known) < MOST_MISSPELLINGS:
                known.add(one)
                self.misspelt[one] = ticket

    def _note_wrong_dates(self, ticket: str, event: Event) -> None:
        known = self._shard.wrong_dates
        for wrong in wrong_dates(self._engine.policies, event.fields, event.fields):
            if wrong not in known:
                known.add(wrong)
                self.wrong_dates[wrong] = ticket, event.id

    def _sweep_again(self, key: bytes, deployment: int) -> None:
        """An event from before the newest deployment came after the sweep. ``deployment``: which judges the ticket."""
        shard = self._shard
        if shard.sweep is not None and shard.sweep.number == self._newest:
            shard.sweep.add(key)
        elif shard.swept == self._newest:
            shard.swept, shard.sweep = deployment, Sweep(self._newest, (key,), TimerQueue())

    def _engine_for(self, key: bytes, state: State | None) -> Engine:
        """The engine that judges a ticket: as long as effects of a predecessor are to be found again, with what it knew."""
        deployed = self._shard.outputs.deployed
        number = deployed.get(key) if deployed else None
        if number is None or (state is not None and state.head.deployment > number):
            return self._engine
        engine = self._engines.get(number)
        if engine is None:
            engine = self._engines[number] = self._engine.as_of(number)
        self.judged_by[key] = number
        return engine

    def _state(self, key: bytes) -> State | None:
        state = self.states.get(key) or self._shard.recent.get(key)
        if state is None and (stored := self._shard.tickets.get(key)) is not None:
            state = codec.decode(stored)
        return state

    def _keep_woken(self, key: bytes, before: State, step: Step) -> None:
        """Keep what became of a ticket without an event: by its timer, or in a sweep."""
        self._woken += 1
        self._keep(key, before, step, None if self._clock_is_feed else self._clock)
        if step.settled:
            self.settled[key] = step.settled

    def _keep(self, key: bytes, before: State | None, step: Step, detected_at: int | None = None) -> None:
        self.states[key] = step.state
        self.unbuilt += step.unbuilt
        self.cut += step.cut
        self._unwritten[key] = None
        self.forgotten.pop(key, None)
        self._open_counts.change(before, step.state)
        if step.state.unconfirmed or (before is not None and before.unconfirmed):
            self._feeds.wait(key, step.state)
        self._shard.timers.set(key, step.wake_at)
        self._shard.expirations.set(key, expiration(step.state.ended, self._settings.retention, self._shard.watermark))
        for effect in step.effects:
            if self._outcomes_only and effect.kind not in _OUTCOMES and effect.routine:
                continue
            # A ticket is woken by the time that deadlines go by, which lags behind the time at which we notice.
            self.effects.append(effect if detected_at is None else msgspec.structs.replace(effect, detected_at=detected_at))

    def _reject(self, record: Any, rejected: Rejected) -> None:
        dead_letter = encode_rejected(
            rejected,
            key=record.key,
            value=None if type(record.value) is Marker else record.value,
            topic=self._shard.source.topic,
            partition=self._shard.number,
            offset=record.offset,
            at=self._clock,
        )
        self.dead_letters.append(Record(record.key, dead_letter, [(ORIGIN, origin(record))]))
        self.rejected[rejected.reason] += 1
