"""Ladders through events and minutes: rules 24 to 29 of ``tests.oracle.oracle``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.oracle.hours import later
from tests.oracle.ticket import EscalationState, ResolvedLadder, Stopwatch, Ticket, reached

if TYPE_CHECKING:
    from stream.sla.calendar.duration import Duration
    from stream.sla.events import Event
    from stream.sla.policy.policy import Level
    from tests.oracle.signals import Fields

_HANDS_OVER = ("raised", "repeated", "recurred")
_ACTIVE = ("active", "acknowledged", "monitoring")


class EscalationRules:
    def __init__(self, ticket: Ticket) -> None:
        self.ticket = ticket
        self.escalations: dict[str, EscalationState] = {}
        self.resolved_ladder: dict[str, ResolvedLadder | None] = {}
        """What every ladder that has once applied is for the fields as they are."""

    def receive_signal(
        self, metric: str, stopwatch: Stopwatch, signal: str, before: Fields, only: set[str] | None = None
    ) -> None:
        """The stopwatch is about to end, or was just paused, resumed or reopened. ``only``: these; ``None``: all on it."""
        for name, resolved_ladder in self.ticket.resolve_on(metric, before)[1].items():
            escalation_state = self.escalations.get(name)
            if escalation_state is None or escalation_state.metric != metric or escalation_state.cycle != stopwatch.cycle:
                continue
            if only is not None and name not in only:
                continue
            if signal == "reopen":
                self._reopen(name, escalation_state, resolved_ladder)
            elif signal == "stop" and resolved_ladder.ladder.monitoring is not None and _active(escalation_state):
                until = self._later(self.ticket.now, resolved_ladder.ladder.monitoring, resolved_ladder)
                if until is None:
                    self.release(name, escalation_state, resolved_ladder)
                    continue
                escalation_state.phase, escalation_state.monitored_until = "monitoring", until
                self._emit(name, escalation_state, "monitoring", resolved_ladder, due=until)
            elif signal == "halt":
                self.release(name, escalation_state, resolved_ladder, "withdrawn")
            elif signal == "restore" and escalation_state.phase == "withdrawn":
                self._come_back(name, escalation_state, resolved_ladder)
            elif signal in ("stop", "restart", "cancel"):
                self.release(name, escalation_state, resolved_ladder)

    def begin_cycle(self, metric: str, stopwatch: Stopwatch, ladders: dict[str, ResolvedLadder], before: Fields) -> None:
        """Rule 28: a cycle has begun that no more has some of these ladders, which the cycle before had."""
        for name in ladders.keys() - self.ticket.resolve_on(metric, before)[1].keys():
            escalation_state = self.escalations.get(name)
            if escalation_state is not None and escalation_state.metric == metric:
                self.release(name, escalation_state, ladders[name])

    def receive(self, event: Event, before: Fields) -> None:
        meant = []
        for name, escalation_state in self.escalations.items():
            metrics = (escalation_state.metric, *self.ticket.stopwatches)
            resolved_ladders = [
                on_metric[name] for metric in metrics if name in (on_metric := self.ticket.resolve_on(metric, before)[1])
            ]
            if resolved_ladders:
                resolved_ladder = resolved_ladders[0]
                level = self.ticket.former_levels.get((resolved_ladder.policy, name, event.level), event.level)
                request = event.replace(level=level)
                meant.append((name, escalation_state, resolved_ladder, request))
        if event.type == "escalation.requested":
            takers = [one for one in meant if one[2].ladder.on_request]
            knowing = [
                one for one in takers if not one[3].level or one[3].level in [level.name for level in one[2].ladder.levels]
            ]
            for name, escalation_state, resolved_ladder, request in (knowing or takers or meant)[:1]:
                self._ask(name, request, escalation_state, resolved_ladder, self.ticket.stopwatches[escalation_state.metric])
            return
        for name, escalation_state, resolved_ladder, request in meant:
            if not _active(escalation_state) or (request.level and request.level not in escalation_state.raised):
                continue
            if event.type == "escalation.released":
                self.release(name, escalation_state, resolved_ladder)
            elif escalation_state.phase == "active":
                escalation_state.phase, escalation_state.last_emitted_at = "acknowledged", self.ticket.now
                self._emit(name, escalation_state, "acknowledged", resolved_ladder)

    def apply_ladders(self, fields: Fields, before: Fields) -> None:
        """Begin and end ladders, so that those of the fields apply on every stopwatch that is on."""
        applicable = set()
        for metric, stopwatch in self.ticket.stopwatches.items():
            for name, resolved_ladder in self.ticket.resolve_on(metric, fields)[1].items() if stopwatch.on else ():
                applicable.add(name)
                escalation_state = self.escalations.get(name)
                elsewhere = (
                    escalation_state is not None
                    and escalation_state.metric != metric
                    and self.ticket.stopwatches[escalation_state.metric].on
                )
                if escalation_state and elsewhere and name in self.ticket.resolve_on(escalation_state.metric, fields)[1]:
                    continue
                self.apply_ladder(name, resolved_ladder, metric, stopwatch)
        for name, escalation_state in self.escalations.items():
            stopwatch = self.ticket.stopwatches[escalation_state.metric]
            applied = self.ticket.resolve_on(escalation_state.metric, before)[1].get(name)
            applies = self.ticket.resolve_on(escalation_state.metric, fields)[1].get(name)
            monitored_and_gone = escalation_state.phase == "monitoring" and applies is None
            if (stopwatch.on or monitored_and_gone) and name not in applicable and applied is not None:
                self.release(name, escalation_state, applied, "withdrawn")
            self.resolved_ladder[name] = applies

    def apply_ladder(self, name: str, resolved_ladder: ResolvedLadder, metric: str, stopwatch: Stopwatch) -> None:
        escalation_state = self.escalations.get(name)
        if escalation_state is None or (escalation_state.cycle, escalation_state.metric) != (stopwatch.cycle, metric):
            if escalation_state is not None:
                self.release(name, escalation_state, resolved_ladder)
            self.escalations[name] = EscalationState(metric, stopwatch.cycle, policy=resolved_ladder.policy)
        elif escalation_state.phase == "withdrawn":
            self._come_back(name, escalation_state, resolved_ladder)

    def _come_back(self, name: str, escalation_state: EscalationState, resolved_ladder: ResolvedLadder) -> None:
        escalation_state.phase, escalation_state.last_emitted_at, escalation_state.repeats = "active", self.ticket.now, 0
        self._emit(name, escalation_state, "recurred", resolved_ladder)

    def waiting(self, name: str, resolved_ladder: ResolvedLadder) -> dict[str, bool]:
        """Levels that a past minute had reached and that are still to be raised, because they wait for an open minute; and
        whether this minute is open."""
        escalation_state = self.escalations[name]
        if escalation_state.phase != "active" or not self._may_escalate(resolved_ladder):
            return {}
        past = self._past(escalation_state, resolved_ladder)
        left = [level for level in past if level.name not in escalation_state.passed_over]
        return {level.name: _may_emit(level, resolved_ladder, self.ticket) for level in left}

    def _past(self, escalation_state: EscalationState, resolved_ladder: ResolvedLadder) -> list[Level]:
        """Levels that a past minute had reached, and that were not raised, nor any higher one."""
        commitment_state, now = self.ticket.commitments.get(resolved_ladder.ladder.commitment), self.ticket.now
        stopwatch = self.ticket.stopwatches[escalation_state.metric].a_minute_ago(
            now
        )  # what this very minute reaches is not past
        return [
            level
            for level, threshold in resolved_ladder.levels
            if not _passed(level, escalation_state, resolved_ladder)
            and reached(threshold, commitment_state, stopwatch, resolved_ladder.calendar, now - 1)
        ]

    def raise_highest(self, name: str, resolved_ladder: ResolvedLadder, waiting: dict[str, bool]) -> None:
        """Rule 39: of the levels that are past at a deployment only the highest. ``waiting``: those that were past before."""
        escalation_state = self.escalations[name]
        if escalation_state.phase != "active" or not self._may_escalate(resolved_ladder):
            return
        past = self._past(escalation_state, resolved_ladder)
        over = escalation_state.passed_over & {level.name for level in past}
        left = [
            level
            for level in past
            if level.name not in over and not (waiting.get(level.name) and _may_emit(level, resolved_ladder, self.ticket))
        ]
        now = [level.name for level in left if _may_emit(level, resolved_ladder, self.ticket)]
        later = [level.name for level in left if level.name not in (*now, *waiting)]
        escalation_state.passed_over = over | set(later[:-1])
        if now:
            escalation_state.raised.append(now[-1])
            escalation_state.last_emitted_at, escalation_state.repeats = self.ticket.now, 0
            self._emit(name, escalation_state, "raised", resolved_ladder, due=self._due(resolved_ladder))

    def emit_due(self) -> bool:
        """Emit what is due in this minute; whether anything was, so that more may be."""
        emitted = False
        for name, escalation_state in self.escalations.items():
            emitted |= self._emit_due_of(name, escalation_state, self.resolved_ladder[name])
        return emitted

    def _emit_due_of(self, name: str, escalation_state: EscalationState, resolved_ladder: ResolvedLadder | None) -> bool:
        now, stopwatch = self.ticket.now, self.ticket.stopwatches[escalation_state.metric]
        if escalation_state.phase == "monitoring" and escalation_state.monitored_until == now and resolved_ladder is not None:
            self.release(name, escalation_state, resolved_ladder, "quiet")
            return True
        if (
            resolved_ladder is None
            or escalation_state.phase not in ("active", "acknowledged")
            or not stopwatch.on
            or not self._may_escalate(resolved_ladder)
        ):
            return False
        highest = next((level for level in resolved_ladder.ladder.levels if level.name in escalation_state.raised[-1:]), None)
        if escalation_state.phase == "acknowledged":
            if highest is None or not self._again(
                highest, resolved_ladder.ladder.raise_again_after, escalation_state, resolved_ladder
            ):
                return False
            escalation_state.phase, escalation_state.last_emitted_at, escalation_state.repeats = "active", now, 0
            self._emit(name, escalation_state, "repeated", resolved_ladder, due=self._due(resolved_ladder))
            return True
        raised = False
        commitment_state = self.ticket.commitments.get(resolved_ladder.ladder.commitment)
        for level, threshold in resolved_ladder.levels:
            may_emit = _may_emit(level, resolved_ladder, self.ticket)
            if (
                may_emit
                and level.name not in escalation_state.passed_over
                and not _passed(level, escalation_state, resolved_ladder)
                and reached(threshold, commitment_state, stopwatch, resolved_ladder.calendar, now)
            ):
                escalation_state.raised.append(level.name)
                escalation_state.last_emitted_at, escalation_state.repeats, raised = now, 0, True
                self._emit(name, escalation_state, "raised", resolved_ladder, due=self._due(resolved_ladder))
        if raised:
            return True
        if highest is None or escalation_state.repeats >= highest.max_repeats:
            return False
        if self._again(highest, highest.repeat_every, escalation_state, resolved_ladder):
            escalation_state.last_emitted_at, escalation_state.repeats = now, escalation_state.repeats + 1
            self._emit(name, escalation_state, "repeated", resolved_ladder, due=self._due(resolved_ladder))
            return True
        return False

    def _reopen(self, name: str, escalation_state: EscalationState, resolved_ladder: ResolvedLadder) -> None:
        escalation_state.last_emitted_at, escalation_state.repeats = self.ticket.now, 0
        if escalation_state.phase == "quiet":
            escalation_state.raised, escalation_state.passed_over = [], set()
        escalation_state.phase = "active"
        if escalation_state.raised:
            self._emit(name, escalation_state, "recurred", resolved_ladder)

    def _ask(
        self, name: str, event: Event, escalation_state: EscalationState, resolved_ladder: ResolvedLadder, stopwatch: Stopwatch
    ) -> None:
        now, ladder = self.ticket.now, resolved_ladder.ladder
        wanted = event.level or ladder.on_request
        level = next((level for level in ladder.levels if level.name == wanted), None)
        gate = self.ticket.commitments.get(ladder.request_after)
        urgent = event.impact in ("production", "business_risk")
        shut = gate is not None and gate.target is not None
        if shut and gate is not None:
            shut = now < gate.due if gate.due is not None else gate.verdict == "pending"
        early = shut and not urgent
        if level is None or not ladder.on_request or not stopwatch.on or early:
            self.ticket.emit(name, "escalation.refused", wanted, escalation_state.cycle, None, ladder.kind)
            return
        again = _passed(level, escalation_state, resolved_ladder)
        if not again:
            escalation_state.raised.append(level.name)
        escalation_state.phase, escalation_state.last_emitted_at, escalation_state.repeats = "active", now, 0
        kind, team = "escalation.repeated" if again else "escalation.raised", resolved_ladder.teams.get(level.name, "")
        self.ticket.emit(name, kind, level.name, escalation_state.cycle, self._due(resolved_ladder), ladder.kind, team)

    def release(
        self, name: str, escalation_state: EscalationState, resolved_ladder: ResolvedLadder, phase: str = "released"
    ) -> None:
        if _active(escalation_state):
            escalation_state.phase = phase
            self._emit(name, escalation_state, "released", resolved_ladder)

    def _may_escalate(self, resolved_ladder: ResolvedLadder) -> bool:
        commitment_state = self.ticket.commitments.get(resolved_ladder.ladder.commitment)
        return not resolved_ladder.ladder.commitment or (
            commitment_state is not None and commitment_state.verdict in ("pending", "breached")
        )

    def _again(
        self, level: Level, wait: Duration | None, escalation_state: EscalationState, resolved_ladder: ResolvedLadder
    ) -> bool:
        """``wait`` has passed since the last effect of the ladder, and the level may have one in this minute."""
        if wait is None or not _may_emit(level, resolved_ladder, self.ticket):
            return False
        again = self._later(escalation_state.last_emitted_at, wait, resolved_ladder)
        return again is not None and self.ticket.now >= again

    def _later(self, minute: int, wait: Duration, resolved_ladder: ResolvedLadder) -> int | None:
        return later(minute, wait.text, self.ticket.hours[resolved_ladder.calendar])

    def _due(self, resolved_ladder: ResolvedLadder) -> int | None:
        commitment_state = self.ticket.commitments.get(resolved_ladder.ladder.commitment)
        return None if commitment_state is None else commitment_state.due

    def _emit(
        self,
        name: str,
        escalation_state: EscalationState,
        kind: str,
        resolved_ladder: ResolvedLadder,
        *,
        due: int | None = None,
    ) -> None:
        level = escalation_state.raised[-1]
        team = resolved_ladder.teams.get(level, "") if kind in _HANDS_OVER else ""
        kind_of_ladder = resolved_ladder.ladder.kind
        self.ticket.emit(name, f"escalation.{kind}", level, escalation_state.cycle, due, kind_of_ladder, team)


def _active(escalation_state: EscalationState) -> bool:
    return bool(escalation_state.raised) and escalation_state.phase in _ACTIVE


def _passed(level: Level, escalation_state: EscalationState, resolved_ladder: ResolvedLadder) -> bool:
    """The level or a higher one was raised."""
    names = [one.name for one in resolved_ladder.ladder.levels]
    return any(name in escalation_state.raised for name in names[names.index(level.name) :])


def _may_emit(level: Level, resolved_ladder: ResolvedLadder, ticket: Ticket) -> bool:
    return not level.only_in_business_hours or ticket.hours[resolved_ladder.calendar].is_open(ticket.now)
