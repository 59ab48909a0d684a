"""A rebalance while a worker restores tickets: it takes nothing over before they are all restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.broker.running import (
    HOUR,
    SECOND,
    START,
    Worker,
    all_committed,
    effects,
    event,
    publish,
    replayed,
    sent,
    substance,
    tick,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics
    from stream.sla.events import Event

_FLAGS = ("--clock", "event")
_END = START + 100 * HOUR
_RESTORES_LATER = """
from pathlib import Path

from stream.runtime.kafka.consumer import Consumer

getmany, restoring, going_on = Consumer._getmany, Path({restoring!r}), Path({going_on!r})

async def getmany_later(self, active_partitions, timeout):
    if not going_on.exists():
        if any(map(self._is_changelog_tp, active_partitions or ())):
            restoring.touch()
        active_partitions = set()
    return await getmany(self, active_partitions, timeout)

Consumer._getmany = getmany_later
"""


@pytest.fixture
def feed(broker: str, topics: Topics, tmp_path: Path) -> list[tuple[str, Event]]:
    """Events of which a worker that is gone has made tickets."""
    made = [
        (f"desk/{number}", event(f"desk/{number}", "ticket.created", START + number * SECOND, fields={"priority": "p1"}))
        for number in range(20)
    ]
    with Worker(broker, topics, tmp_path, *_FLAGS).ready() as first:
        publish(broker, topics, [sent(ticket, what) for ticket, what in made])
        until(lambda: all_committed(broker, topics), "the tickets are there", first)
        assert first.stop() == 0
    return made


def published(broker: str, topics: Topics) -> list[tuple[str, str, int, int | None]]:
    return sorted(substance(effect) for effect, _ in effects(broker, topics))


def test_a_rebalance_during_the_restoration_does_not_end_it(
    broker: str, topics: Topics, tmp_path: Path, feed: list[tuple[str, Event]]
) -> None:
    due = sorted(replayed(tmp_path, feed, _END))
    restoring, going_on = tmp_path / "restoring", tmp_path / "going-on"
    patch = _RESTORES_LATER.format(restoring=str(restoring), going_on=str(going_on))
    with Worker(broker, topics, tmp_path, *_FLAGS, patch=patch) as worker:
        until(restoring.exists, "it restores the tickets", worker)
        with Worker(broker, topics, tmp_path, *_FLAGS) as other:
            until(other.owns_some, "another one has joined", other)
            going_on.touch()
            until(worker.owns_some, "both have partitions", worker)
            publish(broker, topics, tick(_END))
            until(lambda: len(published(broker, topics)) >= len(due), "all that is due is published", worker)

    assert published(broker, topics) == due
