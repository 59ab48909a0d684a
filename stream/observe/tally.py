"""What each effect counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.observe import catalogue as names
from stream.observe.labels import OTHER
from stream.observe.series import exemplar
from stream.observe.spec import counter, histogram
from stream.sla.effects import Effect, Kind, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import CollectorRegistry

    from stream.observe.counts import Counts, LabelSets
    from stream.observe.labels import Vocabularies
    from stream.observe.series import Count

# Up to Python 3.11 naming an enum's member costs as much as a call.
_STARTED: Final = Kind.STARTED
_MET: Final = Kind.MET
_MET_LATE: Final = Kind.MET_LATE
_MEASURED: Final = Kind.MEASURED
_BREACHED: Final = Kind.BREACHED
_CANCELLED: Final = Kind.CANCELLED
_PAUSED: Final = Kind.PAUSED
_RESUMED: Final = Kind.RESUMED
_BREACH_RETRACTED: Final = Kind.BREACH_RETRACTED
_RETRACTED: Final = Kind.RETRACTED
_WARNED: Final = Kind.WARNED
_RAISED: Final = Kind.RAISED
_RECURRED: Final = Kind.RECURRED
_REOPENED: Final = Reason.REOPENED


class Tally:
    """Counts effects by kind, and by what each of them means for its commitment or ladder."""

    def __init__(self, sets: LabelSets, words: Vocabularies, registry: CollectorRegistry) -> None:
        self._sets: Final = sets
        self._remembered: Final = sets.remembered
        self._words: Final = words
        kinds = counter(names.EFFECTS, registry)
        self._kinds: Final[dict[Kind, Count]] = {kind: kinds.labels(kind.value) for kind in Kind}
        self.warnings: Final = counter(names.WARNINGS, registry)
        self.escalations: Final = counter(names.ESCALATIONS, registry)
        self._delay: Final = histogram(names.DELAY, registry).labels()

    def add(self, effects: Iterable[Effect], clock_is_wall: bool) -> None:
        """Count effects that were sent. The detection delay is measured only where the clock is the wall's."""
        kinds = self._kinds
        for effect in effects:
            kind = effect.kind
            kinds[kind].value += 1
            # The commonest first.
            if kind is _STARTED:
                self._of(effect).started.value += 1
            elif kind is _PAUSED:
                pass
            elif kind is _RESUMED:
                if _reopens_met(effect, effect.reason):
                    self._of(effect).reopened.value += 1
            elif kind is _MET:
                counts = self._of(effect)
                counts.met.value += 1
                _fulfilled(counts, effect)
            elif kind is _MET_LATE or kind is _MEASURED:
                _fulfilled(self._of(effect), effect)
            elif kind is _BREACHED:
                self._breached(effect, clock_is_wall)
            elif kind is _WARNED:
                self._warned(effect)
            elif kind is _RAISED or kind is _RECURRED:
                self._raised(effect)
            elif kind is _CANCELLED:
                self._of(effect).cancelled.value += 1
            elif kind is _BREACH_RETRACTED:
                self._of(effect).breaches_retracted.value += 1
            elif kind is _RETRACTED:
                self._retracted(effect)

    def _breached(self, effect: Effect, clock_is_wall: bool) -> None:
        counts = self._of(effect)
        counts.breached.value += 1
        counts.breached.exemplar = exemplar(effect.ticket, 1)
        if effect.late:
            counts.late_breaches.value += 1
        elif clock_is_wall:
            self._delay.observe_of(effect.ticket, (effect.detected_at - effect.at) / 1e6)

    def _retracted(self, effect: Effect) -> None:
        counts = self._of(effect)
        if effect.retracts_kind is _MET:
            counts.met_retracted.value += 1
        elif effect.retracts_kind is _RESUMED and _reopens_met(effect, effect.retracts_reason):
            counts.reopenings_retracted.value += 1
        else:
            counts.others_retracted.value += 1

    def _warned(self, effect: Effect) -> None:
        words = self._words
        policy, commitment = words.policy.label(effect.policy), words.commitment.label(effect.commitment)
        self.warnings.labels(policy, commitment, words.stage.label(effect.level)).value += 1

    def _raised(self, effect: Effect) -> None:
        words = self._words
        ladder, level = words.ladder.label(effect.ladder), words.level.label(effect.level)
        self.escalations.labels(words.policy.label(effect.policy), ladder, level, effect.reason.value).value += 1

    def _of(self, effect: Effect) -> Counts:
        fields = effect.fields
        priority, team = fields.get("priority", ""), fields.get("team", "")
        try:
            return self._remembered[effect.policy, effect.commitment, priority, team]
        except (KeyError, TypeError):  # it is the first, or one of them is a list
            priority = priority if isinstance(priority, str) else OTHER
            team = team if isinstance(team, str) else OTHER
            return self._sets.find(effect.policy, effect.commitment, priority, team)


def _fulfilled(counts: Counts, effect: Effect) -> None:
    elapsed, target = effect.elapsed, effect.target
    counts.time.observe(elapsed / 1e6)
    counts.paused.observe(effect.paused / 1e6)
    if target:
        counts.used.observe(elapsed / target)


def _reopens_met(effect: Effect, reason: Reason | None) -> bool:
    """Whether a resumption undoes a verdict: without a target there was none, only a measurement."""
    return reason is _REOPENED and effect.target is not None
