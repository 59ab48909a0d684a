"""The records of a fetch from the input topic: bounded in memory, unpacked late, and with every offset accounted for.

aiokafka decompresses a batch as a whole, whatever it decompresses to, leaves out the control batches of transactions, and
unpacks all records of a fetch at once. So 400 KB of gzip could cost a worker 0.8 GB, and missing offsets of the log could not
be distinguished from such batches. Here

1. a batch is decompressed up to ``MOST_INFLATED`` bytes. One that has more, or that cannot be decompressed, is refused as a
   whole: a ``Marker`` stands in its place, and the dead letter of the marker names its offsets. The batch stays in the topic,
   and the records after it follow;
2. once a fetch has brought ``MOST_AT_ONCE`` decompressed bytes, the rest waits until they were taken;
3. a marker stands in the place of a control batch. So a hole between the offsets of a fetch is a hole in the log;
4. a batch is checked and decompressed when it is fetched. Its records are unpacked when they are processed: until then they are
   bytes, instead of several objects each;
5. a record is that of the batch. It names neither topic nor partition, and always has a timestamp: ``NO_TIMESTAMP`` where the
   format from before Kafka 0.10 has none.

To aiokafka each batch is a ``Part``, which looks like a batch that has one record. So aiokafka checks the sums and counts the
positions as ever, once for each batch. Input is read uncommitted: an event of an aborted transaction counts. A part never looks
like a control batch, so with ``read_committed`` aiokafka would not find the end of an aborted transaction, and would leave out
what the same producer commits after it in the same fetch.

Only topics that were passed to ``account_for`` have 3 to 5; the limit of 1 holds for everything that this process reads.
``tests/unit/runtime/kafka/test_input_records.py`` tests the internals of aiokafka on which this relies.

Longer than 250 lines because all that takes the place of classes and functions of aiokafka stands here.
"""

from __future__ import annotations

import logging
import sys
import threading
import zlib
from itertools import dropwhile
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record import default_records, legacy_records
from aiokafka.record._crecords import default_records as compiled_default
from aiokafka.record._crecords import legacy_records as compiled_legacy
from aiokafka.record.memory_records import LegacyRecordBatch

from stream.runtime.kafka.positions import NO_TIMESTAMP, Marker
from stream.wire.decode import Rejected, RejectReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_INFLATED: Final = 16 * 1024 * 1024
"""Bytes of a decompressed batch. A batch has at most 2 MiB in the topic (``max.message.bytes``); events as JSON decompress to
five to ten times as much."""
MOST_AT_ONCE: Final = 4 * 1024 * 1024
"""Decompressed bytes, beside those of the last batch: as many as a fetch brings without compression."""

_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER: Final = 16
_NO_ROOM: Final = "failed to write whole buffer"
_AGAIN: Final = "publish its events again, in smaller batches or uncompressed"

log = logging.getLogger(__name__)


class InflatedError(Exception):
    """A batch decompresses to more than ``MOST_INFLATED`` bytes."""


def _gzip(payload: Any) -> bytes:
    found, room, rest = [], MOST_INFLATED, bytes(payload)
    while rest:
        inflater = zlib.decompressobj(wbits=31)
        try:
            found.append(inflater.decompress(rest, room + 1))
        except zlib.error as error:
            raise CorruptRecordException(str(error)) from error
        room -= len(found[-1])
        if room < 0:
            raise InflatedError
        if not inflater.eof:
            raise CorruptRecordException("it ends too early")
        rest = inflater.unused_data
    return b"".join(found)


def _framed(codec: str) -> Callable[[Any], bytes]:
    def decode(payload: Any) -> bytes:
        import cramjam  # by far the largest part of a start, and most publishers do without it

        room = bytearray(MOST_INFLATED)  # the pages that are not written are never made
        try:
            size: int = getattr(cramjam, codec).decompress_into(bytes(payload), room)
        except cramjam.DecompressionError as error:
            if _NO_ROOM in str(error):
                raise InflatedError from error
            raise CorruptRecordException(str(error)) from error
        return bytes(memoryview(room)[:size])

    return decode


def _snappy(payload: Any) -> bytes:
    import cramjam

    data, found, room = bytes(payload), [], MOST_INFLATED
    if not data.startswith(_XERIAL):
        blocks = [data]
    else:
        blocks, at = [], _XERIAL_HEADER
        while at < len(data):
            size = int.from_bytes(data[at : at + 4], "big")
            blocks.append(data[at + 4 : at + 4 + size])
            at += 4 + size
    try:
        for block in blocks:
            room -= cramjam.snappy.decompress_raw_len(block)
            if room < 0:
                raise InflatedError
            found.append(bytes(cramjam.snappy.decompress_raw(block)))
    except cramjam.DecompressionError as error:
        raise CorruptRecordException(str(error)) from error
    return b"".join(found)


_DECODERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "gzip_decode": _gzip,
    "snappy_decode": _snappy,
    "lz4_decode": _framed("lz4"),
    "zstd_decode": _framed("zstd"),
}
_accounted_for: Final[set[str]] = set()
_decoded: Final = threading.local()
"""``size``: bytes of what was decompressed in this thread since it was set to 0."""


def account_for(topic: str) -> None:
    """Let fetches of this topic have markers."""
    _accounted_for.add(topic)


def _record(offset: int, timestamp: int, key: bytes | None, value: Any) -> Any:
    """A record as ``PartitionRecords`` takes it from a batch."""
    return SimpleNamespace(
        offset=offset, timestamp=timestamp, timestamp_type=0, key=key, value=value, checksum=None, headers=()
    )


def _legacy(batch: Any, position: int) -> Iterator[Any]:
    """The records from before Kafka 0.11, one or a few compressed ones, from a position on."""
    found = [record for record in batch if record.offset >= position]
    return iter([_record(one.offset, NO_TIMESTAMP, one.key, one.value) if one.timestamp is None else one for one in found])


class Part:
    """A batch of a fetch. To aiokafka it is a batch with one record, and that record too."""

    __slots__ = ("_batch", "_batches", "next_offset", "offset", "records", "validate_crc")

    is_control_batch = False

    def __init__(self, batch: Any, batches: Batches) -> None:
        self._batch: Final = batch
        self._batches: Final = batches
        self.next_offset: Final[int] = batch.next_offset
        self.offset: Final = self.next_offset - 1
        self.records: Iterator[Any]
        """The records from the position of the fetch on. aiokafka has checked the batch when they are there."""
        self.validate_crc: Final[Callable[[], bool]] = batch.validate_crc

    def __getattr__(self, name: str) -> Any:
        """All else that aiokafka asks of a batch: its offset, its producer and whether it is of a transaction."""
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Part]:
        self.records = self._unpacked()
        return iter((self,))

    def _unpacked(self) -> Iterator[Any]:
        batch, batches = self._batch, self._batches
        last, position = self.offset, batches.position
        legacy = type(batch) is LegacyRecordBatch
        first, timestamp = (batches.end, NO_TIMESTAMP) if legacy else (batch.base_offset, batch.max_timestamp)
        batches.end = self.next_offset
        if batch.is_control_batch:
            return iter([_record(last, timestamp, None, Marker(first))])
        _decoded.size = 0
        try:
            records: Iterator[Any] = _legacy(batch, position) if legacy else iter(batch)
        except InflatedError:
            text = f"the batch at offsets {first} to {last} decompresses to more than {MOST_INFLATED} bytes: {_AGAIN}"
            refused = Rejected(RejectReason.TOO_LARGE, text, "")
        except (CorruptRecordException, UnsupportedCodecError) as error:
            text = f"the batch at offsets {first} to {last} cannot be decompressed ({error}): {_AGAIN}"
            refused = Rejected(RejectReason.UNDECODABLE, text, "")
        else:
            batches.inflated += _decoded.size
            return records if first >= position else dropwhile(lambda record: record.offset < position, records)
        log.error("refused records of %s, partition %d: %s", *batches.tp, refused.message)
        return iter([_record(last, timestamp, None, Marker(first, refused))])


class Batches:
    """The batches of a fetch of one partition."""

    def __init__(self, batches: Any, tp: Any, position: int) -> None:
        """``position``: the offset from which on records were to be fetched."""
        self.tp: Final = tp
        self.position: Final = position
        self.end = position
        """The offset after the last batch that was unpacked. A batch from before Kafka 0.11 does not state its first offset."""
        self.inflated = 0
        """Decompressed bytes that were not taken yet, at most."""
        self._batches: Final = batches

    def has_next(self) -> bool:
        more: bool = self._batches.has_next()
        return more

    def next_batch(self) -> Part:
        return Part(self._batches.next_batch(), self)


class InputRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka ships no types mypy could follow
    """The records of a fetch; where the topic is accounted for, its parts."""

    def __init__(self, tp: Any, records: Any, aborted: Any, position: int, *rest: Any) -> None:
        self.batches = Batches(records, tp, position) if tp.topic in _accounted_for else None
        super().__init__(tp, self.batches or records, aborted, position, *rest)

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        # Of the input only what the batch's record has is read, and a copy of it takes longer than all the rest of a fetch.
        return record if self.batches is not None else super()._consumer_record(tp, record)


class Parts(list[Any]):
    """What is taken at once of a fetch. aiokafka takes of further partitions until the lengths add up to what was asked for, so
    the length is the number of offsets, not that of the parts."""

    covered = 0

    def __len__(self) -> int:
        return self.covered


class InputResult(fetcher.FetchResult):  # type: ignore[misc]
    """The parts of a fetch. The last one taken at once is that which fills the memory, or reaches the number of records."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> list[Any]:
        records = self._partition_records
        if records is None or records.batches is None:
            return list(super().getall(max_records))
        taken = Parts()
        if not self.check_assignment(self._topic_partition):
            return taken
        batches, most = records.batches, max_records or sys.maxsize
        batches.inflated, begun = 0, records.next_fetch_offset
        for part in records:
            taken.append(part)
            taken.covered = min(part.next_offset - begun, most)
            if taken.covered == most or batches.inflated > MOST_AT_ONCE:
                break
        else:
            self._update_position()
            self._partition_records = None
            return taken
        self._update_position()
        return taken


def _measured(decode: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    def measured(payload: Any) -> bytes:
        found = decode(payload)
        _decoded.size = len(found)
        return found

    return measured


for _module in (compiled_default, compiled_legacy, default_records, legacy_records):
    for _name, _decode in _DECODERS.items():
        if hasattr(_module, _name):
            setattr(_module, _name, _measured(_decode))
fetcher.PartitionRecords = InputRecords
fetcher.FetchResult = InputResult
