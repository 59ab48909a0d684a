"""Commitments through events and minutes: rules 13 to 23 of ``tests.oracle.oracle``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.policy.policy import OnChange
from tests.oracle.hours import length
from tests.oracle.ticket import (
    WALL,
    WALL_PAUSES,
    CommitmentState,
    ResolvedCommitment,
    Stopwatch,
    Ticket,
    clocks_of,
    reached,
    resolve,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.sla.events import Event
    from tests.oracle.hours import OpenMinutes
    from tests.oracle.signals import Fields

    Granted = tuple[int | None, Mapping[str, OpenMinutes]]
    """The minute of the deadline without the extension, and the calendars it was on."""

_REOPENED = {"late": "breached", "met": "pending", "measured": "pending"}
_MAY_BEGIN = ("cancelled", "halted", "met", "measured")


class CommitmentRules:
    def __init__(self, ticket: Ticket) -> None:
        self.ticket = ticket

    def receive_signal(
        self, metric: str, stopwatch: Stopwatch, signal: str, before: Fields, only: set[str] | None = None
    ) -> None:
        """The stopwatch is about to end, or was just paused, resumed or reopened. ``only``: these; ``None``: all on it."""
        commitments, _ = self.ticket.resolve_on(metric, before)
        for name, state in self.ticket.commitments.items():
            if state.metric != metric or state.cycle != stopwatch.cycle or name not in commitments:
                continue
            if only is not None and name not in only:
                continue
            if signal in ("stop", "restart", "cancel", "halt"):
                self._end(state, signal)
                continue
            if signal in ("reopen", "restore"):
                again = _REOPENED if signal == "reopen" else {"halted": "pending"}
                state.verdict = again.get(state.verdict, state.verdict)
                if state.verdict == "pending":
                    self._change(state, commitments[name], stopwatch, same=True)
                    self._measure_anew(state, stopwatch)
            if state.verdict == "pending":
                self._set_due(state, stopwatch)
                self.emit(state, "paused" if signal == "pause" else "resumed")

    def breach_before_events(self) -> None:
        """What is reached before anything happens in this minute, where reached is breached: rule 17."""
        for state in self.ticket.commitments.values():
            stopwatch = self.ticket.stopwatches[state.metric]
            if not state.strict or state.verdict != "pending" or not stopwatch.on or state.allowance is None:
                continue
            if self._has_passed(state, stopwatch):
                self.breach(state)

    def emit_due(self) -> None:
        for state in self.ticket.commitments.values():
            stopwatch = self.ticket.stopwatches[state.metric]
            if state.verdict != "pending" or not stopwatch.on:
                continue
            if state.allowance is not None and self._has_passed(state, stopwatch):
                self.breach(state)
                continue
            for threshold in () if state.unjudged else state.resolved.thresholds:
                if threshold.text not in state.warned and reached(
                    threshold, state, stopwatch, state.resolved.calendar, self.ticket.now
                ):
                    state.warned.add(threshold.text)
                    self.emit(state, "warned", threshold.text)

    def _has_passed(self, state: CommitmentState, stopwatch: Stopwatch) -> bool:
        allowance, since = state.allowance, state.begins_minute
        assert allowance is not None
        return stopwatch.has_shown(state.clock, allowance, state.not_before, self.ticket.now, strict=state.strict, since=since)

    def extend(self, event: Event, before: Fields) -> None:
        named = event.commitment
        if named not in self.ticket.commitments:
            found = [
                name for name, one in self.ticket.commitments.items() if self.ticket.former.get((one.policy, named)) == name
            ]
            named = found[0] if found else named
        state = self.ticket.commitments.get(named)
        if state is None:
            return
        stopwatch = self.ticket.stopwatches[state.metric]
        resolved = resolve(self.ticket.policies, before, stopwatch.began, self.ticket.hours)[0].get(named)
        if resolved is None:
            return
        hours, cap = self.ticket.hours[resolved.calendar], resolved.commitment.extension_cap
        wanted = length(event.by, hours, stopwatch.began)
        most = None if cap is None else length(cap.text, hours, stopwatch.began)
        room = 0
        if most is not None and most.business == wanted.business == (state.clock != WALL):
            room = min(wanted.minutes, most.minutes - state.extension)
        if state.verdict != "pending" or state.target is None or not stopwatch.on or room <= 0:
            self.emit(state, "extension_refused")
            return
        state.extension += room
        self.warn_anew(state, stopwatch)
        self.emit(state, "retargeted")

    def apply_commitments(self, fields: Fields) -> None:
        """Begin, change and cancel commitments, so that those of the fields apply on every stopwatch that is on."""
        applicable = set()
        for metric, stopwatch in self.ticket.stopwatches.items():
            for name, resolved in (self.ticket.resolve_on(metric, fields)[0] if stopwatch.on else {}).items():
                applicable.add(name)
                state = self.ticket.commitments.get(name)
                elsewhere = state is not None and state.metric != metric and self.ticket.stopwatches[state.metric].on
                if not (state and elsewhere and name in self.ticket.resolve_on(state.metric, fields)[0]):
                    self._apply_commitment(name, resolved, stopwatch)
        for name, state in self.ticket.commitments.items():
            if state.verdict == "pending" and self.ticket.stopwatches[state.metric].on and name not in applicable:
                state.verdict = "cancelled"
                self.emit(state, "cancelled")
        self.cancel_restarted()

    def cancel_restarted(self) -> None:
        """Rule 18: timers that were restarted, and whose commitment does not apply to the new cycle."""
        for state in self.ticket.commitments.values():
            if state.restarted:
                state.restarted = False
                self.emit(state, "cancelled")

    def _apply_commitment(self, name: str, resolved: ResolvedCommitment, stopwatch: Stopwatch) -> None:
        state = self.ticket.commitments.get(name)
        if state is not None and state.verdict == "pending":
            same = state.metric == resolved.commitment.metric.name and state.cycle == stopwatch.cycle
            self._change(state, resolved, stopwatch, same=same)
        else:
            self.begin(name, resolved, stopwatch)

    def begin(self, name: str, resolved: ResolvedCommitment, stopwatch: Stopwatch, *, deployed: bool = False) -> None:
        """Where nothing of the name is open: it begins, unless it was breached in this cycle."""
        state = self.ticket.commitments.get(name)
        same = state is not None and state.metric == resolved.commitment.metric.name and state.cycle == stopwatch.cycle
        if state is not None and same and state.verdict not in _MAY_BEGIN:
            return
        state = self.ticket.commitments[name] = CommitmentState(resolved, stopwatch.cycle, policy=resolved.policy.name)
        self._set_target(state, resolved, stopwatch)
        self._set_due(state, stopwatch)
        if deployed and self.is_past(state):
            state.target, state.due, state.unjudged = None, None, True
        self.emit(state, "started")
        if stopwatch.phase == "paused":
            self.emit(state, "paused")

    def _change(self, state: CommitmentState, resolved: ResolvedCommitment, stopwatch: Stopwatch, *, same: bool) -> None:
        old, target, clock = state.resolved, (state.target, state.not_before, state.by_days), state.clock
        if same and state.unjudged:
            state.resolved = resolved
            return
        state.unjudged = False
        granted = (self.without_extension(state), self.ticket.hours) if state.extension else (None, self.ticket.hours)
        self.retarget(state, resolved, stopwatch, granted)
        another_policy = (old.policy.name, old.policy.version) != (resolved.policy.name, resolved.policy.version)
        another_target = (state.target, state.not_before, state.by_days) != target
        another_target |= state.target is not None and state.clock != clock
        if same and not another_policy and not another_target:
            return
        state.policy = resolved.policy.name
        if resolved.commitment.on_change is not OnChange.CARRY:
            state.begins_minute = self.ticket.now
            self._set_target(state, resolved, stopwatch)
        if resolved.commitment.on_change is OnChange.RESET:
            state.used_minute = self.ticket.now
            state.extension = 0
            state.warned = set()
        self._measure_anew(state, stopwatch)
        self.warn_anew(state, stopwatch)
        self.emit(state, "retargeted")

    def retarget(self, state: CommitmentState, resolved: ResolvedCommitment, stopwatch: Stopwatch, granted: Granted) -> None:
        """Take what is promised now. ``granted``: before the extension that was granted."""
        clock, (start, old_hours) = state.clock, granted
        state.resolved, state.cycle = resolved, stopwatch.cycle
        self._set_target(state, resolved, stopwatch)
        if state.extension and (clock == WALL) != (state.clock == WALL):
            start = self.ticket.now if start is None else start
            if clock == WALL:
                hours = self.ticket.hours[resolved.calendar]
                state.extension = sum(hours.is_open(minute) for minute in range(start, start + state.extension))
            else:
                moved = old_hours[clock.removesuffix(WALL_PAUSES)].add(start, state.extension)
                state.extension = state.extension if moved is None else moved - start
        self._measure_anew(state, stopwatch)
        self._set_due(state, stopwatch)

    def without_extension(self, state: CommitmentState) -> int | None:
        """The minute of the deadline if no extension had been granted; ``None`` if it is not in sight."""
        if state.allowance is None:
            return None
        stopwatch, allowance = self.ticket.stopwatches[state.metric], state.allowance - state.extension
        return stopwatch.first_showed(state.clock, allowance, self.ticket.now, state.not_before, since=state.begins_minute)

    def _measure_anew(self, state: CommitmentState, stopwatch: Stopwatch) -> None:
        clocks = clocks_of(self.ticket.hours)
        if state.begins_minute is not None:
            state.begins_at = {clock: stopwatch.count(clock, state.begins_minute) for clock in clocks}
        if state.used_minute is not None:
            state.used_from = {clock: stopwatch.count(clock, state.used_minute) for clock in clocks}

    def _set_target(self, state: CommitmentState, resolved: ResolvedCommitment, stopwatch: Stopwatch) -> None:
        state.target = None
        state.not_before, state.by_days = 0, resolved.target.startswith("+")
        if resolved.target:
            begins = stopwatch.began if state.begins_minute is None else state.begins_minute
            business, state.target, state.not_before = length(resolved.target, self.ticket.hours[resolved.calendar], begins)
            on_wall = WALL_PAUSES if resolved.commitment.pause_time == "wall" else ""
            state.clock = resolved.calendar + on_wall if business else WALL

    def _set_due(self, state: CommitmentState, stopwatch: Stopwatch) -> None:
        """Rule 19: find the deadline in sight."""
        allowance = state.allowance
        state.due = (
            None
            if allowance is None
            else stopwatch.first_showed(
                state.clock,
                allowance,
                self.ticket.now,
                state.not_before,
                strict=state.strict,
                since=state.begins_minute,
            )
        )

    def warn_anew(self, state: CommitmentState, stopwatch: Stopwatch) -> None:
        """Rule 20: of the warnings given, those stay given whose thresholds the new deadline leaves behind."""
        self._set_due(state, stopwatch)
        calendar, now = state.resolved.calendar, self.ticket.now
        given = [threshold for threshold in state.resolved.thresholds if threshold.text in state.warned]
        state.warned = {threshold.text for threshold in given if reached(threshold, state, stopwatch, calendar, now)}

    def _end(self, state: CommitmentState, signal: str) -> None:
        timer = state.resolved.commitment.metric.timer
        if state.verdict == "pending":
            if signal in ("cancel", "halt") or timer:
                state.verdict = "halted" if signal == "halt" else "cancelled"
                if signal != "restart":
                    self.emit(state, "cancelled")
                state.restarted = signal == "restart"
            elif state.target is None:
                state.verdict = "measured"
                self.emit(state, "measured")
            elif self.is_past(state):
                self.breach(state)
            else:
                state.verdict = "met"
                self.emit(state, "met")
        if state.verdict == "breached" and signal not in ("cancel", "halt") and not timer:
            state.verdict = "late"
            self.emit(state, "met_late")

    def is_past(self, state: CommitmentState) -> bool:
        return state.due is not None and state.due < self.ticket.now + state.strict

    def breach(self, state: CommitmentState) -> None:
        state.verdict = "breached"
        self.emit(state, "elapsed" if state.resolved.commitment.metric.timer else "breached")

    def emit(self, state: CommitmentState, kind: str, level: str = "") -> None:
        name, page = state.resolved.commitment.name, state.resolved.page and kind == "breached"
        self.ticket.emit(name, f"commitment.{kind}", level, state.cycle, state.due, page=page)
