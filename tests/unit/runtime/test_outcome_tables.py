"""The outcomes of a replay: every kind of effect that decides has one, or is not counted."""

from __future__ import annotations

from stream.runtime import outcome_changes, outcomes
from stream.sla.effects import KINDS, Kind

DECIDES = {kind for kind, row in KINDS.items() if row.decides}
NOT_COUNTED = {Kind.MEASURED, Kind.ELAPSED}
"""They are not about a target. A new kind that decides needs a decision."""


def test_every_kind_that_decides_is_an_outcome_or_not_counted() -> None:
    assert outcomes.OUTCOME_OF.keys() | NOT_COUNTED == DECIDES
    assert set(outcomes.OUTCOME_OF.values()) < set(outcomes.OUTCOMES)


def test_every_kind_that_decides_is_compared() -> None:
    compared = outcome_changes.OUTCOME_OF

    assert compared.keys() - {Kind.STARTED} == DECIDES
    assert {kind for kind in DECIDES if compared[kind] == "not_counted"} == NOT_COUNTED
    assert set(compared.values()) == set(outcome_changes.COMPARED)
