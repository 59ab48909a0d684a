"""The result of one call of the engine: the ticket after it, the effects to emit, and the outcome of the event."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from mypy_extensions import mypyc_attr

if TYPE_CHECKING:
    from stream.sla.effects import Effect
    from stream.sla.ticket.state import State


class Outcome(StrEnum):
    """The outcome of an event."""

    APPLIED = "applied"
    LATE = "late"
    """It came after later ones, or after time alone made something true: put at its place in the history."""
    DUPLICATE = "duplicate"
    """A repetition of an event that is known."""
    CONFLICT = "conflict"
    """Another event has its source, id and seq, and does not state all that it states: refused."""
    TOO_LATE = "too_late"
    """Older than the history that is kept: refused."""
    ERASED = "erased"
    """Its ticket is erased: ignored."""
    WOKEN = "woken"


@mypyc_attr(acyclic=True, free_list_len=1)
class Step:
    """The one exit of the core. Take all of it or nothing."""

    __slots__ = ("cut", "effects", "outcome", "settled", "state", "unbuilt", "unmatched")

    def __init__(self, state: State, effects: tuple[Effect, ...], outcome: Outcome, unmatched: bool = False) -> None:
        self.state: Final = state
        """The very state that was given, if nothing about it changed."""
        self.effects: Final = effects
        self.outcome: Final = outcome
        self.unmatched: Final = unmatched
        """The event began a ticket to which nothing is promised."""
        self.unbuilt: int = 0
        """Rows of a deployment that could not be built, because the ticket's history is cut."""
        self.cut: bool = False
        """A deployment from before the history that is kept: the ticket is judged by it from there on."""
        self.settled: int = 0
        """Time alone made the ticket settle, at this instant (epoch microseconds); 0: it did not."""

    @property
    def wake_at(self) -> int | None:
        """The earliest clock reading at which ``wake`` would do something; ``None``: no deadline is in sight."""
        return self.state.wake_at


def joined(first: Step, then: Step) -> Step:
    """Both, one after the other."""
    step = Step(then.state, first.effects + then.effects, then.outcome, then.unmatched)
    step.cut, step.unbuilt, step.settled = first.cut or then.cut, first.unbuilt + then.unbuilt, first.settled or then.settled
    return step
