"""While a feed is stale, what rests on its silence is provisional; the feed confirms it, or an event takes it back."""

from __future__ import annotations

from typing import Any

import pytest

from stream.sla.codec import codec
from stream.sla.effects import Effect, Kind, ProvisionalReason, Reason
from stream.sla.engine import Engine
from stream.sla.events import ERASURE, Event
from stream.sla.feed_health import LIMIT, MOST_SOURCES, Feeds
from stream.sla.feed_state import FeedState
from stream.sla.playback import Playback
from stream.sla.policy.timeline import NEVER
from stream.sla.settling import Lateness
from stream.sla.unconfirmed import MOST_UNCONFIRMED, StaleFeed
from tests.unit.sla.given import HOUR, MINUTE, after, changed, commented, commitment, created, ladder, policy_set, share

POLICIES = policy_set(
    commitment("first_response"), commitment("resolution", share(50)), ladders=(ladder(("team", after("1h")), on="resolution"),)
)
ANSWERED = policy_set(commitment("first_response", p1="4h"))
COMPLETE, LAGGING, UNREACHABLE, ENDED = FeedState
DESK = "test"
"""The source of the events of ``tests.unit.sla.given``."""


class Desk:
    """Tickets of a partition whose feeds are watched."""

    def __init__(self, policies: Any = ANSWERED, **more: Any) -> None:
        self.playback = Playback(Engine(policies, **more))
        self.effects: list[Effect] = []

    def event(self, event: Any, source: str = DESK, ticket: str = "T") -> Desk:
        """An event, without the time that passes with it."""
        self.effects += self.playback.apply(ticket, event.replace(source=source)).effects
        return self

    def tick(self, at: int, state: FeedState | None, source: str = DESK) -> Desk:
        self.effects += self.playback.tick(at, source, state)
        return self

    def passes(self, until: int) -> Desk:
        self.effects += self.playback.tick(until)
        return self

    def lines(self, ticket: str = "T") -> list[str]:
        """Kind, instant in hours, id's revision, and the qualifiers of each effect that is not routine."""
        lines = []
        for effect in self.effects:
            if effect.ticket == ticket and not effect.routine:
                revision = effect.id.partition(".")[2]
                qualifiers = [
                    effect.provisional_reason or "",
                    "late" if effect.late else "",
                    effect.reason if effect.retracts else "",
                ]
                words = [
                    effect.kind.partition(".")[2],
                    f"{effect.at / HOUR:g}",
                    f".{revision}" if revision else "",
                    *qualifiers,
                ]
                lines.append(" ".join(word for word in words if word))
        return lines

    @property
    def unconfirmed(self) -> dict[str, Any]:
        return self.playback.states["T"].unconfirmed


def lagging(policies: Any = ANSWERED, state: FeedState = LAGGING, **more: Any) -> Desk:
    """A ticket at 0 whose answer is due at 4, of a feed that is complete up to 1."""
    desk = Desk(policies, **more).event(created(0)).tick(HOUR, COMPLETE)
    return desk if state is COMPLETE else desk.tick(HOUR, state)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (COMPLETE, ProvisionalReason.FEED_SILENT),
        (LAGGING, ProvisionalReason.FEED_LAGGING),
        (UNREACHABLE, ProvisionalReason.FEED_UNREACHABLE),
    ],
)
def test_a_breach_is_provisional_for_the_state_of_its_feed(state: FeedState, reason: str) -> None:
    assert lagging(state=state).passes(5 * HOUR).lines() == [f"breached 4 {reason}"]


@pytest.mark.parametrize(("complete", "reason"), [(4 * HOUR - LIMIT, " feed_lagging"), (4 * HOUR - LIMIT + 1, "")])
def test_a_feed_may_be_behind_by_less_than_the_limit(complete: int, reason: str) -> None:
    desk = Desk().event(created(0)).tick(complete, LAGGING).passes(5 * HOUR)
    assert desk.lines() == [f"breached 4{reason}"]


def test_a_feed_that_was_complete_in_time_leaves_nothing_in_doubt() -> None:
    assert lagging().tick(5 * HOUR, COMPLETE).lines() == ["breached 4"]


def test_a_feed_without_a_state_is_not_watched_however_old_its_ticks_are() -> None:
    assert Desk().event(created(0)).tick(HOUR, None).passes(5 * HOUR).lines() == ["breached 4"]


def test_a_feed_that_is_complete_again_confirms_the_breach_with_the_same_instant() -> None:
    desk = lagging().passes(5 * HOUR).tick(4 * HOUR, COMPLETE)
    assert desk.lines() == ["breached 4 feed_lagging", "breach_retracted 4 feed_lagging late restated", "breached 4 .1"]
    first, retraction, again = [effect for effect in desk.effects if not effect.routine]
    assert (retraction.retracts, retraction.cause) == (first.id, "feed:test")
    assert (again.at, again.due_at, again.detected_at, again.cause) == (first.at, first.due_at, 5 * HOUR, "timer")
    assert desk.unconfirmed == {}


def test_a_feed_that_is_complete_up_to_just_before_the_breach_confirms_nothing() -> None:
    desk = lagging().passes(5 * HOUR).tick(4 * HOUR - 1, COMPLETE)
    assert desk.lines() == ["breached 4 feed_lagging"]
    assert len(desk.unconfirmed) == 1


def test_a_late_answer_takes_the_breach_back_and_nothing_is_left_to_confirm() -> None:
    desk = lagging().passes(5 * HOUR).event(commented(3 * HOUR)).tick(6 * HOUR, COMPLETE)
    assert desk.lines() == ["breached 4 feed_lagging", "breach_retracted 4 feed_lagging late corrected", "met 3 late"]
    assert desk.unconfirmed == {}
    assert len(desk.playback.feeds) == 0


def test_a_late_event_that_changes_what_the_breach_shows_leaves_it_news() -> None:
    desk = lagging().passes(5 * HOUR).event(changed(2 * HOUR, team="red"))
    assert desk.lines() == [
        "breached 4 feed_lagging", "breach_retracted 4 feed_lagging late restated", "breached 4 .1 feed_lagging"
    ]  # fmt: skip
    desk.tick(6 * HOUR, COMPLETE)
    assert desk.lines()[3:] == ["breach_retracted 4 feed_lagging late restated", "breached 4 .2"]


def test_what_an_event_makes_true_is_a_fact_though_its_feed_lags() -> None:
    assert lagging().event(commented(3 * HOUR)).passes(5 * HOUR).lines() == ["met 3"]


def test_a_breach_through_a_change_of_target_rests_on_silence_as_well() -> None:
    desk = Desk(policy_set(commitment("first_response", p1="1h", p2="8h"))).event(created(0, priority="p2"))
    desk.tick(HOUR, COMPLETE).event(changed(3 * HOUR, priority="p1")).passes(4 * HOUR)
    assert desk.lines() == ["breached 3 feed_silent"]
    desk.tick(5 * HOUR, COMPLETE)
    assert desk.lines()[1:] == ["breach_retracted 3 feed_silent late restated", "breached 3 .1"]


def test_warnings_and_levels_of_ladders_are_provisional_and_confirmed_in_their_order() -> None:
    desk = lagging(POLICIES).passes(6 * HOUR)
    first = ["warned 2", "breached 4", "breached 4", "raised 5"]
    assert desk.lines() == [f"{line} feed_lagging" for line in first]
    desk.tick(4 * HOUR, COMPLETE)
    assert [line for line in desk.lines() if ".1" in line] == ["warned 2 .1", "breached 4 .1", "breached 4 .1"]
    desk.tick(6 * HOUR, COMPLETE)
    assert [line for line in desk.lines() if ".1" in line][3:] == ["raised 5 .1"]
    assert desk.unconfirmed == {}


def test_the_tickets_of_another_source_are_not_concerned() -> None:
    desk = lagging().event(created(0), "billing", "B").tick(HOUR, COMPLETE, "billing")
    desk.tick(5 * HOUR, COMPLETE, "billing")
    assert (desk.lines("T"), desk.lines("B")) == (["breached 4 feed_lagging"], ["breached 4"])


def test_a_ticket_of_two_sources_waits_for_both() -> None:
    desk = lagging().event(changed(HOUR, colour="red"), "billing").tick(HOUR, COMPLETE, "billing").passes(5 * HOUR)
    assert desk.lines() == ["breached 4 feed_lagging"]
    assert desk.tick(5 * HOUR, COMPLETE).lines() == ["breached 4 feed_lagging"]
    assert desk.tick(5 * HOUR, COMPLETE, "billing").lines()[1:] == [
        "breach_retracted 4 feed_lagging late restated",
        "breached 4 .1",
    ]


def test_a_feed_that_has_ended_confirms_what_nobody_can_confirm_any_more() -> None:
    desk = lagging().passes(5 * HOUR).tick(HOUR, ENDED)
    assert desk.lines()[1:] == ["breach_retracted 4 feed_lagging late restated", "breached 4 .1"]
    assert desk.event(created(5 * HOUR), ticket="U").passes(20 * HOUR).lines("U") == ["breached 9"]


def test_a_tick_without_a_state_counts_for_a_watched_feed_and_keeps_its_state() -> None:
    desk = lagging().tick(2 * HOUR, None).passes(5 * HOUR)
    assert desk.lines() == ["breached 4 feed_lagging"]
    assert desk.playback.feeds.watched[DESK].complete == 2 * HOUR


def test_an_older_tick_takes_no_completeness_back() -> None:
    desk = lagging().tick(4 * HOUR, COMPLETE).tick(2 * HOUR, LAGGING).passes(5 * HOUR)
    assert (desk.lines(), desk.playback.feeds.watched[DESK].complete) == (["breached 4"], 4 * HOUR)


def test_what_is_late_is_not_provisional_because_nobody_is_paged_for_it() -> None:
    desk = lagging().event(commented(3 * HOUR)).passes(5 * HOUR)
    desk.event(commented(2 * HOUR, "customer").replace(id="again"))
    assert not any(effect.provisional for effect in desk.effects)


def test_the_ids_and_the_state_but_for_what_is_unconfirmed_are_those_of_a_feed_in_order() -> None:
    healthy, stale = Desk().event(created(0)).passes(5 * HOUR), lagging().passes(5 * HOUR)
    assert [effect.id for effect in healthy.effects] == [effect.id for effect in stale.effects]
    assert healthy.playback.states["T"].parts()[:-1] == stale.playback.states["T"].parts()[:-1]


def test_a_stored_state_is_confirmed_as_the_one_in_memory() -> None:
    straight, stored = lagging(POLICIES).passes(6 * HOUR), lagging(POLICIES).passes(6 * HOUR)
    data = codec.encode(stored.playback.states["T"])
    assert codec.has_unconfirmed(data)
    again = stored.playback.states["T"] = codec.decode(data)
    assert (again, codec.encode(again)) == (straight.playback.states["T"], data)
    assert codec.peek(data) == codec.peek(codec.encode(lagging(POLICIES).tick(6 * HOUR, COMPLETE).playback.states["T"]))
    assert straight.tick(6 * HOUR, COMPLETE).effects == stored.tick(6 * HOUR, COMPLETE).effects
    assert not codec.has_unconfirmed(codec.encode(stored.playback.states["T"]))


def test_what_leaves_the_history_is_confirmed_before() -> None:
    desk = lagging(history=4).passes(5 * HOUR)
    for minute in range(6):
        desk.event(changed(5 * HOUR + minute * MINUTE, colour=str(minute)))
    assert desk.lines() == ["breached 4 feed_lagging", "breach_retracted 4 feed_lagging late restated", "breached 4 .1"]
    assert desk.unconfirmed == {}


def test_what_the_event_shows_that_shortens_the_history_is_confirmed_later() -> None:
    """The older half ends with an event at the deadline, which has not passed by then."""
    desk = lagging(history=2).event(changed(4 * HOUR, colour="red")).event(changed(5 * HOUR, colour="blue"))
    assert desk.playback.states["T"].base is not None
    assert desk.lines() == ["breached 4 feed_lagging"]
    assert len(desk.unconfirmed) == 1

    desk.tick(6 * HOUR, COMPLETE)
    assert desk.lines()[1:] == ["breach_retracted 4 feed_lagging late restated", "breached 4 .1"]
    assert desk.unconfirmed == {}


def test_of_what_is_unconfirmed_only_that_is_confirmed_which_leaves_the_history() -> None:
    desk = lagging(history=2).passes(4 * HOUR + 1).event(changed(4 * HOUR, colour="red"))
    desk.event(changed(5 * HOUR, colour="blue"))

    assert desk.playback.states["T"].base is not None
    assert desk.lines() == ["breached 4 feed_lagging"]
    assert len(desk.unconfirmed) == 1


def test_what_leaves_the_history_in_the_step_that_finds_it_is_a_fact() -> None:
    """An old event moves the deadline before what is published; the event that lets the ticket settle shortens the history."""
    policies = policy_set(commitment("first_response", p1="20h", p2="250m"))
    engine = Engine(policies, history=3, lateness=Lateness(late_after=10 * MINUTE))
    engine.stale = (StaleFeed(DESK, HOUR, ProvisionalReason.FEED_LAGGING),)
    state, effects = None, []
    for event, arrived in (
        (created(0), 0),
        (changed(255 * MINUTE, colour="red"), 255 * MINUTE),
        (changed(3 * HOUR, priority="p2"), 256 * MINUTE),
        (changed(257 * MINUTE, colour="blue"), 257 * MINUTE),
    ):
        step = engine.apply(state, "T", event, arrived, arrived)
        state, effects = step.state, [one for one in step.effects if one.kind is Kind.BREACHED]

    assert state is not None
    assert state.base is not None
    assert [(effect.at, effect.late, effect.provisional) for effect in effects] == [(250 * MINUTE, False, False)]
    assert state.unconfirmed == {}


def test_what_no_ticket_can_remember_is_a_fact() -> None:
    repeating = ladder(("team", after("1m")), on="first_response", of_level={"repeat_every": None})
    assert repeating.levels
    desk = lagging().passes(5 * HOUR)
    state = desk.playback.states["T"]
    state.unconfirmed.update(
        {f"{number:024}": (5 * HOUR, ProvisionalReason.FEED_LAGGING) for number in range(MOST_UNCONFIRMED)}
    )
    desk.event(created(HOUR), ticket="U").passes(6 * HOUR)
    assert desk.lines("U") == ["breached 5 feed_lagging"]


def test_a_deployment_that_takes_the_breach_back_leaves_nothing_to_confirm() -> None:
    desk = lagging().passes(5 * HOUR)
    desk.playback.deploy(2 * HOUR, policy_set(commitment("first_response", p1="20h")))
    desk.passes(5 * HOUR + 1)
    assert [line for line in desk.lines() if "retracted" in line] == ["breach_retracted 4 feed_lagging late rejudged"]
    assert desk.unconfirmed == {}


def test_a_deployment_that_became_known_before_the_confirmation_is_met_first() -> None:
    desk = lagging().passes(5 * HOUR)
    deployments = desk.playback.engine.deployments
    desk.playback.engine.deployments = deployments.add(1, 2 * HOUR, policy_set(commitment("first_response", p1="20h")))
    state = desk.playback.states["T"]
    step = desk.playback.engine.confirm(state, 6 * HOUR, 6 * HOUR, "feed:test")
    assert [effect.reason for effect in step.effects if effect.kind is Kind.BREACH_RETRACTED] == [Reason.REJUDGED]
    assert step.state.unconfirmed == {}


def test_a_ticket_that_settles_is_settled_before_it_is_confirmed() -> None:
    desk = lagging().passes(5 * HOUR)
    playback = desk.playback
    old = playback.engine.apply(playback.states["T"], "T", commented(3 * HOUR), 5 * HOUR, 5 * HOUR)
    assert old.state.settling is not None
    assert old.state.unconfirmed
    step = playback.engine.confirm(old.state, 6 * HOUR, 6 * HOUR, "feed:test")
    assert [effect.kind for effect in step.effects] == [Kind.BREACH_RETRACTED, Kind.MET]
    assert (step.state.unconfirmed, step.state.settling) == ({}, None)


def test_an_erasure_takes_back_what_is_provisional_as_provisional_and_states_it_once() -> None:
    """The old event that waits changes what the breach shows."""
    desk = lagging().passes(5 * HOUR)
    old = desk.playback.engine.apply(desk.playback.states["T"], "T", changed(3 * HOUR, team="b"), 5 * HOUR, 5 * HOUR)
    assert old.state.settling is not None
    step = desk.playback.engine.apply(old.state, "T", Event(5 * HOUR, "e", ERASURE, "breachwatch"), 5 * HOUR, 5 * HOUR)
    desk.effects += step.effects
    assert desk.lines() == [
        "breached 4 feed_lagging",
        "breach_retracted 4 feed_lagging late restated",
        "breached 4 .1",
    ]
    assert step.state.unconfirmed == {}


def test_sources_beyond_the_bound_only_move_the_clock() -> None:
    feeds: Feeds[str] = Feeds()
    for number in range(MOST_SOURCES + 5):
        feeds.event(f"s{number}", HOUR)
        feeds.tick(f"s{number}", HOUR, COMPLETE, HOUR)
    assert (len(feeds.watched), len(feeds.received)) == (MOST_SOURCES, MOST_SOURCES)


def test_a_state_is_known_since_it_began() -> None:
    feeds: Feeds[str] = Feeds()
    for clock, state in enumerate([COMPLETE, COMPLETE, LAGGING, None, LAGGING, COMPLETE]):
        feeds.tick(DESK, HOUR, state, clock)
        if clock == 4:
            assert (feeds.watched[DESK].state, feeds.watched[DESK].since) == (LAGGING, 2)
    assert (feeds.watched[DESK].state, feeds.watched[DESK].since) == (COMPLETE, 5)


def test_without_a_watched_source_nothing_is_ever_stale() -> None:
    feeds: Feeds[str] = Feeds()
    assert not feeds.tick(DESK, HOUR, None, HOUR)
    assert (feeds.stale_from(), feeds.stale()) == (NEVER, ())
