"""Corrections: an effect is restated when anything that it states of the ticket is another."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from stream.sla.correction import Correction, difference
from stream.sla.effects import Effect, Kind, ProvisionalReason, Reason
from stream.sla.policy.policy import LadderKind
from tests.effects import effect_of

FOUND = {"detected_at", "late", "deployment", "provisional", "provisional_reason"}
"""How an effect was found, and not what it states."""
IDENTIFIES = {"id", "kind", "ticket", "ladder", "level", "cycle"}
"""Part of the id: another value is another fact."""
OF_RETRACTIONS = {"retracts", "retracts_kind", "retracts_reason"}
BREACH = effect_of(Kind.BREACHED, commitment="resolution")
ANOTHER: dict[str, Any] = {
    "kind": Kind.MET,
    "escalation_kind": LadderKind.FUNCTIONAL,
    "notify": ("lead",),
    "reason": Reason.TIME_USED,
    "provisional_reason": ProvisionalReason.INPUT_LOST,
    "fields": {"priority": "p1"},
    "retracts_kind": Kind.MET,
    "retracts_reason": Reason.FULFILLED,
}
"""Values that the breach does not have. Those of the other fields are made from what it has."""


def another(field: str) -> Any:
    value = getattr(BREACH, field)
    match value:
        case _ if field in ANOTHER:
            return ANOTHER[field]
        case bool():
            return not value
        case str():
            return f"{value}x"
        case _:
            return (value or 0) + 1


@pytest.mark.parametrize("field", [field for field in Effect.__struct_fields__ if field not in {"id", *OF_RETRACTIONS}])
def test_an_effect_is_restated_for_every_field_that_states_something_of_the_ticket(field: str) -> None:
    changed = msgspec.structs.replace(BREACH, **{field: another(field)})

    effects, _ = difference([BREACH], [changed], {}, Correction("late", Reason.CORRECTED))

    restated = [effect.reason for effect in effects if effect.retracts]
    assert restated == ([] if field in FOUND | IDENTIFIES else [Reason.RESTATED])
