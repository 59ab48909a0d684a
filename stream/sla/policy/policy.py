"""Policies as the engine sees them, after ``stream.language`` has read and checked them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from stream.sla.calendar.duration import Clock
from stream.sla.policy.conditions import ALWAYS, Condition, holds

if TYPE_CHECKING:
    from stream.sla.calendar.duration import Duration
    from stream.sla.policy.conditions import Fields
    from stream.sla.policy.metric import Metric

T = TypeVar("T")

YES: Final = "yes"
"""Of a choice between yes and no."""


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """A value that depends on ticket fields: the first case that holds gives it, none gives ``None``."""

    cases: tuple[tuple[Condition, T], ...]

    @classmethod
    def fixed(cls, value: T) -> Choice[T]:
        return cls(((ALWAYS, value),))

    @property
    def conditions(self) -> list[Condition]:
        """Those of the cases, in their order."""
        return [condition for condition, _ in self.cases]

    def of(self, fields: Fields) -> T | None:
        """The value for a ticket with these fields."""
        return next((value for condition, value in self.cases if holds(condition, fields)), None)


class ThresholdKind(StrEnum):
    """The reference point of a threshold on a stopwatch."""

    SHARE = "share"
    """A share of the target used: ``75%``."""
    USED = "used"
    """Time used since the clock started, pauses apart: ``2bd``."""
    LEFT = "left"
    """Before the deadline: ``-30m``."""
    AFTER = "after"
    """After the deadline: ``+2bh``."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """An instant on a stopwatch, as the policy writes it."""

    kind: ThresholdKind
    text: str
    per_mille: int = 0
    """``SHARE``: 750 for ``75%``."""
    duration: Duration | None = None
    """The others: the length."""


class OnChange(StrEnum):
    """The effect of a change of target on a running stopwatch."""

    CARRY = "carry"
    """Elapsed and paused time stay, the target is swapped."""
    FORWARD = "forward"
    """The new target runs from the change on."""
    RESET = "reset"
    """A new cycle begins at the change."""


class AtDeadline(StrEnum):
    """The verdict on a commitment that is fulfilled at the instant of its deadline."""

    MET = "met"
    BREACHED = "breached"
    """Reached is breached: it is met only before the deadline."""


@dataclass(frozen=True, slots=True)
class Commitment:
    """A metric and, by fields, its target and warnings."""

    name: str
    metric: Metric
    target: Choice[Duration]
    warn_at: Choice[tuple[Threshold, ...]] = Choice(())
    when: Condition = ALWAYS
    calendar: Choice[str] | None = None
    """``None``: the policy's."""
    objective: float | None = None
    """The share that is to be kept, 0 to 1. For reports; never part of a decision."""
    on_change: OnChange = OnChange.CARRY
    extension_cap: Duration | None = None
    """The most that extensions may add up to; ``None``: none is accepted."""
    was: str = ""
    """Its former name; empty: it has none."""
    at_deadline: AtDeadline = AtDeadline.MET
    pause_time: Clock = Clock.BUSINESS
    """The length by which a pause moves the deadline of a target in business time: the time of the calendar, or its length on
    the wall."""
    page: Choice[str] = Choice(())
    """``yes`` for tickets of which a single breach pages; ``no``, or no value, for all others. Never part of a decision."""


class LadderKind(StrEnum):
    """The kind of an escalation, as ITIL has it."""

    FUNCTIONAL = "functional"
    """Hands the ticket over to a team by skill."""
    HIERARCHICAL = "hierarchical"
    """Informs the line of management."""


@dataclass(frozen=True, slots=True)
class Level:
    """One step of a ladder: the roles to notify, and when."""

    name: str
    notify: tuple[str, ...]
    at: Choice[Threshold]
    repeat_every: Duration | None = None
    max_repeats: int = 0
    only_in_business_hours: bool = False
    assign_to: Choice[str] | None = None
    """Functional ladders: the team that takes the ticket over."""
    was: str = ""
    """Its former name; empty: it has none."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """Levels that fire one after another, on a stopwatch of their own or on that of a commitment."""

    name: str
    kind: LadderKind
    levels: tuple[Level, ...]
    metric: Metric | None = None
    """The ladder's own stopwatch; ``None`` when it stands on a commitment."""
    commitment: str = ""
    when: Condition = ALWAYS
    owner: str = ""
    """The role that holds the escalation."""
    raise_again_after: Duration | None = None
    """Raise a level again when this long after its acknowledgement the ticket is still not solved."""
    on_request: str = ""
    """The level a customer's request raises; empty: requests are refused."""
    request_after: str = ""
    """The commitment whose target must have passed before a customer may ask."""
    monitoring: Duration | None = None
    """The time for which the ticket is monitored after the solution; ``None``: it is released at once."""
    was: str = ""
    """Its former name; empty: it has none."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of one policy."""

    name: str
    version: int
    calendar: Choice[str]
    applies_to: Condition = ALWAYS
    since: int | None = None
    """In force for clocks that start at or after this instant (epoch microseconds); ``None``: since ever."""
    commitments: tuple[Commitment, ...] = ()
    ladders: tuple[Ladder, ...] = ()
    was: str = ""
    """The former name of the policy; empty: it has none. All versions that state one state the same."""
