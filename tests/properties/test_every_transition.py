"""Every transition that a state table lists is taken, by a story; none is taken that is not listed.

A table is a claim that its transitions happen. One that no story reaches is dead, or a test is missing: the failure names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream.sla.effects import Kind
from stream.sla.ticket import commitment_state, stopwatch
from stream.sla.ticket.commitment_state import CommitmentState, Verdict
from stream.sla.ticket.escalation_state import EscalationPhase, EscalationState
from stream.sla.ticket.stopwatch import Phase, Stopwatch
from stream.testing import play, read_story
from tests.stories.test_stories import HERE, STORIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import IntEnum

    import pytest

    from stream.sla.effects import Effect
    from stream.sla.ticket.stopwatch import Signal

ESCALATION = {
    EscalationPhase.ACTIVE: {
        EscalationPhase.ACKNOWLEDGED,
        EscalationPhase.MONITORING,
        EscalationPhase.RELEASED,
        EscalationPhase.WITHDRAWN,
    },
    EscalationPhase.ACKNOWLEDGED: {
        EscalationPhase.ACTIVE,
        EscalationPhase.MONITORING,
        EscalationPhase.RELEASED,
        EscalationPhase.WITHDRAWN,
    },
    EscalationPhase.MONITORING: {
        EscalationPhase.ACTIVE,
        EscalationPhase.RELEASED,
        EscalationPhase.ENDED,
        EscalationPhase.WITHDRAWN,
    },
    EscalationPhase.RELEASED: {EscalationPhase.ACTIVE},
    EscalationPhase.ENDED: {EscalationPhase.ACTIVE},
    EscalationPhase.WITHDRAWN: {EscalationPhase.ACTIVE},
}
"""What the rules at the top of ``stream/sla/ticket/escalation_state.py`` allow."""


def test_the_stories_take_every_transition_of_stopwatches_commitments_and_escalations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken: set[str] = set()
    _record_stopwatches(monkeypatch, taken)
    _record_commitments(monkeypatch, taken)
    _record_escalations(monkeypatch, taken)

    for _, story in STORIES:
        taken.update(_begun_anew(play(read_story(story, HERE / "policies"))))

    listed = set(_listed())
    assert not (untaken := listed - taken), f"no story takes: {'; '.join(sorted(untaken))}"
    assert not (unlisted := taken - listed), f"taken, and in no table: {'; '.join(sorted(unlisted))}"


def _listed() -> Iterator[str]:
    for phase, signals in stopwatch.TABLE.items():
        for signal, after in signals.items():
            yield f"stopwatch: {phase.name} --{signal.value}--> {after.name}"
    for verdict, next_ in commitment_state.TABLE.items():
        yield from (_edge("commitment", verdict, after) for after in next_)
    for before, afterwards in ESCALATION.items():
        yield from (_edge("escalation", before, after) for after in afterwards)


def _edge(machine: str, before: IntEnum, after: IntEnum) -> str:
    return f"{machine}: {before.name} --> {after.name}"


def _record_stopwatches(monkeypatch: pytest.MonkeyPatch, taken: set[str]) -> None:
    take = Stopwatch.take

    def recorded(self: Stopwatch, signal: Signal, at: int) -> None:
        before = Phase(self.phase)
        take(self, signal, at)
        taken.add(f"stopwatch: {before.name} --{signal.value}--> {Phase(self.phase).name}")

    monkeypatch.setattr(Stopwatch, "take", recorded)


def _record_commitments(monkeypatch: pytest.MonkeyPatch, taken: set[str]) -> None:
    decide = CommitmentState.decide

    def recorded(self: CommitmentState, verdict: int) -> None:
        before = Verdict(self.verdict)
        decide(self, verdict)
        taken.add(_edge("commitment", before, Verdict(self.verdict)))

    monkeypatch.setattr(CommitmentState, "decide", recorded)


def _record_escalations(monkeypatch: pytest.MonkeyPatch, taken: set[str]) -> None:
    def recorded(self: EscalationState, name: str, value: Any) -> None:
        before = getattr(self, name, None)
        object.__setattr__(self, name, value)
        if name == "phase" and before is not None and before != value:
            taken.add(_edge("escalation", EscalationPhase(before), EscalationPhase(value)))

    monkeypatch.setattr(EscalationState, "__setattr__", recorded)


def _begun_anew(effects: list[Effect]) -> Iterator[str]:
    """A commitment that applies again in the same cycle is another object with a past: only its effects show the transition."""
    cancelled = set[tuple[str, int]]()
    for effect in effects:
        if effect.kind is Kind.CANCELLED:
            cancelled.add((effect.commitment, effect.cycle))
        elif effect.kind is Kind.STARTED and (effect.commitment, effect.cycle) in cancelled:
            yield _edge("commitment", Verdict.CANCELLED, Verdict.PENDING)
