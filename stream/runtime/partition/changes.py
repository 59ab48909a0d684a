"""The changes of a unit of work: tickets, timers, open commitments and lists of the shard, and the outputs that result.

The shard changes in memory before the outputs are committed and before the changes are in the changelog. Nothing takes such a
change back. Memory may run ahead of the log because every exception in between ends the process (``stream.runtime.abort``),
and the next owner starts from what the log has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from mypy_extensions import mypyc_attr

from stream.runtime.settings import ClockMode
from stream.sla.codec import codec
from stream.sla.effects import ROUTINE, TIMER, Kind
from stream.sla.erasure import erased
from stream.sla.step import Outcome, Step
from stream.sla.ticket.listing import lists_of
from stream.sla.ticket.state import State, is_deleted
from stream.sla.unconfirmed import stem_of

if TYPE_CHECKING:
    from stream.runtime.kafka.transport import Record
    from stream.runtime.partition.shard import Shard
    from stream.runtime.recovery.outputs import Outputs
    from stream.runtime.settings import Settings
    from stream.sla.effects import Effect

HISTORY_ARRIVES: Final = 24 * 3_600_000_000
"""Microseconds of the feed's time for which a ticket is kept at least after a change of it."""

_OUTCOMES: Final = frozenset([kind for kind in Kind if kind not in ROUTINE and kind is not Kind.RETRACTED])
"""Kinds of which no effect is routine: nearly all that is emitted where routine effects are off."""
_BREACHED: Final = Kind.BREACHED


def expiration(ended: int | None, retention: int | None, watermark: int = 0) -> int | None:
    """The instant at which a ticket is forgotten, by the feed's time, epoch microseconds; ``None``: not yet, for it is open, or
    never.

    ``ended``: as ``State.ended``. ``retention`` in microseconds; ``None``: for ever. ``watermark``: of the feed when the ticket
    was changed last. A ticket that ended long ago is kept for a while: more of its history may be on the way.
    """
    if ended is None or retention is None:
        return None
    return max(ended + retention, watermark + min(retention, HISTORY_ARRIVES))


def retention_of(settings: Settings, *, deleted: bool) -> int | None:
    """The time for which a ticket is kept as it is (microseconds); ``None``: for ever. ``deleted``: as ``is_deleted``."""
    if not deleted or settings.deleted_retention is None:
        return settings.retention
    return settings.deleted_retention if settings.retention is None else min(settings.deleted_retention, settings.retention)


def as_emitted(state: State, effects: tuple[Effect, ...], outputs: Outputs) -> State:
    """The state, with what a predecessor emitted as provisional as unconfirmed, and nothing that it emitted as a fact.

    The predecessor may have known less or more ticks when it emitted an effect, and what is published is not published again.
    """
    emitted_ids, unconfirmed = outputs.emitted_ids, state.unconfirmed.copy()
    for effect in effects:
        emitted_id, stem = effect.id.encode(), stem_of(effect.id)
        if effect.retracts or emitted_id not in emitted_ids or any(later.retracts == effect.id for later in effects):
            continue
        if emitted_id in outputs.unconfirmed:
            unconfirmed[stem] = outputs.unconfirmed[emitted_id]
        else:
            unconfirmed.pop(stem, None)
    if unconfirmed == state.unconfirmed:
        return state
    return State(state.head, state.recent, state.base, state.old_ids, state.revisions, state.settling, unconfirmed)


@mypyc_attr(acyclic=True)
class Changed:
    """A ticket that a unit of work has changed."""

    __slots__ = ("before", "has_events", "state")

    def __init__(self, before: State | None, state: State) -> None:
        self.before: Final = before
        """As the table and the counts of open commitments have it; ``None``: they have none."""
        self.state: State = state
        """As it is now."""
        self.has_events: bool = False
        """The unit of work has applied an event to it."""


class Changes:
    """The tickets that a unit of work has changed, its effects and its dead letters. Instants are epoch microseconds."""

    def __init__(self, settings: Settings, shard: Shard, clock: int) -> None:
        """``clock``: the machine's clock at the beginning of the unit."""
        self.changed: Final[dict[bytes, Changed]] = {}
        """By record key."""
        self.written: Final[dict[bytes, bytes]] = {}
        """Changed tickets as they were put into the table."""
        self.forgotten: Final[dict[bytes, None]] = {}
        """Closed tickets whose retention is over. A set would be written in an order that differs between processes."""
        self.settled: Final[dict[bytes, int]] = {}
        """Record keys of tickets that time made settle before any event of the unit, to the instant of that."""
        self.effects: Final[list[Effect]] = []
        self.after_events: Final[set[str]] = set()
        """Ids of those that time or a deployment made true, after the unit had applied an event to their ticket."""
        self.dead_letters: Final[list[Record]] = []
        """Dead letters, their origin in a header."""
        self.unmeasured: Final[set[str]] = set()
        """Ids of effects that were true before the event arrived that shows them: the delay is the feed's."""
        self.woken = 0
        """The number of times that a ticket was changed without an event, or forgotten."""
        self.unbuilt = 0
        """Rows of a deployment that could not be built because the history of a ticket is cut."""
        self.cut = 0
        """Tickets that a deployment from before the history that is kept could not rejudge from its own instant on."""
        self._key: bytes | None = None
        """Of the ticket that was read last: it is the next to be changed, and need not be read again."""
        self._found: Changed | None = None
        """That ticket, if it was changed."""
        self._shard: Final = shard
        self._emitted_ids: Final = shard.outputs.emitted_ids
        self._detected_at: Final[int | None] = None if settings.clock is ClockMode.EVENT else clock
        self._retention: Final[int | None] = retention_of(settings, deleted=False)
        self._deleted_retention: Final[int | None] = retention_of(settings, deleted=True)
        self._outcomes_only: Final[bool] = not settings.routine

    def state(self, key: bytes) -> State | None:
        """A ticket as it is now; ``None``: there is none."""
        self._key = key
        found = self._found = self.changed.get(key)
        if found is not None:
            return found.state
        state = self._shard.recent.get(key)
        if state is None and (stored := self._shard.tickets.get(key)) is not None:
            state = codec.decode(stored)
        return state

    def publishes(self, effect: Effect) -> bool:
        """Whether the settings let the effect be published."""
        return not self._outcomes_only or effect.kind in _OUTCOMES or not effect.routine

    def keep(
        self, key: bytes, before: State | None, step: Step, detected_at: int | None = None, *, by_event: bool = False
    ) -> None:
        """Keep what a ticket has become. ``before``: as ``state`` returned it. ``detected_at``: of the effects, where it is not
        as the engine gives it. ``by_event``: an event was applied.
        """
        state, shard = step.state, self._shard
        if self._emitted_ids and step.effects:
            state = as_emitted(state, step.effects, shard.outputs)
        changed = self._found if key is self._key else self.changed.get(key)
        if changed is not None:
            changed.state = state
        else:
            changed = self._found = self.changed[key] = Changed(before, state)
            self._key = key
            if self.forgotten:
                self.forgotten.pop(key, None)
        if by_event:
            changed.has_events = True
        self.unbuilt += step.unbuilt
        self.cut += step.cut
        if state.unconfirmed or (before is not None and before.unconfirmed):
            shard.feeds.wait(key, state)
        # Most events leave the next instant as it is, the very object.
        if before is None or before.head.next is not state.head.next or before.settling is not state.settling:
            old, new = None if before is None else before.wake_at, state.wake_at
            if old != new:
                shard.timers.move(key, old, new)
        ended = state.ended
        if ended is not None or (before is not None and before.ended is not None):
            retention = self._deleted_retention if is_deleted(state) else self._retention
            shard.expirations.set(key, expiration(ended, retention, shard.watermark))
        for effect in step.effects:
            if not self.publishes(effect):
                continue
            if changed.has_events and (effect.cause == TIMER or effect.deployment is not None):
                self.after_events.add(effect.id)
            # A ticket is woken by the time that deadlines go by, which lags behind the time at which we notice.
            self.effects.append(effect if detected_at is None else msgspec.structs.replace(effect, detected_at=detected_at))

    def keep_woken(self, key: bytes, before: State, step: Step) -> None:
        """Keep what a ticket has become without an event: by its timer, by a tick, or in a sweep."""
        self.woken += 1
        self.keep(key, before, step, self._detected_at)
        if step.settled and not self.changed[key].has_events:
            self.settled[key] = step.settled

    def expire(self, key: bytes) -> None:
        """Erase a deleted ticket, unless it has been kept as long as any; forget any other."""
        state = self.state(key)
        if state is not None and is_deleted(state) and self._deleted_retention != self._retention:
            self.woken += 1
            self.keep(key, state, Step(erased(state.head, state.head.ended_at), (), Outcome.WOKEN))
        else:
            self._forget(key)

    def _forget(self, key: bytes) -> None:
        shard = self._shard
        self.woken += 1
        changed = self.changed.pop(key, None)
        counted = self.state(key) if changed is None else changed.before
        self._key = self._found = None
        # Closed it may be, and a commitment of it open all the same.
        shard.open_counts.change(counted, None)
        shard.tickets.drop(key)
        shard.recent.drop(key)
        shard.lists.put(key, 0)
        shard.past_on_arrival.pop(key, None)
        shard.feeds.forget(key)
        shard.expirations.set(key, None)  # a change in this unit may have set it again
        self.forgotten[key] = None

    def shown_by_arrival(self, key: bytes, step: Step, before: int, arrived: int) -> None:
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

    def write(self, keys: list[bytes]) -> None:
        """Put changed tickets into the partition's table, when the unit will not change them any more."""
        shard = self._shard
        for key in keys:
            changed = self.changed[key]
            state = changed.state
            shard.open_counts.change(changed.before, state)
            stored = self.written[key] = codec.encode(state)
            shard.tickets[key] = stored
            shard.recent.put(key, state)
            shard.lists.put(key, lists_of(state))
