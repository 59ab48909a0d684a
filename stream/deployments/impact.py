"""The impact of a deployment on open tickets: how many deadlines move, breach, escalate, with examples of each.

The engine itself answers: each ticket meets the deployment on a copy, and nothing of that is kept or published. So a worker can
count its own tickets while it works, and those of a recorded feed can be counted without any worker.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from stream.sla.effects import Effect, Kind
from stream.sla.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.sla.policy.timeline import Deployments
    from stream.sla.ticket.state import State

EXAMPLES: Final = 10
"""As many examples are kept of each touch."""


class Touch(StrEnum):
    """The effect of a deployment on an open commitment."""

    BREACHES = "breaches"
    """A deadline lies in the past now."""
    ESCALATES = "escalates"
    MOVES = "moves"
    """It has another deadline, target, version or calendar."""
    BEGINS = "begins"
    ENDS = "ends"
    """It is cancelled or released."""
    TAKES_BACK = "takes_back"
    """Something that was published is no longer true."""
    OTHER = "other"
    """It is paused, resumed, fulfilled, or measured and not judged."""


TOUCHES: Final = {
    Kind.STARTED: Touch.BEGINS,
    Kind.WARNED: Touch.OTHER,
    Kind.BREACHED: Touch.BREACHES,
    Kind.MET: Touch.OTHER,
    Kind.MET_LATE: Touch.OTHER,
    Kind.MEASURED: Touch.OTHER,
    Kind.CANCELLED: Touch.ENDS,
    Kind.PAUSED: Touch.OTHER,
    Kind.RESUMED: Touch.OTHER,
    Kind.RETARGETED: Touch.MOVES,
    Kind.EXTENSION_REFUSED: Touch.OTHER,
    Kind.ELAPSED: Touch.OTHER,
    Kind.BREACH_RETRACTED: Touch.TAKES_BACK,
    Kind.RETRACTED: Touch.TAKES_BACK,
    Kind.RAISED: Touch.ESCALATES,
    Kind.REPEATED: Touch.ESCALATES,
    Kind.ACKNOWLEDGED: Touch.OTHER,
    Kind.REFUSED: Touch.OTHER,
    Kind.MONITORING: Touch.OTHER,
    Kind.RECURRED: Touch.ESCALATES,
    Kind.RELEASED: Touch.ENDS,
    Kind.ESCALATION_RETRACTED: Touch.TAKES_BACK,
}
"""Every kind of effect has its row."""


class Example(msgspec.Struct, frozen=True, omit_defaults=True):
    """One effect that a deployment would have. Instants are epoch microseconds."""

    ticket: str
    kind: Kind
    reason: str
    policy: str = ""
    commitment: str = ""
    ladder: str = ""
    level: str = ""
    due_at: int | None = None


class Impact(msgspec.Struct, frozen=True):
    """The effects that a deployment would have on some tickets. Impacts of several workers add up."""

    open: int = 0
    """Tickets that were examined and have not ended."""
    affected: int = 0
    """Tickets with any effect."""
    unbuilt: int = 0
    """Tickets on which a new metric cannot be counted before its next start, because their history is cut."""
    cut: int = 0
    """Tickets whose kept history begins after the instant of the deployment: they are judged anew from there on only."""
    touches: dict[Touch, int] = {}
    """Effects by what they do."""
    examples: dict[Touch, list[Example]] = {}

    @property
    def breaches(self) -> int:
        return self.touches.get(Touch.BREACHES, 0)

    def __add__(self, other: Impact) -> Impact:
        return Impact(
            self.open + other.open,
            self.affected + other.affected,
            self.unbuilt + other.unbuilt,
            self.cut + other.cut,
            {touch: self.touches.get(touch, 0) + other.touches.get(touch, 0) for touch in self.touches | other.touches},
            {
                touch: [*self.examples.get(touch, []), *other.examples.get(touch, [])][:EXAMPLES]
                for touch in self.examples | other.examples
            },
        )


class ImpactCount:
    """Counts ticket after ticket, so that a worker can do other things between two of them."""

    def __init__(self, deployments: Deployments, as_of: int) -> None:
        """``deployments``: with the one in question as the newest. ``as_of``: the instant of the question, not before it."""
        self._engine: Final = Engine(deployments)
        self._number: Final = deployments.timeline.last.number
        self._before: Final = self._engine.as_of(self._number - 1)
        self._as_of: Final = as_of
        self._open = self._affected = self._unbuilt = self._cut = 0
        self._touches: Final = dict.fromkeys(Touch, 0)
        self._examples: Final[dict[Touch, list[Example]]] = {touch: [] for touch in Touch}

    def add(self, state: State) -> None:
        """Ask about a ticket, as it is under the deployments before. The state is not changed."""
        if state.head.ended_by or state.ended is not None:
            return
        self._open += 1
        step = self._engine.wake(state, self._as_of + 1)
        effects = self._of_the_deployment(state, step.effects)
        self._affected += bool(effects)
        self._unbuilt += bool(step.unbuilt)
        self._cut += step.cut
        for effect in effects:
            touch = TOUCHES[effect.kind]
            self._touches[touch] += 1
            if len(self._examples[touch]) < EXAMPLES:
                self._examples[touch].append(_example(effect))

    def _of_the_deployment(self, state: State, effects: tuple[Effect, ...]) -> list[Effect]:
        """Those that it names, and those that time makes true only with it: a deadline that it moved into the time between the
        last that is known of the ticket and the instant of the question."""
        if all(effect.deployment == self._number for effect in effects):
            return list(effects)
        anyway = {effect.id for effect in self._before.wake(state, self._as_of + 1).effects}
        return [effect for effect in effects if effect.deployment == self._number or effect.id not in anyway]

    @property
    def impact(self) -> Impact:
        """Of the tickets so far."""
        return Impact(
            self._open,
            self._affected,
            self._unbuilt,
            self._cut,
            {touch: count for touch, count in self._touches.items() if count},
            {touch: list(examples) for touch, examples in self._examples.items() if examples},
        )


def impact_on(states: Iterable[State], deployments: Deployments, as_of: int) -> Impact:
    """The impact on these tickets; arguments as for ``ImpactCount``."""
    count = ImpactCount(deployments, as_of)
    for state in states:
        count.add(state)
    return count.impact


def _example(effect: Effect) -> Example:
    return Example(
        ticket=effect.ticket,
        kind=effect.kind,
        reason=effect.reason,
        policy=effect.policy,
        commitment=effect.commitment,
        ladder=effect.ladder,
        level=effect.level,
        due_at=effect.due_at,
    )
