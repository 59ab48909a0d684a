"""What the checker of chaos does not know of deployments: when each may be met, and what a partition that is swept must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, epoch_of
from stream.runtime.recovery.outputs import DEPLOYED
from stream.sla.codec import codec
from stream.sla.effects import deployment_cause
from stream.sla.engine import Engine
from stream.wire.effect import decode_effect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.sla.policy.timeline import Deployments
    from tests.chaos.recording import Recording


def check_deployments(recording: Recording, deployments: Deployments) -> Iterator[str]:
    """Objections of a run in which every sweep is over."""
    yield from _known(recording)
    yield from _swept(recording, deployments)
    yield from _unchanged(recording)


def _known(recording: Recording) -> Iterator[str]:
    """A deployment takes back nothing that was emitted by a worker that knew it: that would not have been emitted."""
    knew: dict[str, int] = {}
    for stored in sorted((*recording.breaches, *recording.escalations), key=lambda stored: stored.written):
        effect = decode_effect(stored.value or b"")
        by = knew[effect.id] = int(dict(stored.headers).get(DEPLOYED, 0))
        number = effect.deployment
        if number is not None and by < number:
            yield f"deployed: {effect.id} is of deployment {number}, and its worker knew {by}"
        if number is None or not effect.retracts or effect.cause != deployment_cause(number):
            continue
        if knew.get(effect.retracts, -1) >= number:
            yield f"deployed: {effect.retracts} was emitted by a worker that knew deployment {number}, which takes it back"


def _swept(recording: Recording, deployments: Deployments) -> Iterator[str]:
    """No deployment changes anything about a ticket any more."""
    engine = Engine(deployments, history=recording.history)
    newest = dict(_in_effect(recording))
    for key, value in newest.items():
        if value is None:
            continue
        state = codec.decode(value)
        step = engine.wake(state, recording.until)
        if step.state is not state or step.effects:
            found = ", ".join(f"{one.kind} {one.ladder or one.commitment} at {one.at}" for one in step.effects)
            yield f"swept: {key!r} is judged by deployment {state.head.deployment}, and wakes with {found or 'no effects'}"


def _unchanged(recording: Recording) -> Iterator[str]:
    """A ticket about which nothing changes is not written."""
    before: dict[tuple[int, bytes | None], tuple[int, bytes | None]] = {}
    disturbed: set[tuple[int, int]] = set()
    """Partitions and epochs into which an owner that was replaced has written: what it overwrote is written again."""
    epochs: dict[int, int] = {}
    for record in recording.changelog:
        key, written = (record.partition, record.key), (epoch_of(record), record.value)
        newest = epochs[record.partition] = max(written[0], epochs.get(record.partition, 0))
        if written[0] < newest:
            disturbed.add((record.partition, newest))
        elif record.key != CHECKPOINT_KEY and before.get(key) == written and (record.partition, newest) not in disturbed:
            yield f"unchanged: {record.key!r} is written again as it was ({record.place})"
        before[key] = written


def _in_effect(recording: Recording) -> Iterator[tuple[bytes, bytes | None]]:
    """The records of tickets that owners wrote, in order."""
    epochs: dict[int, int] = {}
    for record in recording.changelog:
        epoch = epoch_of(record)
        if epoch < epochs.get(record.partition, 0):
            continue  # by a worker that had been replaced
        epochs[record.partition] = epoch
        if record.key is not None and record.key != CHECKPOINT_KEY:
            yield record.key, record.value
