"""The facts about one ticket that stand by its effects, by commitment and ladder. Pure.

A retraction takes a fact out again, so the record is the same whether the fact was never there. An effect that is taken twice
changes nothing: ``offsets`` has how far each partition of the outputs was taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from stream.sla.effects import KINDS, Kind

if TYPE_CHECKING:
    from stream.sla.effects import Effect

FORM: Final = 1
"""Of a record: ``stream.wire.forms``."""
MOST_FACTS: Final = 64
"""Of one cycle. A ticket that flaps loses its oldest pauses and resumptions, which its newest ones overrule."""
MOST_CYCLES: Final = 8
"""Of one commitment or ladder."""

ENDS: Final = frozenset([kind for kind, spec in KINDS.items() if spec.decides and kind is not Kind.BREACHED]) | {Kind.RELEASED}
"""They end a cycle. A breach does not: the commitment is open until it is fulfilled."""
NO_FACTS: Final = frozenset({Kind.EXTENSION_REFUSED, Kind.REFUSED})
"""They report that something did not change."""
OVERRULED: Final = frozenset({Kind.PAUSED, Kind.RESUMED, Kind.REPEATED, Kind.WARNED})


class Fact(msgspec.Struct, frozen=True, array_like=True):
    """An effect that stands, in short. Instants are epoch microseconds."""

    id: str
    kind: Kind
    at: int
    due: int | None = None
    level: str = ""
    team: str = ""
    """That takes the ticket over."""
    provisional: bool = False


class Cycle(msgspec.Struct):
    """One cycle of a commitment or of a ladder: its facts, the oldest first."""

    name: str
    number: int
    ladder: bool
    facts: list[Fact] = []

    @property
    def last(self) -> Fact:
        return self.facts[-1]

    @property
    def over(self) -> bool:
        """It ended with a verdict, or its escalation was released."""
        return self.last.kind in ENDS

    @property
    def breached(self) -> bool:
        return any(fact.kind is Kind.BREACHED for fact in self.facts)


class TicketRecord(msgspec.Struct):
    """One ticket. ``written`` has what its helpdesk was given last, by the place in the helpdesk."""

    offsets: dict[str, int] = {}
    """Topic and partition to the offset after the last effect that was taken."""
    cycles: list[Cycle] = []
    policy: str = ""
    effect: str = ""
    """The id of the newest effect."""
    at: int = 0
    """The instant at which that effect became true, epoch microseconds."""
    written: dict[str, str | bool] = {}

    def take(self, effect: Effect, place: str, offset: int) -> bool:
        """Take an effect of the outputs. ``False``: it was taken before.

        ``place``: its topic and partition.
        """
        if offset < self.offsets.get(place, 0):
            return False
        self.offsets[place] = offset + 1
        self.policy, self.effect, self.at = effect.policy, effect.id, max(effect.at, self.at)
        if effect.retracts:
            self._retract(effect.retracts)
        elif effect.kind not in NO_FACTS:
            self._add(effect)
        return True

    @property
    def over(self) -> bool:
        """Nothing about the ticket is open."""
        return all(cycle.over for cycle in self.newest())

    def newest(self) -> list[Cycle]:
        """The newest cycle of each commitment and ladder."""
        found: dict[tuple[str, bool], Cycle] = {}
        for cycle in self.cycles:
            key = (cycle.name, cycle.ladder)
            if key not in found or cycle.number > found[key].number:
                found[key] = cycle
        return list(found.values())

    def _add(self, effect: Effect) -> None:
        name, ladder = effect.ladder or effect.commitment, bool(effect.ladder)
        cycle = next((c for c in self.cycles if (c.name, c.number, c.ladder) == (name, effect.cycle, ladder)), None)
        if cycle is None:
            cycle = Cycle(name, effect.cycle, ladder)
            self.cycles.append(cycle)
            same = [each for each in self.cycles if (each.name, each.ladder) == (name, ladder)]
            if len(same) > MOST_CYCLES:
                self.cycles.remove(min(same, key=lambda each: each.number))
        fact = Fact(effect.id, effect.kind, effect.at, effect.due_at, effect.level, effect.assign_to, effect.provisional)
        # Facts of one instant stay in the order in which they were emitted, which is that of their causes.
        cycle.facts = sorted([each for each in cycle.facts if each.id != effect.id] + [fact], key=lambda each: each.at)
        if len(cycle.facts) > MOST_FACTS:
            cycle.facts.remove(next((each for each in cycle.facts if each.kind in OVERRULED), cycle.facts[0]))

    def _retract(self, id_: str) -> None:
        for cycle in self.cycles:
            cycle.facts = [fact for fact in cycle.facts if fact.id != id_]
        self.cycles = [cycle for cycle in self.cycles if cycle.facts]


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(TicketRecord)


def encode(record: TicketRecord) -> bytes:
    return _encoder.encode(record)


def decode(value: bytes) -> TicketRecord:
    """Raises ``ValueError`` or ``RecursionError`` for what ``encode`` has not written."""
    return _decoder.decode(value)
