from __future__ import annotations

from stream.sla.effects import KINDS, Kind, Topic
from stream.sla.explain.explanation import Outcome


def test_every_kind_of_effect_has_its_row() -> None:
    assert list(KINDS) == list(Kind)


def test_the_topic_of_a_kind_follows_from_its_name() -> None:
    assert {kind: row.topic for kind, row in KINDS.items()} == {
        kind: Topic.ESCALATIONS if kind.startswith("escalation.") else Topic.BREACHES for kind in Kind
    }


def test_what_takes_back_is_never_taken_back_and_everything_else_is_by_one_of_its_own_topic() -> None:
    retractions = {row.retracted_by for row in KINDS.values()} - {None}
    assert retractions == {Kind.BREACH_RETRACTED, Kind.RETRACTED, Kind.ESCALATION_RETRACTED}
    for kind, row in KINDS.items():
        assert (row.retracted_by is None) == (kind in retractions)
        if row.retracted_by is not None:
            assert KINDS[row.retracted_by].topic is row.topic


def test_every_kind_that_decides_is_an_outcome_of_an_explanation() -> None:
    outcomes = {Outcome(kind.partition(".")[2]) for kind, row in KINDS.items() if row.decides}
    assert outcomes == {
        Outcome.BREACHED,
        Outcome.MET,
        Outcome.MET_LATE,
        Outcome.MEASURED,
        Outcome.CANCELLED,
        Outcome.ELAPSED,
    }
