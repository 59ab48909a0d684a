"""Counts what became of commitments in a replay: by policy, commitment and priority."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sla.effects import Kind, Reason
from stream.sla.events import as_one_text
from stream.sla.ticket.state import open_commitments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.sla.effects import Effect
    from stream.sla.ticket.state import State

OUTCOMES: Final = ("met", "breached", "met_late", "cancelled", "open")
"""``breached`` has those that were met late, or that are still open, too; ``open`` has those that can still be met."""


class Counted(NamedTuple):
    """Commitments that are counted together."""

    policy: str
    commitment: str
    priority: str


Outcomes = Counter[tuple[Counted, str]]

OUTCOME_OF: Final = {Kind.MET: "met", Kind.BREACHED: "breached", Kind.MET_LATE: "met_late", Kind.CANCELLED: "cancelled"}
# Compiled code looks up the members of an enumeration by their names, each time.
_MET: Final = Kind.MET
_MET_LATE: Final = Kind.MET_LATE
_RESUMED: Final = Kind.RESUMED
_REOPENED: Final = Reason.REOPENED


class OutcomeCounts:
    """Takes all effects of some tickets, in order."""

    def __init__(self) -> None:
        self._counts: Final[Outcomes] = Counter()
        self._valid: Final[dict[str, tuple[Counted, str]]] = {}
        """The decisions that are not retracted, by the id of the effect."""
        self._fulfilled: Final[dict[tuple[str, str, int], str]] = {}
        """The newest effect that fulfilled a cycle of a commitment of a ticket."""
        self._undoes: Final[dict[str, str]] = {}
        """Effects that undo a fulfilment and are not retracted: a reopening, or the next late fulfilment of the same cycle."""
        self._undone: Final[set[str]] = set()
        """The ids of these fulfilments."""

    def add(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            kind = effect.kind
            outcome = OUTCOME_OF.get(kind)
            if effect.retracts:
                self._retract(effect.retracts)
            elif kind is _RESUMED and effect.reason is _REOPENED:
                self._undo(effect)
            elif outcome is not None:
                if kind is _MET_LATE:  # a breach that was reopened has no effect that reports it
                    self._undo(effect)
                self._valid[effect.id] = key = (_counted(effect), outcome)
                self._counts[key] += 1
                if kind is _MET or kind is _MET_LATE:
                    self._fulfilled[effect.ticket, effect.commitment, effect.cycle] = effect.id

    def _undo(self, effect: Effect) -> None:
        fulfilment = self._fulfilled.get((effect.ticket, effect.commitment, effect.cycle), "")
        if fulfilment in self._valid and fulfilment not in self._undone:
            self._undoes[effect.id] = fulfilment
            self._undone.add(fulfilment)
            self._counts[self._valid[fulfilment]] -= 1

    def _retract(self, effect_id: str) -> None:
        if effect_id in self._valid:
            key = self._valid.pop(effect_id)
            self._counts[key] -= effect_id not in self._undone
        fulfilment = self._undoes.pop(effect_id, None)
        if fulfilment is not None:
            self._undone.discard(fulfilment)
            if fulfilment in self._valid:
                self._counts[self._valid[fulfilment]] += 1

    def totals(self, states: Iterable[State]) -> Outcomes:
        """The counts, with what is open in these states of the tickets. Not to be called twice."""
        for state in states:
            for one in open_commitments(state):
                if one.state != "breached":
                    self._counts[Counted(one.policy, one.commitment, one.priority), "open"] += 1
        return self._counts


def _counted(effect: Effect) -> Counted:
    return Counted(effect.policy, effect.commitment, as_one_text(effect.fields.get("priority", "")))
