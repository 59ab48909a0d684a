"""Reads stories from YAML."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import yaml

from stream.documents.document import PolicyError
from stream.language.policies import load, shipped
from stream.sla.events import Event
from stream.sla.feed_state import FeedState
from stream.testing.events import SOURCE, event, instant, local
from stream.testing.phrases import StoryError, feed_phrase, phrase
from stream.testing.story import Deploy, Story, StoryTick
from stream.wire.decode import decode
from stream.wire.effect import encode_event
from stream.wire.incoming import Incoming

if TYPE_CHECKING:
    from stream.sla.policy.resolve import PolicySet

_KEYS: Final = frozenset(
    {"story", "policies", "zone", "ticket", "watching", "chatty", "happens", "arrives", "deploys", "until", "then"}
)
_REQUIRED: Final = ("story", "policies", "happens", "until", "then")
_SETS: Final = 64
"""As many sets of policies are kept, because most stories of a file use the same."""
_Stated = tuple[int, str, FeedState]
"""The state of a feed: an instant (epoch microseconds), and a source."""
_Files = list[tuple[str, str]]
"""Name and text of each policy file."""


def read_stories(file: Path) -> list[dict[str, Any]]:
    """The stories of a YAML file, as ``read_story`` takes them. Raises StoryError and OSError."""
    try:
        # Everything is text, so that ``yes`` and ``2026-11-16`` remain what they look like.
        stories = yaml.load(sys.stdin.read() if str(file) == "-" else file.read_text("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506  text only
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
            if stated := feed_phrase(part):
                source, state = stated
                happenings.append((instant(when, zone), source or SOURCE, state))
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
        policies=_load(files),
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


def _read_deploys(items: Iterable[Mapping[str, Any]], files: _Files, folder: Path, zone: str) -> tuple[Deploy, ...]:
    found: list[Deploy] = []
    sets: list[tuple[int | None, _Files]] = [(None, files)]
    """The sets on the timeline, each with the instant from which it holds."""
    for when, what in _dated(items, "deploys"):
        at = holds_from = instant(when, zone)
        if what == "undo":
            (since, _), files = sets[-1], sets[-2][1] if len(sets) > 1 else []
            if since is None:
                raise StoryError(f"{when}: there is no deployment to undo")
            holds_from = since
        elif isinstance(what, Mapping):
            edits = dict(what)
            if start := edits.pop("rejudge_from", None):
                holds_from = instant(start, zone)
            files = _edited(sets[-1][1], edits)
        else:
            files = [((path := _policy_path(name, folder)).name, path.read_text("utf-8")) for name in what]
        sets = [one for one in sets if one[0] is None or one[0] < holds_from]
        sets.append((holds_from, files))
        found.append(Deploy(at, holds_from, _load_texts(tuple(files))))
    return tuple(found)


def _edited(files: _Files, edits: Mapping[str, str]) -> _Files:
    for old, new in edits.items():
        if sum(text.count(old) for _, text in files) != 1:
            raise StoryError(f"{old!r} must stand exactly once in the policy files")
        files = [(name, text.replace(old, new)) for name, text in files]
    return files


def _load(files: list[Path]) -> PolicySet:
    try:
        contents = tuple([file.read_bytes() for file in files])
    except OSError:
        return load(files)  # reports it, with the place
    return _load_once(tuple(files), contents)


@lru_cache(maxsize=_SETS)
def _load_once(files: tuple[Path, ...], contents: tuple[bytes, ...]) -> PolicySet:  # noqa: ARG001  a change is read again
    return load(files)


@lru_cache(maxsize=_SETS)
def _load_texts(files: tuple[tuple[str, str], ...]) -> PolicySet:
    with TemporaryDirectory() as folder:
        for name, text in files:
            (Path(folder) / name).write_text(text, "utf-8")
        return load([Path(folder) / name for name, _ in files])


def _over_the_wire(made: Event) -> Event:
    """Encode and decode an event, so that a story has only valid events."""
    decoded = decode(b"T-1", encode_event("T-1", made), now=None)
    if not isinstance(decoded, Incoming):
        raise StoryError(f"{made}: {decoded}")
    return decoded.event


def _policy_path(name: str, folder: Path) -> Path:
    return folder / name if name.endswith((".yaml", ".yml")) else shipped(name)
