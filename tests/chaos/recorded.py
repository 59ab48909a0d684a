"""A recording in which nothing is wrong, made without Kafka: what a worker that nothing happens to would leave behind."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from stream.deployments import proposal
from stream.deployments.log import Added, Log
from stream.deployments.proposal import Author
from stream.deployments.record import DeploymentKind, encode_record, new_record
from stream.runtime.recovery.checkpoint import CHECKPOINT_KEY, Checkpoint
from stream.sla.codec import codec
from stream.sla.effects import Topic
from stream.sla.engine import Engine
from stream.sla.events import ERASURE
from stream.sla.step import Outcome
from stream.wire.decode import Rejected, RejectReason, Tick, conflicting, decode
from stream.wire.effect import DeadLetter, effect_headers, encode_effect, encode_rejected
from tests.chaos.pace import MINUTE, Pace
from tests.chaos.recording import Recording, Stored
from tests.chaos.run import policies
from tests.chaos.variants import read
from tests.chaos.workload import BAD, PARTITIONS, canaries, planned, with_erasures

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stream.deployments.record import DeploymentRecord
    from stream.sla.effects import Effect
    from stream.sla.ticket.state import State
    from tests.chaos.variants import Data

START = 1_798_794_000_000_000
HISTORY = 3
"""Few, so that some events are too late."""


class Deployed(NamedTuple):
    """A deployment of such a recording."""

    minute: int
    """When its record is appended and known."""
    at: int
    """From which minute on it holds; an undo goes by what it undoes."""
    kind: DeploymentKind
    data: Data
    """The policy file; nothing for an undo."""


def clean(
    seed: int, minutes: int, deploys: Sequence[Deployed] = (), history: int = HISTORY, *, erasures: bool = False
) -> Recording:
    """The run's time is the machine's. Each minute, what was published in it is processed, and what is due is emitted.

    ``deploys``: in the order of their records, after the first one, which has the files of the run.
    """
    worker = _Worker(history)
    log = Log()
    if deploys:
        worker.deploy(log, proposal.deploy(log, policies(), START, Author()).record)
    feed = planned(Random(seed), START, minutes, 3)
    if erasures:
        feed = with_erasures(Random(seed), feed)
    feed += canaries(START + minutes * MINUTE)
    end = START + (minutes + 10) * MINUTE
    for now in range(START + MINUTE, end + MINUTE, MINUTE):
        worker.now = now
        for deployed in deploys:
            if START + deployed.minute * MINUTE == now:
                record = _record(log, deployed)
                worker.deploy(log, record)
                worker.calendars.setdefault(record.fingerprint, deployed.data.get("calendars"))
        for one in feed:
            if now - MINUTE <= one.when < now:
                worker.receive(one.partition, one.key, one.value, one.bad, now)
        worker.wake(now)
    return worker.recording(until=end, stopped=end + MINUTE)


def _record(log: Log, deployed: Deployed) -> DeploymentRecord:
    if deployed.kind is DeploymentKind.UNDO:
        return proposal.undo(log, Author()).record
    with tempfile.TemporaryDirectory() as folder:
        found = read(deployed.data, Path(folder) / "policy.yaml")
    return new_record(log.next_after, START + deployed.at * MINUTE, deployed.kind, found)


class _Worker:
    def __init__(self, history: int) -> None:
        self.engine = Engine(policies(), history=history)
        self.history = history
        self.calendars: dict[str, Any] = {}
        self.states: dict[str, State] = {}
        self.home: dict[str, int] = {}
        self.topics: dict[str, list[Stored]] = {name: [] for name in ("events", "breaches", "escalations", "rejected")}
        self.newest = dict.fromkeys(range(PARTITIONS), 0)
        self.now = START

    def receive(self, partition: int, key: bytes | None, value: bytes | None, bad: str, now: int) -> None:
        self.now = now
        headers = [(BAD, bad.encode())] if bad else []
        record = self._store("events", partition, key, value, headers)
        decoded = decode(key, value, now=now)
        if isinstance(decoded, Rejected):
            self._refuse(record, decoded)
            return
        if isinstance(decoded, Tick):
            self.newest[partition] = max(self.newest[partition], decoded.at)
            return
        ticket, event = decoded.ticket, decoded.event
        self.home[ticket] = partition
        if event.type != ERASURE:
            self.newest[partition] = max(self.newest[partition], event.at)
        step = self.engine.apply(self.states.get(ticket), ticket, event, now)
        self.states[ticket] = step.state
        self._emit(step.effects)
        if step.outcome is Outcome.TOO_LATE:
            self._refuse(record, Rejected(RejectReason.TOO_LATE, "", "$.at"))
        elif step.outcome is Outcome.CONFLICT:
            self._refuse(record, conflicting(event))

    def deploy(self, log: Log, record: DeploymentRecord) -> None:
        stored = self._store("deployments", 0, None, encode_record(record), [])
        added = log.add(stored.offset, stored.value, stored.written)
        assert isinstance(added, Added)
        self.engine.deployments = added.deployments

    def wake(self, now: int) -> None:
        self.now = now
        for ticket, state in self.states.items():
            step = self.engine.wake(state, now)
            self.states[ticket] = step.state
            self._emit(step.effects)

    def recording(self, *, until: int, stopped: int) -> Recording:
        number = self.engine.deployments.timeline.last.number
        for ticket, state in self.states.items():
            key, epoch = ticket.encode(), [("epoch", b"1")]
            self._store("changelog", self.home[ticket], key, codec.encode(state), epoch)
        for partition, newest in self.newest.items():
            checkpoint = Checkpoint(newest, swept=number, deployed=number)
            self._store("changelog", partition, CHECKPOINT_KEY, msgspec.json.encode(checkpoint), [("epoch", b"1")])
        topics = {name: sorted(records, key=lambda one: one.partition) for name, records in self.topics.items()}
        ends = {number: sum(one.partition == number for one in topics["events"]) for number in range(PARTITIONS)}
        return Recording(
            events=topics["events"],
            breaches=topics["breaches"],
            escalations=topics["escalations"],
            rejected=topics["rejected"],
            changelog=topics["changelog"],
            committed=ends,
            ends=ends,
            pace=Pace(START, START, 1),
            steps=[],
            until=until,
            stopped=stopped,
            history=self.history,
            deployments=tuple(topics.get("deployments", ())),
            calendars={name: data for name, data in self.calendars.items() if data is not None},
        )

    def _emit(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            name = "breaches" if effect.kind.topic is Topic.BREACHES else "escalations"
            headers = effect_headers(effect, b"/breachwatch/chaos")
            self._store(name, self.home[effect.ticket], effect.ticket.encode(), encode_effect(effect), headers)

    def _refuse(self, record: Stored, why: Rejected) -> None:
        dead_letter = encode_rejected(
            DeadLetter(
                why,
                key=record.key,
                value=record.value,
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                at=self.now,
            )
        )
        self._store("rejected", record.partition, record.key, dead_letter, [])

    def _store(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Any) -> Stored:
        records = self.topics.setdefault(topic, [])
        offset = sum(one.partition == partition for one in records)
        records.append(Stored(topic, partition, offset, self.now, key, value, tuple(headers)))
        return records[-1]
