"""What was promised: policies as the engine sees them, after ``stream.language`` has read and checked them.

A ``PolicySet`` answers one question: given a ticket's fields and the instant a clock started, what is promised? The answer,
a ``Plan``, has every choice made (targets, marks, calendars for *these* fields), and is remembered: tickets with the same
relevant fields share it.

Somewhat longer than a file here should be: what a policy is made of and the one question asked of it are read together.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar

from stream.sla.conditions import ALWAYS, Condition, Fields, compile_condition, fields_read
from stream.sla.events import Event
from stream.sla.stopwatch import Movement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.sla.calendar import Calendar
    from stream.sla.duration import Duration
    from stream.sla.metrics import Row

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """A value that depends on ticket fields: the first case that holds gives it, none gives ``None``."""

    cases: tuple[tuple[Condition, T], ...]

    @classmethod
    def fixed(cls, value: T) -> Choice[T]:
        return cls(((ALWAYS, value),))


class MarkKind(StrEnum):
    """What a mark on a stopwatch is measured from."""

    SHARE = "share"
    """A share of the target used: ``75%``."""
    USED = "used"
    """Time used since the clock started, pauses apart: ``2bd``."""
    LEFT = "left"
    """Before the deadline: ``-30m``."""
    AFTER = "after"
    """After the deadline: ``+2bh``."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant on a stopwatch, as the policy writes it."""

    kind: MarkKind
    text: str
    per_mille: int = 0
    """``SHARE``: 750 for ``75%``."""
    duration: Duration | None = None
    """The others: the length."""


class OnChange(StrEnum):
    """What a change of target does to a running stopwatch."""

    CARRY = "carry"
    """Elapsed and paused time stay, the target is swapped."""
    FORWARD = "forward"
    """The new target runs from the change on."""
    RESET = "reset"
    """A new cycle begins at the change."""


@dataclass(frozen=True, slots=True)
class Commitment:
    """One promise of a policy: a metric and, by fields, its target and warnings."""

    name: str
    row: Row
    target: Choice[Duration]
    warn_at: Choice[tuple[Mark, ...]] = Choice(())
    when: Condition = ALWAYS
    calendar: Choice[str] | None = None
    """``None``: the policy's."""
    objective: float | None = None
    """The share that is to be kept, 0 to 1. For reports; never part of a decision."""
    on_change: OnChange = OnChange.CARRY
    extension_cap: Duration | None = None
    """The most that extensions may add up to; ``None``: none is accepted."""


class LadderKind(StrEnum):
    FUNCTIONAL = "functional"
    """Hands the ticket over to a team by skill."""
    HIERARCHICAL = "hierarchical"
    """Informs the line of management."""


@dataclass(frozen=True, slots=True)
class Level:
    """One rung: who is told, and at which mark."""

    name: str
    notify: tuple[str, ...]
    at: Choice[Mark]
    repeat_every: Duration | None = None
    max_repeats: int = 0
    only_in_business_hours: bool = False


@dataclass(frozen=True, slots=True)
class Ladder:
    """Levels that fire one after another, on a stopwatch of their own or on that of a commitment."""

    name: str
    kind: LadderKind
    levels: tuple[Level, ...]
    row: Row | None = None
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
    """How long the ticket is watched after the solution; ``None``: it is released at once."""


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


@dataclass(frozen=True, slots=True)
class Promise:
    """A commitment with every choice made."""

    commitment: Commitment
    policy: Policy
    calendar: Calendar
    target: Duration | None
    """``None``: nothing is promised for these fields; the time is measured all the same."""
    warn_at: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Rungs:
    """A ladder with every choice made: level and mark, in the order of the policy."""

    ladder: Ladder
    policy: Policy
    calendar: Calendar
    levels: tuple[tuple[Level, Mark], ...]
    row: str
    """The metric row on whose stopwatch it stands."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is promised to tickets with certain fields."""

    policy: Policy | None
    promises: Mapping[str, Promise]
    ladders: Mapping[str, Rungs]
    promises_on: Mapping[str, tuple[Promise, ...]] = field(init=False)
    """The promises that lie on the stopwatch of a row, by its name."""
    ladders_on: Mapping[str, tuple[Rungs, ...]] = field(init=False)
    """The ladders that stand on the stopwatch of a row, through a commitment or by themselves."""
    promises_anything: bool = field(init=False)
    """Whether there is a target or a level in it."""

    def __post_init__(self) -> None:
        promises: dict[str, tuple[Promise, ...]] = {}
        for promise in self.promises.values():
            row = promise.commitment.row.name
            promises[row] = (*promises.get(row, ()), promise)
        ladders: dict[str, tuple[Rungs, ...]] = {}
        for rungs in self.ladders.values():
            ladders[rungs.row] = (*ladders.get(rungs.row, ()), rungs)
        object.__setattr__(self, "promises_on", promises)
        object.__setattr__(self, "ladders_on", ladders)
        anything = any(promise.target is not None for promise in self.promises.values())
        anything = anything or any(rungs.levels for rungs in self.ladders.values())
        object.__setattr__(self, "promises_anything", anything)


NOTHING = Plan(None, {}, {})
_NO_EVENT = Event(at=0, id="", type="ticket.changed", source="")


@dataclass(slots=True)
class PolicySet:
    """All policies that are loaded, in the order in which they are asked; the first that applies to a ticket wins.

    Several versions of one policy stand in the place of the first of them; of these the latest whose ``since`` is not
    after the start of the clock is in force.
    """

    policies: tuple[Policy, ...]
    calendars: Mapping[str, Calendar]
    reads: frozenset[str] = field(init=False)
    """The ticket fields on which any promise depends."""
    _order: tuple[str, ...] = field(init=False)
    _since: list[int] = field(init=False)
    _plans: dict[tuple[object, ...], Plan] = field(init=False, default_factory=dict)
    movements: Mapping[str, Movement] = field(init=False)
    """Every stopwatch that some policy looks at, by the name of its row."""

    def __post_init__(self) -> None:
        self.reads = frozenset[str]().union(*map(_fields_of, self.policies))
        self._order = tuple(sorted(self.reads))
        self._since = sorted({policy.since for policy in self.policies if policy.since is not None})
        rows: dict[str, Row] = {}
        for policy in self.policies:
            for commitment in policy.commitments:
                rows[commitment.row.name] = commitment.row
            for ladder in policy.ladders:
                if ladder.row is not None:
                    rows[ladder.row.name] = ladder.row
        self.movements = {name: Movement(row) for name, row in rows.items()}

    def epoch(self, started: int) -> int:
        """Which set of versions is in force for a clock that started then (epoch microseconds)."""
        return bisect_right(self._since, started) if self._since else 0

    def plan(self, fields: Fields, epoch: int) -> Plan:
        """What is promised to a ticket with these fields, by the versions of that epoch."""
        key: tuple[object, ...] = (epoch, *map(fields.get, self._order))
        try:
            plan = self._plans.get(key)
        except TypeError:  # a list among them: tags
            key = tuple(tuple(value) if isinstance(value, list) else value for value in key)
            plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= 65_536:  # an unbounded custom field must not become a leak
                self._plans.clear()
            plan = self._plans[key] = self._make(fields, epoch)
        return plan

    def _make(self, fields: Fields, epoch: int) -> Plan:
        policy = next((p for p in self._in_force(epoch) if _holds(p.applies_to, fields)), None)
        if policy is None:
            return NOTHING
        usual = _choose(policy.calendar, fields)
        promises = {}
        for commitment in policy.commitments:
            if _holds(commitment.when, fields):
                own = _choose(commitment.calendar, fields) if commitment.calendar else None
                promises[commitment.name] = Promise(
                    commitment,
                    policy,
                    self.calendars[own or usual or ""],
                    _choose(commitment.target, fields),
                    _choose(commitment.warn_at, fields) or (),
                )
        ladders = {}
        for ladder in policy.ladders:
            below = promises.get(ladder.commitment)
            if _holds(ladder.when, fields) and (below is not None or not ladder.commitment):
                calendar = self.calendars[usual or ""] if below is None else below.calendar
                row = ladder.row if below is None else below.commitment.row
                if row is None:
                    raise ValueError(f"ladder {ladder.name!r} stands neither on a stopwatch nor on a commitment")
                levels = tuple((level, mark) for level in ladder.levels if (mark := _choose(level.at, fields)) is not None)
                ladders[ladder.name] = Rungs(ladder, policy, calendar, levels, row.name)
        return Plan(policy, promises, ladders)

    def _in_force(self, epoch: int) -> list[Policy]:
        horizon = self._since[epoch - 1] if epoch else None
        latest: dict[str, Policy] = {}
        for policy in self.policies:
            if policy.since is None or (horizon is not None and policy.since <= horizon):
                held = latest.get(policy.name)
                if held is None or (policy.since or -1, policy.version) > (held.since or -1, held.version):
                    latest[policy.name] = policy
        order = list(dict.fromkeys(policy.name for policy in self.policies))
        return [latest[name] for name in order if name in latest]


def _holds(condition: Condition, fields: Fields) -> bool:
    return compile_condition(condition)(_NO_EVENT, fields)


def _choose(choice: Choice[T], fields: Fields) -> T | None:
    return next((value for condition, value in choice.cases if _holds(condition, fields)), None)


def _fields_of(policy: Policy) -> frozenset[str]:
    conditions = [policy.applies_to, *_conditions(policy.calendar)]
    for commitment in policy.commitments:
        conditions += [commitment.when, *_conditions(commitment.target), *_conditions(commitment.warn_at)]
        conditions += _conditions(commitment.calendar) if commitment.calendar else []
    for ladder in policy.ladders:
        conditions.append(ladder.when)
        for level in ladder.levels:
            conditions += _conditions(level.at)
    return frozenset[str]().union(*map(fields_read, conditions))


def _conditions(choice: Choice[T]) -> list[Condition]:
    return [condition for condition, _ in choice.cases]
