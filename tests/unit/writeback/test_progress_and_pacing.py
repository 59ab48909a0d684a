"""Which offsets may be committed, when a ticket is written, and how fast a desk is asked."""

from __future__ import annotations

from stream.writeback.pacing import TICKET_SECONDS, TICKET_WRITES, Pace, TicketLimit
from stream.writeback.progress import Progress
from stream.writeback.waiting import Waiting


def test_offsets_are_done_up_to_the_first_that_is_not_written() -> None:
    progress = Progress()
    for offset, ticket in enumerate(["a", "b", "a", None]):
        progress.read(ticket, "out/0", offset)
    assert progress.done() == {"out/0": 0}

    progress.begin("a")
    assert progress.done() == {"out/0": 0}
    progress.end("a", done=True)
    assert (progress.done(), progress.is_open("a"), progress.is_open("b")) == ({"out/0": 1}, False, True)
    progress.begin("b")
    progress.end("b", done=True)
    assert progress.done() == {"out/0": 4}


def test_what_happens_to_a_ticket_while_it_is_written_is_written_after() -> None:
    progress = Progress()
    progress.read("a", "out/0", 0)
    progress.begin("a")
    progress.read("a", "out/0", 1)
    progress.end("a", done=True)

    assert (progress.done(), progress.is_open("a")) == ({"out/0": 1}, True)


def test_a_ticket_that_must_be_written_again_holds_its_first_offsets() -> None:
    progress = Progress()
    progress.read("a", "out/0", 0)
    progress.begin("a")
    progress.read("a", "out/0", 1)
    progress.read("a", "out/1", 7)
    progress.end("a", done=False)

    assert progress.done() == {"out/0": 0, "out/1": 7}


def test_a_ticket_waits_once_however_often_it_changes() -> None:
    waiting = Waiting()
    waiting.add("a", 5, since=1)
    waiting.add("a", 9, since=2)
    waiting.add("b", 7, since=2)

    assert (waiting.take(4), waiting.take(6), waiting.take(6)) == (None, ("a", 1), None)
    assert (waiting.next, waiting.oldest, len(waiting)) == (7, 2, 1)
    waiting.add("a", 20, since=10)
    assert (waiting.take(8), waiting.oldest) == (("b", 2), 10)
    waiting.clear()
    assert (waiting.next, waiting.oldest, len(waiting)) == (None, 0, 0)


def test_requests_are_spaced_evenly() -> None:
    pace = Pace(60)

    assert [pace.reserve(10), pace.reserve(10), pace.reserve(10.5), pace.reserve(20)] == [10, 11, 12, 20]


def test_pauses_grow_up_to_five_minutes_and_are_as_long_as_the_desk_asks() -> None:
    pace = Pace(60)

    assert [pace.failed(1000 * n, 0) for n in range(11)] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert pace.failed(100_000, after=900) == 900
    assert pace.failing
    pace.answered()
    assert (pace.failing, pace.failed(200_000, 0)) == (False, 1)


def test_a_ticket_is_written_so_often_in_ten_minutes() -> None:
    limit = TicketLimit()
    for n in range(TICKET_WRITES):
        assert limit.wait("a", n) == 0
        limit.written("a", n)

    assert limit.wait("a", 100) == TICKET_SECONDS - 100
    assert limit.wait("b", 100) == 0
    assert limit.wait("a", TICKET_SECONDS) == 0
