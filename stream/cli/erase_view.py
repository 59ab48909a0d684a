"""The report of ``breachwatch erase``: the topics from which a ticket goes, and the time by which it has left each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stream.runtime.kafka.topics import Topics

ASKED: Final = ("cleanup.policy", "retention.ms", "segment.ms", "max.compaction.lag.ms", "delete.retention.ms")
"""The settings of topics on which the times depend."""
_UNITS: Final = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second"))
_LONG: Final = 100 * 365 * 86_400_000
"""Milliseconds that are as good as for ever."""


def leaving(topics: Topics, settings: Mapping[str, Mapping[str, str]], retention: int | None) -> Iterator[str]:
    """The time by which the data of an erased ticket has left each topic. ``settings``: of the topics that exist, as far as
    they are known.

    ``retention``: for which workers keep that it was erased, microseconds; ``None``: for ever.
    """
    yield "state and pages: at once"
    if (changelog := settings.get(topics.changelog)) is not None:
        # A segment to which records are written is never cleaned, and only the next record after the longest lag closes it.
        cleaned = "then the next record there and a run of the log cleaner"
        yield f"{topics.changelog}: {_lag(changelog)} after that, {cleaned}"
        kept = "for ever" if retention is None else f"for {_length(retention // 1_000)} (setting retention), and"
        tombstone = "" if retention is None else f" {_length(_number(changelog, 'delete.retention.ms'))} more as a tombstone"
        yield f"    its name and that it was erased: {kept}{tombstone}"
    yield from _kept(topics.events, settings, "its events")
    for name in (topics.breaches, topics.escalations):
        yield from _kept(name, settings, "effects that were published, which nobody can edit")
    yield from _kept(topics.rejected, settings, "its rejected events")
    yield from _kept(topics.feed_rejected, settings, "payloads that were not mapped")
    if topics.writeback_state in settings:
        kept = "until the setting keep of writeback after its last effect"
        yield f"{topics.writeback_state}: its deadlines, level and team, {kept}"


def _kept(name: str, settings: Mapping[str, Mapping[str, str]], what: str) -> Iterator[str]:
    found = settings.get(name)
    if found is None:
        return
    # Kafka deletes whole segments: the newest record of one keeps the oldest.
    kept = _number(found, "retention.ms")
    whole = -1 if kept < 0 else kept + max(_number(found, "segment.ms"), 0)
    yield f"{name}: {what}, {_at_most(whole)}"


def _lag(changelog: Mapping[str, str]) -> str:
    lag = _number(changelog, "max.compaction.lag.ms")
    return "no longest time is set (`breachwatch topics check`)" if not 0 <= lag < _LONG else f"at most {_length(lag)}"


def _at_most(milliseconds: int) -> str:
    return "for ever" if not 0 <= milliseconds < _LONG else f"at most {_length(milliseconds)} after they were published"


def _number(settings: Mapping[str, str], name: str) -> int:
    return int(settings.get(name, "-1"))


def _length(milliseconds: int) -> str:
    """In the largest unit that gives a whole number."""
    for unit, word in _UNITS:
        if milliseconds % unit == 0 and milliseconds:
            count = milliseconds // unit
            return f"{count} {word}{'s' if count != 1 else ''}"
    return f"{milliseconds} ms"
