"""A worker dies after its effects are written and before its tickets are: the next owner repeats none of them, and takes back
only what is not true."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from aiokafka import ConsumerRecord

from stream.language.policies import load as load_policies
from stream.runtime.kafka.positions import Batch
from stream.runtime.partition.commit import process_and_commit
from stream.runtime.partition.lifecycle import State
from stream.runtime.recovery.output_recovery import _note
from stream.sla.effects import Kind
from stream.sla.events import Event
from stream.wire.effect import decode_effect, encode_event
from tests.unit.runtime.partition.test_wakeups import HOUR, START, _answered, _created, _Partition

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from stream.runtime.kafka.transport import Record
    from stream.sla.effects import Effect

MINUTE = HOUR // 60
_PAUSED = """
policies:
  - policy: shop
    version: 1
    applies_to: always
    calendar: 24x7
    commitments:
      - {metric: first_response, target: 1h, pauses: [pending]}
"""
_DATED = """
metrics:
  visit: {starts_at: planned, stops: solved}
policies:
  - policy: shop
    version: 1
    applies_to: always
    calendar: 24x7
    commitments:
      - {metric: visit, target: 1h}
"""


def _status(at: int, status: str) -> tuple[str, Event]:
    return "a", Event(at=at, id=f"a-{at}", type="ticket.changed", source="desk", fields={"status": status})


def _commented(at: int, ticket: str = "a") -> tuple[str, Event]:
    return ticket, Event(at=at, id=f"{ticket}-{at}", type="comment.added", source="desk", actor="customer", public=True)


def _batch(feed: Iterable[tuple[str, Event]], first: int) -> Batch:
    records: list[Any] = []
    for offset, (ticket, event) in enumerate(feed, first):
        key, value = ticket.encode(), encode_event(ticket, event)
        records.append(ConsumerRecord("ticket-events", 0, offset, 0, 0, key, value, None, len(key), len(value), ()))
    return Batch(records, None, first + len(records))


class _Owner:
    """An owner of the partition, and what it writes."""

    def __init__(self, partition: _Partition, found: Iterable[Record] = ()) -> None:
        """``found``: the effects that it reads back."""
        self.partition = partition
        self.written: list[Record] = []
        outputs: Any = SimpleNamespace(
            woken_until={},
            emitted_ids=set(),
            deployed={},
            unconfirmed={},
            recovered=False,
            may_be_forgotten=lambda: False,
            end_recovery=lambda: None,
            write=self._write,
            unknown_from=lambda _: {},
            finished=lambda _end, live: None,
        )
        for record in found:
            _note(outputs, record)
        partition.shard.outputs = outputs
        changelog: Any = SimpleNamespace(write=self._change)
        partition.shard.changelog = changelog

    async def _write(self, what: dict[str, Iterable[Record]]) -> None:
        for records in what.values():
            self.written += records

    async def _change(self, _changed: object, _checkpoint: object) -> None:
        """The log of tickets, which nobody reads here."""

    async def _process(self, source: Batch | None) -> None:
        consumer: Any = SimpleNamespace(committed=lambda _: 0, prove=lambda _: asyncio.sleep(0), finish=lambda *_: None)
        await process_and_commit(replace(self.partition.context, consumer=consumer), self.partition.shard, source)

    def work(self, source: Batch | None) -> list[Effect]:
        """The effects that a unit of work writes."""
        before = len(self.written)
        asyncio.run(self._process(source))
        self.partition.shard.cursor = 0
        return [decode_effect(record.value or b"") for record in self.written[before:]]


def _owners(folder: Path, created: tuple[str, Event], *, live: bool = True, **how: str) -> tuple[_Owner, _Partition]:
    """An owner that has processed this event, and the partition as the next one finds it: it knows the event, too."""
    before, after = _Partition(folder, **how), _Partition(folder, **how)
    for partition in (before, after):
        partition.shard.life.enter(State.CATCHING_UP)
        partition.shard.catch_up_to = 100
        _Owner(partition).work(_batch([created], 0))
        partition.wall = START + 3 * HOUR
    if live:
        before.shard.life.enter(State.RUNNING)
    return _Owner(before), after


def test_what_time_made_true_after_an_event_is_found_again_after_this_event(tmp_path: Path) -> None:
    """Without the pause, the breach would be another one under the same id."""
    before, after = _owners(tmp_path, _created("a", START), text=_PAUSED)
    lost = [
        _status(START + 10 * MINUTE, "pending"),
        _status(START + 20 * MINUTE, "open"),
        _commented(START + 2 * HOUR),
    ]
    effects = before.work(_batch(lost, 1))
    assert [effect.at for effect in effects if effect.kind is Kind.BREACHED] == [START + HOUR + 10 * MINUTE]

    assert _Owner(after, before.written).work(_batch(lost, 1)) == []


def test_what_a_deployment_changed_after_an_event_is_found_again_after_this_event(tmp_path: Path) -> None:
    before, after = _owners(tmp_path, _created("a", START), text=_PAUSED)
    (tmp_path / "longer.yaml").write_text(_PAUSED.replace("target: 1h", "target: 2h"), "utf-8")
    for partition in (before.partition, after):
        deployments = partition.engine.deployments
        partition.engine.deployments = deployments.add(1, START + 20 * MINUTE, load_policies([tmp_path / "longer.yaml"]))
    lost = [_status(START + 10 * MINUTE, "pending"), _commented(START + 30 * MINUTE)]
    effects = before.work(_batch(lost, 1))
    assert [(effect.kind, effect.deployment) for effect in effects][-1] == (Kind.RETARGETED, 1)

    assert _Owner(after, before.written).work(_batch(lost, 1)) == []


def test_what_time_alone_made_true_is_found_again_before_any_event(tmp_path: Path) -> None:
    """The event may come only now, and then it takes back what was published."""
    before, after = _owners(tmp_path, _created("a", START))
    breach = before.work(None)[-1]
    assert breach.kind is Kind.BREACHED

    taken_back = _Owner(after, before.written).work(_batch([_answered("a", START + MINUTE)], 1))

    assert [effect.retracts for effect in taken_back if effect.kind is Kind.BREACH_RETRACTED] == [breach.id]


def test_what_time_made_true_before_an_event_of_the_same_unit_is_found_again_before_any_event(tmp_path: Path) -> None:
    """The clock of the next owner may be behind."""
    before, after = _owners(tmp_path, _created("a", START), live=False, max_ahead="1d")
    lost = [_created("b", START + 2 * HOUR), _answered("a", START + MINUTE)]
    effects = before.work(_batch(lost, 1))
    breach = next(effect for effect in effects if effect.kind is Kind.BREACHED)
    assert breach.id in [effect.retracts for effect in effects]

    after.wall = START + MINUTE
    assert _Owner(after, before.written).work(_batch(lost, 1)) == []


def test_what_time_alone_made_true_is_found_again_though_a_routine_effect_before_it_was_not_published(tmp_path: Path) -> None:
    planned = Event(START, "a-created", "ticket.created", "desk", fields={"planned": "2027-01-01T09:30:00Z"})
    before, after = _owners(tmp_path, ("a", planned), text=_DATED, routine="no")
    breach = before.work(None)[-1]
    assert [decode_effect(record.value or b"").kind for record in before.written] == [Kind.BREACHED]

    solved = _status(START + 40 * MINUTE, "solved")
    taken_back = _Owner(after, before.written).work(_batch([solved], 1))

    assert [effect.retracts for effect in taken_back if effect.kind is Kind.BREACH_RETRACTED] == [breach.id]
