"""The effects that wait to be sent to one destination, and how far its input is finished. Pure: no clock, no I/O.

An effect waits until the destination has accepted the message about it. Only what lies before the oldest that waits may be
committed. A fact that is taken back while it waits is not sent at all, and one that is restated while it waits is sent once, in
its newest form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.notify.decision import Sent, Skipped, decide, predecessor
from stream.notify.message import Status
from stream.sla.effects import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from stream.sla.effects import Effect

Partition = tuple[str, int]
"""Topic and number."""


class Position(NamedTuple):
    """The place of an effect in the input."""

    partition: Partition
    offset: int


@dataclass(slots=True, eq=False)
class Entry:
    """An effect that waits."""

    effect: Effect
    value: bytes
    """The effect as it was published."""
    position: Position
    since: int
    """The time from which it waits, epoch microseconds."""
    routed: bool
    sending: bool = False


class SendQueue:
    """The queue of one destination."""

    def __init__(self, sent: Callable[[str], Sent | None], digest: Callable[[Effect], str]) -> None:
        """``sent``: what the destination knows of an effect. ``digest``: of what would be written about one."""
        self._sent: Final = sent
        self._digest: Final = digest
        self._entries: Final[dict[str, Entry]] = {}
        """By the id of the effect, the oldest first."""
        self._reached: Final[dict[Partition, int]] = {}
        """The offset after the newest record that was taken."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def waiting(self) -> list[Entry]:
        """Those that are not being sent, the oldest first."""
        return [entry for entry in self._entries.values() if not entry.sending]

    @property
    def oldest(self) -> int | None:
        """Since when the oldest waits; ``None``: none does."""
        return next((entry.since for entry in self._entries.values()), None)

    def pass_over(self, position: Position) -> None:
        """A record that is nothing to this destination."""
        self._reached[position.partition] = position.offset + 1

    def take(self, entry: Entry) -> Skipped | None:
        """Let an effect wait. Returns why it does not."""
        self._reached[entry.position.partition] = entry.position.offset + 1
        effect = entry.effect
        if effect.id in self._entries:
            return Skipped.SENT_BEFORE
        if (queued := self._entries.get(effect.retracts)) is not None and not queued.sending:
            if effect.reason is Reason.RESTATED:
                return Skipped.RESTATED  # it waits on, for its successor
            del self._entries[effect.retracts]
            return Skipped.NOT_SENT
        before = self._entries.get(predecessor(effect.id))
        if before is not None and not before.sending:
            self._replace(before, entry)
            return None
        decision = decide(effect, self._known, self._digest, routed=entry.routed)
        if isinstance(decision, Status) or decision is Skipped.UNCHANGED:
            self._entries[effect.id] = entry
            return None
        return decision

    def begin(self, count: int) -> list[Entry]:
        """The oldest that wait, at most ``count``, as being sent from now on."""
        batch = self.waiting[:count]
        for entry in batch:
            entry.sending = True
        return batch

    def again(self, batch: Iterable[Entry]) -> None:
        """These were not accepted."""
        for entry in batch:
            entry.sending = False

    def finish(self, batch: Iterable[Entry]) -> None:
        """These need not be sent any more."""
        for entry in batch:
            if self._entries.get(entry.effect.id) is entry:
                del self._entries[entry.effect.id]

    def drop(self, partitions: Collection[Partition]) -> None:
        """Another process has these partitions."""
        for effect_id, entry in list(self._entries.items()):
            if entry.position.partition in partitions:
                del self._entries[effect_id]
        for partition in partitions:
            self._reached.pop(partition, None)

    def finished(self) -> dict[Partition, int]:
        """The offset of each partition up to which nothing waits: what may be committed."""
        ends = dict(self._reached)
        for entry in self._entries.values():
            partition, offset = entry.position
            ends[partition] = min(ends.get(partition, offset), offset)
        return ends

    def _replace(self, before: Entry, entry: Entry) -> None:
        """The place in the input and in the order stays that of the one before, so a restart reads both again."""
        successor = Entry(entry.effect, entry.value, before.position, before.since, before.routed or entry.routed)
        renamed = [
            (entry.effect.id, successor) if waiting is before else (effect_id, waiting)
            for effect_id, waiting in self._entries.items()
        ]
        self._entries.clear()
        self._entries.update(renamed)

    def _known(self, effect_id: str) -> Sent | None:
        """The state of an effect at the destination. An effect in the queue counts as sent: its answer comes before the next is
        sent."""
        if (queued := self._entries.get(effect_id)) is None:
            return self._sent(effect_id)
        return Sent(self._digest(queued.effect), provisional=queued.effect.provisional)
