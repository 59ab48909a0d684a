"""Decides whether an effect is news for a destination, a correction, a withdrawal, or nothing. Pure.

It depends on what the destination was sent before. The rules, in order:

1. An effect that was sent is not sent again.
2. A retraction is sent if what it takes back was sent and still stands. A restatement sends nothing: the fact follows at once.
3. An effect with a revision (``.1``) whose predecessor was sent is sent whatever the routes are: as a confirmation if that was
   provisional and this is not, else as a correction. If the same would be written, it is not sent and counts as sent.
4. Any other effect is news if a route leads to the destination.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.notify.message import Status
from stream.sla.effects import KINDS, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream.sla.effects import Effect


class Sent(NamedTuple):
    """The last message that a destination got about an effect."""

    digest: str
    """Of what was written about it."""
    withdrawn: bool = False
    """It was taken back, and the destination knows."""
    provisional: bool = False


class Skipped(StrEnum):
    """Why an effect is not sent."""

    SENT_BEFORE = "sent_before"
    NOT_SENT = "not_sent"
    """The effect that it takes back was never sent, or was taken back already."""
    RESTATED = "restated"
    """The fact that it takes back follows at once in another form."""
    UNCHANGED = "unchanged"
    """The fact is stated again, and the message would be the same: it counts as sent."""
    NO_ROUTE = "no_route"


def decide(
    effect: Effect, sent: Callable[[str], Sent | None], digest: Callable[[Effect], str], *, routed: bool
) -> Status | Skipped:
    """``sent``: what the destination knows of the effect with an id. ``routed``: whether a route leads there."""
    if sent(effect.id) is not None:
        return Skipped.SENT_BEFORE
    if effect.retracts:
        before = sent(effect.retracts)
        if before is None or before.withdrawn:
            return Skipped.NOT_SENT
        return Skipped.RESTATED if effect.reason is Reason.RESTATED else Status.WITHDRAWAL
    before = sent(predecessor(effect.id)) if predecessor(effect.id) else None
    if before is None:
        return Status.NEWS if routed else Skipped.NO_ROUTE
    if before.withdrawn:
        return Status.CORRECTION
    if before.provisional and not effect.provisional:
        return Status.CONFIRMATION
    return Skipped.UNCHANGED if before.digest == digest(effect) else Status.CORRECTION


def predecessor(effect_id: str) -> str:
    """The id under which a fact was stated before: ``stem.1`` of ``stem.2``, ``stem`` of ``stem.1``; empty: it was not."""
    stem, dot, revision = effect_id.partition(".")
    if not dot or not revision.isdecimal():
        return ""
    number = int(revision)
    return stem if number <= 1 else f"{stem}.{number - 1}"


def may_concern(kind: str, routed: frozenset[str]) -> bool:
    """Whether an effect of this type can be anything to a destination to which routes lead for these types."""
    return kind in routed or kind in _RETRACTIONS


_RETRACTIONS: Final = frozenset(spec.retracted_by for spec in KINDS.values() if spec.retracted_by)
