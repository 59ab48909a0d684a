"""The rows of a worker's lists, read from its tickets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stream.language.policies import load
from stream.observe.pages.lists import ListQuery
from stream.runtime.viewer import Viewer
from stream.sla.events import Event
from stream.sla.explain.without_deadline import NoDeadline
from tests.unit.runtime.viewed import Worker
from tests.unit.sla.given import HOUR, changed, created

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = 1_798_794_000_000_000
_POLICY = """
policies:
  - policy: shop
    version: 1
    applies_to: {contract: [gold]}
    calendar: 24x7
    commitments:
      - {metric: resolution, target: {p1: 1h, p2: 2h}}
    escalations:
      - ladder: late
        kind: hierarchical
        on: resolution
        levels: [{level: lead, notify: [team-lead], at: "50%"}]
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    (tmp_path / "policy.yaml").write_text(_POLICY, "utf-8")
    worker = Worker(load([tmp_path / "policy.yaml"]))
    yield worker
    worker.close()


def test_a_row_has_the_raised_level_with_its_roles_and_its_acknowledgement(worker: Worker) -> None:
    raised = changed(START + HOUR * 2, team="second")
    worker.take(0, "desk/1", created(START, contract="gold"), raised)
    acknowledgement = Event(START + HOUR, "a1", "escalation.acknowledged", "test")
    worker.take(0, "desk/2", created(START, contract="gold"), acknowledgement, raised)

    one, two = Viewer(worker).listed(ListQuery("breached")).rows  # type: ignore[arg-type]
    assert (one.ticket, one.level, one.notify, one.acknowledged_at) == ("desk/1", "lead", ("team-lead",), None)
    assert (two.ticket, two.level, two.acknowledged_at) == ("desk/2", "lead", START + HOUR)


def test_an_unmatched_ticket_is_listed_with_the_reason(worker: Worker) -> None:
    worker.take(0, "desk/1", created(START, contract="silver"))
    worker.take(0, "desk/2", created(START, "p9", contract="gold"))
    worker.take(0, "desk/3", created(START, contract="gold"), changed(START + 1, contract=""))
    worker.take(0, "desk/4", created(START, contract="gold"))
    worker.take(0, "desk/5", created(START, status="solved"))

    part = Viewer(worker).listed(ListQuery("unmatched"))  # type: ignore[arg-type]
    assert [(row.ticket, row.reason) for row in part.rows] == [
        ("desk/1", NoDeadline.NO_POLICY),
        ("desk/2", NoDeadline.NO_TARGET),
        ("desk/3", NoDeadline.NO_LONGER_APPLIES),
    ]
    assert part.rows[1].why == (
        "resolution: policy shop has no target for this ticket: targets are for priority p1 or p2, and the ticket has "
        "priority 'p9'"
    )
    assert part.rows[2].why.endswith("which needs contract gold, and the ticket has no contract")


def test_only_as_many_rows_as_are_wanted_get_a_reason(worker: Worker) -> None:
    for number in range(5):
        worker.take(0, f"desk/{number}", created(START))

    part = Viewer(worker).listed(ListQuery("unmatched", sort="ticket", descending=True, limit=2))  # type: ignore[arg-type]
    assert ([row.ticket for row in part.rows], part.matching, part.tickets) == (["desk/4", "desk/3"], 5, 5)
