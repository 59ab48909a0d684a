"""Counts the outputs that the demo has received: commitments met and breached, escalations, rejected records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stream.sla.effects import Kind

if TYPE_CHECKING:
    from stream.sla.effects import Effect
    from stream.wire.decode import RejectReason

DECIDED = (Kind.MET, Kind.BREACHED)


@dataclass(slots=True)
class Totals:
    """Takes every record of the output topics once."""

    kinds: Counter[Kind] = field(default_factory=Counter)
    """Published effects by kind, including effects that were retracted later."""
    rejected: Counter[RejectReason] = field(default_factory=Counter)
    corrected: int = 0
    """Breaches that were retracted."""
    _valid: dict[str, Effect] = field(default_factory=dict)
    """The effects that are not retracted, by id."""

    def effect(self, effect: Effect) -> None:
        self.kinds[effect.kind] += 1
        if effect.retracts:
            self._valid.pop(effect.retracts, None)
            self.corrected += effect.kind is Kind.BREACH_RETRACTED
        elif effect.kind in (*DECIDED, Kind.RAISED):
            self._valid[effect.id] = effect

    def rejection(self, reason: RejectReason) -> None:
        self.rejected[reason] += 1

    def decided(self) -> dict[str, Counter[Kind]]:
        """Commitments met and breached and not retracted, by the ticket's priority at that time."""
        by_priority: dict[str, Counter[Kind]] = {}
        for effect in self._valid.values():
            if effect.kind in DECIDED:
                by_priority.setdefault(str(effect.fields.get("priority", "")), Counter())[effect.kind] += 1
        return dict(sorted(by_priority.items()))

    def raised(self) -> Counter[str]:
        """Escalations that are not retracted, by level."""
        return Counter(effect.level for effect in self._valid.values() if effect.kind is Kind.RAISED)
