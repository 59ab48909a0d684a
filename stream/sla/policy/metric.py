"""Metrics: what starts, pauses, stops, restarts and cancels a stopwatch. Data, so that a user can write one of his own.

The rules of every metric, in the order in which they are asked when an event arrives (the first that applies decides):

1. ``cancels`` ends the cycle without a verdict. A merged or deleted ticket halts every metric until it is restored.
2. ``stops`` fulfils it. A stop beats a start: an event that both starts and stops leaves the stopwatch stopped.
3. ``restarts`` fulfils it and begins the next cycle at the same instant.
4. ``pauses`` holds it for as long as the condition is true; a cycle may begin paused. ``resumes``, where a metric has it,
   defines when a pause ends instead.
5. ``again`` defines how a stopped metric goes on: never, the same cycle if ``reopens`` holds, or another if ``starts`` does.

Semantics of the built-in metrics follow those of the same names in Zendesk's public documentation; where helpdesks
disagree, ``docs/reference/policy-language.md`` names the reading taken.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from stream.sla.events import REQUESTER
from stream.sla.policy.conditions import All, AnyOf, Changed, Condition, EventIs, FieldIn, Not

if TYPE_CHECKING:
    from stream.sla.calendar.zone import Zone

_CAME_LATER: Final = frozenset({"roles", "starts_at", "zone"})
"""Parts of metrics and conditions that the names of metrics were first made without."""


class Again(StrEnum):
    """The later behaviour of a stopped stopwatch."""

    NEVER = "never"
    CONTINUE = "continue"
    """The same cycle goes on when ``reopens`` holds; the time between is not counted."""
    CYCLE = "cycle"
    """The next start begins a new cycle, with a full target."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as data. A condition that is ``None`` never holds."""

    name: str
    starts: Condition
    stops: Condition
    pauses: Condition | None = None
    resumes: Condition | None = None
    """``None``: as soon as ``pauses`` does not hold."""
    restarts: Condition | None = None
    cancels: Condition | None = None
    again: Again = Again.NEVER
    timer: bool = False
    """Nobody is committed to anything: when the target is used up, something may be done (closing a silent ticket). Such a
    commitment elapses instead of breaching, and counts in no compliance."""
    reopens: Condition | None = None
    starts_at: str = ""
    """The ticket field whose date starts the stopwatch, where ``starts`` holds; empty: an event starts it."""
    zone: Zone | None = None
    """The zone in which the dates of ``starts_at`` begin: that of the calendar on which the metric is counted."""


def metric_name(base: str, metric: Metric) -> str:
    """The name of a metric that a policy file writes: ``base``, and what distinguishes its conditions from others of that base.

    A ticket keeps a stopwatch under the name of its metric. So one name must never mean two metrics, in any set of policies.
    """
    digest = blake2b(repr(_normal(_parts(metric)[1:])).encode(), digest_size=3)
    return f"{base}#{digest.hexdigest()}"


def base_name(metric: str) -> str:
    """The name of a metric without what distinguishes its conditions from others."""
    return metric.partition("#")[0]


def _parts(value: Any) -> list[object]:
    """The values of a data class. Those that came later are left out while they have their default: names stay as they were."""
    return [
        part
        for field in fields(value)
        if (part := getattr(value, field.name)) != field.default or field.name not in _CAME_LATER
    ]


def _normal(value: object) -> object:
    """The same for equal values, whatever the order of a set."""
    if isinstance(value, list | tuple):
        return [_normal(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(map(repr, value))
    if is_dataclass(value):
        return [type(value).__name__, *(_normal(part) for part in _parts(value))]
    return str(value) if isinstance(value, StrEnum) else value


def _status(*statuses: str) -> FieldIn:
    return FieldIn("status", frozenset(statuses))


def _comment(*actors: str, public: bool | None = True) -> EventIs:
    return EventIs(frozenset({"comment.added"}), frozenset(actors), public)


BEGUN: Final = FieldIn("@begun", frozenset({"yes"}))
SOLVED: Final = _status("solved", "closed")
_ASKING: Final = EventIs(frozenset({"comment.added"}), roles=frozenset({REQUESTER}))
ANSWER: Final = All((_comment("agent"), Not(_ASKING)))
"""An agent who is the requester of a ticket asks and does not answer."""
WAITING: Final = FieldIn("@waiting", frozenset({"yes", "contact"}))
_NOT_BY_AGENT: Final = Not(All((EventIs(actors=frozenset({"agent"})), Not(EventIs(roles=frozenset({REQUESTER}))))))
_DEALT_WITH: Final = FieldIn("@answered", frozenset({"yes", "solved"}))

BUILT_IN: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        # A ticket that an agent opens is one somebody has already talked about: nobody waits for a first response before the
        # customer writes. Of two clocks of an answer never more than one runs: what was answered or solved is for the next one.
        Metric(
            "first_response",
            starts=AnyOf((All((BEGUN, _NOT_BY_AGENT)), All((WAITING, Not(_DEALT_WITH))))),
            stops=AnyOf((ANSWER, SOLVED)),
        ),
        # From the oldest unanswered customer message: later ones find the stopwatch running and change nothing.
        # A thank-you that leaves the ticket solved starts nothing; if it reopens the ticket, the clock starts there.
        Metric(
            "next_response",
            starts=All((WAITING, _DEALT_WITH)),
            stops=AnyOf((ANSWER, SOLVED)),
            again=Again.CYCLE,
        ),
        Metric("periodic_update", starts=ANSWER, stops=SOLVED, restarts=ANSWER, again=Again.CYCLE),
        Metric(
            "pausable_update",
            starts=ANSWER,
            stops=SOLVED,
            restarts=ANSWER,
            pauses=_status("pending"),
            again=Again.CYCLE,
        ),
        Metric(
            "requester_wait",
            starts=BEGUN,
            stops=SOLVED,
            pauses=_status("pending"),
            again=Again.CONTINUE,
            reopens=Not(SOLVED),
        ),
        Metric(
            "agent_work",
            starts=BEGUN,
            stops=SOLVED,
            pauses=_status("pending", "on_hold"),
            again=Again.CONTINUE,
            reopens=Not(SOLVED),
        ),
        Metric("first_resolution", starts=BEGUN, stops=SOLVED, pauses=_status("pending")),
        Metric(
            "resolution",
            starts=BEGUN,
            stops=SOLVED,
            pauses=_status("pending"),
            again=Again.CONTINUE,
            reopens=Not(SOLVED),
        ),
        # A stay in a team: each change of hands is a new cycle.
        Metric(
            "ownership",
            starts=All((Changed(frozenset({"team"})), Not(FieldIn("team", frozenset({""}))))),
            stops=AnyOf((SOLVED, FieldIn("team", frozenset({""})))),
            restarts=Changed(frozenset({"team"})),
            again=Again.CYCLE,
        ),
        # The customer owes an answer: since the last comment of an agent. Any comment of his ends the silence.
        Metric(
            "customer_silence",
            starts=ANSWER,
            stops=AnyOf((_comment("customer", public=None), _status("closed"))),
            restarts=ANSWER,
            again=Again.CYCLE,
            timer=True,
        ),
        # Due after a critical ticket is solved; done when the helpdesk sets the field `review` to `done`.
        Metric(
            "review",
            starts=All((SOLVED, Changed(frozenset({"status"})))),
            stops=FieldIn("review", frozenset({"done"})),
            cancels=Not(SOLVED),
            again=Again.CYCLE,
        ),
    )
}
"""The metrics every policy may name. A metric in a policy file with the same name replaces it there."""
