"""What rests on a stale feed is provisional, and confirmed when the feed is complete again, by a successor as well."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiokafka import ConsumerRecord

from stream.runtime.kafka.positions import Batch
from stream.runtime.partition.shard import Logs, Shard, TicketIndex
from stream.runtime.recovery.checkpoint import Checkpoint
from stream.runtime.recovery.moves import checkpoints
from stream.sla.codec import codec
from stream.sla.events import Event
from stream.sla.feed_health import LIMIT, Feed
from stream.sla.feed_state import FeedState
from stream.wire.effect import encode_event, encode_tick
from tests.unit.runtime.partition.test_wakeups import START, _created, _Partition

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from stream.sla.effects import Effect

MINUTE = 60_000_000
HOUR = 60 * MINUTE
COMPLETE, LAGGING, UNREACHABLE, ENDED = FeedState


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


class Fed:
    """A partition that takes events and ticks, and lets the clock pass."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.partition = _Partition(folder, **settings)
        self.effects: list[Effect] = []
        self._offset = 0

    def take(self, *what: tuple[str, Event] | bytes) -> Fed:
        records: list[Any] = []
        for one in what:
            key, value = (b"", one) if isinstance(one, bytes) else (one[0].encode(), encode_event(*one))
            timestamp = self.partition.wall // 1_000
            records.append(ConsumerRecord("ticket-events", 0, self._offset, timestamp, 0, key, value, None, 0, len(value), ()))
            self._offset += 1
        batch, done = Batch(records, None, self._offset), False
        while not done:
            work = self.partition.unit_of_work()
            done, more = self.partition.run(work, partial(work.take, batch))
            self.effects += more
        self.partition.shard.cursor = 0
        return self

    def passes(self, until: int) -> Fed:
        self.partition.wall = until
        self.effects += self.partition.wake()
        return self

    def die(self) -> Fed:
        """Take the partition over, from what is stored of it."""
        shard = self.partition.shard
        stored = shard.tickets
        checkpoint = msgspec.json.decode(msgspec.json.encode(shard_checkpoint(shard)), type=Checkpoint)
        unconfirmed = [(key, codec.decode(data)) for key, data in stored.items() if codec.has_unconfirmed(data)]
        index = TicketIndex(shard.timers, shard.expirations, shard.open_counts, shard.lists, unconfirmed)
        again = Shard(self.partition.settings, shard.source, stored, index, Logs(shard.outputs, shard.changelog), checkpoint)
        self.partition.shard = again
        if shard.live:
            self.partition.go_live()
        return self

    def lines(self) -> list[str]:
        return [
            " ".join(
                word
                for word in (
                    effect.ticket,
                    effect.kind.partition(".")[2],
                    f"{(effect.at - START) / HOUR:g}",
                    effect.provisional_reason or "",
                    effect.id.partition(".")[2],
                )
                if word
            )
            for effect in self.effects
            if not effect.routine
        ]


def shard_checkpoint(shard: Shard) -> Checkpoint:
    return Checkpoint(
        shard.watermark, input=shard.input, feeds=shard.feeds.watched.copy(), received=shard.feeds.received.copy()
    )


def tick(at: int, state: FeedState | None = COMPLETE, source: str = "desk") -> bytes:
    return encode_tick(source, START + at, state)


def live(folder: Path) -> Fed:
    fed = Fed(folder, clock="wall", grace="0s")
    fed.partition.go_live()
    return fed


PROVISIONAL = ["d/1 warned 0.5 feed_lagging", "d/1 breached 1 feed_lagging"]
CONFIRMED = ["d/1 retracted 0.5 feed_lagging", "d/1 warned 0.5 1", "d/1 breach_retracted 1 feed_lagging", "d/1 breached 1 1"]


def test_what_the_clock_makes_true_of_a_lagging_feed_is_provisional_until_it_is_confirmed(tmp_path: Path) -> None:
    async def story() -> None:
        fed = live(tmp_path).take(_created("d/1", START), tick(0), tick(0, LAGGING)).passes(START + 2 * HOUR)
        assert fed.lines() == PROVISIONAL
        fed.take(tick(2 * HOUR))
        assert fed.lines() == PROVISIONAL + CONFIRMED
        assert {effect.detected_at for effect in fed.effects[-4:]} == {START + 2 * HOUR}

    run(story())


def test_within_the_limit_nothing_is_provisional(tmp_path: Path) -> None:
    async def story() -> None:
        fed = live(tmp_path).take(_created("d/1", START), tick(HOUR - LIMIT + 1, LAGGING)).passes(START + 2 * HOUR)
        assert fed.lines() == ["d/1 warned 0.5", "d/1 breached 1"]

    run(story())


def test_a_source_whose_ticks_have_no_state_is_not_watched(tmp_path: Path) -> None:
    async def story() -> None:
        fed = live(tmp_path).take(_created("d/1", START), tick(0, None)).passes(START + 2 * HOUR)
        assert fed.lines() == ["d/1 warned 0.5", "d/1 breached 1"]
        assert (fed.partition.shard.feeds.watched, fed.partition.shard.feeds.received) == ({}, {"desk": START})

    run(story())


def test_a_successor_emits_and_confirms_as_the_owner_before_it_would_have(tmp_path: Path) -> None:
    async def story() -> None:
        for place, deaths in enumerate([(), (1,), (2,), (1, 2)]):
            (folder := tmp_path / str(place)).mkdir()
            fed = live(folder).take(_created("d/1", START), tick(0), tick(0, LAGGING))
            fed = fed.die() if 1 in deaths else fed
            fed.passes(START + 2 * HOUR)
            fed = fed.die() if 2 in deaths else fed
            assert fed.take(tick(2 * HOUR)).lines() == PROVISIONAL + CONFIRMED

    run(story())


def test_a_successor_confirms_what_its_predecessor_had_not_come_to(tmp_path: Path) -> None:
    async def story() -> None:
        fed = live(tmp_path).take(_created("d/1", START), tick(0, LAGGING)).passes(START + 2 * HOUR)
        fed.partition.shard.feeds.tick("desk", START + 2 * HOUR, COMPLETE, START + 2 * HOUR)
        assert fed.die().take().lines() == PROVISIONAL + CONFIRMED

    run(story())


def test_where_the_feed_is_the_clock_its_own_ticks_let_nothing_be_doubted(tmp_path: Path) -> None:
    async def story() -> None:
        fed = Fed(tmp_path, clock="event").take(_created("d/1", START), tick(0), tick(0, LAGGING), tick(2 * HOUR))
        assert fed.lines() == ["d/1 warned 0.5", "d/1 breached 1"]

    run(story())


@pytest.mark.parametrize("state", [COMPLETE, None])
def test_where_the_feed_is_the_clock_another_source_lets_time_pass(tmp_path: Path, state: FeedState | None) -> None:
    async def story() -> None:
        fed = Fed(tmp_path, clock="event")
        fed.take(_created("d/1", START), tick(0), tick(0, LAGGING), tick(2 * HOUR, state, source="billing"))
        assert fed.lines() == PROVISIONAL
        assert fed.take(tick(HOUR)).lines() == PROVISIONAL + CONFIRMED

    run(story())


def test_all_tickets_that_wait_are_confirmed_though_they_are_more_than_a_unit_of_work_takes(tmp_path: Path) -> None:
    async def story() -> None:
        tickets = [_created(f"d/{number}", START) for number in range(2_500)]
        fed = live(tmp_path).take(*tickets, tick(0, LAGGING)).passes(START + 2 * HOUR)
        assert (len(fed.lines()), len(fed.partition.shard.feeds)) == (5_000, 2_500)
        fed.take(tick(2 * HOUR))
        assert (len(fed.lines()), len(fed.partition.shard.feeds)) == (15_000, 0)

    run(story())


def test_a_ticket_that_is_forgotten_waits_no_more(tmp_path: Path) -> None:
    async def story() -> None:
        fed = live(tmp_path).take(_created("d/1", START), tick(0, LAGGING)).passes(START + 2 * HOUR)
        fed.partition.shard.expirations.set(b"d/1", START)
        fed.take(tick(3 * HOUR, COMPLETE, "billing"))
        assert (fed.partition.forgotten, len(fed.partition.shard.feeds)) == ([b"d/1"], 0)
        fed.take(tick(3 * HOUR))

    run(story())


@pytest.mark.parametrize(
    ("end", "hours", "forgotten"),
    [
        (Event(START + 2 * HOUR, "end", "ticket.changed", "desk", fields={"status": "closed"}), 31 * 24, [b"d/1"]),
        (Event(START + 2 * HOUR, "end", "ticket.deleted", "desk"), 8 * 24, []),
    ],
)
def test_what_is_unconfirmed_of_a_ticket_is_confirmed_before_nothing_is_known_of_it(
    tmp_path: Path, end: Event, hours: int, forgotten: list[bytes]
) -> None:
    async def story() -> None:
        fed = live(tmp_path).take(_created("d/1", START), tick(0, LAGGING)).passes(START + 2 * HOUR)
        fed.take(("d/1", end))
        before = len(fed.effects)
        fed.passes(START + hours * HOUR).take(tick(hours * HOUR, COMPLETE, "billing"))
        assert sorted(fed.lines()[-4:]) == sorted(CONFIRMED)
        assert {effect.cause for effect in fed.effects[before:] if effect.retracts} == {"timer"}
        assert (fed.partition.forgotten, len(fed.partition.shard.feeds)) == (forgotten, 0)
        assert len(fed.partition.shard.expirations) == len([*fed.partition.shard.tickets])
        known = len(fed.effects)
        assert len(fed.take(tick(hours * HOUR)).effects) == known

    run(story())


def test_every_new_partition_knows_the_feeds_as_the_one_that_has_read_the_least() -> None:
    behind, ahead = Feed(5, LAGGING, 6), Feed(7, COMPLETE, 8)
    found = {
        0: Checkpoint(feeds={"desk": ahead}, received={"desk": 4}),
        1: Checkpoint(feeds={"desk": behind, "x": ahead}),
        2: None,
    }
    moving = checkpoints(found, 2, 3)
    assert all(each.feeds == {"desk": behind, "x": ahead} and each.received == {"desk": 4} for each in moving.values())
