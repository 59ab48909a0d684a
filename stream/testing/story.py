"""A story: its feed, the expected effects, and what the engine makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stream.sla.effects import KINDS, Effect
from stream.sla.engine import Engine
from stream.sla.playback import Playback
from stream.testing.events import local

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.sla.events import Event
    from stream.sla.feed_state import FeedState
    from stream.sla.policy.resolve import PolicySet


@dataclass(frozen=True, slots=True)
class Deploy:
    """A deployment on the way. Instants are epoch microseconds."""

    at: int
    """The time at which it becomes known."""
    holds_from: int
    """Earlier than ``at`` only where it undoes or rejudges."""
    policies: PolicySet


@dataclass(frozen=True, slots=True)
class StoryTick:
    """A tick on the way. Instants are epoch microseconds."""

    place: int
    """After so many events of the feed."""
    at: int
    """The time at which it occurs."""
    source: str
    state: FeedState
    complete: int
    """Up to when the feed of the source is complete."""


@dataclass(frozen=True, slots=True)
class Story:
    """A story: its feed and the expected effects."""

    name: str
    policies: PolicySet
    zone: str
    feed: tuple[tuple[str, Event], ...]
    """Ticket and event, in the order in which they arrive."""
    until: int
    expected: tuple[str, ...]
    watching: frozenset[str] = field(default_factory=frozenset)
    chatty: bool = False
    deploys: tuple[Deploy, ...] = ()
    ticks: tuple[StoryTick, ...] = ()

    def lines(self, effects: Iterable[Effect]) -> tuple[str, ...]:
        """Return effects as lines of ``then``: those that are watched and not retracted, in order of their instants."""
        lasting: dict[str, Effect] = {}
        for effect in effects:
            if effect.retracts:
                del lasting[effect.retracts]
            else:
                lasting[effect.id] = effect
        lines = []
        for effect in sorted(lasting.values(), key=lambda effect: effect.at):
            name = effect.ladder or effect.commitment
            routine = KINDS[effect.kind].routine and effect.deployment is None
            if (self.watching and name not in self.watching) or (routine and not self.chatty):
                continue
            team = f"assigned to {effect.assign_to}" if effect.assign_to else ""
            why = "" if effect.deployment is None else f"({effect.reason})"
            if effect.provisional:
                why = f"({effect.provisional_reason})"
            words = [name, effect.kind.partition(".")[2], effect.level, team, why]
            lines.append(f"{local(effect.at, self.zone)}: {' '.join(word for word in words if word)}")
        return tuple(lines)


def play(story: Story) -> list[Effect]:
    """Return every effect of the story's feed, in the order in which the engine emits them."""
    playback = Playback(Engine(story.policies))
    effects: list[Effect] = []
    deploys, ticks = list(story.deploys), list(story.ticks)
    for place, (ticket, happening) in enumerate(story.feed):
        while ticks and ticks[0].place <= place:
            effects += _tick(playback, ticks.pop(0))
        while deploys and deploys[0].at <= happening.at:
            effects += _deploy(playback, deploys.pop(0))
        effects += playback.event(ticket, happening)
    for tick in ticks:
        effects += _tick(playback, tick)
    for deploy in deploys:
        effects += _deploy(playback, deploy)
    effects += playback.tick(story.until)
    return effects


def _tick(playback: Playback, tick: StoryTick) -> list[Effect]:
    passed = list(playback.tick(tick.at))  # a clock goes on while a feed lags
    return [*passed, *playback.tick(tick.complete, tick.source, tick.state)]


def _deploy(playback: Playback, deploy: Deploy) -> list[Effect]:
    effects = list(playback.tick(deploy.at))
    playback.deploy(deploy.holds_from, deploy.policies)
    return [*effects, *playback.tick(deploy.at)]  # as a worker sweeps when it knows of a deployment
