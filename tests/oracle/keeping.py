"""Promises through events and minutes: rules 13 to 23 of ``tests.oracle.oracle``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.policy.policy import OnChange
from tests.oracle.hours import length
from tests.oracle.promised import WALL, Offer, ResolvedCommitment, Story, Watch, reached

if TYPE_CHECKING:
    from stream.sla.events import Event
    from tests.oracle.asked import Fields

_REOPENED = {"late": "breached", "met": "pending", "measured": "pending"}
_MAY_BEGIN = ("cancelled", "met", "measured")


class Keeping:
    def __init__(self, story: Story) -> None:
        self.story = story

    def move(self, metric: str, watch: Watch, move: str, before: Fields) -> None:
        """The stopwatch is about to end, or was just paused, resumed or reopened."""
        offers, _ = self.story.offered(metric, before)
        for name, resolved in self.story.commitments.items():
            if resolved.metric != metric or resolved.cycle != watch.cycle or name not in offers:
                continue
            if move in ("stop", "restart", "cancel"):
                self._end(resolved, move)
                continue
            if move == "reopen":
                resolved.verdict = _REOPENED.get(resolved.verdict, resolved.verdict)
                if resolved.verdict == "pending":
                    self._change(resolved, offers[name], watch, same=True)
            if resolved.verdict == "pending":
                self._aim(resolved, watch)
                self._tell(resolved, "paused" if move == "pause" else "resumed")

    def look(self) -> None:
        for resolved in self.story.commitments.values():
            watch = self.story.watches[resolved.metric]
            if resolved.verdict != "pending" or not watch.on:
                continue
            if resolved.allowance is not None and watch.reading(resolved.clock) >= resolved.allowance:
                self._breach(resolved)
                continue
            for threshold in resolved.offer.thresholds:
                if threshold.text not in resolved.warned and reached(
                    threshold, resolved, watch, resolved.offer.calendar, self.story.now
                ):
                    resolved.warned.add(threshold.text)
                    self._tell(resolved, "warned", threshold.text)

    def extend(self, event: Event, before: Fields) -> None:
        resolved = self.story.commitments.get(event.commitment)
        if resolved is None:
            return
        watch = self.story.watches[resolved.metric]
        offer = self.story.offered(resolved.metric, before)[0].get(event.commitment)
        if offer is None:
            return
        hours, cap = self.story.hours[offer.calendar], offer.commitment.extension_cap
        wanted = length(event.by, hours, watch.began)
        most = None if cap is None else length(cap.text, hours, watch.began)
        room = 0
        if most is not None and most.business == wanted.business == (resolved.clock != WALL):
            room = min(wanted.minutes, most.minutes - resolved.extension)
        if resolved.verdict != "pending" or resolved.target is None or not watch.on or room <= 0:
            self._tell(resolved, "extension_refused")
            return
        resolved.extension += room
        self._warn_anew(resolved, watch)
        self._tell(resolved, "retargeted")

    def lay(self, fields: Fields) -> None:
        """Begin, change and cancel promises, so that those of the fields lie over every stopwatch that is on."""
        laid = set()
        for metric, watch in self.story.watches.items():
            for name, offer in (self.story.offered(metric, fields)[0] if watch.on else {}).items():
                laid.add(name)
                resolved = self.story.commitments.get(name)
                elsewhere = resolved is not None and resolved.metric != metric and self.story.watches[resolved.metric].on
                if not (resolved and elsewhere and name in self.story.offered(resolved.metric, fields)[0]):
                    self._lay(name, offer, watch)
        for name, resolved in self.story.commitments.items():
            if resolved.verdict == "pending" and self.story.watches[resolved.metric].on and name not in laid:
                resolved.verdict = "cancelled"
                self._tell(resolved, "cancelled")

    def _lay(self, name: str, offer: Offer, watch: Watch) -> None:
        resolved = self.story.commitments.get(name)
        same = resolved is not None and resolved.metric == offer.commitment.metric.name and resolved.cycle == watch.cycle
        if resolved is None or (resolved.verdict != "pending" and (not same or resolved.verdict in _MAY_BEGIN)):
            resolved = self.story.commitments[name] = ResolvedCommitment(offer, watch.cycle)
            self._set_target(resolved, offer, watch)
            self._aim(resolved, watch)
            self._tell(resolved, "started")
            if watch.phase == "paused":
                self._tell(resolved, "paused")
        elif resolved.verdict == "pending":
            self._change(resolved, offer, watch, same=same)

    def _change(self, resolved: ResolvedCommitment, offer: Offer, watch: Watch, *, same: bool) -> None:
        old, target, clock = resolved.offer, resolved.target, resolved.clock
        resolved.offer, resolved.cycle = offer, watch.cycle
        self._set_target(resolved, offer, watch)
        another_policy = (old.policy.name, old.policy.version) != (offer.policy.name, offer.policy.version)
        another_target = resolved.target != target or (resolved.target is not None and resolved.clock != clock)
        if same and not another_policy and not another_target:
            return
        if offer.commitment.on_change is not OnChange.CARRY:
            resolved.begins_at = dict(watch.counts)
        if offer.commitment.on_change is OnChange.RESET:
            resolved.used_from = dict(watch.counts)
            resolved.extension = 0
            resolved.warned = set()
        self._warn_anew(resolved, watch)
        self._tell(resolved, "retargeted")

    def _set_target(self, resolved: ResolvedCommitment, offer: Offer, watch: Watch) -> None:
        resolved.target = None
        if offer.target:
            business, resolved.target = length(offer.target, self.story.hours[offer.calendar], watch.began)
            resolved.clock = offer.calendar if business else WALL

    def _aim(self, resolved: ResolvedCommitment, watch: Watch) -> None:
        """Rule 19: find the deadline in sight."""
        allowance = resolved.allowance
        resolved.due = None if allowance is None else watch.first_showed(resolved.clock, allowance, self.story.now)

    def _warn_anew(self, resolved: ResolvedCommitment, watch: Watch) -> None:
        """Rule 20: of the warnings given, those stay given whose marks the new deadline leaves behind."""
        self._aim(resolved, watch)
        calendar, now = resolved.offer.calendar, self.story.now
        given = [threshold for threshold in resolved.offer.thresholds if threshold.text in resolved.warned]
        resolved.warned = {threshold.text for threshold in given if reached(threshold, resolved, watch, calendar, now)}

    def _end(self, resolved: ResolvedCommitment, move: str) -> None:
        timer = resolved.offer.commitment.metric.timer
        if resolved.verdict == "pending":
            if move == "cancel" or timer:
                resolved.verdict = "cancelled"
                if move != "restart":
                    self._tell(resolved, "cancelled")
            elif resolved.target is None:
                resolved.verdict = "measured"
                self._tell(resolved, "measured")
            elif resolved.due is not None and resolved.due < self.story.now:
                self._breach(resolved)
            else:
                resolved.verdict = "met"
                self._tell(resolved, "met")
        if resolved.verdict == "breached" and move != "cancel" and not timer:
            resolved.verdict = "late"
            self._tell(resolved, "met_late")

    def _breach(self, resolved: ResolvedCommitment) -> None:
        resolved.verdict = "breached"
        self._tell(resolved, "elapsed" if resolved.offer.commitment.metric.timer else "breached")

    def _tell(self, resolved: ResolvedCommitment, kind: str, level: str = "") -> None:
        name = resolved.offer.commitment.name
        self.story.say(name, f"commitment.{kind}", level, resolved.cycle, resolved.due)
