"""Ladders through events and minutes: rules 24 to 29 of ``tests.oracle.oracle``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.oracle.hours import later
from tests.oracle.promised import Climb, Rungs, Story, Watch, reached

if TYPE_CHECKING:
    from stream.sla.calendar.duration import Duration
    from stream.sla.events import Event
    from stream.sla.policy.policy import Level
    from tests.oracle.asked import Fields

_ACTIVE = ("climbing", "acknowledged", "monitoring")


class Climbing:
    def __init__(self, story: Story) -> None:
        self.story = story
        self.climbs: dict[str, Climb] = {}
        self.rungs: dict[str, Rungs | None] = {}
        """What every ladder that has once applied offers to the fields as they are."""

    def move(self, row: str, watch: Watch, move: str, before: Fields) -> None:
        """The stopwatch is about to end, or was just paused, resumed or reopened."""
        for name, rungs in self.story.offered(row, before)[1].items():
            climb = self.climbs.get(name)
            if climb is None or climb.row != row or climb.cycle != watch.cycle:
                continue
            if move == "reopen":
                self._reopen(name, climb)
            elif move == "stop" and rungs.ladder.monitoring is not None and _active(climb):
                climb.state = "monitoring"
                climb.watched_until = self._later(self.story.now, rungs.ladder.monitoring, rungs)
                self._tell(name, climb, "monitoring", due=climb.watched_until)
            elif move in ("stop", "restart", "cancel"):
                self._release(name, climb)

    def hear(self, event: Event, before: Fields) -> None:
        meant = []
        for name, climb in self.climbs.items():
            rungs = self.story.offered(climb.row, before)[1].get(name)
            if rungs is not None:
                meant.append((name, climb, rungs))
        if event.type == "escalation.requested":
            takers = [one for one in meant if one[2].ladder.on_request]
            knowing = [
                one for one in takers if not event.level or event.level in [level.name for level in one[2].ladder.levels]
            ]
            for name, climb, rungs in (knowing or takers or meant)[:1]:
                self._ask(name, event, climb, rungs, self.story.watches[climb.row])
            return
        for name, climb, _ in meant:
            if not _active(climb) or (event.level and event.level not in climb.raised):
                continue
            if event.type == "escalation.released":
                self._release(name, climb)
            elif climb.state == "climbing":
                climb.state, climb.said = "acknowledged", self.story.now
                self._tell(name, climb, "acknowledged")

    def lay(self, fields: Fields, before: Fields) -> None:
        """Begin and end ladders, so that those of the fields stand on every stopwatch that is on."""
        laid = set()
        for row, watch in self.story.watches.items():
            for name in self.story.offered(row, fields)[1] if watch.on else ():
                laid.add(name)
                climb = self.climbs.get(name)
                elsewhere = climb is not None and climb.row != row and self.story.watches[climb.row].on
                if climb and elsewhere and name in self.story.offered(climb.row, fields)[1]:
                    continue
                if climb is None or (climb.cycle, climb.row) != (watch.cycle, row):
                    if climb is not None:
                        self._release(name, climb)
                    self.climbs[name] = Climb(row, watch.cycle)
                elif climb.state == "withdrawn":
                    climb.state, climb.said, climb.repeats = "climbing", self.story.now, 0
                    self._tell(name, climb, "recurred")
        for name, climb in self.climbs.items():
            watch = self.story.watches[climb.row]
            if watch.on and name not in laid and name in self.story.offered(climb.row, before)[1]:
                self._release(name, climb, "withdrawn")
            self.rungs[name] = self.story.offered(climb.row, fields)[1].get(name)

    def look(self) -> bool:
        """Says what is due in this minute; whether anything was, so that more may be."""
        spoke = False
        for name, climb in self.climbs.items():
            spoke |= self._look(name, climb, self.rungs[name])
        return spoke

    def _look(self, name: str, climb: Climb, rungs: Rungs | None) -> bool:
        now, watch = self.story.now, self.story.watches[climb.row]
        if climb.state == "monitoring" and climb.watched_until == now and rungs is not None:
            self._release(name, climb, "quiet")
            return True
        if rungs is None or climb.state not in ("climbing", "acknowledged") or not watch.on or not self._may_climb(rungs):
            return False
        highest = next((level for level in rungs.ladder.levels if level.name in climb.raised[-1:]), None)
        if climb.state == "acknowledged":
            if highest is None or not self._again(highest, rungs.ladder.raise_again_after, climb, rungs):
                return False
            climb.state, climb.said, climb.repeats = "climbing", now, 0
            self._tell(name, climb, "repeated", due=self._due(rungs))
            return True
        raised = False
        resolved = self.story.commitments.get(rungs.ladder.commitment)
        for level, mark in rungs.levels:
            speaks = _speaks(level, rungs, self.story)
            if speaks and not _passed(level, climb, rungs) and reached(mark, resolved, watch, rungs.calendar, now):
                climb.raised.append(level.name)
                climb.said, climb.repeats, raised = now, 0, True
                self._tell(name, climb, "raised", due=self._due(rungs))
        if raised:
            return True
        if highest is None or climb.repeats >= highest.max_repeats:
            return False
        if self._again(highest, highest.repeat_every, climb, rungs):
            climb.said, climb.repeats = now, climb.repeats + 1
            self._tell(name, climb, "repeated", due=self._due(rungs))
            return True
        return False

    def _reopen(self, name: str, climb: Climb) -> None:
        climb.said, climb.repeats = self.story.now, 0
        if climb.state == "quiet":
            climb.raised = []
        climb.state = "climbing"
        if climb.raised:
            self._tell(name, climb, "recurred")

    def _ask(self, name: str, event: Event, climb: Climb, rungs: Rungs, watch: Watch) -> None:
        now, ladder = self.story.now, rungs.ladder
        wanted = event.level or ladder.on_request
        level = next((level for level in ladder.levels if level.name == wanted), None)
        gate = self.story.commitments.get(ladder.request_after)
        urgent = event.impact in ("production", "business_risk")
        shut = gate is not None and gate.target is not None
        if shut and gate is not None:
            shut = now < gate.due if gate.due is not None else gate.verdict == "pending"
        early = shut and not urgent
        if level is None or not ladder.on_request or not watch.on or early:
            self.story.say(name, "escalation.refused", wanted, climb.cycle, None)
            return
        again = _passed(level, climb, rungs)
        if not again:
            climb.raised.append(level.name)
        climb.state, climb.said, climb.repeats = "climbing", now, 0
        kind = "escalation.repeated" if again else "escalation.raised"
        self.story.say(name, kind, level.name, climb.cycle, self._due(rungs))

    def _release(self, name: str, climb: Climb, state: str = "released") -> None:
        if _active(climb):
            climb.state = state
            self._tell(name, climb, "released")

    def _may_climb(self, rungs: Rungs) -> bool:
        resolved = self.story.commitments.get(rungs.ladder.commitment)
        return not rungs.ladder.commitment or (resolved is not None and resolved.verdict in ("pending", "breached"))

    def _again(self, level: Level, wait: Duration | None, climb: Climb, rungs: Rungs) -> bool:
        """``wait`` has passed since the ladder last spoke, and the level may speak in this minute."""
        if wait is None or not _speaks(level, rungs, self.story):
            return False
        return self.story.now >= self._later(climb.said, wait, rungs)

    def _later(self, minute: int, wait: Duration, rungs: Rungs) -> int:
        return later(minute, wait.text, self.story.hours[rungs.calendar])

    def _due(self, rungs: Rungs) -> int | None:
        resolved = self.story.commitments.get(rungs.ladder.commitment)
        return None if resolved is None else resolved.due

    def _tell(self, name: str, climb: Climb, kind: str, *, due: int | None = None) -> None:
        self.story.say(name, f"escalation.{kind}", climb.raised[-1], climb.cycle, due)


def _active(climb: Climb) -> bool:
    return bool(climb.raised) and climb.state in _ACTIVE


def _passed(level: Level, climb: Climb, rungs: Rungs) -> bool:
    """The level or a higher one was raised."""
    names = [one.name for one in rungs.ladder.levels]
    return any(name in climb.raised for name in names[names.index(level.name) :])


def _speaks(level: Level, rungs: Rungs, story: Story) -> bool:
    return not level.only_in_business_hours or story.hours[rungs.calendar].is_open(story.now)
