"""A fetch of input is bounded in memory, and accounts for every offset; aiokafka still works the way that this relies on."""

from __future__ import annotations

import tracemalloc
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record import default_records
from aiokafka.record._crecords import default_records as compiled_default
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c as crc32c
from aiokafka.structs import ConsumerRecord, TopicPartition

from stream.runtime.kafka import input_records
from stream.runtime.kafka.input_records import (
    MOST_AT_ONCE,
    MOST_INFLATED,
    InputRecords,
    InputResult,
    Part,
    account_for,
)
from stream.runtime.kafka.positions import SLICE, Batch, Marker
from stream.wire.decode import RejectReason

TP = TopicPartition("accounted", 0)
CODECS = {"none": 0, "gzip": 1}
if codec.has_zstd():  # an environment from before the requirement has only these two
    CODECS |= {"snappy": 2, "lz4": 3, "zstd": 4}


def batch(first: int, values: list[bytes], compression: int = 0, producer: int = -1) -> bytes:
    """``producer``: of the transaction that the batch belongs to; -1: to none."""
    builder = DefaultRecordBatchBuilder(2, compression, producer >= 0, producer, 0, 0, 1 << 30)
    for number, value in enumerate(values):
        builder.append(number, 1_000, b"key", value, [])
    data = bytearray(builder.build())
    data[:8] = first.to_bytes(8, "big")  # the broker's part; the checksum is of what follows
    return bytes(data)


def fetched(data: bytes, at: int = 0, position: Any = None) -> InputResult:
    account_for(TP.topic)
    records = InputRecords(TP, MemoryRecords(data), [], at, None, None, True, fetcher.READ_UNCOMMITTED)
    position = position or Position(at)
    assignment = SimpleNamespace(active=True, state_value=lambda tp: position)
    return InputResult(TP, assignment=assignment, partition_records=records, backoff=0)


class Position:
    """The state of a partition as aiokafka keeps it."""

    def __init__(self, at: int) -> None:
        self.paused, self.position = False, at

    def consumed_to(self, offset: int) -> None:
        self.position = offset


def taken(result: InputResult) -> list[Any]:
    return [record for part in parts(result) for record in part.records]


def parts(result: InputResult) -> list[Part]:
    found = []
    while result.has_more():
        found += result.getall(5_000)
    return found


def test_the_fetcher_of_aiokafka_uses_what_is_put_in_its_place() -> None:
    assert fetcher.PartitionRecords is InputRecords
    assert fetcher.FetchResult is InputResult
    for module in (compiled_default, default_records):
        for name in ("gzip_decode", "snappy_decode", "lz4_decode", "zstd_decode"):
            assert getattr(module, name).__module__ == input_records.__name__


@pytest.mark.parametrize("compression", CODECS.values(), ids=CODECS)
def test_records_of_every_codec_are_read(compression: int) -> None:
    values = [b"%d" % number * 50 for number in range(200)]
    found = taken(fetched(batch(7, values, compression), 7))
    assert [record.value for record in found] == values
    assert [record.offset for record in found] == list(range(7, 207))


@pytest.mark.parametrize("compression", list(CODECS.values())[1:], ids=list(CODECS)[1:])
def test_a_batch_that_decompresses_to_too_much_is_refused_and_the_others_are_read(compression: int) -> None:
    bomb = batch(1, [b"a" * (MOST_INFLATED + 1), b"b"], compression)
    found = taken(fetched(batch(0, [b"before"]) + bomb + batch(3, [b"after"], compression)))
    assert [record.offset for record in found] == [0, 2, 3]
    assert (found[0].value, found[2].value) == (b"before", b"after")
    marker = found[1].value
    assert (type(marker), marker.first) == (Marker, 1)
    assert marker.refused.reason == RejectReason.TOO_LARGE
    assert marker.refused.message.startswith(f"the batch at offsets 1 to 2 decompresses to more than {MOST_INFLATED} bytes: ")


@pytest.mark.parametrize("name", list(CODECS)[1:])
def test_a_batch_is_never_decompressed_beyond_the_limit(name: str) -> None:
    payload = getattr(codec, f"{name}_encode")(b"a" * (4 * MOST_INFLATED))
    tracemalloc.start()
    with pytest.raises(input_records.InflatedError):
        getattr(compiled_default, f"{name}_decode")(payload)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * MOST_INFLATED + 3 * len(payload)


def test_what_decompresses_to_the_limit_is_read() -> None:
    for name in list(CODECS)[1:]:
        payload = getattr(codec, f"{name}_encode")(b"a" * MOST_INFLATED)
        assert len(getattr(compiled_default, f"{name}_decode")(payload)) == MOST_INFLATED


def test_snappy_without_the_frame_of_java_is_read() -> None:
    if "snappy" in CODECS:
        assert input_records._snappy(codec.snappy_encode(b"raw", xerial_compatible=False)) == b"raw"


def test_the_package_for_the_other_codecs_is_required() -> None:
    assert '"cramjam' in Path("pyproject.toml").read_text("utf-8")


@pytest.mark.parametrize("at", [0, 1])
def test_a_fetch_is_taken_up_to_the_batch_that_reaches_the_number_of_records(at: int) -> None:
    result, offsets = fetched(b"".join(batch(2 * number, [b"a", b"b"]) for number in range(6)), at), []
    while result.has_more():
        offsets.append([record.offset for part in result.getall(3) for record in part.records])

    assert [taken for taken in offsets if taken] == [[0, 1, 2, 3][at:], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_the_parts_of_a_fetch_count_as_the_records_that_were_asked_for() -> None:
    parts = fetched(batch(0, [b"a"] * 40) + batch(40, [b"b"] * 40)).getall(60)

    assert (len(parts), [part.next_offset for part in parts]) == (60, [40, 80])


def test_a_fetch_that_is_not_wanted_any_more_has_no_parts() -> None:
    result = fetched(batch(0, [b"a"]), position=Position(7))

    assert (result.getall(60), result.has_more()) == ([], False)


def test_a_fetch_of_many_batches_is_taken_in_parts() -> None:
    data = b"".join(batch(10 * number, [b"x" * 100_000] * 10, CODECS["gzip"]) for number in range(30))
    result, sizes, offsets = fetched(data), [], []
    while result.has_more():
        records = [record for part in result.getall(5_000) for record in part.records]
        sizes.append(sum(len(record.value) for record in records))
        offsets += [record.offset for record in records]
    assert offsets == list(range(300))
    assert max(sizes) <= MOST_AT_ONCE + 1_000_000


def test_a_topic_that_is_not_accounted_for_has_no_markers() -> None:
    other = TopicPartition("other", 0)
    data = batch(0, [b"a" * (MOST_INFLATED + 1)], CODECS["gzip"])
    records = InputRecords(other, MemoryRecords(data), [], 0, None, None, True, fetcher.READ_UNCOMMITTED)
    with pytest.raises(input_records.InflatedError):
        list(records)


def test_a_record_of_the_input_is_that_of_the_batch_with_all_that_is_read_of_it() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, False, -1, -1, 0, 1 << 30)
    for number, (key, value) in enumerate([(b"desk/1", b"{}"), (None, b"{}"), (b"desk/1", None)]):
        builder.append(number, 1_000 + number, key, value, [("traceparent", b"00")])
    data = bytes(builder.build())
    other = TopicPartition("not-accounted", 0)
    usual = [*InputRecords(other, MemoryRecords(data), [], 0, None, None, True, fetcher.READ_UNCOMMITTED)]

    found = taken(fetched(data))

    assert [type(record) for record in usual] == [ConsumerRecord] * 3
    assert ConsumerRecord not in {type(record) for record in found}
    for name in ("offset", "timestamp", "key", "value"):
        assert [getattr(record, name) for record in found] == [getattr(record, name) for record in usual]


def test_records_are_unpacked_when_they_are_processed() -> None:
    values = [b"%d" % number for number in range(1_000)]
    position = Position(0)
    result = fetched(batch(0, values[:600]) + batch(600, values[600:], CODECS["gzip"]), position=position)
    first, second = result.getall()

    assert position.position == 1_000
    assert (first.next_offset, second.next_offset) == (600, 1_000)
    for part, offsets in ((first, range(600)), (second, range(600, 1_000))):
        assert [record.offset for record in part.records] == list(offsets)
    made = Batch(chain.from_iterable([part.records for part in parts(fetched(batch(0, values)))]), None, 1_000)
    assert len(made.records) == SLICE
    found = list(made.records)
    while made.unpack():
        found += made.records
    assert [record.value for record in found] == values
    assert len(made.records) == SLICE  # the last slice stays, and so does its end
    assert not made.unpack()


@pytest.mark.parametrize("compression", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize("position", [7, 8, 9, 10, 11])
def test_a_fetch_begins_at_its_position_in_the_middle_of_a_batch(position: int, compression: int) -> None:
    data = batch(5, [b"5", b"6", b"7", b"8"], compression) + batch(9, [b"9", b"10", b"11"], compression)
    assert [record.value for record in taken(fetched(data, position))] == [b"%d" % offset for offset in range(position, 12)]


def test_a_batch_with_a_wrong_checksum_is_refused_when_it_is_fetched() -> None:
    damaged = bytearray(batch(0, [b"value"]))
    damaged[-2] ^= 1
    with pytest.raises(CorruptRecordException):
        fetched(bytes(damaged)).getall()


def test_a_batch_that_lost_its_last_records_leads_behind_them() -> None:
    data = bytearray(batch(0, [b"0", b"1"]))
    data[23:27] = (5).to_bytes(4, "big")  # the last offset, which compaction keeps
    data[17:21] = crc32c(bytes(data[21:])).to_bytes(4, "big")
    (part,) = parts(fetched(bytes(data)))
    assert part.next_offset == 6
    assert [record.offset for record in part.records] == [0, 1]


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("compression", [0, 1], ids=["none", "gzip"])
def test_a_log_from_before_kafka_0_11_is_read(compression: int, position: int) -> None:
    builder = LegacyRecordBatchBuilder(1, compression, 1 << 30)
    for number in range(3):
        builder.append(number, 1_000, b"key", b"%d" % number)
    data = bytearray(builder.build())
    if compression:
        data[:8] = (2).to_bytes(8, "big")  # the broker's part: that of the last record
    found = taken(fetched(bytes(data), position))
    assert [(record.offset, record.value) for record in found] == [(n, b"%d" % n) for n in range(position, 3)]


def test_parts_of_aborted_transactions_are_left_out_where_that_was_asked_for() -> None:
    account_for(TP.topic)
    aborted, kept = (bytearray(batch(first, [b"value"], producer=producer)) for first, producer in ((0, 7), (1, 8)))
    rest = (MemoryRecords(bytes(aborted + kept)), [(7, 0)], 0, None, None, True, fetcher.READ_COMMITTED)
    found = [record.offset for part in InputRecords(TP, *rest) for record in part.records]
    assert found == [1]
