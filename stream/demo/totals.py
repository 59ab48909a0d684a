"""What the demo has seen so far: promises kept and broken, escalations, refusals. What is taken back counts no more."""

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
class Tally:
    """Fed with every record of the output topics, once each."""

    kinds: Counter[Kind] = field(default_factory=Counter)
    """Effects by kind, as they were published."""
    rejected: Counter[RejectReason] = field(default_factory=Counter)
    corrected: int = 0
    """Breaches that turned out to be none."""
    _standing: dict[str, Effect] = field(default_factory=dict)

    def effect(self, effect: Effect) -> None:
        self.kinds[effect.kind] += 1
        if effect.retracts:
            self._standing.pop(effect.retracts, None)
            self.corrected += effect.kind is Kind.BREACH_RETRACTED
        elif effect.kind in (*DECIDED, Kind.RAISED):
            self._standing[effect.id] = effect

    def refusal(self, reason: RejectReason) -> None:
        self.rejected[reason] += 1

    def decided(self) -> dict[str, Counter[Kind]]:
        """Commitments met and breached, by the priority the ticket had then."""
        by_priority: dict[str, Counter[Kind]] = {}
        for effect in self._standing.values():
            if effect.kind in DECIDED:
                by_priority.setdefault(str(effect.fields.get("priority", "")), Counter())[effect.kind] += 1
        return dict(sorted(by_priority.items()))

    def raised(self) -> Counter[str]:
        """Escalations by level."""
        return Counter(effect.level for effect in self._standing.values() if effect.kind is Kind.RAISED)
