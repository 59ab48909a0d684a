"""One turn of a partition: the order in which things become durable. What is lost or repeated is decided here alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stream.runtime.failpoint import failpoint
from stream.runtime.kafka.transport import Record
from stream.runtime.partition.unit_of_work import Stop, UnitOfWork
from stream.runtime.recovery.outputs import ORIGIN
from stream.runtime.settings import ClockMode
from stream.sla.effects import Kind, Topic
from stream.wire.effect import effect_headers, encode_effect

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.observe.metrics.registry import Metrics
    from stream.runtime.kafka.topics import Topics
    from stream.runtime.kafka.transport import Batch, Consumer
    from stream.runtime.partition.shard import Shard
    from stream.runtime.settings import Settings
    from stream.runtime.suspension import SuspensionDetector
    from stream.sla.engine import Engine

_BREACHES: Final = frozenset(kind for kind in Kind if kind.topic is Topic.BREACHES)


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What the turns of all partitions work with."""

    settings: Settings
    topics: Topics
    engine: Engine
    metrics: Metrics
    wall: Callable[[], int]
    """The machine's clock, epoch microseconds; ``stream.runtime.clock``."""
    consumer: Consumer
    suspension_detector: SuspensionDetector


async def cycle(context: WorkerContext, shard: Shard, batch: Batch | None) -> bool:
    """One turn of a partition, for fetched events and for deadlines alike: ``batch`` is ``None`` for deadlines alone.

    1. Decode each record; a bad one becomes a dead letter with its reason.
    2. Apply the events in their order, wake tickets and forget closed ones as time passes. Nothing is awaited from the
       reading of a ticket to its writing, so nobody ever sees half a change. After some of them others have their time.
    3. Write effects and dead letters to this partition's number in the output topics, in one transaction; wait until it
       is committed. A worker that does not own the partition any more is refused here, and ends.
    4. Write the changed tickets, and how far the feed is, to the changelog; wait until all replicas have them. No
       transaction here (restoring would wait for ever); instead each record says of which owner it is, and what a replaced
       worker appends counts for nothing.
    5. Acknowledge the source: what is finished may be committed. Count.

    A crash before the commit in 3 repeats the turn, and nobody sees what it had written. Between 3 and 4 it repeats
    effects, with the same ids, which the ledger holds back; deadlines it had said to be past pass first of all. Between 4
    and 5 the events come again and are known as repetitions. So nothing is lost and nothing said twice.

    A process that was away, stopped or busy, asks before 3 and before 4 whether the partition is still its own. If not, it
    ends.

    Memory runs ahead of the log: from 2 on the shard holds what 3 and 4 have yet to write. That is safe only because every
    exception, our fault or the broker's, ends the process: the caller must see to it. A process that went on would build on
    what no successor can read back.

    Returns whether the batch (or what was due) is done; if not, the turn was full: call again.
    """
    # 1 and 2
    clock = context.wall()  # read once: what passes while the turn takes breath is noticed by the next
    turn = UnitOfWork(context.engine, context.settings, shard, clock)
    turn.pass_again(shard.outputs.timed, shard.outputs.said)
    until = shard.clock(clock)
    while True:
        stop = turn.take(batch) if batch is not None else turn.wake(until)
        turn.write()
        if stop is not Stop.YIELD:
            break
        await asyncio.sleep(0)
        turn.resumed()
    done = stop is Stop.DONE
    # 3
    await _still_ours(context, shard)
    failpoint("before_outputs")
    await shard.outputs.write(_outputs(context, shard.outputs.said, turn))
    # 4
    await _still_ours(context, shard)
    changes = {key: shard.tickets.get(key) for key in (*turn.forgotten, *turn.states)}
    await shard.changelog.write(changes, shard.checkpoint(context.consumer.committed(shard.source)))
    shard.outputs.timed.clear()
    failpoint("after_changelog")
    # 5
    if batch is not None and done:
        context.consumer.finish(shard.source, batch)
        shard.finished(batch.end)
        failpoint("after_finish")
    _count(context, shard, turn)
    return done


async def _still_ours(context: WorkerContext, shard: Shard) -> None:
    """Return at once, or, before the first turn and after an absence, when the broker has said that nobody else has it.

    Raises ``aiokafka.errors.KafkaError`` when somebody has.
    """
    while (suspensions := context.suspension_detector.look()) != shard.suspensions:
        await context.consumer.prove(shard.source)
        shard.suspensions = suspensions


def _outputs(context: WorkerContext, said: set[bytes], turn: UnitOfWork) -> dict[str, list[Record]]:
    """Topic to what is to be written there: what was not said already."""
    source = f"/breachwatch/{context.settings.app_id}".encode()
    breaches: list[Record] = []
    escalations: list[Record] = []
    for effect in turn.effects:
        if effect.id.encode() not in said:
            to = breaches if effect.kind in _BREACHES else escalations
            to.append(Record(effect.ticket.encode(), encode_effect(effect), effect_headers(effect, source)))
    dead_letters = [dead_letter for dead_letter in turn.dead_letters if dict(dead_letter.headers)[ORIGIN] not in said]
    return {context.topics.breaches: breaches, context.topics.escalations: escalations, context.topics.rejected: dead_letters}


def _count(context: WorkerContext, shard: Shard, turn: UnitOfWork) -> None:
    """Effects that the ledger held back are counted too: whoever wrote them died before it could."""
    metrics = context.metrics
    for (kind, result), count in turn.events.items():
        metrics.event(kind, result, count)
    for reason, count in turn.rejected.items():
        metrics.rejected(reason, count)
    if turn.unmatched:
        metrics.unmatched(turn.unmatched)
    metrics.effects(turn.effects, context.settings.clock is ClockMode.WALL)
    metrics.partition(shard.number, shard.watermark or None, shard.live)
