"""Support for your own tests: event builders, and stories that test a policy in readable phrases.

A story is a mapping, usually in YAML:

    story: A chat that nobody answers is breached after half an hour
    policies: [batoi]                      # shipped names, or paths from the story's own folder
    zone: Asia/Kolkata
    ticket: {contract: priority-support, sender: registered, priority: p2, channel: chat}
    watching: [chat_answer]                # commitments and ladders; default: all
    happens:
      - 2026-11-16 10:00: created by customer
      - 2026-11-16 10:40: agent answers
    until: 2026-11-16 12:00
    then:
      - 2026-11-16 10:15: chat_answer warned 15m
      - 2026-11-16 10:30: chat_answer breached
      - 2026-11-16 10:40: chat_answer met_late

``then`` lists, in order, every effect on the watched commitments and ladders that was not retracted in the end. Routine effects
are included only with ``chatty: true``. ``deploys`` changes the policies on the way: effects of a deployment are always listed,
with their reason. ``docs/guides/stories.md`` has the phrases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import yaml

from stream.documents.document import PolicyError
from stream.language.policies import load, shipped
from stream.language.zones import read_tzinfo
from stream.sla.effects import KINDS, Effect
from stream.sla.engine import Engine
from stream.sla.events import Event
from stream.sla.feed_state import FeedState
from stream.sla.playback import Playback
from stream.wire.decode import decode
from stream.wire.effect import encode_event
from stream.wire.incoming import Incoming

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet

MICROS: Final = 1_000_000
SOURCE: Final = "story"
"""The source of the events of a story."""


class StoryError(ValueError):
    """A story is invalid. The message names the part and what is expected there."""


def instant(text: str | datetime, zone: str = "UTC") -> int:
    """Return epoch microseconds of a local time such as ``2026-11-16 10:00`` (seconds may follow) in an IANA zone."""
    moment = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=read_tzinfo(zone))
    whole = moment.replace(microsecond=0).timestamp()
    return round(whole) * MICROS + moment.microsecond


def local(micros: int, zone: str = "UTC") -> str:
    """Return the local time of an instant, as a story writes it: the inverse of ``instant``."""
    moment = datetime.fromtimestamp(micros // MICROS, read_tzinfo(zone)).replace(microsecond=micros % MICROS, tzinfo=None)
    text = moment.isoformat(sep=" ")
    return text[:-3] if text.endswith(":00") and len(text) == 19 else text


def event(number: int, at: int, type_: str, **more: Any) -> Event:
    """Return an event with the id ``e<number>`` of the source ``story``. ``at``: epoch microseconds."""
    return Event(at=at, id=f"e{number}", type=type_, source=SOURCE, **more)  # type: ignore[arg-type]


_ACTORS = r"(customer|agent|bot|vendor|system)"
_AS = r"(?: as (\S+))?"
_Build = Callable[[re.Match[str]], dict[str, Any]]
_PHRASES: Final[tuple[tuple[str, _Build], ...]] = (
    (rf"created(?: by {_ACTORS}{_AS})?", lambda m: {"type_": "ticket.created", "actor": m[1], "role": m[2] or ""}),
    (
        rf"{_ACTORS} (?:writes|answers){_AS}",
        lambda m: {"type_": "comment.added", "actor": m[1], "role": m[2] or "", "public": True},
    ),
    (rf"{_ACTORS} notes{_AS}", lambda m: {"type_": "comment.added", "actor": m[1], "role": m[2] or "", "public": False}),
    (
        r"(\S+) becomes (.+?)(?: by (\w+))?",
        lambda m: {"type_": "ticket.changed", "fields": {m[1]: "" if m[2] == "nothing" else m[2]}, "actor": m[3]},
    ),
    (r"merged into (\S+)", lambda m: {"type_": "ticket.merged", "into": m[1]}),
    (r"deleted", lambda _: {"type_": "ticket.deleted"}),
    (r"restored", lambda _: {"type_": "ticket.restored"}),
    (r"waits for (\S+)", lambda m: {"type_": "dependency.started", "party": m[1]}),
    (r"(\S+) delivers", lambda m: {"type_": "dependency.ended", "party": m[1]}),
    (
        r"(\S+) is extended by (\S+): (.+)",
        lambda m: {"type_": "extension.granted", "commitment": m[1], "by": m[2]},
    ),
    (r"(customer|manager) accepts", lambda m: {"type_": "resolution.accepted", "by": m[1]}),
    (
        r"customer asks for escalation(?: to (\S+))?(?: \((production|business_risk)\))?",
        lambda m: {"type_": "escalation.requested", "actor": "customer", "level": m[1] or "", "impact": m[2] or ""},
    ),
    (r"(\S+) is acknowledged", lambda m: {"type_": "escalation.acknowledged", "actor": "agent", "level": m[1]}),
    (r"(\S+) is released", lambda m: {"type_": "escalation.released", "actor": "agent", "level": m[1]}),
)


_FEED: Final = {
    "is complete": FeedState.COMPLETE,
    "lags": FeedState.LAGGING,
    "is unreachable": FeedState.UNREACHABLE,
    "ends": FeedState.ENDED,
}
_Stated = tuple[int, str, FeedState]
"""How a feed stands: at which instant (epoch microseconds), of which source."""
_OF_A_FEED: Final = re.compile(rf"feed(?: (\S+?))? ({'|'.join(_FEED)})")


def phrase(text: str) -> dict[str, Any]:
    """Return the arguments for ``event`` that a phrase stands for. Raises StoryError for an unknown phrase."""
    for pattern, build in _PHRASES:
        match = re.fullmatch(pattern, text)
        if match:
            return build(match)
    raise StoryError(f"{text!r} is not a known phrase; docs/guides/stories.md lists the phrases")


@dataclass(frozen=True, slots=True)
class Deploy:
    """A deployment on the way. Instants are epoch microseconds."""

    at: int
    """When it becomes known."""
    holds_from: int
    """Earlier than ``at`` only where it undoes or rejudges."""
    policies: PolicySet


@dataclass(frozen=True, slots=True)
class StoryTick:
    """A tick on the way. Instants are epoch microseconds."""

    place: int
    """After so many events of the feed."""
    at: int
    """When it comes."""
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


_KEYS: Final = frozenset(
    {"story", "policies", "zone", "ticket", "watching", "chatty", "happens", "arrives", "deploys", "until", "then"}
)


_REQUIRED: Final = ("story", "policies", "happens", "until", "then")


def read_stories(file: Path) -> list[dict[str, Any]]:
    """The stories of a YAML file, as ``read_story`` takes them. Raises StoryError and OSError."""
    try:
        # Everything is text, so that ``yes`` and ``2026-11-16`` remain what they look like.
        stories = yaml.load(file.read_text("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506  text only
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StoryError(f"it is not YAML: {error}") from error
    if not isinstance(stories, list) or not all(isinstance(story, dict) for story in stories):
        raise StoryError("a file of stories is a YAML list, each item of which begins with `- story: NAME`")
    return stories


def read_story(data: Mapping[str, Any], folder: Path) -> Story:
    """Read a story. Raises StoryError, or PolicyError for its policies."""
    unknown = set(data) - _KEYS
    if unknown:
        raise StoryError(f"{data.get('story')!r}: unknown keys {sorted(unknown)}; known: {', '.join(sorted(_KEYS))}")
    if missing := [key for key in _REQUIRED if key not in data]:
        raise StoryError(f"{data.get('story')!r}: the keys {', '.join(missing)} are missing")
    try:
        return _read(data, folder)
    except (StoryError, TypeError, AttributeError, ValueError, IndexError) as error:
        if isinstance(error, PolicyError):
            raise
        raise StoryError(f"{data['story']!r}: {error}") from error


def _read(data: Mapping[str, Any], folder: Path) -> Story:
    zone = data.get("zone", "UTC")
    happenings: list[Event | _Stated] = []
    for number, (when, phrases) in enumerate(_dated(data["happens"], "happens"), start=1):
        for part in [phrases] if isinstance(phrases, str) else phrases:
            if stated := _OF_A_FEED.fullmatch(part):
                happenings.append((instant(when, zone), stated[1] or SOURCE, _FEED[stated[2]]))
                continue
            made = event(len(happenings) + 1, instant(when, zone), seq=number, **phrase(part))
            if made.type == "ticket.created":
                made = made.replace(fields=dict(data.get("ticket", {})))
            happenings.append(_over_the_wire(made))
    if order := data.get("arrives"):
        happenings = [happenings[int(number) - 1] for number in order]
    feed, ticks = _feed(happenings)
    then = []
    for when, effects in _dated(data["then"], "then"):
        then += [f"{local(instant(when, zone), zone)}: {part}" for part in ([effects] if isinstance(effects, str) else effects)]
    files = [_policy_path(name, folder) for name in data["policies"]]
    return Story(
        name=data["story"],
        policies=load(files),
        zone=zone,
        feed=feed,
        until=instant(data["until"], zone),
        expected=tuple(then),
        watching=frozenset(data.get("watching", ())),
        chatty=str(data.get("chatty", "no")).lower() in ("yes", "true"),
        deploys=_read_deploys(data.get("deploys", ()), [(file.name, file.read_text("utf-8")) for file in files], folder, zone),
        ticks=ticks,
    )


def _feed(happenings: list[Event | _Stated]) -> tuple[tuple[tuple[str, Event], ...], tuple[StoryTick, ...]]:
    """The events and ticks of what happens, in the order in which it arrives. ``feed is complete`` means up to that instant."""
    feed: list[tuple[str, Event]] = []
    ticks: list[StoryTick] = []
    complete: dict[str, int] = {}
    for happening in happenings:
        if isinstance(happening, Event):
            feed.append(("T-1", happening))
            continue
        at, source, state = happening
        if state is FeedState.COMPLETE:
            complete[source] = at
        elif source not in complete:
            raise StoryError(f"{local(at)}: the feed {source} must be complete before it can be anything else")
        ticks.append(StoryTick(len(feed), at, source, state, complete[source]))
    return tuple(feed), tuple(ticks)


def _dated(items: Iterable[Mapping[str, Any]], part: str) -> Iterator[tuple[str, Any]]:
    for item in items:
        if not isinstance(item, Mapping) or len(item) != 1:
            example = "2026-11-16 10:00: agent answers"
            raise StoryError(f"{part}: {item!r} is not an instant with what happens then, such as `{example}`")
        yield from item.items()


_Files = list[tuple[str, str]]
"""Name and text of each policy file."""


def _read_deploys(items: Iterable[Mapping[str, Any]], files: _Files, folder: Path, zone: str) -> tuple[Deploy, ...]:
    found: list[Deploy] = []
    held: list[tuple[int | None, _Files]] = [(None, files)]
    """The sets on the timeline, each with the instant from which it holds."""
    for when, what in _dated(items, "deploys"):
        at = holds_from = instant(when, zone)
        if what == "undo":
            (since, _), files = held[-1], held[-2][1] if len(held) > 1 else []
            if since is None:
                raise StoryError(f"{when}: there is no deployment to undo")
            holds_from = since
        elif isinstance(what, Mapping):
            edits = dict(what)
            if start := edits.pop("rejudge_from", None):
                holds_from = instant(start, zone)
            files = _edited(held[-1][1], edits)
        else:
            files = [((path := _policy_path(name, folder)).name, path.read_text("utf-8")) for name in what]
        held = [one for one in held if one[0] is None or one[0] < holds_from]
        held.append((holds_from, files))
        found.append(Deploy(at, holds_from, _load_texts(files)))
    return tuple(found)


def _edited(files: _Files, edits: Mapping[str, str]) -> _Files:
    for old, new in edits.items():
        if sum(text.count(old) for _, text in files) != 1:
            raise StoryError(f"{old!r} must stand exactly once in the policy files")
        files = [(name, text.replace(old, new)) for name, text in files]
    return files


def _load_texts(files: _Files) -> PolicySet:
    with TemporaryDirectory() as folder:
        for name, text in files:
            (Path(folder) / name).write_text(text, "utf-8")
        return load([Path(folder) / name for name, _ in files])


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


def _over_the_wire(made: Event) -> Event:
    """Encode and decode an event, so that a story has only valid events."""
    decoded = decode(b"T-1", encode_event("T-1", made), now=None)
    if not isinstance(decoded, Incoming):
        raise StoryError(f"{made}: {decoded}")
    return decoded.event


def _policy_path(name: str, folder: Path) -> Path:
    return folder / name if name.endswith((".yaml", ".yml")) else shipped(name)
