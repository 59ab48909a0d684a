"""Cases that an independent implementation of the rules found."""

from __future__ import annotations

import dataclasses

from stream.sla.conditions import ALWAYS, FieldIn
from stream.sla.metrics import SOLVED, Row
from stream.sla.policy import Choice, Commitment, Mark, OnChange
from tests.unit.sla.given import HOUR, by_priority, changed, commitment, created, ladder, policy_set, run, share, used


def _marks_by_priority(**marks: list[Mark]) -> Choice[tuple[Mark, ...]]:
    return Choice(tuple((FieldIn("priority", frozenset({p})), tuple(m)) for p, m in marks.items()))


# Fields may change the warnings and leave the target.
def test_warnings_follow_the_fields_though_the_target_stays() -> None:
    promise = dataclasses.replace(
        commitment("resolution", p1="8h", p2="8h"), warn_at=_marks_by_priority(p1=[share(75)], p2=[share(25)])
    )
    told = run(policy_set(promise), created(0), changed(1 * HOUR, priority="p2"))
    assert told.lines("warned", "breached") == ["warned 25% @2h", "breached @8h"]


def test_warnings_that_the_new_fields_bring_are_sent() -> None:
    promise = dataclasses.replace(commitment("resolution", p1="8h", p2="8h"), warn_at=_marks_by_priority(p2=[share(50)]))
    told = run(policy_set(promise), created(0), changed(1 * HOUR, priority="p2"))
    assert told.lines("warned", "breached") == ["warned 50% @4h", "breached @8h"]


# A ticket begins with the status "new", said or not.
def test_a_row_that_starts_while_new_starts_with_the_ticket() -> None:
    row = Row("mine", starts=FieldIn("status", frozenset({"new", "open"})), stops=SOLVED)
    promise = Commitment("mine", row, by_priority(p1="4h"))
    assert run(policy_set(promise), created(0)).lines() == ["started @0h", "breached @4h"]
    assert run(policy_set(promise), created(0, status="new")).lines() == ["started @0h", "breached @4h"]


def test_a_row_that_always_starts_starts_with_the_ticket() -> None:
    row = Row("mine", starts=ALWAYS, stops=SOLVED)
    promise = Commitment("mine", row, by_priority(p1="4h"))
    assert run(policy_set(promise), created(0)).lines() == ["started @0h", "breached @4h"]


# reset "begins a new cycle at the change": time used counts from there, for a mark of time used as well.
def test_after_a_reset_time_used_counts_from_the_change() -> None:
    told = run(
        policy_set(commitment("resolution", used("2h"), on_change=OnChange.RESET)),
        created(0, "p2"),
        changed(3 * HOUR, priority="p1"),
    )
    assert told.lines("warned", "breached") == ["warned 2h @2h", "warned 2h @5h", "breached @7h"]


# A ladder that ceased to apply and applies again goes on.
def test_a_ladder_that_applies_again_climbs_on() -> None:
    gold = FieldIn("contract", frozenset({"gold"}))
    policies = policy_set(ladders=(dataclasses.replace(ladder(("team", used("4h")), ("manager", used("8h"))), when=gold),))
    told = run(policies, created(0, contract="gold"), changed(5 * HOUR, contract="tin"), changed(6 * HOUR, contract="gold"))
    assert "raised manager @8h" in told.lines("raised")
