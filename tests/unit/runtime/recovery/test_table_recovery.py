"""When the recovery of the table completes, and with it a take-over begins."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from faust.tables import recovery as faust_recovery
from faust.types import TP

from stream.language.policies import load as load_policies
from stream.language.policies import shipped
from stream.observe.metrics.registry import Metrics
from stream.runtime.settings_sources import load
from stream.runtime.worker import wire
from stream.sla.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.runtime.recovery.table_recovery import Recovery

_TPS = [TP("changelog", number) for number in range(2)]


class Group:
    """The state of a recovery in generation 5 of its group, and how often it was completed."""

    def __init__(self, recovery: Recovery) -> None:
        self.recovery = recovery
        self.ends = dict.fromkeys(_TPS, 8)
        self.completed: list[int] = []
        recovery.app.consumer_generation_id = 5
        recovery.active_tps.update(_TPS)
        recovery.active_offsets.update(dict.fromkeys(_TPS, 7))

    async def highwaters(self, *tps: TP) -> dict[TP, int]:
        if not self.ends:
            raise TimeoutError
        return {tp: self.ends[tp] for tp in tps}

    def ask(self) -> None:
        """Ask where the changelog ends, as each recovery does when it begins."""
        recovery = self.recovery
        ask = recovery._build_highwaters(recovery.app.consumer, recovery.active_tps, recovery.active_highwaters, "active")
        with suppress(TimeoutError):
            asyncio.run(ask)

    def complete(self, generation: int) -> None:
        asyncio.run(self.recovery.on_recovery_completed(generation))


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[Group]:
    policies = load_policies([shipped("batoi")])
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = wire(load({"policies": "batoi"}, {}), Metrics(policies), Engine(policies))
    group = Group(app.tables.recovery)
    monkeypatch.setattr(app.consumer, "highwaters", group.highwaters)
    group.ask()

    async def on_recovery_completed(self: Any, generation_id: int = 0) -> None:
        group.completed.append(generation_id)

    monkeypatch.setattr(faust_recovery.Recovery, "on_recovery_completed", on_recovery_completed)
    yield group
    app.consumer._thread.thread_loop.close()
    asyncio.set_event_loop(None)
    loop.close()


def test_a_recovery_completes_when_all_records_of_the_changelog_are_restored(group: Group) -> None:
    group.complete(5)

    assert group.completed == [5]
    assert not group.recovery.signal_recovery_start.is_set()


def test_a_recovery_without_partitions_completes(group: Group) -> None:
    group.recovery.active_tps.clear()

    group.complete(5)

    assert group.completed == [5]


def test_a_recovery_that_another_rebalance_interrupted_does_not_complete(group: Group) -> None:
    with pytest.raises(faust_recovery.RebalanceAgain):
        group.complete(4)

    assert group.completed == []


@pytest.mark.parametrize("offset", [6, -1, None])
def test_a_recovery_begins_again_where_the_changelog_has_more_records(group: Group, offset: int | None) -> None:
    group.recovery.active_offsets[_TPS[1]] = offset

    with pytest.raises(faust_recovery.RebalanceAgain):
        group.complete(5)

    assert group.completed == []
    assert group.recovery.signal_recovery_start.is_set()


def test_a_recovery_begins_again_if_the_broker_has_not_reported_where_the_changelog_ends(group: Group) -> None:
    group.ends.clear()
    group.ask()

    with pytest.raises(faust_recovery.RebalanceAgain):
        group.complete(5)

    assert group.completed == []
    assert group.recovery.signal_recovery_start.is_set()


def test_a_recovery_completes_while_a_worker_that_was_replaced_appends_to_the_changelog(group: Group) -> None:
    group.ends[_TPS[1]] += 1

    group.complete(5)

    assert group.completed == [5]
    assert not group.recovery.signal_recovery_start.is_set()


@pytest.mark.parametrize("offset", [-1, None])
def test_a_recovery_of_an_empty_changelog_completes(group: Group, offset: int | None) -> None:
    group.ends[_TPS[1]] = 0
    group.ask()
    group.recovery.active_offsets[_TPS[1]] = offset

    group.complete(5)

    assert group.completed == [5]


def test_a_recovery_does_not_complete_on_a_worker_that_stops(group: Group) -> None:
    group.recovery._stopped.set()

    with pytest.raises(faust_recovery.ServiceStopped):
        group.complete(5)

    assert group.completed == []
