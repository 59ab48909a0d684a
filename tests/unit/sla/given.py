"""A small policy and short ways to write its events, for the tests of the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from stream.sla.calendar.calendar import Calendar, always
from stream.sla.calendar.duration import Duration
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.policy.conditions import FieldIn, Not
from stream.sla.policy.metric import BEGUN, BUILT_IN, SOLVED, Again, Metric
from stream.sla.policy.policy import Choice, Commitment, Ladder, LadderKind, Level, OnChange, Policy, Threshold, ThresholdKind
from stream.sla.policy.resolve import PolicySet

if TYPE_CHECKING:
    from stream.sla.effects import Effect, Kind
    from stream.sla.policy.timeline import Deployments
    from stream.sla.step import Step
    from stream.sla.ticket.state import State

HOUR = 3_600_000_000
MINUTE = 60_000_000
ALWAYS = always()


def share(per_cent: int) -> Threshold:
    return Threshold(ThresholdKind.SHARE, f"{per_cent}%", per_mille=per_cent * 10)


def used(text: str) -> Threshold:
    return Threshold(ThresholdKind.USED, text, duration=Duration.parse_any(text))


def left(text: str) -> Threshold:
    return Threshold(ThresholdKind.LEFT, f"-{text}", duration=Duration.parse(text))


def after(text: str) -> Threshold:
    duration = Duration.parse_any(f"+{text}") if "business" in text else Duration.parse(text)
    return Threshold(ThresholdKind.AFTER, f"+{text}", duration=duration)


def by_priority(**targets: str) -> Choice[Duration]:
    return Choice(tuple((FieldIn("priority", frozenset({p})), Duration.parse_any(t)) for p, t in targets.items()))


def commitment(
    metric: str = "resolution", *thresholds: Threshold, on_change: OnChange = OnChange.CARRY, **targets: str
) -> Commitment:
    return Commitment(
        metric,
        BUILT_IN[metric],
        by_priority(**(targets or {"p1": "4h", "p2": "8h"})),
        Choice.fixed(thresholds),
        on_change=on_change,
    )


def ladder(*levels: tuple[str, Threshold], on: str = "", of_level: dict[str, Any] | None = None, **more: Any) -> Ladder:
    metric = None if on else Metric("p/ladder", starts=BEGUN, stops=SOLVED, again=Again.CONTINUE, reopens=Not(SOLVED))
    return Ladder(
        name="ladder",
        kind=LadderKind.HIERARCHICAL,
        levels=tuple(Level(name, (f"{name}-desk",), Choice.fixed(threshold), **(of_level or {})) for name, threshold in levels),
        metric=metric,
        commitment=on,
        **more,
    )


def policy_set(
    *commitments: Commitment, ladders: tuple[Ladder, ...] = (), calendar: Calendar = ALWAYS, **more: Any
) -> PolicySet:
    policy = Policy("p", 1, Choice.fixed(calendar.name), commitments=commitments, ladders=ladders, **more)
    return PolicySet((policy,), {calendar.name: calendar})


def created(at: int, priority: str = "p1", **fields: str) -> Event:
    return Event(at, f"c{at}", "ticket.created", "test", fields={"priority": priority, **fields})


def changed(at: int, **fields: str) -> Event:
    return Event(at, f"f{at}-{'-'.join(fields)}", "ticket.changed", "test", fields=dict(fields))


def commented(at: int, actor: str = "agent", *, public: bool = True) -> Event:
    return Event(at, f"s{at}-{actor}", "comment.added", "test", actor=actor, public=public)  # type: ignore[arg-type]


class Life:
    """Feeds an engine the life of one ticket and keeps what it emits."""

    def __init__(self, policies: PolicySet | Deployments, **more: Any) -> None:
        self.engine = Engine(policies, **more)
        self.state: State | None = None
        self.steps: list[Step] = []
        self.effects: list[Effect] = []

    def event(self, event: Event, now: int | None = None, *, arrived: int = 0) -> Self:
        now = arrived or event.at if now is None else now
        return self._take(self.engine.apply(self.state, "T", event, now, arrived))

    def wake(self, now: int) -> Self:
        assert self.state is not None
        return self._take(self.engine.wake(self.state, now))

    def _take(self, step: Step) -> Self:
        self.state = step.state
        self.steps.append(step)
        self.effects += step.effects
        return self

    def unretracted(self) -> dict[Kind, Effect]:
        """By kind, the newest of what was emitted and not taken back."""
        taken_back = {effect.retracts for effect in self.effects}
        return {effect.kind: effect for effect in self.effects if effect.id not in taken_back and not effect.retracts}

    def lines(self, *kinds: str) -> list[str]:
        """``"kind level @hours"`` of what was emitted, of these kinds only where some are given."""
        life = []
        for effect in self.effects:
            kind = effect.kind.partition(".")[2]
            if not kinds or kind in kinds:
                life.append(" ".join(filter(None, (kind, effect.level, f"@{effect.at / HOUR:g}h"))))
        return life


def run(policies: PolicySet | Deployments, *events: Event, until: int = 1000 * HOUR, **more: Any) -> Life:
    life = Life(policies, **more)
    for event in events:
        life.event(event)
    return life.wake(until)
