"""Which tickets wait for which source, and which of them are taken when a source is complete."""

from __future__ import annotations

from stream.sla.effects import ProvisionalReason
from stream.sla.feed_health import MOST_SOURCES, Feed, Feeds
from stream.sla.feed_state import FeedState
from stream.sla.ticket.state import State
from tests.unit.sla.given import HOUR, Life, commitment, created, policy_set

COMPLETE, LAGGING, ENDED = FeedState.COMPLETE, FeedState.LAGGING, FeedState.ENDED


def waiting(at: int, source: str = "test") -> State:
    """A ticket of that source with an effect of that instant which is not confirmed."""
    state = Life(policy_set(commitment())).event(created(0).replace(source=source)).state
    assert state is not None
    return State(state.head, state.recent, unconfirmed={"stem": (at, ProvisionalReason.FEED_LAGGING)})


def fed() -> Feeds[str]:
    feeds: Feeds[str] = Feeds()
    feeds.tick("test", 0, LAGGING, 0)
    return feeds


def taken(feeds: Feeds[str]) -> list[str]:
    found = []
    while (one := feeds.take()) is not None:
        found.append(one[0])
    return found


def test_a_ticket_is_taken_once_its_source_is_complete_up_to_its_effect() -> None:
    feeds = fed()
    feeds.wait("early", waiting(1 * HOUR))
    feeds.wait("late", waiting(2 * HOUR))
    assert (feeds.waiting(), feeds.waits_for("early"), feeds.waits_for("none"), feeds.due) == ({"test": 2}, HOUR, None, False)

    feeds.tick("test", 1 * HOUR, COMPLETE, 1 * HOUR)

    assert feeds.due
    assert (taken(feeds), feeds.due, len(feeds)) == (["early"], False, 1)


def test_a_ticket_of_which_everything_is_confirmed_waits_no_more() -> None:
    feeds = fed()
    feeds.wait("one", waiting(1 * HOUR))
    confirmed = waiting(1 * HOUR)
    confirmed.unconfirmed = {}

    feeds.wait("one", confirmed)

    assert (len(feeds), feeds.waiting()) == (0, {"test": 0})
    feeds.tick("test", 5 * HOUR, COMPLETE, 5 * HOUR)
    assert taken(feeds) == []


def test_a_ticket_without_a_watched_source_is_taken_at_once() -> None:
    feeds = fed()
    feeds.wait("one", waiting(1 * HOUR, source="other"))

    assert (feeds.due, feeds.waiting()) == (True, {"test": 0})
    assert taken(feeds) == ["one"]


def test_a_source_that_has_ended_lets_its_tickets_go() -> None:
    feeds = fed()
    feeds.wait("one", waiting(1 * HOUR))

    assert feeds.tick("test", 0, ENDED, 0)

    assert (taken(feeds), feeds.watched) == (["one"], {})


def test_a_ticket_that_waits_anew_again_and_again_leaves_no_queue_without_end() -> None:
    feeds = fed()
    for number in range(1_000):
        feeds.wait("one", waiting(HOUR + number))

    assert len(feeds._queues["test"]) <= 103
    feeds.tick("test", HOUR + 998, COMPLETE, 0)
    assert taken(feeds) == []
    feeds.tick("test", HOUR + 999, COMPLETE, 0)
    assert taken(feeds) == ["one"]


def test_a_tick_without_a_state_begins_nothing_and_keeps_the_state_that_is_known() -> None:
    feeds: Feeds[str] = Feeds()
    assert not feeds.tick("test", HOUR, None, HOUR)

    feeds.tick("test", HOUR, LAGGING, 2 * HOUR)
    assert feeds.tick("test", 3 * HOUR, None, 4 * HOUR)
    feeds.tick("test", 2 * HOUR, None, 5 * HOUR)

    assert feeds.watched == {"test": Feed(3 * HOUR, LAGGING, 2 * HOUR)}


def test_no_more_than_a_number_of_sources_is_watched_or_known() -> None:
    feeds: Feeds[str] = Feeds()
    for number in range(MOST_SOURCES + 1):
        feeds.tick(f"s{number}", HOUR, COMPLETE, HOUR)
        feeds.event(f"s{number}", HOUR)
    feeds.event("s0", 2 * HOUR)

    assert len(feeds.watched) == len(feeds.received) == MOST_SOURCES
    assert feeds.received["s0"] == 2 * HOUR
