"""The views of a worker for its pages, and the time for which they block the event loop."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.language.policies import load
from stream.observe.pages.views import Elsewhere, TicketView, UnavailableError
from stream.runtime.settings import ClockMode
from stream.runtime.timers import TimerQueue
from stream.runtime.viewer import LISTED, Viewer
from stream.sla.codec import codec
from stream.sla.events import Event
from stream.sla.feed_state import FeedState
from stream.sla.ticket.state import open_commitments
from tests.examples import examples
from tests.unit.runtime.viewed import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stream.sla.policy.resolve import PolicySet

HOUR = 3_600_000_000
START = 1_798_794_000_000_000
_POLICY = """
policies:
  - policy: shop
    version: 1
    applies_to: always
    calendar: 24x7
    commitments:
      - {metric: first_response, target: {p1: 1h, p2: 90d}, warn_at: [10%, 50%]}
      - {metric: resolution, target: {p1: 8h, p2: 100d}}
"""


@pytest.fixture
def policies(tmp_path: Path) -> PolicySet:
    (tmp_path / "policy.yaml").write_text(_POLICY, "utf-8")
    return load([tmp_path / "policy.yaml"])


@pytest.fixture
def worker(policies: PolicySet) -> Iterator[Worker]:
    worker = Worker(policies)
    yield worker
    worker.close()


def created(at: int, priority: str) -> Event:
    return Event(at=at, id=f"c{at}", type="ticket.created", source="desk", fields={"status": "open", "priority": priority})


def answered(at: int) -> Event:
    return Event(at=at, id=f"a{at}", type="comment.added", source="desk", actor="agent", public=True)


def scanned(worker: Worker) -> list[tuple[int, str, str]]:
    """All running commitments by their deadlines, from a scan of all tickets."""
    found = []
    for partition in worker.partitions.values():
        for key in partition.tickets:
            state = codec.decode(partition.tickets[key])
            found += [
                (e.due_at, state.head.id, e.commitment) for e in open_commitments(state) if e.state == "running" and e.due_at
            ]
    return sorted(found)


def listed(worker: Worker) -> tuple[list[tuple[int, str, str]], int | None]:
    view = Viewer(worker).worker()  # type: ignore[arg-type]
    return [(risk.due_at, risk.ticket, risk.commitment) for risk in view.at_risk], view.at_risk_until


def test_the_list_equals_that_of_a_scan_although_only_the_first_timers_are_read(worker: Worker) -> None:
    dice = Random(7)
    for number in range(3_000):
        at = START + dice.randrange(30 * 24) * HOUR + number
        life = [created(at, dice.choice(("p1", "p2")))] + [answered(at + HOUR // 4)] * dice.choice((0, 1))
        worker.take(number % 3, f"desk/{number}", *life)

    found, until = listed(worker)

    assert until is None
    assert found == scanned(worker)[:LISTED]


def test_if_warnings_of_distant_deadlines_come_first_the_list_has_the_end_of_its_completeness(worker: Worker) -> None:
    for number in range(9_000):
        worker.take(0, f"desk/{number}", created(START + number, "p2"))
    worker.take(1, "desk/soon", created(START + HOUR, "p1"))
    worker.take(1, "desk/later", created(START + 30 * 24 * HOUR, "p1"))

    found, until = listed(worker)

    assert until is not None
    assert found == [each for each in scanned(worker) if each[0] < until]
    assert ("desk/soon", "first_response") in [each[1:] for each in found]
    assert len(found) < LISTED


def test_a_query_ends_after_its_time_and_the_list_has_the_end_of_its_completeness(worker: Worker) -> None:
    for number in range(400):
        worker.take(number % 2, f"desk/{number}", created(START + number, "p1"))

    view = Viewer(worker, max_blocking=0.0).worker()  # type: ignore[arg-type]

    found = [(risk.due_at, risk.ticket, risk.commitment) for risk in view.at_risk]
    assert view.at_risk_until is not None
    assert found == [each for each in scanned(worker) if each[0] < view.at_risk_until]


def test_a_fresh_view_is_reused(worker: Worker) -> None:
    worker.take(0, "desk/1", created(START, "p1"))
    reusing, fresh = Viewer(worker, fresh=3_600.0), Viewer(worker, fresh=-1.0)  # type: ignore[arg-type]
    first = reusing.worker()
    assert len(fresh.worker().at_risk) == 2

    worker.take(0, "desk/2", created(START + 1, "p1"))

    assert reusing.worker() is first
    assert len(fresh.worker().at_risk) == 4
    assert isinstance(reusing.ticket("desk/2", frozenset(), None), TicketView), "a ticket is never reused"


def test_a_worker_without_tickets_has_an_empty_list(worker: Worker) -> None:
    assert listed(worker) == ([], None)


entries = st.lists(st.tuples(st.integers(0, 30), st.none() | st.integers(0, 10)), max_size=80)


@settings(max_examples=examples(200))
@given(entries)
def test_tickets_are_listed_once_in_the_order_of_their_instants_and_stay(changes: list[tuple[int, int | None]]) -> None:
    queue, last = TimerQueue(), dict[int, int | None]()
    for ticket, instant in changes:
        queue.move(b"%d" % ticket, last.get(ticket), instant)
        last[ticket] = instant
    left = {b"%d" % ticket: instant for ticket, instant in dict(changes).items() if instant is not None}

    order = list(queue.in_order())

    assert [instant for instant, _ in order] == sorted(instant for instant, _ in order)
    assert sorted((ticket, instant) for instant, ticket in order if ticket) == sorted(left.items())
    assert len(queue) == len(left)


def test_a_ticket_is_found_in_any_partition_of_the_worker(worker: Worker) -> None:
    worker.own(0)
    worker.take(3, "desk/1", created(START, "p1"))

    found = Viewer(worker).ticket("desk/1", frozenset(), None)  # type: ignore[arg-type]

    assert isinstance(found, TicketView)
    assert (found.partition, found.fields) == (3, {"status": "open", "priority": "p1"})
    assert found.explanation.until == START


def test_other_workers_are_asked_one_after_the_other_the_most_likely_first(worker: Worker) -> None:
    worker.own(0)
    worker.map = {worker.address: (0,), "http://two:9300": (1, 3), "http://three:9300": (2,)}
    viewer = Viewer(worker)  # type: ignore[arg-type]

    first = viewer.ticket("desk/1", frozenset(), None)
    assert isinstance(first, Elsewhere)
    assert first.asked == {0}
    assert first.wanted == first.usual != 0
    assert first.url == next(url for url, numbers in worker.map.items() if first.usual in numbers)

    rest = viewer.ticket("desk/1", frozenset({1, 3}), 0)
    assert isinstance(rest, Elsewhere)
    assert (rest.wanted, rest.url) == (2, "http://three:9300")

    last = viewer.ticket("desk/1", frozenset({1, 2, 3}), 0)
    assert isinstance(last, Elsewhere)
    assert (last.url, last.missing) == (None, ())


def test_while_partitions_move_there_is_no_redirect(worker: Worker) -> None:
    worker.own(0)
    viewer = Viewer(worker)  # type: ignore[arg-type]

    with pytest.raises(UnavailableError, match="moving"):
        viewer.ticket("desk/1", frozenset(), sent_for=2)
    worker.rebalancing = True
    with pytest.raises(UnavailableError, match="moving"):
        viewer.ticket("desk/1", frozenset(), None)


def test_before_the_start_and_after_the_end_there_is_no_view(worker: Worker) -> None:
    loop, worker.events_loop = worker.events_loop, None
    with pytest.raises(UnavailableError, match="starting"):
        Viewer(worker).worker()  # type: ignore[arg-type]

    worker.events_loop = loop
    worker.close()
    with pytest.raises(UnavailableError, match="stopping"):
        Viewer(worker).worker()  # type: ignore[arg-type]
    worker.events_loop = None


def test_a_view_has_all_changes_of_a_step_or_none(worker: Worker) -> None:
    """The loop changes tickets and timers while threads ask for views."""
    loop = worker.events_loop
    assert loop is not None
    for number in range(300):
        worker.take(0, f"desk/{number}", created(START + number, "p1"))
    partition = worker.partitions[0]
    stop = threading.Event()

    def change(round_: int) -> None:
        # Replace every ticket: tickets, timers and counts change together or not at all.
        for key in list(partition.tickets):
            partition.timers.move(key, codec.decode(partition.tickets[key]).wake_at, None)
            partition.tickets.drop(key)
        partition.open_counts.open = 0
        for number in range(300):
            worker.take(0, f"desk/{round_}/{number}", created(START + number, "p1"))
        if not stop.is_set():
            loop.call_soon(change, round_ + 1)

    loop.call_soon_threadsafe(change, 1)
    with ThreadPoolExecutor(4) as pool:
        views = list(pool.map(lambda _: Viewer(worker, fresh=-1.0, max_blocking=60.0).worker(), range(40)))  # type: ignore[arg-type]
    stop.set()

    for view in views:
        assert [(p.tickets, p.open_commitments) for p in view.partitions] == [(300, 600)]
        assert len(view.at_risk) == LISTED
        assert len({risk.ticket.rpartition("/")[0] for risk in view.at_risk}) == 1


def test_the_sources_are_listed_with_how_their_feeds_stand(worker: Worker) -> None:
    worker.settings = replace(worker.settings, clock=ClockMode.EVENT)
    for number in (0, 1):
        feeds = worker.own(number).feeds
        worker.own(number).watermark = START + HOUR
        for source in ("lagging", "pushed", "quiet", "silent", "slow"):
            feeds.event(source, START + number)
        feeds.tick("quiet", START + HOUR, FeedState.COMPLETE, START)
        feeds.tick("slow", START + HOUR, FeedState.LAGGING, START)
        feeds.tick("silent", START, FeedState.COMPLETE, START)
        feeds.tick("lagging", START + (1 - number) * HOUR, FeedState.LAGGING, START)

    found = {feed.source: feed[1:] for feed in Viewer(worker).worker().feeds}  # type: ignore[arg-type]

    assert found == {
        "pushed": (START + 1, None, "", False, 0),
        "quiet": (START + 1, START + HOUR, "complete", False, 0),
        "slow": (START + 1, START + HOUR, "lagging", False, 0),
        "silent": (START + 1, START, "silent", True, 0),
        "lagging": (START + 1, START, "lagging", True, 0),  # as the partition knows it that has read the least
    }


def test_a_partition_that_catches_up_does_not_know_yet_how_a_feed_stands(worker: Worker) -> None:
    worker.own(0).feeds.tick("desk", START, FeedState.COMPLETE, START)
    worker.own(0).live = False

    assert Viewer(worker).worker().feeds == ()  # type: ignore[arg-type]
