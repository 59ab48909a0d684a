"""Compares what became of each commitment in two replays of the same events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sla.effects import Kind, Reason
from stream.sla.events import as_one_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stream.sla.effects import Effect

COMPARED: Final = ("met", "breached", "cancelled", "open", "not_counted")
"""The outcomes of a commitment, of which each cycle has one. A breach remains one when the commitment is met late, is cancelled
or is open. ``not_counted``: without a target, or a timer that has run out."""

OUTCOME_OF: Final = {
    Kind.STARTED: "open",
    Kind.MET: "met",
    Kind.BREACHED: "breached",
    Kind.MET_LATE: "breached",
    Kind.CANCELLED: "cancelled",
    Kind.MEASURED: "not_counted",
    Kind.ELAPSED: "not_counted",
}


class Judged(NamedTuple):
    """A cycle of a commitment in one of the replays."""

    policy: str
    policy_version: int
    priority: str
    outcome: str
    due_at: int | None
    """The newest deadline, epoch microseconds."""


class Change(NamedTuple):
    """A cycle of a commitment in both replays. A side is ``None`` where the policies of a replay do not have it."""

    ticket: str
    commitment: str
    cycle: int
    before: Judged | None
    after: Judged | None

    @property
    def changes(self) -> bool:
        """Whether its outcome differs."""
        return (self.before and self.before.outcome) != (self.after and self.after.outcome)


class _Cycle:
    """The statements of one replay's effects about a cycle."""

    def __init__(self) -> None:
        self.newest: Effect | None = None
        self.outcomes: dict[str, str] = {}
        """The outcomes of the effects that are not retracted, in their order, by the id of the effect."""

    def judged(self) -> Judged | None:
        if self.newest is None or not self.outcomes:
            return None
        stated = list(self.outcomes.values())
        outcome = "breached" if "breached" in stated else stated[-1]
        if outcome == "open" and self.newest.target is None:
            outcome = "not_counted"
        priority = as_one_text(self.newest.fields.get("priority", ""))
        return Judged(self.newest.policy, self.newest.policy_version, priority, outcome, self.newest.due_at)


class OutcomeChanges:
    """Takes all effects of one replay with ``before``, and those of the other with ``after``, each in order."""

    def __init__(self) -> None:
        self._before: Final[dict[tuple[str, str, int], _Cycle]] = {}
        self._after: Final[dict[tuple[str, str, int], _Cycle]] = {}

    def before(self, effects: Iterable[Effect]) -> None:
        _add(self._before, effects)

    def after(self, effects: Iterable[Effect]) -> None:
        _add(self._after, effects)

    def cycles(self) -> Iterator[Change]:
        """All cycles that either replay has, by ticket, commitment and number."""
        for key in sorted(self._before.keys() | self._after.keys()):
            before, after = (side[key].judged() if key in side else None for side in (self._before, self._after))
            if before or after:
                yield Change(*key, before, after)


def _add(cycles: dict[tuple[str, str, int], _Cycle], effects: Iterable[Effect]) -> None:
    for effect in effects:
        if not effect.commitment or effect.ladder:
            continue
        cycle = cycles.setdefault((effect.ticket, effect.commitment, effect.cycle), _Cycle())
        if effect.retracts:
            cycle.outcomes.pop(effect.retracts, None)
            continue
        cycle.newest = effect
        outcome = OUTCOME_OF.get(effect.kind)
        if effect.kind is Kind.RESUMED and effect.reason is Reason.REOPENED:
            outcome = "open"
        if outcome is not None:
            cycle.outcomes[effect.id] = outcome
