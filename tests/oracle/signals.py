"""The order of events, conditions answered as they read, the fields of a ticket after an event, and the signals that the event
gives to the stopwatch of a metric."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stream.sla.policy.conditions import All, AnyOf, Changed, Condition, EventIs, FieldIn, Not
from stream.sla.policy.metric import Again, Metric

if TYPE_CHECKING:
    from stream.sla.events import Event

Fields = dict[str, str | list[str]]
_ENDS_OR_RESTORES = ("ticket.merged", "ticket.deleted", "ticket.restored")


def compare_events(one: Event, other: Event) -> int:
    """Below 0 if ``one`` comes first, above 0 if ``other`` does: rule 1 of ``tests.oracle.oracle``."""
    sides = []
    for event in (one, other):
        runs = [(0, int(run), "") if run[0] in "0123456789" else (1, 0, run) for run in re.findall("[0-9]+|[^0-9]+", event.id)]
        asked = [event.at, event.type != "ticket.created", event.seq, event.type not in _ENDS_OR_RESTORES, runs]
        sides.append([*asked, event.id, event.source])
    for mine, its in zip(*sides, strict=True):
        if mine != its:
            return -1 if mine < its else 1
    return 0


def holds(condition: Condition | None, event: Event, fields: Fields) -> bool:
    """``event.fields`` are those that really changed; ``fields`` are the ticket's after the event. ``None`` never holds."""
    match condition:
        case None:
            return False
        case FieldIn(field, values):
            value = fields.get(field, "")
            return any(one in values for one in (value if isinstance(value, list) else [value]))
        case EventIs(types, actors, public, roles):
            of_type = not types or event.type in types
            by_actor = (not actors or event.actor in actors) and (not roles or part_of(event) in roles)
            return of_type and by_actor and (public is None or event.public == public)
        case Changed(names):
            return any(name in event.fields for name in names)
        case Not(part):
            return not holds(part, event, fields)
        case All(parts):
            return all(holds(part, event, fields) for part in parts)
        case AnyOf(parts):
            return any(holds(part, event, fields) for part in parts)
        case _:
            return True


def part_of(event: Event) -> str:
    """Rule 4: the part that the actor of an event has in the ticket."""
    return "requester" if event.actor == "customer" and not event.role else event.role


def touches(condition: Condition | None, event: Event, changed: set[str]) -> bool:
    """Whether the condition names the event's type (or of any, by its actor alone), or of a field that changed."""
    match condition:
        case FieldIn(field, _):
            return field in changed
        case EventIs(types):
            return not types or event.type in types
        case Changed(names):
            return bool(names & changed)
        case Not(part):
            return touches(part, event, changed)
        case All(parts) | AnyOf(parts):
            return any(touches(part, event, changed) for part in parts)
        case _:
            return False


class FieldState:
    """The fields of one ticket, as its events in order state them."""

    def __init__(self) -> None:
        self.fields: Fields = {}
        self.started = False
        self.removed = False
        """Merged or deleted."""
        self.deleted_since: int | None = None
        self.restored = False
        """The last event has restored it."""
        self.parties: set[str] = set()

    def after(self, event: Event) -> tuple[Event, set[str]]:
        """Take the event in; returns it with only the fields that it really changed, and the names of all that changed."""
        before = self.fields
        fields: Fields = {name: value for name, value in before.items() if name != "@begun"}
        stated = dict(event.fields)
        if event.type == "ticket.created" and stated.get("status", "new") == "new":
            stated["status"] = fields.setdefault("status", "new")
        real = {name: value for name, value in stated.items() if fields.get(name, "") != value}
        fields |= real
        solved = ("solved", "closed")
        if before.get("status") in solved and fields.get("status") not in solved:
            fields["@accepted"] = ""
        if event.type == "comment.added" and event.public:
            asks = part_of(event) == "requester"
            if asks or (event.actor == "customer" and not fields.get("@waiting")):
                fields["@waiting"] = "yes" if asks else "contact"
            elif event.actor == "agent":
                fields |= {"@answered": "yes", "@waiting": ""}
        if event.type == "dependency.started":
            self.parties.add(event.party)
        if event.type == "dependency.ended":
            self.parties.discard(event.party)
        if event.type == "resolution.accepted":
            fields["@accepted"] = event.by
        fields["@dependency"] = "yes" if self.parties else ""
        if fields.get("status") in solved and before.get("status") != fields["status"] and not fields.get("@answered"):
            fields["@answered"] = "solved"
        if event.type in ("ticket.merged", "ticket.deleted"):
            self.removed = True
            self.deleted_since = event.at if event.type == "ticket.deleted" else None
        was_removed = self.removed
        opened = event.type == "ticket.changed" and "status" in real and real["status"] not in solved
        if event.type == "ticket.restored" or (opened and self.deleted_since is not None and event.at > self.deleted_since):
            self.removed = False
        self.restored = was_removed and not self.removed
        shows_open = "status" in fields or bool(fields.get("priority")) or bool(fields.get("@waiting"))
        open_ = shows_open or event.type == "escalation.requested"
        if open_ and not self.started and not self.removed:
            self.started = True
            fields["@begun"] = "yes"
        self.fields = fields
        changed = {name for name in before.keys() | fields.keys() if before.get(name, "") != fields.get(name, "")}
        return event.replace(fields=real), changed


def signals_when_asked(metric: Metric, phase: str, event: Event, fields: Fields) -> list[str]:
    """The signals of the event to its stopwatch, in order; ``[]`` for none. Rules 5 to 9 of ``tests.oracle.oracle``."""

    def is_(condition: Condition | None) -> bool:
        return holds(condition, event, fields)

    paused_at_once = ["pause"] if is_(metric.pauses) else []
    if phase.startswith("halted"):
        return _when_restored(metric, phase, event, fields)
    if phase in ("running", "paused"):
        if is_(metric.cancels):
            return ["cancel"]
        if is_(metric.stops):
            return ["stop"]
        if is_(metric.restarts):
            return ["restart", *paused_at_once]
        if phase == "running":
            return paused_at_once
        ends = not is_(metric.pauses) if metric.resumes is None else is_(metric.resumes)
        return ["resume"] if ends else []
    over = is_(metric.stops) or is_(metric.cancels)
    if phase == "idle":
        if is_(metric.starts) and is_(metric.stops) and not is_(metric.cancels):
            return ["skip"]
        return ["start", *paused_at_once] if is_(metric.starts) and not over else []
    if metric.again is Again.CYCLE and is_(metric.starts) and not over:
        return ["start", *paused_at_once]
    if metric.again is Again.CONTINUE and phase == "stopped" and is_(metric.reopens) and not over:
        return ["reopen", *paused_at_once]
    return []


def _when_restored(metric: Metric, phase: str, event: Event, fields: Fields) -> list[str]:
    if holds(metric.cancels, event, fields) or fulfilled(metric, event, fields):
        return ["cancel"]
    if holds(metric.stops, event, fields):
        return []
    paused = holds(metric.pauses, event, fields)
    if phase == "halted while paused" and metric.resumes is not None:
        paused = not holds(metric.resumes, event, fields)
    return ["restore", "pause"] if paused else ["restore"]


def signals(metric: Metric, phase: str, event: Event, changed: set[str], field_state: FieldState) -> list[str]:
    """As ``signals_when_asked``, if the metric is asked at all: rules 4a and 5. ``field_state``: after the event."""
    halted = phase.startswith("halted")
    if field_state.removed:
        if phase in ("running", "paused"):
            return ["halt"]
        return ["cancel"] if halted and fulfilled(metric, event, field_state.fields) else []
    all_metrics = halted or field_state.restored or "@begun" in field_state.fields
    if all_metrics or any(touches(condition, event, changed) for condition in matters(metric, phase)):
        return signals_when_asked(metric, phase, event, field_state.fields)
    return []


def fulfilled(metric: Metric, event: Event, fields: Fields) -> bool:
    """Whether the event, and not the fields that stay, is all of a part of ``stops``."""
    parts = metric.stops.parts if isinstance(metric.stops, AnyOf) else (metric.stops,)
    return any(holds(part, event, fields) for part in parts if _of_one_event(part))


def _of_one_event(condition: Condition) -> bool:
    match condition:
        case All(parts) | AnyOf(parts):
            return any(map(_of_one_event, parts))
        case Not(part):
            return _of_one_event(part)
        case FieldIn(field, _):
            return field == "@begun"
        case _:
            return isinstance(condition, EventIs | Changed)


def matters(metric: Metric, phase: str) -> list[Condition | None]:
    """The conditions on which it depends, in that phase, what an event does to the stopwatch."""
    by_date: list[Condition | None] = [Changed(frozenset({metric.starts_at}))] if metric.starts_at else []
    if phase in ("running", "paused"):
        return [metric.cancels, metric.stops, metric.restarts, metric.pauses, metric.resumes]
    if phase == "idle" or metric.again is Again.CYCLE:
        return [metric.starts, metric.stops, metric.cancels, metric.pauses, *by_date]
    return [metric.reopens, metric.stops, metric.cancels, metric.pauses, *by_date] if metric.again is Again.CONTINUE else []
