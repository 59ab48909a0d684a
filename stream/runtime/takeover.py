"""The order in which a worker leaves partitions and takes others over after a rebalance.

Longer than 250 lines because a reader must see all ten steps of a take-over, and what each of them relies on, in one place.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from stream.runtime.partition.changes import expiration, retention_of
from stream.runtime.partition.commit import LOST
from stream.runtime.partition.shard import Logs, Shard, TicketIndex
from stream.runtime.partition.task import PartitionTask
from stream.runtime.partition.ticket_lists import TicketLists
from stream.runtime.recovery.changelog import Changelog
from stream.runtime.recovery.checkpoint import Checkpoint
from stream.runtime.recovery.output_recovery import read_back
from stream.runtime.recovery.outputs import fence
from stream.runtime.timers import Expirations, TimerQueue
from stream.sla.codec import codec
from stream.sla.ticket.listing import lists_of_summary
from stream.wire.forms import NewerReleaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from faust.types import TP

    from stream.runtime.kafka.transport import Producer
    from stream.runtime.partition.commit import WorkerContext
    from stream.runtime.recovery.outputs import Outputs
    from stream.runtime.recovery.store import Store
    from stream.sla.ticket.state import State

log = logging.getLogger(__name__)

_PAUSE_EVERY: Final = 2_000
"""Tickets that are indexed before the event loop runs something else."""
_PATIENCE: Final = 30.0
"""Seconds for which a take-over waits for a deployment that the owner before knew."""
_CHECK_INTERVAL: Final = 0.05
"""Seconds."""


class Assignment(NamedTuple):
    """The result of a rebalance for this worker."""

    owned: frozenset[TP]
    """Partitions of the input."""
    generation: int
    """Of the consumer group."""
    superseded: Callable[[], bool]
    """Whether another rebalance has begun since, whose take-over will follow."""


class Restored(NamedTuple):
    """The tickets of the assignment, as Faust has restored them, and what writes their changelog."""

    store: Store
    producer: Producer


async def take_over(
    context: WorkerContext, restored: Restored, tasks: dict[int, PartitionTask], assignment: Assignment
) -> None:
    """After each rebalance, tickets restored and input not yet resumed: own what is assigned, and leave the rest.

    1. Leave what is not ours any more, and what the changelog has changed: such tickets need new timers.
    2. Prove to the group that the generation is the current one. A worker that was suspended or cut off while it restored the
       tickets may have restored a part of what its successor wrote. Its epoch would be above that of the successor, and the
       rest would be lost. If the group refuses, the worker joins again, and the take-over of that rebalance follows: wait
       for it and do nothing more, because Faust lets the input flow at the return.
    3. Fence: start a transactional producer for each new partition. What the owner before had begun is ended, and whatever
       it still tries to write is refused, however late it wakes up.
    4. Read the checkpoint that was restored with the tickets of each new partition.
    5. Read back the outputs from where the checkpoint points. What is committed there is final since 3: the owner before must
       not be able to emit anything that is not read here. Wait until every deployment is known that the owner before knew.
    6. Index the tickets: when to wake and when to forget which, and what is open. Ask where the input ends.
    7. Check the generation. If another rebalance has begun, close what is new: its own take-over follows. The store may have
       let go of the tickets by now, and a checkpoint that is written without them would hide the true one.
    8. Begin an epoch in each partition, also in those that stay: append a checkpoint with an epoch above all before it. What a
       replaced worker appends to the changelog from here on counts for nothing. A worker that was suspended between 2 and 8
       has restored no record of a later generation, so its epoch is below that of its successor, and it ends.
    9. Check the generation again, as in 7.
    10. Release every partition. No ``await`` after 9: nothing can come between.

    A crash before 3 changes nothing that anybody can see. Between 3 and 8 the owner before is refused its outputs, and ends;
    the next owner fences anew and finds the same checkpoint, the same outputs and the same tickets. Between 8 and 10 the next
    owner begins a higher epoch, with the same tickets and a checkpoint that names the same outputs. No unit of work has begun
    before 10, so nothing is emitted and no new offset is committed; a crash after 10 is one of
    ``stream.runtime.partition.commit``.

    ``tasks``: those of this worker, by partition; it is changed. Raises ``aiokafka.errors.KafkaError``, RuntimeError when a
    ticket cannot be read back, NewerReleaseError when a newer release wrote the changelog. The caller must end the process
    then: partitions would be left without an owner.
    """
    # 1
    await _leave(context, restored.store, tasks, assignment.owned)
    new = sorted(tp for tp in assignment.owned if tp.partition not in tasks)
    # 2
    if not await _is_current(context, assignment):
        return
    # 3
    outputs = await fence(context.clients, context.topics, [tp.partition for tp in new])
    # 4
    changelogs = {tp.partition: _changelog(context, restored, tp.partition) for tp in new}
    checkpoints = {number: changelog.found() or Checkpoint(since=context.wall()) for number, changelog in changelogs.items()}
    # 5
    _check_partitions(context, checkpoints)
    await read_back(context.clients, context.topics, outputs, checkpoints)
    await _until_known(context, checkpoints, outputs, assignment.superseded)
    # 6
    indexes = {
        tp.partition: await _index(context, restored.store, tp.partition, checkpoints[tp.partition].watermark) for tp in new
    }
    ends = await context.consumer.highwaters(*assignment.owned) if assignment.owned else {}
    for tp in new:
        checkpoints[tp.partition] = _shortened(context, tp, checkpoints[tp.partition], ends[tp])
    # 7
    if assignment.superseded():
        for number, emitted in outputs.items():
            await emitted.close()
            context.metrics.partition_revoked(number)
        return
    # 8
    staying = [task.shard for task in tasks.values()]
    first_checkpoints = {
        number: msgspec.structs.replace(
            checkpoints[number], outputs=outputs[number].unknown_from(0), partitions=context.settings.partitions
        )
        for number in changelogs
    }
    await asyncio.gather(
        *(changelog.begin(assignment.generation, first_checkpoints[number]) for number, changelog in changelogs.items()),
        *(shard.changelog.begin(assignment.generation, shard.checkpoint(0)) for shard in staying),
    )
    for tp in new:
        number = tp.partition
        logs = Logs(outputs[number], changelogs[number])
        shard = Shard(context.settings, tp, restored.store.of(number), indexes[number], logs, first_checkpoints[number])
        tasks[number] = PartitionTask(context, shard)
        context.metrics.partition(number, live=False)
    # 9
    if assignment.superseded():
        for tp in new:
            await close(context, tasks.pop(tp.partition))
        return
    # 10
    for tp in sorted(assignment.owned):
        restored.store.taken_over(tp.partition)
        tasks[tp.partition].release(ends[tp])


async def close(context: WorkerContext, task: PartitionTask) -> None:
    """Hold a partition and leave it."""
    await task.hold()
    await task.close()
    context.metrics.partition_revoked(task.shard.number)


async def _is_current(context: WorkerContext, assignment: Assignment) -> bool:
    """Whether the group confirms the generation. If not, return when the next rebalance has begun.

    After a refusal aiokafka joins the group again. If nothing follows, the watchdog ends the worker.
    """
    refused = False
    while assignment.owned and not assignment.superseded():
        if await context.consumer.is_member():
            break
        if not refused:
            log.warning("this worker takes nothing over until the group confirms that it is a member")
        refused = True
        await asyncio.sleep(_CHECK_INTERVAL)
    return not assignment.superseded()


async def _leave(context: WorkerContext, store: Store, tasks: dict[int, PartitionTask], owned: Collection[TP]) -> None:
    for number, task in list(tasks.items()):
        # They are held since the revocation, but for one case: a rebalance that began while the take-over before this one was
        # between 1 and 10 found partitions held, and that take-over released them.
        await task.hold()
        # Tickets that came anew from the changelog need new timers, whoever had the partition in between.
        if task.shard.source not in owned or store.is_renewed(number, task.shard.tickets):
            await close(context, tasks.pop(number))


def _shortened(context: WorkerContext, tp: TP, checkpoint: Checkpoint, end: int) -> Checkpoint:
    """The checkpoint, with a gap if the input ends before what was read of it."""
    shorter = checkpoint.shortened(end, context.wall())
    if shorter is not checkpoint and checkpoint.input is not None:
        log.error(LOST, end, checkpoint.input - 1, tp.topic, tp.partition)
        context.metrics.input_lost(checkpoint.input - end)
    return shorter


def _changelog(context: WorkerContext, restored: Restored, partition: int) -> Changelog:
    return Changelog(context.clients, context.topics.changelog, partition, restored.producer, restored.store)


async def _index(context: WorkerContext, store: Store, partition: int, watermark: int) -> TicketIndex:
    """Raises RuntimeError when a ticket cannot be read back, NewerReleaseError when a newer release wrote it."""
    unconfirmed: list[tuple[bytes, State]] = []
    open_counts = context.metrics.open_commitments.begin(partition)
    timers, expirations, lists = TimerQueue(), Expirations(), TicketLists()
    tickets = store.of(partition)
    for count, key in enumerate(list(tickets)):
        stored = tickets.get(key)
        if stored is None:  # another rebalance has begun, and the changelog forgets it: this one comes to nothing
            continue
        try:
            wake_at, ended, open_commitments, unmatched, deleted = codec.peek(stored)
            if codec.has_unconfirmed(stored):
                unconfirmed.append((key, codec.decode(stored)))
        except codec.NewerLayoutError as error:
            raise NewerReleaseError(f"ticket {key!r} of partition {partition} cannot be read back: {error}") from error
        except codec.CodecError as error:
            raise RuntimeError(f"ticket {key!r} of partition {partition} cannot be read back") from error
        open_counts.add(open_commitments)
        if lists_of_it := lists_of_summary(open_commitments, unmatched=unmatched):
            lists.put(key, lists_of_it)
        timers.move(key, None, wake_at)
        if ended is not None:
            # When it was changed last is not stored. It counts as changed now: the rest of its history may be on the way.
            expirations.set(key, expiration(ended, retention_of(context.settings, deleted=deleted), watermark))
        if count % _PAUSE_EVERY == 0:
            await asyncio.sleep(0)
    return TicketIndex(timers, expirations, open_counts, lists, unconfirmed)


def _check_partitions(context: WorkerContext, checkpoints: Mapping[int, Checkpoint]) -> None:
    """Raises RuntimeError when tickets may be in another partition than their events."""
    for number, checkpoint in checkpoints.items():
        if refusal := checkpoint.refusal(number, context.settings.partitions):
            raise RuntimeError(refusal)


async def _until_known(
    context: WorkerContext,
    checkpoints: Mapping[int, Checkpoint],
    outputs: Mapping[int, Outputs],
    superseded: Callable[[], bool],
) -> None:
    """Wait for the deployments by which the partitions were judged: the log may be read later than they are taken over.

    The owner before may have died after it had emitted effects and before it had written its checkpoint. Raises RuntimeError
    when a deployment does not come within ``_PATIENCE`` seconds, or is of another log.
    """
    began = context.passing()
    for number, checkpoint in checkpoints.items():
        deployed = max([checkpoint.deployed, *outputs[number].deployed.values()])
        while deployed > max(context.engine.deployments.known):
            if superseded():
                return
            if context.passing() > began + _PATIENCE:
                raise RuntimeError(
                    f"partition {number} was judged by deployment {deployed}, and this worker knows the log of deployments up "
                    f"to {max(context.engine.deployments.known)}: start it again, so that it reads the rest; if that does not "
                    "help, records of the log were deleted: bring them back with `breachwatch deploy --import`, or give all "
                    "workers a new --app-id"
                )
            await asyncio.sleep(_CHECK_INTERVAL)
        found = context.engine.deployments.known.get(checkpoint.deployed)
        if checkpoint.appended and (found is None or found.appended != checkpoint.appended):
            raise RuntimeError(
                f"partition {number} was judged by deployment {checkpoint.deployed} of another log: the topic of deployments "
                "was deleted, and what was in force is not known; bring it back with `breachwatch deploy --import`, or start "
                "all workers with a new --app-id, and deploy there"
            )
