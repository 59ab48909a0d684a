"""An explanation names what is provisional, and why: after lost input, and while a feed is stale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from jsonschema import Draft202012Validator

from stream.cli.explain_view import lines
from stream.observe.pages import page_ticket
from stream.observe.pages.views import TicketView
from stream.sla.doubt import Doubt
from stream.sla.effects import Kind, ProvisionalReason
from stream.sla.engine import Engine
from stream.sla.explain.explain import explain_state
from stream.sla.explain.explanation import Outcome
from stream.sla.feed_state import FeedState
from stream.sla.playback import Playback
from stream.wire.explanation import encode_explanation
from tests.unit.sla.given import HOUR, after, commitment, created, ladder, policy_set, share

if TYPE_CHECKING:
    from stream.sla.explain.explanation import Explanation

POLICIES = policy_set(
    commitment("resolution", share(50)), ladders=(ladder(("team", after("1h")), ("head", after("9h")), on="resolution"),)
)
SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[4] / "schemas" / "explanation.v1.json").read_text()))


def lagging() -> Playback:
    """A ticket of 0 whose resolution was due at 4, of a feed that lags since 1; it is 6."""
    playback = Playback(Engine(POLICIES))
    list(playback.event("T", created(0)))
    list(playback.tick(HOUR, "test", FeedState.LAGGING))
    list(playback.tick(6 * HOUR))
    return playback


def provisional(explanation: Explanation) -> dict[str, ProvisionalReason | None]:
    SCHEMA.validate(json.loads(encode_explanation(explanation)))
    return {deadline.level or deadline.commitment: deadline.provisional for deadline in explanation.deadlines}


def test_a_breach_of_a_stale_feed_is_provisional_until_it_is_confirmed() -> None:
    playback = lagging()
    explanation = explain_state(POLICIES, playback.states["T"], 6 * HOUR)
    why = ProvisionalReason.FEED_LAGGING
    assert provisional(explanation) == {"resolution": why, "team": why, "head": None}
    assert {moment.kind for moment in explanation.deadlines[0].moments if moment.provisional} == {
        Kind.WARNED, Kind.BREACHED, Kind.RAISED
    }  # fmt: skip
    list(playback.tick(6 * HOUR, "test", FeedState.COMPLETE))
    assert provisional(explain_state(POLICIES, playback.states["T"], 6 * HOUR)) == {
        "resolution": None,
        "team": None,
        "head": None,
    }


def test_a_breach_after_lost_input_is_provisional() -> None:
    playback = Playback(Engine(POLICIES))
    list(playback.event("T", created(0)))
    list(playback.tick(6 * HOUR))
    doubting = playback.engine.deployments.doubting((Doubt(3 * HOUR, ProvisionalReason.INPUT_LOST),))
    explanation = explain_state(doubting, playback.states["T"], 6 * HOUR)
    assert provisional(explanation)["resolution"] is ProvisionalReason.INPUT_LOST
    assert [moment.kind for moment in explanation.deadlines[0].moments if moment.provisional] == [Kind.BREACHED, Kind.RAISED]


def test_text_and_page_state_it_with_its_reason() -> None:
    explanation = explain_state(POLICIES, lagging().states["T"], 6 * HOUR)
    text = click.unstyle("\n".join(lines(explanation, "UTC")))
    assert "resolution: breached, target_passed, provisional (feed_lagging)" in text
    assert "* warned 50%: share_used, provisional (feed_lagging)" in text
    page = page_ticket.render(TicketView("T", 0, live=True, fields={}, gone="", explanation=explanation)).decode()
    assert "breached, provisional: feed lagging" in page
    assert "Events may be missing" in page
    assert explanation.deadlines[0].verdict is Outcome.BREACHED
