"""A ticket that is erased: what it leaves, what is emitted first, and that nothing brings it back."""

from __future__ import annotations

import pytest

from stream.sla.codec import codec
from stream.sla.engine import Engine
from stream.sla.events import EVENT_TYPES, Event
from stream.sla.explain.explain import explain_state
from stream.sla.policy.timeline import Deployments
from stream.sla.settling import Lateness
from stream.sla.step import Outcome
from stream.sla.ticket.listing import lists_of
from stream.sla.ticket.state import open_commitments
from stream.wire.effect import encode_effect
from tests.unit.sla.given import HOUR, Life, changed, commented, commitment, created, ladder, policy_set, share

TEXTS = ("Ada", "Lovelace Ltd", "printers", "s1h", "f2h")
POLICIES = policy_set(commitment("resolution", share(50), p1="4h"), commitment("first_response", p1="2h"))


def erasure(at: int, id_: str = "erase") -> Event:
    return Event(at, id_, "ticket.erased", "breachwatch")


def ticket() -> Life:
    life = Life(POLICIES).event(created(0, priority="p1", team="desk", assignee="Ada", customer="Lovelace Ltd"))
    return life.event(Event(1, "s1h", "comment.added", "acme", actor="customer", public=True))


def left(life: Life) -> bytes:
    assert life.state is not None
    return codec.encode(life.state)


def test_nothing_is_left_but_its_name_and_when_it_was_erased() -> None:
    life = ticket().event(erasure(HOUR))
    assert life.state is not None
    stored = left(life)
    assert len(stored) < 120
    assert [text for text in TEXTS if text.encode() in stored] == []
    again = codec.decode(stored)
    assert again == life.state
    assert (again.head.id, again.head.ended_by, again.head.ended_at) == ("T", "erased", HOUR)
    assert (again.history, again.base, again.old_ids, again.revisions) == ([], None, (), {})
    assert (again.wake_at, again.ended, open_commitments(again), lists_of(again)) == (None, HOUR, [], 0)
    summary = codec.peek(stored)
    assert (summary.wake_at, summary.ended, summary.open_commitments, summary.unmatched) == (None, HOUR, [], False)
    assert explain_state(POLICIES, again).deadlines == ()


def test_what_is_open_is_cancelled_and_shows_no_other_field_than_metrics_and_routes_need() -> None:
    life = ticket()
    before = len(life.effects)
    life.event(erasure(HOUR))
    cancelled = life.effects[before:]
    assert [(one.kind, one.commitment, one.reason, one.cause) for one in cancelled] == [
        ("commitment.cancelled", name, "deleted", "erase") for name in ("resolution", "first_response")
    ]
    assert all(one.fields == {"priority": "p1", "team": "desk"} for one in cancelled)
    assert not any(text.encode() in encode_effect(one) for one in cancelled for text in TEXTS)


def test_a_deadline_that_passed_before_is_emitted_before() -> None:
    life = ticket().event(erasure(3 * HOUR))
    assert life.lines("breached", "cancelled") == ["breached @2h", "cancelled @3h"]


def test_an_erasure_takes_effect_where_the_ticket_stands_however_old_it_is() -> None:
    life = ticket().wake(5 * HOUR).event(erasure(HOUR))
    assert life.lines("retracted", "breach_retracted") == []
    assert life.state is not None
    assert life.state.head.ended_at > 4 * HOUR


@pytest.mark.parametrize("known", [False, True])
def test_an_erasure_with_an_old_instant_is_kept_from_its_arrival_on(known: bool) -> None:
    life = ticket() if known else Life(POLICIES)
    life.event(erasure(HOUR), arrived=500 * HOUR)
    assert life.state is not None
    assert (life.state.head.ended_at, life.state.ended) == (500 * HOUR, 500 * HOUR)
    assert not known or life.lines("breached", "cancelled") == ["cancelled @1h", "cancelled @1h"]


@pytest.mark.parametrize("type_", EVENT_TYPES)
@pytest.mark.parametrize("at", [0, HOUR, 9 * HOUR])
def test_no_late_repeated_or_new_event_brings_it_back(type_: str, at: int) -> None:
    life = ticket().event(erasure(HOUR))
    state, effects = life.state, len(life.effects)
    life.event(created(at, priority="p1", assignee="Ada").replace(type=type_), now=10 * HOUR)
    assert life.steps[-1].outcome is Outcome.ERASED
    assert life.state is state
    assert len(life.effects) == effects
    assert life.wake(1000 * HOUR).state is state


def test_an_erasure_that_is_repeated_changes_nothing() -> None:
    life = ticket().event(erasure(HOUR))
    state = life.state
    life.event(erasure(2 * HOUR, "another"))
    assert life.steps[-1].outcome is Outcome.DUPLICATE
    assert life.state is state


def test_a_ticket_that_was_never_seen_is_erased_before_its_events_arrive() -> None:
    life = Life(POLICIES).event(erasure(HOUR)).event(created(0, priority="p1"))
    assert [step.outcome for step in life.steps] == [Outcome.APPLIED, Outcome.ERASED]
    assert life.effects == []


@pytest.mark.parametrize("ended", ["ticket.deleted", "ticket.merged"])
def test_a_ticket_that_has_ended_is_erased_without_a_word(ended: str) -> None:
    life = ticket().event(Event(HOUR, "x", ended, "acme"))  # type: ignore[arg-type]
    before = len(life.effects)
    life.event(erasure(2 * HOUR))
    assert life.effects[before:] == []
    assert left(life).find(b"Ada") < 0


def test_what_waits_until_the_ticket_has_settled_is_emitted_first() -> None:
    life = Life(POLICIES, lateness=Lateness(0, 7 * HOUR))
    life.event(created(0, priority="p1", assignee="Ada"), arrived=3 * HOUR)
    assert life.effects == []
    life.event(erasure(3 * HOUR + 1), arrived=3 * HOUR + 1)
    assert [(line, one.late) for line, one in zip(life.lines(), life.effects, strict=True) if "breached" in line] == [
        ("breached @2h", True)
    ]
    assert [one.commitment for one in life.effects if one.kind == "commitment.cancelled"] == ["resolution"]
    assert all("assignee" not in one.fields for one in life.effects)


def test_the_levels_that_were_raised_are_released() -> None:
    policies = policy_set(commitment("resolution", p1="4h"), ladders=(ladder(("lead", share(50)), on="resolution"),))
    life = Life(policies).event(created(0, priority="p1")).wake(3 * HOUR).event(erasure(3 * HOUR))
    assert life.lines("raised", "released") == ["raised lead @2h", "released lead @3h"]


def test_a_deployment_leaves_an_erased_ticket_alone() -> None:
    life = ticket().event(erasure(HOUR))
    life.engine.deployments = Deployments.fixed(POLICIES).add(1, 2 * HOUR, policy_set(commitment("resolution", p1="1h")))
    state = life.state
    assert life.wake(9 * HOUR).state is state
    life.event(created(3 * HOUR, priority="p1"))
    assert life.state is state


def test_a_cut_history_goes_as_well() -> None:
    life = Life(POLICIES, history=2).event(created(0, priority="p1", assignee="Ada"))
    for hour in range(1, 9):
        life.event(changed(hour * HOUR // 10, assignee=f"Ada {hour}"))
    assert life.state is not None
    assert life.state.base is not None
    assert left(life.event(erasure(HOUR))).find(b"Ada") < 0


def test_policies_cannot_ask_for_it() -> None:
    assert "ticket.erased" not in EVENT_TYPES
    assert Engine(POLICIES).apply(None, "T", commented(0), 0).outcome is Outcome.APPLIED
