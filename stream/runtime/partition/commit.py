"""One unit of work of a partition: the order in which things become durable. What is lost or repeated is decided here alone."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stream.runtime.abort import abort
from stream.runtime.failpoint import failpoint
from stream.runtime.partition.effect_records import EffectRecords, unwritten
from stream.runtime.partition.sweep import Sweep
from stream.runtime.partition.time_slices import SWEEP_PART, Stop
from stream.runtime.partition.unit_of_work import UnitOfWork
from stream.runtime.recovery.outputs import ORIGIN
from stream.runtime.settings import ClockMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn

    from stream.observe.metrics.registry import Metrics
    from stream.runtime.kafka.clients import Clients
    from stream.runtime.kafka.consumer import Consumer
    from stream.runtime.kafka.positions import Batch
    from stream.runtime.kafka.topics import Topics
    from stream.runtime.kafka.transport import Record
    from stream.runtime.partition.shard import Shard
    from stream.runtime.settings import Settings
    from stream.runtime.suspension import SuspensionDetector
    from stream.sla.engine import Engine

log = logging.getLogger("stream.worker")

LOST: Final = (
    "input lost: the records at offsets %d to %d of %s, partition %d, were gone before they were read; what is concluded about "
    "the partition's tickets is provisional until their events give them whole again (docs/runbooks/SLAInputLost.md)"
)
WRITTEN_AT_ONCE: Final = 500
"""Tickets that are written to the table before other tasks may run: some milliseconds."""


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """The dependencies that the units of work of all partitions share."""

    settings: Settings
    topics: Topics
    engine: Engine
    metrics: Metrics
    wall: Callable[[], int]
    """The machine's clock, epoch microseconds; ``stream.runtime.clock``."""
    consumer: Consumer
    clients: Clients
    suspension_detector: SuspensionDetector
    passing: Callable[[], float] = time.monotonic
    """Seconds, of a clock that nobody sets."""
    abort: Callable[[str, BaseException], NoReturn] = abort
    """Ends the worker at once: what it was doing, and what went wrong."""


async def process_and_commit(context: WorkerContext, shard: Shard, source: Batch | Sweep | None) -> bool:
    """Process one unit of work and commit it: for fetched events, for the sweep under way, or (``None``) for timers alone.

    1. Decode each record. A record that is not a valid event becomes a dead letter with its reason.
    2. Apply the events in their order, fire timers and remove expired tickets as time passes. Nothing is awaited between the
       reading of a ticket and its writing, so nobody sees half a change. The work yields to other tasks from time to time.
    3. Write effects and dead letters to this partition's number in the output topics, in one transaction, and wait until it
       is committed. The broker refuses a worker that no longer owns the partition, and the worker ends. After a long time
       without outputs, which the broker may take for the end of the producer, prove the ownership and take a new producer.
    4. Write the changed tickets and the checkpoint to the changelog, and wait until all replicas have them. There is no
       transaction here, because restoring would wait for it. Instead, each record carries the epoch of its owner, and a
       record of a replaced worker has no effect.
    5. Acknowledge the source, so that the offsets may be committed. When the input, the deadlines and the sweep of before the
       take-over are done, output recovery ends. Count.

    After a crash before the commit in 3, the work is repeated, and nobody sees what it had written. After a crash between 3
    and 4, the same effects arise again with the same ids, and output recovery holds them back; timers that the lost work had
    fired fire first, except on tickets that had got an event in it. After a crash between 4 and 5, the events come again and
    are known as repetitions. So nothing is lost and nothing is published twice.

    Before 3 and before 4, a process that was suspended or busy for too long asks whether it still owns the partition. If it
    does not, it ends.

    Memory runs ahead of the log: 2 changes tickets, timers and counts before 3 and 4 have written anything. That is safe only
    because every exception in here ends the process. It is a fault of ours or of the broker, and the caller must not go on.

    Returns whether the batch, the sweep, or what was due, is done. If not, the unit of work was full: call again.
    """
    # 1 and 2
    clock = context.wall()  # read once: timers that expire while the work yields fire in the next unit of work
    engine = context.engine.snapshot()  # a deployment that becomes known while the work yields is for the next unit of work
    newest = engine.deployments.timeline.last
    shard.deployed, shard.appended = newest.number, newest.appended
    part = SWEEP_PART if isinstance(source, Sweep) else 1.0
    work = UnitOfWork(engine, context.settings, shard, clock, context.passing, part)
    work.fire_again(shard.outputs.woken_until, shard.outputs.emitted_ids)
    until = shard.clock(clock)
    while True:
        stop = work.wake(until) if source is None else work.sweep(until) if isinstance(source, Sweep) else work.take(source)
        if stop is not Stop.YIELD:
            break
        work.suspend()
        await asyncio.sleep(0)
        work.resume()
    await _write(work)
    done = stop is Stop.DONE
    for first, end in work.lost:
        log.error(LOST, first, end - 1, shard.source.topic, shard.number)
    # 3
    await _still_ours(context, shard)
    failpoint("before_outputs")
    outputs = _outputs(context, shard, work)
    if outputs and shard.outputs.may_be_forgotten():
        await context.consumer.prove(shard.source)
        await shard.outputs.renew(context.clients, context.topics)
        await context.consumer.prove(shard.source)  # if another worker came in between, it is fenced, and begins again
    await shard.outputs.write(outputs)
    # 4
    await _still_ours(context, shard)
    changed: dict[bytes, bytes | None] = {**dict.fromkeys(work.changes.forgotten), **work.changes.written}
    await shard.changelog.write(changed, shard.checkpoint(context.consumer.committed(shard.source)))
    shard.outputs.woken_until.clear()
    failpoint("after_changelog")
    # 5
    if done and source is not None and not isinstance(source, Sweep):
        context.consumer.finish(shard.source, source)
        shard.finished(source.end)
        failpoint("after_finish")
    if not shard.outputs.recovered and shard.is_made_up(clock, engine.deployments.timeline):
        shard.outputs.end_recovery()
    _count(context, shard, work)
    return done


async def _write(work: UnitOfWork) -> None:
    """Write each changed ticket to the table once, however often it changed. Others see it as it was until then."""
    keys = list(work.changes.changed)
    for first in range(0, len(keys), WRITTEN_AT_ONCE):
        if first:
            await asyncio.sleep(0)
        work.changes.write(keys[first : first + WRITTEN_AT_ONCE])


async def _still_ours(context: WorkerContext, shard: Shard) -> None:
    """Return at once; before the first unit of work and after a suspension, when the broker has confirmed the ownership.

    Raises ``aiokafka.errors.KafkaError`` when somebody has.
    """
    while (suspensions := context.suspension_detector.check()) != shard.suspensions:
        await context.consumer.prove(shard.source)
        shard.suspensions = suspensions


def _outputs(context: WorkerContext, shard: Shard, work: UnitOfWork) -> dict[str, Iterable[Record]]:
    """Topic to the records to write there: those that are not there yet. Topics without any are left out."""
    emitted_ids, changes = shard.outputs.emitted_ids, work.changes
    source = f"/breachwatch/{context.topics.group}".encode()
    records = EffectRecords(source, shard.deployed, work.engines.judged_by, changes.settled, changes.after_events)
    breaches, escalations = unwritten(changes.effects, emitted_ids)
    dead_letters = [one for one in changes.dead_letters if dict(one.headers)[ORIGIN] not in emitted_ids]
    outputs: dict[str, Iterable[Record]] = {}
    if breaches:
        outputs[context.topics.breaches] = map(records.of, breaches)
    if escalations:
        outputs[context.topics.escalations] = map(records.of, escalations)
    if dead_letters:
        outputs[context.topics.rejected] = dead_letters
    return outputs


def _count(context: WorkerContext, shard: Shard, work: UnitOfWork) -> None:
    """Effects that a predecessor wrote are counted too: it died before it could count them."""
    metrics, changes, intake = context.metrics, work.changes, work.intake
    for kind, result, count in intake.events():
        metrics.event(kind, result, count)
    for reason, count in intake.rejected.items():
        metrics.rejected(reason, count)
    for cause, count in intake.unmatched.items():
        metrics.unmatched(cause, count)
    for misspelt, ticket in intake.misspelt.items():
        log.warning("No commitment applies to ticket %s. It may be the spelling: %s.", ticket, misspelt)
    for wrong, (ticket, event) in intake.wrong_dates.items():
        log.warning("A clock of ticket %s does not start, by event %s: %s.", ticket, event, wrong)
    if changes.unbuilt or changes.cut:
        metrics.rejudged(changes.unbuilt, changes.cut)
    metrics.input_lost(sum(end - first for first, end in work.lost))
    metrics.effects(changes.effects, context.settings.clock is ClockMode.WALL, changes.unmeasured)
    metrics.partition(shard.number, shard.watermark or None, shard.live)
