"""Finds the tickets that belong elsewhere when the input of an installation has got more partitions, and the checkpoint of each
partition after the move."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from aiokafka.partitioner import murmur2

from stream.runtime.recovery.checkpoint import Checkpoint, Gap, with_gap
from stream.wire.counting import many

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.runtime.recovery.cluster import StoredPartition
    from stream.sla.feed_health import Feed


class RepartitionError(Exception):
    """The tickets cannot be moved now. The text gives the remedy."""


@dataclass(frozen=True, slots=True)
class Moves:
    """The present and the right places of tickets."""

    before: int
    """Partitions from before."""
    after: int
    tickets: int = 0
    moved: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """Record key to the partition from which and to which the ticket moves."""
    split: dict[bytes, int] = field(default_factory=dict)
    """Record key to the partition in which workers met events of a ticket that is elsewhere."""


def home(key: bytes, partitions: int) -> int:
    """The partition of a record key, by the rule of Kafka's own clients."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


def moves(found: Mapping[int, StoredPartition], before: int, after: int) -> Moves:
    """The tickets that move. Raises RepartitionError when tickets are where their keys do not belong."""
    plan = Moves(before, after, sum(len(partition.tickets) for partition in found.values()))
    astray = []
    for number, partition in found.items():
        for key, state in partition.tickets.items():
            old, new = home(key, before), home(key, after)
            if number == old and new != old:
                plan.moved[key] = old, new
                there = found[new].tickets.get(key) if new in found else None
                if there is not None and there != state:
                    plan.split[key] = new
            elif number not in (old, new):
                astray.append(key)
    if astray:
        raise RepartitionError(
            f"{many(len(astray), 'ticket')}, such as {astray[0].decode('utf-8', 'replace')!r}, not in the partition of the "
            "key: the publisher does not choose partitions by Kafka's rule (murmur2 of the key), so nobody knows where they "
            "belong; let it publish to the partitions from before, or start with a new --app-id"
        )
    return plan


def checkpoints(found: Mapping[int, Checkpoint | None], before: int, after: int) -> dict[int, Checkpoint]:
    """The checkpoint of each partition while tickets move. ``found``: those that the changelog has.

    Any partition may get tickets of any other. So each of them knows what one of them knew, was swept no later than any, and
    doubts what one of them doubts. How far the input was read is a partition's own.
    """
    known = [each for number, each in found.items() if each is not None and number < before] or [Checkpoint()]
    newest = max(known, key=lambda each: each.deployed)
    gaps: tuple[Gap, ...] = ()
    for gap in sorted({gap for each in known for gap in each.gaps}, key=lambda gap: (gap.since, gap.found_at)):
        gaps = with_gap(gaps, gap)
    joined = msgspec.structs.replace(
        newest,
        outputs={},
        watermark=min((each.watermark for each in known if each.watermark), default=0),
        swept=min(each.swept for each in known),
        since=min((each.since for each in known if each.since), default=0),
        partitions=before,
        moving_to=after,
        # A partition that nobody has read yet is read from its beginning.
        input=0,
        gaps=gaps,
        feeds=_feeds(known),
        received=_received(known),
    )
    moving = dict.fromkeys(range(after), joined)
    for number in range(before):
        own = found.get(number) or Checkpoint()
        moving[number] = msgspec.structs.replace(
            joined, watermark=own.watermark, outputs=own.outputs, since=own.since or joined.since, input=own.input
        )
    return moving


def _feeds(known: list[Checkpoint]) -> dict[str, Feed]:
    """Each watched source as the partition knows it that has read the least of its ticks."""
    feeds: dict[str, Feed] = {}
    for each in known:
        for source, feed in each.feeds.items():
            if source not in feeds or feed.complete < feeds[source].complete:
                feeds[source] = feed
    return feeds


def _received(known: list[Checkpoint]) -> dict[str, int]:
    received: dict[str, int] = {}
    for each in known:
        for source, at in each.received.items():
            received[source] = max(at, received.get(source, 0))
    return received
