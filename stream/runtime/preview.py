"""The impact of a deployment on the tickets of a running worker, counted in a thread beside it.

1. The record must follow the last deployment that the worker knows. Otherwise the count would answer another question.
2. The event loop is asked for the keys of each partition, and then for the stored states of a few tickets at a time.
3. The thread decodes them and lets each meet the deployment on a copy (``stream.deployments.impact``). It rests between two
   slices for as long as they take, so that events and deadlines keep at least half of the time.

Partitions that come or go meanwhile are counted as far as they are here. Nothing is kept, and nothing is published.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from stream.deployments.impact import Impact, ImpactCount
from stream.deployments.record import RecordError, decode_record
from stream.deployments.snapshot import SnapshotError
from stream.deployments.snapshot import decode as decode_snapshot
from stream.observe.pages.views import RefusedPreviewError, UnavailableError
from stream.sla.codec import codec

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.deployments.record import DeploymentRecord
    from stream.runtime.app import App
    from stream.runtime.partition.shard import Shard
    from stream.sla.policy.timeline import Deployments

T = TypeVar("T")

SLICE: Final = 100
"""Tickets of one slice: some milliseconds."""


class Query(Protocol):
    """Lets the event loop run a function, and returns its result. Raises UnavailableError."""

    def __call__(self, query: Callable[[], T], /) -> T: ...


class _Partition(NamedTuple):
    """A partition when the count began."""

    shard: Shard
    keys: list[bytes]
    clock: int
    """The clock for its deadlines (epoch microseconds)."""


def count_impact(app: App, query: Query, value: bytes) -> Impact:
    """The impact of a record on the tickets of this worker. It takes a minute or more for a million tickets.

    Raises RefusedPreviewError for a record that cannot be read or follows another deployment, UnavailableError.
    """
    try:
        record = decode_record(value)
        policies = decode_snapshot(record.set)
    except (RecordError, SnapshotError) as error:
        raise RefusedPreviewError(str(error)) from error
    # 1
    before = query(partial(_known, app, record))
    deployments = before.add(record.after + 1, record.at, policies)
    # 2
    total = Impact()
    for partition in query(partial(_partitions, app)):
        count = ImpactCount(deployments, max(record.at, partition.clock))
        for start in range(0, len(partition.keys), SLICE):
            keys = partition.keys[start : start + SLICE]
            stored = query(partial(_stored, partition.shard, keys))
            # 3
            began = time.thread_time()
            for state in stored:
                count.add(codec.decode(state))
            time.sleep(time.thread_time() - began)
        total += count.impact
    return total


def _known(app: App, record: DeploymentRecord) -> Deployments:
    if app.deployments is None:
        raise UnavailableError("the worker does not follow a log of deployments")
    newest = app.deployments.newest.number
    if record.after != newest:
        raise RefusedPreviewError(f"the record follows deployment {record.after}, and the last one here is {newest}")
    return app.engine.deployments


def _partitions(app: App) -> list[_Partition]:
    wall = time.time_ns() // 1_000
    return [_Partition(shard, list(shard.tickets), shard.clock(wall)) for shard in app.shards()]


def _stored(shard: Shard, keys: list[bytes]) -> list[bytes]:
    return [state for key in keys if (state := shard.tickets.get(key)) is not None]
