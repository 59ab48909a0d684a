"""Promises through events and minutes: rules 13 to 23 of ``tests.oracle.oracle``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream.sla.policy.policy import OnChange
from tests.oracle.hours import length
from tests.oracle.promised import WALL, Offer, Promise, Story, Watch, reached

if TYPE_CHECKING:
    from stream.sla.events import Event
    from tests.oracle.asked import Fields

_REOPENED = {"late": "breached", "met": "pending", "measured": "pending"}
_MAY_BEGIN = ("cancelled", "met", "measured")


class Keeping:
    def __init__(self, story: Story) -> None:
        self.story = story

    def move(self, row: str, watch: Watch, move: str, before: Fields) -> None:
        """The stopwatch is about to end, or was just paused, resumed or reopened."""
        offers, _ = self.story.offered(row, before)
        for name, promise in self.story.promises.items():
            if promise.row != row or promise.cycle != watch.cycle or name not in offers:
                continue
            if move in ("stop", "restart", "cancel"):
                self._end(promise, move)
                continue
            if move == "reopen":
                promise.verdict = _REOPENED.get(promise.verdict, promise.verdict)
                if promise.verdict == "pending":
                    self._change(promise, offers[name], watch, same=True)
            if promise.verdict == "pending":
                self._aim(promise, watch)
                self._tell(promise, "paused" if move == "pause" else "resumed")

    def look(self) -> None:
        for promise in self.story.promises.values():
            watch = self.story.watches[promise.row]
            if promise.verdict != "pending" or not watch.on:
                continue
            if promise.allowance is not None and watch.reading(promise.clock) >= promise.allowance:
                self._breach(promise)
                continue
            for mark in promise.offer.marks:
                if mark.text not in promise.warned and reached(mark, promise, watch, promise.offer.calendar, self.story.now):
                    promise.warned.add(mark.text)
                    self._tell(promise, "warned", mark.text)

    def extend(self, event: Event, before: Fields) -> None:
        promise = self.story.promises.get(event.commitment)
        if promise is None:
            return
        watch = self.story.watches[promise.row]
        offer = self.story.offered(promise.row, before)[0].get(event.commitment)
        if offer is None:
            return
        hours, cap = self.story.hours[offer.calendar], offer.commitment.extension_cap
        wanted = length(event.by, hours, watch.began)
        most = None if cap is None else length(cap.text, hours, watch.began)
        room = 0
        if most is not None and most.business == wanted.business == (promise.clock != WALL):
            room = min(wanted.minutes, most.minutes - promise.extension)
        if promise.verdict != "pending" or promise.target is None or not watch.on or room <= 0:
            self._tell(promise, "extension_refused")
            return
        promise.extension += room
        self._warn_anew(promise, watch)
        self._tell(promise, "retargeted")

    def lay(self, fields: Fields) -> None:
        """Begin, change and cancel promises, so that those of the fields lie over every stopwatch that is on."""
        laid = set()
        for row, watch in self.story.watches.items():
            for name, offer in (self.story.offered(row, fields)[0] if watch.on else {}).items():
                laid.add(name)
                promise = self.story.promises.get(name)
                elsewhere = promise is not None and promise.row != row and self.story.watches[promise.row].on
                if not (promise and elsewhere and name in self.story.offered(promise.row, fields)[0]):
                    self._lay(name, offer, watch)
        for name, promise in self.story.promises.items():
            if promise.verdict == "pending" and self.story.watches[promise.row].on and name not in laid:
                promise.verdict = "cancelled"
                self._tell(promise, "cancelled")

    def _lay(self, name: str, offer: Offer, watch: Watch) -> None:
        promise = self.story.promises.get(name)
        same = promise is not None and promise.row == offer.commitment.row.name and promise.cycle == watch.cycle
        if promise is None or (promise.verdict != "pending" and (not same or promise.verdict in _MAY_BEGIN)):
            promise = self.story.promises[name] = Promise(offer, watch.cycle)
            self._set_target(promise, offer, watch)
            self._aim(promise, watch)
            self._tell(promise, "started")
            if watch.phase == "paused":
                self._tell(promise, "paused")
        elif promise.verdict == "pending":
            self._change(promise, offer, watch, same=same)

    def _change(self, promise: Promise, offer: Offer, watch: Watch, *, same: bool) -> None:
        old, target, clock = promise.offer, promise.target, promise.clock
        promise.offer, promise.cycle = offer, watch.cycle
        self._set_target(promise, offer, watch)
        another_policy = (old.policy.name, old.policy.version) != (offer.policy.name, offer.policy.version)
        another_target = promise.target != target or (promise.target is not None and promise.clock != clock)
        if same and not another_policy and not another_target:
            return
        if offer.commitment.on_change is not OnChange.CARRY:
            promise.begins_at = dict(watch.counts)
        if offer.commitment.on_change is OnChange.RESET:
            promise.used_from = dict(watch.counts)
            promise.extension = 0
            promise.warned = set()
        self._warn_anew(promise, watch)
        self._tell(promise, "retargeted")

    def _set_target(self, promise: Promise, offer: Offer, watch: Watch) -> None:
        promise.target = None
        if offer.target:
            business, promise.target = length(offer.target, self.story.hours[offer.calendar], watch.began)
            promise.clock = offer.calendar if business else WALL

    def _aim(self, promise: Promise, watch: Watch) -> None:
        """Rule 19: find the deadline in sight."""
        allowance = promise.allowance
        promise.due = None if allowance is None else watch.first_showed(promise.clock, allowance, self.story.now)

    def _warn_anew(self, promise: Promise, watch: Watch) -> None:
        """Rule 20: of the warnings given, those stay given whose marks the new deadline leaves behind."""
        self._aim(promise, watch)
        calendar, now = promise.offer.calendar, self.story.now
        given = [mark for mark in promise.offer.marks if mark.text in promise.warned]
        promise.warned = {mark.text for mark in given if reached(mark, promise, watch, calendar, now)}

    def _end(self, promise: Promise, move: str) -> None:
        timer = promise.offer.commitment.row.timer
        if promise.verdict == "pending":
            if move == "cancel" or timer:
                promise.verdict = "cancelled"
                if move != "restart":
                    self._tell(promise, "cancelled")
            elif promise.target is None:
                promise.verdict = "measured"
                self._tell(promise, "measured")
            elif promise.due is not None and promise.due < self.story.now:
                self._breach(promise)
            else:
                promise.verdict = "met"
                self._tell(promise, "met")
        if promise.verdict == "breached" and move != "cancel" and not timer:
            promise.verdict = "late"
            self._tell(promise, "met_late")

    def _breach(self, promise: Promise) -> None:
        promise.verdict = "breached"
        self._tell(promise, "elapsed" if promise.offer.commitment.row.timer else "breached")

    def _tell(self, promise: Promise, kind: str, level: str = "") -> None:
        name = promise.offer.commitment.name
        self.story.say(name, f"commitment.{kind}", level, promise.cycle, promise.due)
