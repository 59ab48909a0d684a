"""Two small policies, and effects about them."""

from __future__ import annotations

from typing import Any

import msgspec

from stream.sla.calendar.calendar import always
from stream.sla.calendar.duration import Duration
from stream.sla.effects import Effect, Kind, Reason
from stream.sla.policy.conditions import FieldIn
from stream.sla.policy.metric import BUILT_IN
from stream.sla.policy.policy import Choice, Commitment, Ladder, LadderKind, Level, Policy, Threshold, ThresholdKind
from stream.sla.policy.resolve import PolicySet
from tests.effects import effect_of


def by_priority(**texts: str) -> Choice[Duration]:
    """A target that depends on the priority."""
    return Choice(tuple((FieldIn("priority", frozenset({priority})), Duration.parse(text)) for priority, text in texts.items()))


def gold(version: int = 1, objective: float = 0.95, p1: str = "1h") -> Policy:
    """A first response for p1 and p2, and a ladder of two levels."""
    half = Threshold(ThresholdKind.SHARE, "50%", per_mille=500)
    return Policy(
        name="gold",
        version=version,
        calendar=Choice.fixed("24x7"),
        commitments=(
            Commitment(
                "first_response",
                BUILT_IN["first_response"],
                by_priority(p1=p1, p2="8bh"),
                warn_at=Choice.fixed((half,)),
                objective=objective,
            ),
        ),
        ladders=(
            Ladder(
                "management",
                LadderKind.HIERARCHICAL,
                levels=(
                    Level("team-lead", ("team-lead",), Choice.fixed(half)),
                    Level("executive", ("executive",), Choice.fixed(Threshold(ThresholdKind.SHARE, "90%", per_mille=900))),
                ),
                commitment="first_response",
            ),
        ),
    )


def silver() -> Policy:
    """A resolution with the same target for every ticket and without an objective."""
    return Policy(
        name="silver",
        version=1,
        calendar=Choice.fixed("24x7"),
        commitments=(Commitment("resolution", BUILT_IN["resolution"], Choice.fixed(Duration.parse("2d"))),),
    )


def with_target(target: Choice[Duration]) -> Policy:
    """A policy of one commitment with this target."""
    return Policy("p", 1, Choice.fixed("24x7"), commitments=(Commitment("c", BUILT_IN["resolution"], target),))


def policy_set(*policies: Policy) -> PolicySet:
    """These policies, all on the calendar that never closes."""
    return PolicySet(policies, {"24x7": always()})


P1 = {"policy": "gold", "commitment": "first_response", "priority": "p1", "team": ""}
"""The labels of the effects that ``effect`` makes."""

_BREACH = effect_of(
    Kind.BREACHED,
    id="e1",
    at=1_700_000_000_000_000,
    detected_at=1_700_000_000_300_000,
    ticket="desk/1",
    fields={"priority": "p1"},
    policy="gold",
    policy_version=1,
    reason=Reason.TARGET_PASSED,
    cause="timer",
    commitment="first_response",
    elapsed=3_600_000_000,
    target=3_600_000_000,
)


def effect(kind: Kind, **changes: Any) -> Effect:
    """An effect of the kind about ticket ``desk/1``, priority p1, detected 0.3 s after it became true."""
    return msgspec.structs.replace(_BREACH, kind=kind, **changes)
