"""Reads back the effects in a partition's outputs that its tickets do not know of, when the partition is taken over.

A worker that dies between writing the effects of a unit of work and writing the state they came from leaves effects that its
successor will find true again, with the same ids: they must not be emitted twice. Some of them it might never find true:
a deadline passed, was emitted, and now comes an event from before it. So the successor first lets time pass for those
tickets, up to where it had passed; then the event corrects what was emitted, visibly. Not so where the ticket had got an event
in the same unit of work: without that, time would make something else true, under the same ids.

The changelog's checkpoint has the offset from which to read. What is not committed is not read, and never will be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiokafka.structs import TopicPartition

from stream.runtime.kafka.groupless import records_between, started
from stream.runtime.recovery.outputs import DEPLOYED, EVENTS, ORIGIN, SETTLED
from stream.sla.effects import TIMER, ProvisionalReason
from stream.sla.feed_health import REASONS
from stream.wire.instants import parse_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.runtime.kafka.clients import Clients
    from stream.runtime.kafka.topics import Topics
    from stream.runtime.recovery.checkpoint import Checkpoint
    from stream.runtime.recovery.outputs import Outputs


class _Stated(msgspec.Struct):
    """The part of an effect that is read. Not more: before a rollback a newer release may have published kinds that this one
    lacks."""

    at: str
    cause: str
    late: bool
    deployment: int | None = None
    provisional_reason: str = ""


_OF_FEEDS: Final = frozenset(REASONS.values())

_stated: Final = msgspec.json.Decoder(_Stated).decode


def origin(record: Any) -> bytes:
    """Name of a source record within its partition. The time is in it for a topic that was deleted and made again."""
    return b"%d@%d" % (record.offset, record.timestamp)


async def read_back(
    clients: Clients, topics: Topics, outputs: Mapping[int, Outputs], checkpoints: Mapping[int, Checkpoint]
) -> None:
    """Note in the outputs of each partition what its topics hold from the offsets on that its checkpoint names.

    A topic that the checkpoint does not name holds nothing of this table's. The outputs must be fenced already: then everything
    that is committed is final, and nothing is under way. Raises ``aiokafka.errors.KafkaError``.
    """
    if not outputs:
        return
    async with started(clients.reader("breachwatch-output-recovery")) as consumer:
        tps = [
            TopicPartition(topic, partition)
            for topic in (topics.breaches, topics.escalations, topics.rejected)
            for partition in outputs
        ]
        first, end = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        unknown = {}
        for tp in tps:
            start = checkpoints[tp.partition].outputs.get(tp.topic, end[tp])
            # Beyond the end: the topic was deleted and made again.
            start = first[tp] if start > end[tp] else max(start, first[tp])
            outputs[tp.partition].found(tp.topic, start, end[tp])
            unknown[tp] = start, end[tp]
        async for record in records_between(consumer, unknown):
            _note(outputs[record.partition], record)


def _note(outputs: Outputs, record: Any) -> None:
    headers = dict(record.headers)
    if ORIGIN in headers:
        outputs.found_dead_letter(headers[ORIGIN])
        return
    outputs.emitted_ids.add(headers["ce_id"])
    effect = _stated(record.value)
    if effect.provisional_reason in _OF_FEEDS:
        outputs.unconfirmed[headers["ce_id"]] = parse_instant(effect.at), ProvisionalReason(effect.provisional_reason)
    outputs.deployed[record.key] = max(outputs.deployed.get(record.key, 0), int(headers.get(DEPLOYED, 0)))
    if SETTLED in headers:
        outputs.woken_until[record.key] = max(outputs.woken_until.get(record.key, 0), int(headers[SETTLED]))
    by_time = (effect.cause == TIMER and not effect.late) or effect.deployment is not None
    if by_time and EVENTS not in headers:
        outputs.woken_until[record.key] = max(outputs.woken_until.get(record.key, 0), parse_instant(effect.at))
