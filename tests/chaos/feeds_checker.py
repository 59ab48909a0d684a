"""What is wrong with provisional effects of stale feeds: each has its reason, and each that is true is confirmed in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from stream.sla.effects import Reason, feed_cause
from stream.sla.feed_state import FeedState
from stream.sla.unconfirmed import stem_of
from stream.wire.decode import Tick, decode
from stream.wire.effect import decode_effect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.sla.effects import Effect
    from tests.chaos.recording import Recording

_TIMER: Final = "timer"


class _Placed(NamedTuple):
    effect: Effect
    partition: int


def of_a_feed(effect: Effect) -> bool:
    """Whether it is provisional because a feed is stale."""
    return bool(effect.provisional_reason and effect.provisional_reason.startswith("feed_"))


def is_confirmation(effect: Effect, target: Effect) -> bool:
    """Whether the effect takes back a provisional one because it is confirmed, and not because it is not true."""
    by_feed = effect.cause.startswith(feed_cause("")) or effect.cause == _TIMER
    return effect.reason is Reason.RESTATED and by_feed and of_a_feed(target)


def check_feeds(recording: Recording) -> Iterator[str]:
    """Objections."""
    ticks: dict[int, list[Tick]] = {}
    for record in recording.events:
        read = decode(record.key, record.value, now=None)
        if isinstance(read, Tick):  # one without a state states up to when the feed is complete, too
            ticks.setdefault(record.partition, []).append(read)
    effects = [_Placed(decode_effect(one.value or b""), one.partition) for one in (*recording.breaches, *recording.escalations)]
    stated = {placed.effect.id: placed for placed in effects}
    taken_back = {placed.effect.retracts for placed in effects}
    for effect, partition in effects:
        seen = ticks.get(partition, [])
        if of_a_feed(effect) and not effect.retracts:
            if not any(tick.state is not None and tick.at < effect.at - recording.feed_lag_limit for tick in seen):
                yield f"provisional without a reason: {effect.kind} of {effect.ticket}, {effect.id}"
            if effect.id not in taken_back and effect.at < recording.until:
                yield f"never confirmed: {effect.kind} of {effect.ticket}, {effect.id}"
        target = stated[effect.retracts].effect if effect.retracts in stated else None
        if target is not None and is_confirmation(effect, target):
            yield from _confirmation(effect, target, seen, stated)


def _confirmation(effect: Effect, target: Effect, seen: list[Tick], stated: dict[str, _Placed]) -> Iterator[str]:
    stem, _, count = target.id.partition(".")
    again = stated.get(f"{stem}.{int(count or 0) + 1}")
    if again is None or again.effect.provisional:
        yield f"confirmed and not stated again as a fact: {target.kind} of {target.ticket}, {target.id}"
    elif (again.effect.kind, again.effect.at, stem_of(again.effect.id)) != (target.kind, target.at, stem):
        yield f"confirmed as something else: {target.kind} of {target.ticket}, {target.id}"
    if effect.cause == _TIMER:  # it left the history that is kept
        return
    if not any(tick.at >= target.at or tick.state is FeedState.ENDED for tick in seen):
        yield f"confirmed too early: {target.kind} of {target.ticket}, {target.id}: no feed is complete up to {target.at}"
