"""Commitments through events and minutes: rules 13 to 23 of ``tests.oracle.oracle``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.policy.policy import OnChange
from tests.oracle.hours import length
from tests.oracle.ticket import WALL, WALL_PAUSES, Offer, ResolvedCommitment, Story, Watch, clocks_of, offered, reached

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stream.sla.events import Event
    from tests.oracle.hours import OpenMinutes
    from tests.oracle.signals import Fields

_REOPENED = {"late": "breached", "met": "pending", "measured": "pending"}
_MAY_BEGIN = ("cancelled", "halted", "met", "measured")


class CommitmentRules:
    def __init__(self, story: Story) -> None:
        self.story = story

    def receive_signal(self, metric: str, watch: Watch, signal: str, before: Fields, only: set[str] | None = None) -> None:
        """The stopwatch is about to end, or was just paused, resumed or reopened. ``only``: these; ``None``: all on it."""
        offers, _ = self.story.offered(metric, before)
        for name, resolved in self.story.commitments.items():
            if resolved.metric != metric or resolved.cycle != watch.cycle or name not in offers:
                continue
            if only is not None and name not in only:
                continue
            if signal in ("stop", "restart", "cancel", "halt"):
                self._end(resolved, signal)
                continue
            if signal in ("reopen", "restore"):
                again = _REOPENED if signal == "reopen" else {"halted": "pending"}
                resolved.verdict = again.get(resolved.verdict, resolved.verdict)
                if resolved.verdict == "pending":
                    self._change(resolved, offers[name], watch, same=True)
                    self._measure_anew(resolved, watch)
            if resolved.verdict == "pending":
                self._set_due(resolved, watch)
                self.emit(resolved, "paused" if signal == "pause" else "resumed")

    def breach_before_events(self) -> None:
        """What is reached before anything happens in this minute, where reached is breached: rule 17."""
        for resolved in self.story.commitments.values():
            watch = self.story.watches[resolved.metric]
            if not resolved.strict or resolved.verdict != "pending" or not watch.on or resolved.allowance is None:
                continue
            if self._has_passed(resolved, watch):
                self.breach(resolved)

    def emit_due(self) -> None:
        for resolved in self.story.commitments.values():
            watch = self.story.watches[resolved.metric]
            if resolved.verdict != "pending" or not watch.on:
                continue
            if resolved.allowance is not None and self._has_passed(resolved, watch):
                self.breach(resolved)
                continue
            for threshold in () if resolved.unjudged else resolved.offer.thresholds:
                if threshold.text not in resolved.warned and reached(
                    threshold, resolved, watch, resolved.offer.calendar, self.story.now
                ):
                    resolved.warned.add(threshold.text)
                    self.emit(resolved, "warned", threshold.text)

    def _has_passed(self, resolved: ResolvedCommitment, watch: Watch) -> bool:
        allowance, since = resolved.allowance, resolved.begins_minute
        assert allowance is not None
        return watch.has_shown(
            resolved.clock, allowance, resolved.not_before, self.story.now, strict=resolved.strict, since=since
        )

    def extend(self, event: Event, before: Fields) -> None:
        named = event.commitment
        if named not in self.story.commitments:
            found = [name for name, one in self.story.commitments.items() if self.story.former.get((one.policy, named)) == name]
            named = found[0] if found else named
        resolved = self.story.commitments.get(named)
        if resolved is None:
            return
        watch = self.story.watches[resolved.metric]
        offer = offered(self.story.policies, before, watch.began, self.story.hours)[0].get(named)
        if offer is None:
            return
        hours, cap = self.story.hours[offer.calendar], offer.commitment.extension_cap
        wanted = length(event.by, hours, watch.began)
        most = None if cap is None else length(cap.text, hours, watch.began)
        room = 0
        if most is not None and most.business == wanted.business == (resolved.clock != WALL):
            room = min(wanted.minutes, most.minutes - resolved.extension)
        if resolved.verdict != "pending" or resolved.target is None or not watch.on or room <= 0:
            self.emit(resolved, "extension_refused")
            return
        resolved.extension += room
        self.warn_anew(resolved, watch)
        self.emit(resolved, "retargeted")

    def apply_commitments(self, fields: Fields) -> None:
        """Begin, change and cancel commitments, so that those of the fields apply on every stopwatch that is on."""
        applicable = set()
        for metric, watch in self.story.watches.items():
            for name, offer in (self.story.offered(metric, fields)[0] if watch.on else {}).items():
                applicable.add(name)
                resolved = self.story.commitments.get(name)
                elsewhere = resolved is not None and resolved.metric != metric and self.story.watches[resolved.metric].on
                if not (resolved and elsewhere and name in self.story.offered(resolved.metric, fields)[0]):
                    self._apply_commitment(name, offer, watch)
        for name, resolved in self.story.commitments.items():
            if resolved.verdict == "pending" and self.story.watches[resolved.metric].on and name not in applicable:
                resolved.verdict = "cancelled"
                self.emit(resolved, "cancelled")

    def _apply_commitment(self, name: str, offer: Offer, watch: Watch) -> None:
        resolved = self.story.commitments.get(name)
        if resolved is not None and resolved.verdict == "pending":
            same = resolved.metric == offer.commitment.metric.name and resolved.cycle == watch.cycle
            self._change(resolved, offer, watch, same=same)
        else:
            self.begin(name, offer, watch)

    def begin(self, name: str, offer: Offer, watch: Watch, *, deployed: bool = False) -> None:
        """Where nothing of the name is open: it begins, unless it was breached in this cycle."""
        resolved = self.story.commitments.get(name)
        same = resolved is not None and resolved.metric == offer.commitment.metric.name and resolved.cycle == watch.cycle
        if resolved is not None and same and resolved.verdict not in _MAY_BEGIN:
            return
        resolved = self.story.commitments[name] = ResolvedCommitment(offer, watch.cycle, policy=offer.policy.name)
        self._set_target(resolved, offer, watch)
        self._set_due(resolved, watch)
        if deployed and self.is_past(resolved):
            resolved.target, resolved.due, resolved.unjudged = None, None, True
        self.emit(resolved, "started")
        if watch.phase == "paused":
            self.emit(resolved, "paused")

    def _change(self, resolved: ResolvedCommitment, offer: Offer, watch: Watch, *, same: bool) -> None:
        old, target, clock = resolved.offer, (resolved.target, resolved.not_before, resolved.by_days), resolved.clock
        if same and resolved.unjudged:
            resolved.offer = offer
            return
        resolved.unjudged = False
        granted = (self.without_extension(resolved), self.story.hours) if resolved.extension else (None, self.story.hours)
        self.retarget(resolved, offer, watch, granted)
        another_policy = (old.policy.name, old.policy.version) != (offer.policy.name, offer.policy.version)
        another_target = (resolved.target, resolved.not_before, resolved.by_days) != target
        another_target |= resolved.target is not None and resolved.clock != clock
        if same and not another_policy and not another_target:
            return
        resolved.policy = offer.policy.name
        if offer.commitment.on_change is not OnChange.CARRY:
            resolved.begins_minute = self.story.now
            self._set_target(resolved, offer, watch)
        if offer.commitment.on_change is OnChange.RESET:
            resolved.used_minute = self.story.now
            resolved.extension = 0
            resolved.warned = set()
        self._measure_anew(resolved, watch)
        self.warn_anew(resolved, watch)
        self.emit(resolved, "retargeted")

    def retarget(
        self, resolved: ResolvedCommitment, offer: Offer, watch: Watch, granted: tuple[int | None, Mapping[str, OpenMinutes]]
    ) -> None:
        """Take what is promised now. ``granted``: the deadline without the extension, and the calendars it was on."""
        clock, (start, old_hours) = resolved.clock, granted
        resolved.offer, resolved.cycle = offer, watch.cycle
        self._set_target(resolved, offer, watch)
        if resolved.extension and (clock == WALL) != (resolved.clock == WALL):
            start = self.story.now if start is None else start
            if clock == WALL:
                hours = self.story.hours[offer.calendar]
                resolved.extension = sum(hours.is_open(minute) for minute in range(start, start + resolved.extension))
            else:
                moved = old_hours[clock.removesuffix(WALL_PAUSES)].add(start, resolved.extension)
                resolved.extension = resolved.extension if moved is None else moved - start
        self._measure_anew(resolved, watch)
        self._set_due(resolved, watch)

    def without_extension(self, resolved: ResolvedCommitment) -> int | None:
        """The minute of the deadline if no extension had been granted; ``None`` if it is not in sight."""
        if resolved.allowance is None:
            return None
        watch, allowance = self.story.watches[resolved.metric], resolved.allowance - resolved.extension
        return watch.first_showed(resolved.clock, allowance, self.story.now, resolved.not_before, since=resolved.begins_minute)

    def _measure_anew(self, resolved: ResolvedCommitment, watch: Watch) -> None:
        clocks = clocks_of(self.story.hours)
        if resolved.begins_minute is not None:
            resolved.begins_at = {clock: watch.count(clock, resolved.begins_minute) for clock in clocks}
        if resolved.used_minute is not None:
            resolved.used_from = {clock: watch.count(clock, resolved.used_minute) for clock in clocks}

    def _set_target(self, resolved: ResolvedCommitment, offer: Offer, watch: Watch) -> None:
        resolved.target = None
        resolved.not_before, resolved.by_days = 0, offer.target.startswith("+")
        if offer.target:
            begins = watch.began if resolved.begins_minute is None else resolved.begins_minute
            business, resolved.target, resolved.not_before = length(offer.target, self.story.hours[offer.calendar], begins)
            on_wall = WALL_PAUSES if offer.commitment.pause_time == "wall" else ""
            resolved.clock = offer.calendar + on_wall if business else WALL

    def _set_due(self, resolved: ResolvedCommitment, watch: Watch) -> None:
        """Rule 19: find the deadline in sight."""
        allowance = resolved.allowance
        resolved.due = (
            None
            if allowance is None
            else watch.first_showed(
                resolved.clock,
                allowance,
                self.story.now,
                resolved.not_before,
                strict=resolved.strict,
                since=resolved.begins_minute,
            )
        )

    def warn_anew(self, resolved: ResolvedCommitment, watch: Watch) -> None:
        """Rule 20: of the warnings given, those stay given whose thresholds the new deadline leaves behind."""
        self._set_due(resolved, watch)
        calendar, now = resolved.offer.calendar, self.story.now
        given = [threshold for threshold in resolved.offer.thresholds if threshold.text in resolved.warned]
        resolved.warned = {threshold.text for threshold in given if reached(threshold, resolved, watch, calendar, now)}

    def _end(self, resolved: ResolvedCommitment, signal: str) -> None:
        timer = resolved.offer.commitment.metric.timer
        if resolved.verdict == "pending":
            if signal in ("cancel", "halt") or timer:
                resolved.verdict = "halted" if signal == "halt" else "cancelled"
                if signal != "restart":
                    self.emit(resolved, "cancelled")
            elif resolved.target is None:
                resolved.verdict = "measured"
                self.emit(resolved, "measured")
            elif self.is_past(resolved):
                self.breach(resolved)
            else:
                resolved.verdict = "met"
                self.emit(resolved, "met")
        if resolved.verdict == "breached" and signal not in ("cancel", "halt") and not timer:
            resolved.verdict = "late"
            self.emit(resolved, "met_late")

    def is_past(self, resolved: ResolvedCommitment) -> bool:
        return resolved.due is not None and resolved.due < self.story.now + resolved.strict

    def breach(self, resolved: ResolvedCommitment) -> None:
        resolved.verdict = "breached"
        self.emit(resolved, "elapsed" if resolved.offer.commitment.metric.timer else "breached")

    def emit(self, resolved: ResolvedCommitment, kind: str, level: str = "") -> None:
        name, page = resolved.offer.commitment.name, resolved.offer.page and kind == "breached"
        self.story.emit(name, f"commitment.{kind}", level, resolved.cycle, resolved.due, page=page)
