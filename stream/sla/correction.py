"""The effects that correct the record: retractions, and the effects that take their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from stream.sla.effect_ids import stem
from stream.sla.effects import KINDS, TIMER, Reason
from stream.sla.ticket.bounds import MOST_REVISIONS

if TYPE_CHECKING:
    from stream.sla.effects import Effect


class Correction:
    """Why the record is another than before."""

    __slots__ = ("arrivals", "cause", "deployment", "reason")

    def __init__(
        self, cause: str, reason: Reason, deployment: int | None = None, arrivals: tuple[tuple[int, str], ...] = ()
    ) -> None:
        """``arrivals``: where several events corrected it, their instants and ids in the order in which they arrived."""
        self.cause: Final = cause
        self.reason: Final = reason
        self.deployment: Final = deployment
        self.arrivals: Final = arrivals

    def cause_of(self, at: int) -> str:
        """The first to arrive of the events that can have changed what was true at that instant (epoch microseconds)."""
        for instant, id_ in self.arrivals:
            if instant <= at:
                return id_
        return self.cause


def revealed(effects: list[Effect], number: int, expected: set[str]) -> list[Effect]:
    """The effects; late are those that time made true only by deployment ``number``, which holds from an instant in the past.

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


def restated(effect: Effect, revisions: dict[str, int], correction: Correction) -> tuple[Effect, Effect]:
    """The retraction of an effect that stands, and the effect under its next id; ``revisions`` is changed."""
    retraction = _retraction(effect, _revised(effect.id, revisions), correction, correction.reason)
    revisions[effect.id] = revisions.pop(effect.id, 0) + 1
    _bound(revisions)
    return retraction, msgspec.structs.replace(effect, id=_revised(effect.id, revisions))


def _bound(revisions: dict[str, int]) -> None:
    for oldest in [*revisions][: max(len(revisions) - MOST_REVISIONS, 0)]:
        del revisions[oldest]


def _revised(stem_: str, revisions: dict[str, int]) -> str:
    count = revisions.get(stem_, 0)
    return f"{stem_}.{count}" if count else stem_


def difference(
    emitted: list[Effect], true: list[Effect], revisions: dict[str, int], correction: Correction, past: int | None = None
) -> tuple[tuple[Effect, ...], dict[str, int]]:
    """The retractions and effects after which consumers have ``true`` where they had ``emitted``.

    A fact that stands, and of which anything that its effect shows is another, is *restated*: taken back with that reason, and
    emitted under its next id.

    ``past``: what became true after this instant (epoch microseconds) and was never emitted is news; ``None``: nothing is.
    """
    before = {effect.id: effect for effect in emitted}
    after = {effect.id: effect for effect in true}
    revisions = dict(revisions)
    found: list[Effect] = []
    for name, effect in before.items():
        if name not in after or substance(after[name]) != substance(effect):
            restated = name in after and correction.reason is Reason.CORRECTED
            reason = Reason.RESTATED if restated else correction.reason
            found.append(_retraction(effect, _revised(name, revisions), correction, reason))
            revisions[name] = revisions.pop(name, 0) + 1
    for name, effect in after.items():
        if name not in before or substance(before[name]) != substance(effect):
            deployment = effect.deployment if correction.deployment is None else correction.deployment
            revised = _revised(name, revisions)
            late = past is None or effect.at <= past or name in before
            found.append(msgspec.structs.replace(effect, id=revised, late=late, deployment=deployment))
    _bound(revisions)
    return tuple(found), revisions


def substance(effect: Effect) -> tuple[object, ...]:
    """All that an effect states of the ticket, its lengths and fields included; not its name, nor how it was found."""
    return (
        effect.at,
        effect.due_at,
        effect.elapsed,
        effect.paused,
        effect.target,
        effect.fields,
        effect.reason,
        effect.cause,
        effect.policy,
        effect.policy_version,
        effect.calendar,
        effect.timezone,
        effect.assign_to,
        effect.allowed_from,
        effect.notify,
        effect.owner,
        effect.escalation_kind,
        effect.commitment,
        effect.page,
    )


def _retraction(effect: Effect, emitted_id: str, correction: Correction, reason: Reason) -> Effect:
    kind = KINDS[effect.kind].retracted_by
    if kind is None:
        raise ValueError(f"an effect of kind {effect.kind} is never retracted")
    name = effect.ladder or effect.commitment
    return msgspec.structs.replace(
        effect,
        id=stem(effect.ticket, name, ("", effect.cycle, 0), kind, emitted_id),
        kind=kind,
        reason=reason,
        cause=correction.cause_of(effect.at),
        late=True,
        deployment=correction.deployment,
        retracts=emitted_id,
        retracts_kind=effect.kind,
        retracts_reason=effect.reason,
    )
