"""Input in the formats from before Kafka 0.11: it is read, or refused with a reason, and never stops a worker.

The bytes are those of aiokafka's own builder of these formats. No broker of today writes them: those before Kafka 4.0 convert
what they get, and later ones refuse it. They are in topics whose history is older.
"""

from __future__ import annotations

import asyncio
import zlib
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.util import calc_crc32c as crc32c
from prometheus_client import CollectorRegistry

from stream.observe.metrics.catalogue import EVENT_AGE, UNIT_OF_WORK
from stream.observe.metrics.worker_metrics import WorkerMetrics
from stream.runtime.kafka.input_records import MOST_INFLATED
from stream.runtime.kafka.positions import NO_TIMESTAMP, Batch, Marker
from stream.sla.engine import Engine
from stream.wire.decode import RejectReason
from stream.wire.effect import decode_rejected, encode_event
from tests.unit.runtime.kafka.test_input_records import CODECS, batch, fetched, parts, taken
from tests.unit.runtime.partition.test_wakeups import START, _created, _Partition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stream.runtime.partition.unit_of_work import UnitOfWork

MAGIC = pytest.mark.parametrize("magic", [0, 1])
MILLISECOND = 1_000
Pair = tuple[bytes | None, bytes | None]


def legacy(magic: int, first: int, pairs: Sequence[Pair], compression: int = 0, at: int = 1_000) -> bytes:
    """The bytes of a log. A compressed batch has the offset of its last record, as a broker has set it."""
    builder = LegacyRecordBatchBuilder(magic, compression, 1 << 30)
    for number, (key, value) in enumerate(pairs):
        builder.append(number if magic else first + number, at, key, value)
    data = bytearray(builder.build())
    if compression:
        data[:8] = (first + len(pairs) - 1).to_bytes(8, "big")
    elif magic:
        data[:8] = first.to_bytes(8, "big")  # one record
    return bytes(data)


def with_payload(payload: bytes, magic: int, codec: int, last: int) -> bytes:
    """A compressed batch that has this payload, with its right checksum."""
    message = bytes([magic, codec]) + (b"\0" * 8 if magic else b"") + b"\xff" * 4 + len(payload).to_bytes(4, "big") + payload
    checked = zlib.crc32(message).to_bytes(4, "big") + message
    return last.to_bytes(8, "big") + len(checked).to_bytes(4, "big") + checked


def event(ticket: str, at: int) -> Pair:
    return ticket.encode(), encode_event(*_created(ticket, at))


def take(partition: _Partition, data: bytes) -> UnitOfWork:
    work = partition.unit_of_work()
    found = parts(fetched(data))
    batch = Batch(chain.from_iterable([part.records for part in found]), None, found[-1].next_offset)
    partition.run(work, lambda: work.take(batch))
    return work


@MAGIC
def test_a_batch_that_decompresses_to_too_much_is_a_dead_letter_and_the_others_are_applied(magic: int, tmp_path: Path) -> None:
    bomb = legacy(magic, 1, [(b"d/2", b"a" * MOST_INFLATED), event("d/3", START)], CODECS["gzip"])
    before, after = (legacy(magic, offset, [event(f"d/{offset}", START)]) for offset in (0, 3))

    async def story() -> None:
        partition = _Partition(tmp_path)

        work = take(partition, before + bomb + after)

        (dead_letter,) = [decode_rejected(record.value or b"") for record in work.changes.dead_letters]
        assert (dead_letter.offset, dead_letter.key, dead_letter.value) == (2, None, None)
        assert dead_letter.rejected.reason == RejectReason.TOO_LARGE
        assert dead_letter.rejected.message == (
            f"the batch at offsets 1 to 2 decompresses to more than {MOST_INFLATED} bytes: publish its events again, "
            "in smaller batches or uncompressed"
        )
        assert work.lost == [(1, 3)]
        assert set(partition.shard.tickets) == {b"d/0", b"d/3"}
        assert partition.shard.input == 4

    asyncio.run(story())


@MAGIC
@pytest.mark.parametrize("codec", [1, 2, 3, 7])
def test_a_batch_that_cannot_be_decompressed_is_a_dead_letter_and_the_others_are_applied(
    magic: int, codec: int, tmp_path: Path
) -> None:
    async def story() -> None:
        partition = _Partition(tmp_path)

        work = take(partition, with_payload(b"no such bytes", magic, codec, 4) + legacy(magic, 5, [event("d/5", START)]))

        (dead_letter,) = [decode_rejected(record.value or b"") for record in work.changes.dead_letters]
        assert dead_letter.rejected.reason == RejectReason.UNDECODABLE
        assert dead_letter.rejected.message.startswith("the batch at offsets 0 to 4 cannot be decompressed (")
        assert dead_letter.rejected.message.endswith("): publish its events again, in smaller batches or uncompressed")
        assert set(partition.shard.tickets) == {b"d/5"}

    asyncio.run(story())


@pytest.mark.parametrize("name", list(CODECS)[1:])
@pytest.mark.parametrize("cut", [0, 1, 8])
def test_a_batch_of_today_that_cannot_be_decompressed_is_refused_too(name: str, cut: int) -> None:
    whole = bytearray(batch(1, [b"a" * 100, b"b" * 100], CODECS[name]))
    damaged = bytearray(whole[: len(whole) - cut]) if cut else whole
    if not cut:
        damaged[61:] = b"\xff" * len(damaged[61:])  # behind the head: the compressed records
    damaged[8:12] = (len(damaged) - 12).to_bytes(4, "big")
    damaged[17:21] = crc32c(bytes(damaged[21:])).to_bytes(4, "big")

    found = taken(fetched(batch(0, [b"before"]) + damaged + batch(3, [b"after"])))

    assert [record.offset for record in found] == [0, 2, 3]
    assert type(found[1].value) is Marker
    assert found[1].value.first == 1
    assert found[1].value.refused is not None
    assert found[1].value.refused.reason == RejectReason.UNDECODABLE


@pytest.mark.parametrize("compression", [0, 1], ids=["none", "gzip"])
def test_a_record_without_a_timestamp_has_that_of_kafkas_clients_for_none(compression: int) -> None:
    pairs: list[Pair] = [(b"d/1", b"{}"), (None, b"{}"), (b"d/1", None)]

    found = taken(fetched(legacy(0, 0, pairs, compression)))

    assert [(record.offset, record.timestamp) for record in found] == [(number, NO_TIMESTAMP) for number in range(3)]
    assert [(record.key, record.value) for record in found] == pairs
    assert [record.headers for record in found] == [()] * 3


@pytest.mark.parametrize(
    ("magic", "at", "since", "arrived"),
    [
        (0, 0, 0, START),  # when it happened
        (0, 0, START + 5, START + 5),  # and not before breachwatch had the partition
        (0, 0, START - 5, START),
        (1, NO_TIMESTAMP, 0, START),
        (1, START // MILLISECOND + 2, 0, START + 2 * MILLISECOND),
        (1, 0, START - 5, START - 5),
    ],
)
def test_an_event_without_a_timestamp_arrived_when_it_happened(
    magic: int, at: int, since: int, arrived: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrivals = []
    apply = Engine.apply

    def noted(*args: Any) -> Any:
        arrivals.append(args[-1])
        return apply(*args)

    monkeypatch.setattr(Engine, "apply", noted)

    async def story() -> None:
        partition = _Partition(tmp_path)
        partition.wall = START + 10 * MILLISECOND
        monkeypatch.setattr(partition.shard, "since", since)
        take(partition, legacy(magic, 0, [event("d/1", START)], at=at))

    asyncio.run(story())

    assert arrivals == [arrived]


def test_a_rejected_record_without_a_timestamp_is_a_dead_letter_with_its_bytes(tmp_path: Path) -> None:
    async def story() -> None:
        work = take(_Partition(tmp_path), legacy(0, 0, [(b"d/1", b"no event")]))

        (record,) = work.changes.dead_letters
        dead_letter = decode_rejected(record.value or b"")
        assert (dead_letter.offset, dead_letter.key, dead_letter.value) == (0, b"d/1", b"no event")

    asyncio.run(story())


def test_a_unit_of_work_of_unknown_age_counts_without_an_age() -> None:
    registry = CollectorRegistry()

    WorkerMetrics(registry).events_done(0.5, None)

    label = dict(zip(UNIT_OF_WORK.labels, ["events"], strict=True))
    assert registry.get_sample_value(f"{UNIT_OF_WORK.name}_count", label) == 1
    assert registry.get_sample_value(f"{EVENT_AGE.name}_count") == 0
