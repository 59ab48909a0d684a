"""Whether what a worker holds of a partition beside its tickets is what the tickets have: timers and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream.observe.metrics.open_counts import OpenCommitmentCounts
from stream.runtime.partition.changes import expiration, retention_of
from stream.runtime.partition.ticket_lists import TicketLists
from stream.runtime.timers import Expirations, TimerQueue
from stream.sla.codec import codec
from stream.sla.ticket.listing import NAMES, lists_of_summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stream.runtime.partition.shard import Shard
    from stream.runtime.settings import Settings


def check_memory(shard: Shard, settings: Settings) -> Iterator[str]:
    """Objections, between two units of work. The index is made anew, as at a takeover."""
    timers, expirations = TimerQueue(), Expirations()
    lists = TicketLists()
    counts = OpenCommitmentCounts(shard.open_counts._metrics)
    for key, stored in shard.tickets.items():
        wake_at, ended, open_, unmatched, deleted = codec.peek(stored)
        timers.move(key, None, wake_at)
        expirations.set(key, expiration(ended, retention_of(settings, deleted=deleted)))
        counts.add(open_)
        unconfirmed = codec.decode(stored).unconfirmed if codec.has_unconfirmed(stored) else {}
        first = min((at for at, _ in unconfirmed.values()), default=None)
        if first != (waits := shard.feeds.waits_for(key)):
            yield f"memory: {key!r} of partition {shard.number} waits for {waits}, the ticket has {first}"
        lists.put(key, lists_of_summary(open_, unmatched=unmatched))
    for what, is_, must in (("timers", shard.timers, timers), ("expirations", shard.expirations, expirations)):
        if _entries(is_) != _entries(must):
            yield f"memory: {what} of partition {shard.number} are {_entries(is_)}, the tickets have {_entries(must)}"
    if _numbers(shard.open_counts) != _numbers(counts):
        yield f"memory: {_numbers(shard.open_counts)} is open in partition {shard.number}, the tickets have {_numbers(counts)}"

    for name in NAMES.values():
        if set(shard.lists.of(name)) != set(lists.of(name)):
            yield f"memory: {name} of partition {shard.number} are {shard.lists.of(name)}, the tickets have {lists.of(name)}"


def _entries(queue: TimerQueue | Expirations) -> list[tuple[int, bytes]]:
    return sorted(entry for entry in queue.in_order() if entry[1])


def _numbers(counts: OpenCommitmentCounts) -> Mapping[str, Any]:
    states = {state: {index: count for index, count in some.items() if count} for state, some in counts.states.items()}
    return {"all": counts.open, "states": states, "due": counts.due, "began": counts.began}
