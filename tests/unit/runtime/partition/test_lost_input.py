"""A partition notices that records of its input are gone, whatever made them go, and doubts what it concludes from then on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiokafka import ConsumerRecord

from stream.runtime.kafka.positions import Batch, Marker
from stream.runtime.recovery.checkpoint import MOST_GAPS, Checkpoint, Gap, with_gap
from stream.sla.effects import ProvisionalReason
from stream.wire.decode import Rejected, RejectReason
from stream.wire.effect import decode_rejected, encode_event
from tests.unit.runtime.partition.test_wakeups import START, _created, _Partition

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from stream.runtime.partition.unit_of_work import UnitOfWork
    from stream.sla.events import Event

SECOND = 1_000_000
HOUR = 3_600 * SECOND


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def record(offset: int, what: tuple[str, Event] | Marker) -> ConsumerRecord[bytes, Any]:
    key, value = (None, what) if isinstance(what, Marker) else (what[0].encode(), encode_event(*what))
    return ConsumerRecord("ticket-events", 0, offset, 0, 0, key, value, None, 0, len(value), ())


def take(partition: _Partition, records: list[Any], end: int | None = None) -> UnitOfWork:
    work = partition.unit_of_work()
    batch = Batch(records, None, records[-1].offset + 1 if end is None else end)
    partition.run(work, lambda: work.take(batch))
    partition.shard.cursor = 0
    return work


def test_records_that_follow_each_other_leave_nothing_in_doubt(tmp_path: Path) -> None:
    async def story() -> None:
        partition = _Partition(tmp_path)
        assert take(partition, [record(7, _created("d/1", START)), record(8, _created("d/2", START))]).lost == []
        assert take(partition, [record(9, _created("d/3", START))]).lost == []
        assert (partition.shard.input, partition.shard.gaps) == (10, ())

    run(story())


def test_the_first_record_that_a_new_installation_finds_is_no_gap(tmp_path: Path) -> None:
    async def story() -> None:
        partition = _Partition(tmp_path)
        assert take(partition, [record(1_000, _created("d/1", START))]).lost == []

    run(story())


def test_a_jump_between_two_batches_is_a_gap_from_the_newest_instant_before_it_on(tmp_path: Path) -> None:
    async def story() -> None:
        partition = _Partition(tmp_path)
        take(partition, [record(0, _created("d/1", START))])
        assert take(partition, [record(5, _created("d/2", START + HOUR))]).lost == [(1, 5)]
        assert partition.shard.gaps == (Gap(1, 5, START, partition.wall),)
        checkpoint = msgspec.json.decode(msgspec.json.encode(Checkpoint(input=6, gaps=partition.shard.gaps)), type=Checkpoint)
        assert checkpoint.gaps == partition.shard.gaps

    run(story())


def test_a_hole_within_a_batch_is_a_gap(tmp_path: Path) -> None:
    async def story() -> None:
        partition = _Partition(tmp_path)
        records = [record(0, _created("d/1", START)), record(3, _created("d/2", START)), record(4, _created("d/3", START))]
        assert take(partition, records).lost == [(1, 3)]

    run(story())


def test_a_position_that_was_set_ahead_is_a_gap_though_no_record_follows(tmp_path: Path) -> None:
    async def story() -> None:
        partition = _Partition(tmp_path)
        take(partition, [record(0, _created("d/1", START))])
        assert take(partition, [], end=4).lost == [(1, 4)]
        assert take(partition, [record(4, _created("d/2", START))]).lost == []

    run(story())


def test_records_that_are_read_again_are_no_gap_and_hide_none(tmp_path: Path) -> None:
    async def story() -> None:
        partition = _Partition(tmp_path)
        records = [record(offset, _created(f"d/{offset}", START)) for offset in range(4)]
        take(partition, records)
        assert take(partition, records[1:]).lost == []
        assert partition.shard.input == 4
        assert take(partition, [record(6, _created("d/6", START))]).lost == [(4, 6)]

    run(story())


def test_control_records_are_no_gap(tmp_path: Path) -> None:
    async def story() -> None:
        partition = _Partition(tmp_path)
        work = take(partition, [record(0, _created("d/1", START)), record(1, Marker(1)), record(2, _created("d/2", START))])
        assert (work.lost, work.changes.dead_letters) == ([], [])

    run(story())


def test_a_refused_batch_is_a_dead_letter_without_a_value_and_a_gap(tmp_path: Path) -> None:
    refused = Rejected(RejectReason.TOO_LARGE, "the batch is too large", "")

    async def story() -> None:
        partition = _Partition(tmp_path)
        work = take(partition, [record(0, _created("d/1", START)), record(9, Marker(1, refused))])
        assert work.lost == [(1, 10)]
        assert work.intake.rejected == {RejectReason.TOO_LARGE: 1}
        dead_letter = decode_rejected(work.changes.dead_letters[0].value or b"")
        assert (dead_letter.offset, dead_letter.value, dead_letter.rejected.message) == (9, None, "the batch is too large")
        assert partition.shard.input == 10
        again = take(partition, [record(9, Marker(1, refused))])
        assert again.lost == []
        assert len(partition.shard.gaps) == 1

    run(story())


@pytest.mark.parametrize("found", ["before", "after"])
def test_what_is_concluded_after_a_gap_is_provisional_in_the_same_unit_of_work(tmp_path: Path, found: str) -> None:
    async def story() -> None:
        partition = _Partition(tmp_path, clock="event")
        take(partition, [record(0, _created("d/1", START))])
        if found == "before":
            take(partition, [], end=2)
        work = take(partition, [record(2, _created("d/2", START + 100 * HOUR))])
        work = take(partition, [record(3, _created("d/3", START + 200 * HOUR))]) if found == "after" else work
        breached = {
            effect.ticket: effect for effect in partition.wake() + work.changes.effects if effect.kind == "commitment.breached"
        }
        if "d/1" in breached:
            assert breached["d/1"].provisional_reason is ProvisionalReason.INPUT_LOST
        if "d/2" in breached:
            assert not breached["d/2"].provisional

    run(story())


def test_an_input_that_ends_before_what_was_read_of_it_has_a_gap() -> None:
    checkpoint = Checkpoint(watermark=START, input=10)
    assert checkpoint.shortened(10, HOUR) is checkpoint
    assert checkpoint.shortened(12, HOUR) is checkpoint
    assert Checkpoint().shortened(0, HOUR) == Checkpoint()
    shorter = checkpoint.shortened(4, HOUR)
    assert (shorter.input, shorter.gaps) == (4, (Gap(4, 10, START, HOUR),))


def test_gaps_are_bounded_and_the_oldest_ones_become_one() -> None:
    gaps: tuple[Gap, ...] = ()
    for number in range(100):
        gaps = with_gap(gaps, Gap(10 * number, 10 * number + 1, number, number))
    assert len(gaps) == MOST_GAPS
    assert (gaps[0].first, gaps[0].since) == (0, 0)
    assert gaps[-1] == Gap(990, 991, 99, 99)


def test_gaps_between_which_the_feed_showed_nothing_newer_are_one() -> None:
    assert with_gap((Gap(1, 2, 5, 6),), Gap(8, 9, 5, 7)) == (Gap(1, 9, 5, 7),)
