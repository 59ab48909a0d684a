"""One unit of work of a partition, before any of it is written: which tickets come next, by an event, a timer or a sweep.

No I/O and no ``await``: from the reading of a ticket to its writing nobody else can see it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from stream.runtime.kafka.positions import Marker
from stream.runtime.partition.changes import Changes
from stream.runtime.partition.engines import Engines
from stream.runtime.partition.intake import Intake
from stream.runtime.partition.time_slices import Stop, TimeSlices
from stream.runtime.settings import ClockMode
from stream.sla.effects import TIMER, feed_cause
from stream.sla.policy.timeline import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stream.runtime.kafka.positions import Batch
    from stream.runtime.partition.shard import Shard
    from stream.runtime.settings import Settings
    from stream.sla.engine import Engine
    from stream.sla.ticket.state import State

_DONE: Final = Stop.DONE


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
        self.lost: Final[list[tuple[int, int]]] = []
        """Offsets of the input, from and up to, that were gone before they were read."""
        self.changes: Final = Changes(settings, shard, clock)
        self.engines: Final = Engines(engine, settings, shard, clock)
        self.intake: Final = Intake(settings, shard, clock, self.engines, self.changes)
        self._slices: Final = TimeSlices(passing, part)
        self._left: int = settings.batch
        """Events that the unit may still take."""
        self._shard: Final = shard
        self._feeds: Final = shard.feeds
        self._clock: Final = clock
        self._clock_is_feed: Final[bool] = settings.clock is ClockMode.EVENT
        self._by_event_time: Final[bool] = shard.by_event_time
        """As when the unit began: a rebalance may suspend the partition while the unit yields."""

    def suspend(self) -> None:
        """Stop after ``Stop.YIELD``, while other tasks run."""
        self._slices.suspend()

    def resume(self) -> None:
        """Continue."""
        self._slices.resume()

    def take(self, batch: Batch) -> Stop:
        """Take the records from the partition's cursor on."""
        shard, slices, changes, intake = self._shard, self._slices, self.changes, self.intake
        records, by_event_time = batch.records, self._by_event_time
        while (stop := slices.stop(changes)) is None:
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
            if not self._left:
                return Stop.FULL
            self._left -= 1
            slices.idle = False
            record = records[shard.cursor]
            offset: int = record.offset
            if offset == shard.input:
                shard.input = offset + 1
            else:
                self._reach(_first_read(record), offset + 1)
            intake.take(record)
            shard.cursor += 1
            if shard.cursor == len(records) and batch.unpack():
                records, shard.cursor = batch.records, 0
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
            self.engines.lost()

    def wake(self, until: int) -> Stop:
        """Wake the tickets that are due at ``until``."""
        timers = self._shard.timers
        while (key := timers.take(until)) is not None:
            state = self.changes.state(key)
            if state is None:
                raise RuntimeError(f"a deadline of a ticket that is not in the table: {key!r}")
            step = self.engines.of(key, state).wake(state, until)
            if step.wake_at is not None and step.wake_at <= until:
                raise RuntimeError(f"a ticket that was woken at {until} wants to be woken at {step.wake_at}: {key!r}")
            self._slices.idle = False
            self.changes.keep_woken(key, state, step)
            if (arrived := self._shard.past_on_arrival.get(key, 0)) and step.effects:
                self.changes.shown_by_arrival(key, step, arrived, arrived)
            if (stop := self._slices.stop(self.changes)) is not None:
                return stop
        return _DONE

    def sweep(self, until: int) -> Stop:
        """Wake the next tickets of the sweep that is under way."""
        shard = self._shard
        sweep = shard.sweep
        while sweep is not None and (key := sweep.take()) is not None:
            self._slices.idle = False
            state = self.changes.state(key)
            if state is None:  # forgotten since the sweep began
                continue
            step = self.engines.current.wake(state, until)
            if step.state is not state:
                self.changes.keep_woken(key, state, step)
            if (stop := self._slices.stop(self.changes)) is not None:
                return stop
        if sweep is not None:
            shard.swept, shard.sweep = sweep.number, None
        return _DONE

    def fire_again(self, woken_until: Mapping[bytes, int], emitted_ids: set[bytes]) -> None:
        """Fire again the timers that a predecessor had fired when it died. ``woken_until``: record key to the newest instant
        (epoch microseconds) of its effects. A ticket is woken only if all resulting effects that this worker
        publishes are in ``emitted_ids``.

        What a deployment changed counts as a timer. A ticket is woken with the deployments that the predecessor knew: another
        one, which changes the record, is met afterwards, and takes back what the predecessor emitted.

        This runs in the first unit of work after a takeover, however short. Effects that are published and not yet in the
        changelog come from the predecessor's last unit of work. If that one only fired timers, the tickets are unchanged and
        the same timers fire here. If it processed events, these come again before any that were published later, and with them
        the timers that fired after them (``EVENTS``).
        """
        engines = self.engines
        for key, instant in woken_until.items():
            state = self.changes.state(key)
            if instant >= engines.stale_from:
                engines.find_stale(instant)
            if state is not None:
                step = engines.of(key, state).wake(state, instant + 1)
                published = [effect.id.encode() for effect in step.effects if self.changes.publishes(effect)]
                if published and emitted_ids.issuperset(published):
                    self.changes.keep(key, state, step)

    def _forget(self, until: int) -> Stop:
        # By the feed's time, in either clock mode: as long as nothing is consumed there is nothing to make room for, and a
        # recorded feed keeps its tickets however old it is.
        expirations = self._shard.expirations
        while (key := expirations.take(until)) is not None:
            self._slices.idle = False
            state = self.changes.state(key)
            if state is not None and state.unconfirmed:  # nothing would confirm it afterwards
                self._confirm_ticket(key, state, NEVER, TIMER)
            self.changes.expire(key)
            if (stop := self._slices.stop(self.changes)) is not None:
                return stop
        return _DONE

    def _confirm(self) -> Stop:
        """Confirm the effects of tickets whose feeds are complete up to them."""
        feeds = self._feeds
        while (taken := feeds.take()) is not None:
            key, source = taken
            state = self.changes.state(key)
            if state is None:
                raise RuntimeError(f"a ticket that is not in the table waits for a feed: {key!r}")
            self._slices.idle = False
            self._confirm_ticket(key, state, feeds.complete(state), feed_cause(source))
            if (stop := self._slices.stop(self.changes)) is not None:
                return stop
        return _DONE

    def _confirm_ticket(self, key: bytes, state: State, until: int, cause: str) -> None:
        """As ``Engine.confirm``."""
        now = self._shard.watermark if self._clock_is_feed else self._clock
        step = self.engines.of(key, state).confirm(state, now, until, cause)
        self.changes.keep_woken(key, state, step)
        self.changes.unmeasured.update([effect.id for effect in step.effects])
