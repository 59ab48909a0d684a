"""What goes out when the record turns out to be another than was emitted: what is taken back, and what takes its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from stream.sla.effect_ids import stem
from stream.sla.effects import KINDS, TIMER

if TYPE_CHECKING:
    from stream.sla.effects import Effect, Reason


class Correction:
    """Why the record is another than before."""

    __slots__ = ("cause", "deployment", "reason")

    def __init__(self, cause: str, reason: Reason, deployment: int | None = None) -> None:
        self.cause: Final = cause
        self.reason: Final = reason
        self.deployment: Final = deployment


def revealed(effects: list[Effect], number: int, expected: set[str]) -> list[Effect]:
    """Mark what time made true by deployment ``number``, which holds from an instant in the past, and would not have otherwise.

    ``expected``: ids of what time would have made true otherwise.
    """
    return [
        msgspec.structs.replace(effect, late=True, deployment=number)
        if effect.cause == TIMER and effect.id not in expected
        else effect
        for effect in effects
    ]


def named(effects: list[Effect], revisions: dict[str, int]) -> tuple[Effect, ...]:
    """Effects under their ids. ``revisions``: stem of an effect to the number of times it was taken back."""
    if not revisions:
        return tuple(effects)
    return tuple([msgspec.structs.replace(effect, id=_revised(effect.id, revisions)) for effect in effects])


def _revised(stem_: str, revisions: dict[str, int]) -> str:
    count = revisions.get(stem_, 0)
    return f"{stem_}.{count}" if count else stem_


def difference(
    emitted: list[Effect], true: list[Effect], revisions: dict[str, int], correction: Correction
) -> tuple[tuple[Effect, ...], dict[str, int]]:
    """What to take back and what to emit, so that consumers have ``true`` where they had ``emitted``."""
    before = {effect.id: effect for effect in emitted}
    after = {effect.id: effect for effect in true}
    revisions = dict(revisions)
    found: list[Effect] = []
    for name, effect in before.items():
        if name not in after or _substance(after[name]) != _substance(effect):
            found.append(_retraction(effect, _revised(name, revisions), correction))
            revisions[name] = revisions.get(name, 0) + 1
    for name, effect in after.items():
        if name not in before or _substance(before[name]) != _substance(effect):
            deployment = effect.deployment if correction.deployment is None else correction.deployment
            revised = _revised(name, revisions)
            found.append(msgspec.structs.replace(effect, id=revised, late=True, deployment=deployment))
    return tuple(found), revisions


def _substance(effect: Effect) -> tuple[object, ...]:
    """What a consumer may have acted on. Readings (elapsed, paused) and the fields shown alone are not emitted anew."""
    return (effect.at, effect.due_at, effect.target, effect.policy, effect.policy_version, effect.reason, effect.assign_to)


def _retraction(effect: Effect, emitted_id: str, correction: Correction) -> Effect:
    kind = KINDS[effect.kind].retracted_by
    if kind is None:
        raise ValueError(f"an effect of kind {effect.kind} is never retracted")
    name = effect.ladder or effect.commitment
    return msgspec.structs.replace(
        effect,
        id=stem(effect.ticket, name, ("", effect.cycle, 0), kind, emitted_id),
        kind=kind,
        reason=correction.reason,
        cause=correction.cause,
        late=True,
        deployment=correction.deployment,
        retracts=emitted_id,
        retracts_kind=effect.kind,
        retracts_reason=effect.reason,
    )
