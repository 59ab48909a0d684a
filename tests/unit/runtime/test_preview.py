"""What a deployment would do to a worker's tickets, counted beside its event loop."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from stream.deployments.impact import Touch
from stream.deployments.log import Log
from stream.observe.pages.views import RefusedPreviewError, UnavailableError
from stream.runtime.preview import SLICE, count_impact
from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.testing import event
from tests.unit.deployments.sets import HOUR, START, append, written

if TYPE_CHECKING:
    from collections.abc import Callable


class Worker:
    """The attributes of an app that a preview reads. It has deployed 8h, and has tickets in two partitions."""

    def __init__(self, *tickets: int) -> None:
        log = Log()
        append(log, 4, START, "8h")
        assert log.deployments is not None
        self.engine = Engine(log.deployments)
        self.deployments: Any = SimpleNamespace(newest=log.last)
        self.queries = 0
        self.partitions = [self.partition(number, count) for number, count in enumerate(tickets)]

    def partition(self, number: int, count: int) -> Any:
        """Tickets that were created at the start and are open since."""
        names = [f"desk/{number}-{ticket}" for ticket in range(count)]
        created = event(1, START, "ticket.created")
        tickets = {name.encode(): codec.encode(self.engine.apply(None, name, created, START).state) for name in names}
        return SimpleNamespace(number=number, tickets=tickets, clock=lambda wall: START + HOUR)

    def shards(self) -> list[Any]:
        return self.partitions

    def count(self, value: bytes, query: Callable[[Any], Any] | None = None) -> Any:
        app: Any = self
        return count_impact(app, query or self.query, value)

    def query(self, query: Any) -> Any:
        self.queries += 1
        return query()


def test_the_tickets_of_all_partitions_are_counted() -> None:
    worker = Worker(3, 2)

    impact = worker.count(written(4, START + 6 * HOUR, "4h"))

    assert (impact.open, impact.breaches) == (5, 5)
    assert {example.ticket for example in impact.examples[Touch.BREACHES]} == {
        "desk/0-0",
        "desk/0-1",
        "desk/0-2",
        "desk/1-0",
        "desk/1-1",
    }


def test_the_event_loop_is_asked_for_a_few_tickets_at_a_time() -> None:
    worker = Worker(2 * SLICE + 1)

    assert worker.count(written(4, START + 6 * HOUR, "9h")).open == 2 * SLICE + 1
    assert worker.queries == 2 + 3


def test_a_ticket_that_left_meanwhile_is_not_counted() -> None:
    worker = Worker(2)

    def query(asked: Any) -> Any:
        found = asked()
        worker.partitions[0].tickets.pop(b"desk/0-0", None)
        return found

    assert worker.count(written(4, START + 6 * HOUR, "4h"), query).open == 1


def test_a_worker_that_knows_another_deployment_refuses_to_count() -> None:
    with pytest.raises(RefusedPreviewError, match="the record follows deployment 3, and the last one here is 4"):
        Worker(1).count(written(3, START + 6 * HOUR, "4h"))


@pytest.mark.parametrize("value", [b"", b"poison", written(4, START, "4h")[:-9]])
def test_what_is_no_record_is_refused(value: bytes) -> None:
    with pytest.raises(RefusedPreviewError):
        Worker(1).count(value)


def test_a_worker_without_a_log_has_nothing_to_count() -> None:
    worker = Worker(1)
    worker.deployments = None

    with pytest.raises(UnavailableError, match="does not follow a log of deployments"):
        worker.count(written(4, START + 6 * HOUR, "4h"))
