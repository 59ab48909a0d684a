"""Conditions that ask whether the calendar was open when the clock started."""

from __future__ import annotations

import pytest

from stream.language.calendars import read_calendar
from stream.sla.calendar.duration import Duration
from stream.sla.explain.explain import explain
from stream.sla.explain.terms import Term
from stream.sla.policy.conditions import ALWAYS, FieldIn
from stream.sla.policy.metric import BUILT_IN
from stream.sla.policy.policy import Choice, Commitment, Policy
from stream.sla.policy.resolve import PolicySet
from stream.sla.policy.timeline import Deployments
from tests.unit.sla.given import HOUR, commented, created, run

OUT = FieldIn("@started", frozenset({"out_of_hours"}))
DAY = 24 * HOUR


def failing(where: object, message: str) -> None:
    raise AssertionError((where, message))


def hours(name: str, windows: str) -> PolicySet:
    """Two hours for a first or next answer, four for one that is asked for out of hours. Every day is open alike."""
    calendar = read_calendar(name, {"timezone": "UTC", "week": {"mon-sun": [windows]}, "day": "8h"}, failing)
    assert calendar is not None
    target = Choice(((OUT, Duration.parse("4bh")), (ALWAYS, Duration.parse("2bh"))))
    commitments = tuple(
        Commitment(metric, BUILT_IN[metric], target, Choice(())) for metric in ("first_response", "next_response")
    )
    return PolicySet((Policy("p", 1, Choice.fixed(name), commitments=commitments),), {name: calendar})


OFFICE = hours("office", "09:00-17:00")


@pytest.mark.parametrize(
    ("at", "due"),
    [
        (9 * HOUR - 1, 13 * HOUR),
        (9 * HOUR, 11 * HOUR),
        (15 * HOUR, 17 * HOUR),
        (17 * HOUR - 1, DAY + 11 * HOUR - 1),
        (17 * HOUR, DAY + 13 * HOUR),
    ],
)
def test_the_opening_instant_is_in_hours_and_the_closing_instant_is_not(at: int, due: int) -> None:
    life = run(OFFICE, created(at))

    assert [effect.at for effect in life.effects if effect.kind == "commitment.breached"] == [due]


def test_each_clock_of_a_ticket_has_an_answer_of_its_own() -> None:
    life = run(OFFICE, created(8 * HOUR), commented(10 * HOUR), commented(11 * HOUR, "customer"))

    assert life.lines("met", "breached") == ["met @10h", "breached @13h"]


def test_a_change_of_hours_changes_the_answer_for_open_clocks() -> None:
    deployments = Deployments.fixed(OFFICE).add(1, 10 * HOUR, hours("office", "08:00-17:00"))

    assert run(deployments, created(8 * HOUR)).lines("retargeted", "breached") == ["retargeted @10h", "breached @10h"]


def test_an_explanation_states_how_the_clock_started() -> None:
    found = [explain(OFFICE, "T", [created(at)], 20 * HOUR).deadlines[0] for at in (8 * HOUR, 9 * HOUR)]

    assert [deadline.terms for deadline in found] == [(Term.STARTED_OUT_OF_HOURS,), (Term.STARTED_IN_HOURS,)]


def test_a_set_that_does_not_ask_is_remembered_by_versions_alone() -> None:
    (policy,) = OFFICE.policies
    plain = PolicySet((Policy("p", 1, policy.calendar),), OFFICE.calendars)

    assert (plain.epoch(8 * HOUR), plain.epoch(9 * HOUR)) == (0, 0)
    assert OFFICE.epoch(8 * HOUR) != OFFICE.epoch(9 * HOUR)
