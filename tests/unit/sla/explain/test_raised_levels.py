"""What became of raised levels: the roles that they notified, who acknowledged them, and whether they were released."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from stream.observe.pages import phrasing
from stream.sla.calendar.duration import Duration
from stream.sla.effects import TIMER, Reason
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.explain.explain import explain, explain_state
from stream.sla.explain.explanation import Acknowledgement, Deadline, Outcome, Release
from stream.wire.explanation import encode_explanation
from tests.unit.sla.given import HOUR, MINUTE, changed, commitment, created, ladder, policy_set, used

SCHEMA = Draft202012Validator(json.loads((Path(__file__).parents[4] / "schemas" / "explanation.v1.json").read_text()))
SUPPORT = policy_set(
    commitment("resolution"), ladders=(ladder(("lead", used("1h")), ("head", used("3h")), owner="duty-manager"),)
)


def levels(*events: Event, until: int, policies: Any = SUPPORT) -> list[Deadline]:
    """Every explanation of this file also has to keep its JSON contract."""
    explanation = explain(policies, "T", events, until)
    SCHEMA.validate(json.loads(encode_explanation(explanation)))
    return [deadline for deadline in explanation.deadlines if deadline.ladder]


def about(kind: Any, at: int, **more: Any) -> Event:
    return Event(at, f"a{at}", f"escalation.{kind}", "test", **more)  # type: ignore[arg-type]


def test_a_level_names_the_roles_that_it_notifies_before_and_after_it_is_raised() -> None:
    lead, head = levels(created(0), until=2 * HOUR)

    assert (lead.verdict, lead.notify, lead.owner) == (Outcome.RAISED, ("lead-desk",), "duty-manager")
    assert (head.verdict, head.notify) == (Outcome.PENDING, ("head-desk",))
    assert (lead.acknowledged, lead.released, head.acknowledged) == (None, None, None)
    assert phrasing.notifies(head) == "head-desk (held by duty-manager)"


def test_an_acknowledgement_is_shown_with_its_instant_and_its_actor() -> None:
    acknowledgement = about("acknowledged", HOUR + MINUTE, actor="agent", role="owner")
    lead, head = levels(created(0), acknowledgement, until=2 * HOUR)

    assert lead.acknowledged == Acknowledgement(at=HOUR + MINUTE, actor="agent", role="owner", cause=acknowledgement.id)
    assert phrasing.by(lead.acknowledged) == " by agent (owner)"
    assert head.acknowledged == lead.acknowledged, "it holds the level above"
    assert phrasing.due(head, "UTC") == "none while acknowledged"
    assert lead.moments[-1].change == "escalation acknowledged by agent (owner)"


def test_an_acknowledgement_concerns_every_level_that_was_raised_before() -> None:
    lead, head = levels(created(0), about("acknowledged", 3 * HOUR + MINUTE), until=4 * HOUR)

    assert lead.acknowledged == head.acknowledged == Acknowledgement(at=3 * HOUR + MINUTE, cause=f"a{3 * HOUR + MINUTE}")
    assert phrasing.by(Acknowledgement(at=0)) == ""


def test_a_level_that_is_raised_again_waits_for_an_acknowledgement_again() -> None:
    again = policy_set(ladders=(ladder(("lead", used("1h")), raise_again_after=Duration.parse("30m")),))
    (lead,) = levels(created(0), about("acknowledged", HOUR + MINUTE), until=HOUR + 20 * MINUTE, policies=again)
    assert lead.acknowledged is not None

    (lead,) = levels(created(0), about("acknowledged", HOUR + MINUTE), until=2 * HOUR, policies=again)
    assert lead.acknowledged is None


def test_a_release_is_shown_with_its_instant_and_its_reason() -> None:
    by_hand, _ = levels(created(0), about("released", 2 * HOUR), until=HOUR * 2 + MINUTE)
    assert by_hand.released == Release(at=2 * HOUR, reason=Reason.DE_ESCALATED, cause=f"a{2 * HOUR}")
    assert phrasing.release_reason(by_hand.released) == " (de escalated)"

    solved, _ = levels(created(0), changed(2 * HOUR, status="solved"), until=3 * HOUR)
    assert solved.released is not None
    assert (solved.released.at, solved.released.reason) == (2 * HOUR, Reason.SOLVED)


def test_what_was_released_and_comes_back_is_not_released() -> None:
    lead, _ = levels(created(0), changed(2 * HOUR, status="solved"), changed(150 * MINUTE, status="open"), until=160 * MINUTE)

    assert (lead.verdict, lead.released, lead.acknowledged) == (Outcome.RAISED, None, None)


def test_a_level_under_monitoring_is_shown_with_the_end_of_it() -> None:
    watched = policy_set(ladders=(ladder(("lead", used("1h")), monitoring=Duration.parse("5h")),))
    events = created(0), changed(2 * HOUR, status="solved")
    (lead,) = levels(*events, until=3 * HOUR, policies=watched)
    assert (lead.monitored_until, lead.released) == (7 * HOUR, None)

    (lead,) = levels(*events, until=8 * HOUR, policies=watched)
    assert lead.monitored_until is None
    assert lead.released == Release(at=7 * HOUR, reason=Reason.QUIET, cause=TIMER)


def test_where_the_history_is_cut_the_instants_are_known_and_not_the_actors() -> None:
    def cut(*events: Event) -> Deadline:
        engine, state = Engine(SUPPORT, history=2), None
        for event in events:
            state = engine.apply(state, "T", event, event.at).state
        assert state is not None
        assert state.base is not None
        explanation = explain_state(SUPPORT, state)
        SCHEMA.validate(json.loads(encode_explanation(explanation)))
        return next(deadline for deadline in explanation.deadlines if deadline.ladder)

    noise = [changed(150 * MINUTE + number, tags=f"t{number}") for number in range(6)]
    acknowledged = cut(created(0), about("acknowledged", 2 * HOUR, actor="agent"), *noise)
    assert acknowledged.acknowledged == Acknowledgement(at=2 * HOUR)

    released = cut(created(0), about("released", 2 * HOUR), *noise)
    assert released.released == Release(at=2 * HOUR)
