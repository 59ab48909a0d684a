"""Counts effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.observe.metrics import catalogue as names
from stream.observe.metrics.families import counter, gauge, histogram
from stream.observe.metrics.series import exemplar
from stream.sla.effects import Effect, Kind, Reason
from stream.sla.events import as_one_text

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from prometheus_client import CollectorRegistry

    from stream.observe.metrics.commitment_metrics import CommitmentMetrics, CommitmentSeries
    from stream.observe.metrics.labels import BoundedLabels
    from stream.observe.metrics.series import CounterSeries

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
_ESCALATION_RETRACTED: Final = Kind.ESCALATION_RETRACTED
_WARNED: Final = Kind.WARNED
_RAISED: Final = Kind.RAISED
_RECURRED: Final = Kind.RECURRED
_REOPENED: Final = Reason.REOPENED
_COUNTED_ONCE: Final = frozenset({_STARTED, _CANCELLED, _WARNED, _RAISED, _RECURRED})
"""Kinds from whose counts no retraction is subtracted."""


class EffectMetrics:
    """Counts effects by kind, and the outcome of each for its commitment or ladder."""

    def __init__(self, commitments: CommitmentMetrics, labels: BoundedLabels, registry: CollectorRegistry) -> None:
        self._commitments: Final = commitments
        self._cache: Final = commitments.cache
        self._labels: Final = labels
        kinds = counter(names.EFFECTS, registry)
        self._kinds: Final[dict[Kind, CounterSeries]] = {kind: kinds.labels(kind.value) for kind in Kind}
        self.warnings: Final = counter(names.WARNINGS, registry)
        self.escalations: Final = counter(names.ESCALATIONS, registry)
        self.late_escalations: Final = counter(names.LATE_ESCALATIONS, registry)
        self.provisional_escalations: Final = counter(names.PROVISIONAL_ESCALATIONS, registry)
        self._pages: Final = gauge(names.PAGES, registry)
        self._delay: Final = histogram(names.DELAY, registry).labels()

    def add(self, effects: Iterable[Effect], clock_is_wall: bool, unmeasured: Container[str] = ()) -> None:
        """Count published effects. The detection delay is measured only in clock mode ``wall``.

        ``unmeasured``: ids of those that were true before the event arrived that shows them, which is not the detector's delay.

        A fact that is stated again, under its next id, is counted again only where the retraction in between is subtracted, or
        where it was provisional before: a level of a ladder.
        """
        kinds = self._kinds
        uncounted: set[str] = set()
        for effect in effects:
            kind = effect.kind
            kinds[kind].value += 1
            if "." in effect.id and self._counted_once(effect, uncounted):
                continue
            # The most frequent kinds first.
            if kind is _STARTED:
                self._series(effect).started.value += 1
            elif kind is _PAUSED:
                pass
            elif kind is _RESUMED:
                if _reopens_met(effect, effect.reason):
                    self._series(effect).reopened.value += 1
            elif kind is _MET:
                series = self._series(effect)
                series.met.value += 1
                _fulfilled(series, effect)
            elif kind is _MET_LATE or kind is _MEASURED:
                _fulfilled(self._series(effect), effect)
            elif kind is _BREACHED:
                self._breached(effect, clock_is_wall, effect.id not in unmeasured)
            elif kind is _WARNED:
                self._warned(effect)
            elif kind is _RAISED or kind is _RECURRED:
                self._raised(effect)
            elif kind is _CANCELLED:
                self._series(effect).cancelled.value += 1
            elif kind is _BREACH_RETRACTED or kind is _RETRACTED or kind is _ESCALATION_RETRACTED:
                self._retracted(effect, uncounted)

    def _counted_once(self, effect: Effect, uncounted: set[str]) -> bool:
        """Whether an effect that states a fact again is not to be counted: no retraction is subtracted from its count.

        ``uncounted``: stems of levels that were provisional, and are not counted yet.
        """
        if effect.kind is _STARTED:
            self._series(effect)  # perhaps of another team: its series begin at 0
        return effect.kind in _COUNTED_ONCE and _stem(effect.id) not in uncounted

    def _breached(self, effect: Effect, clock_is_wall: bool, measured: bool) -> None:
        series = self._series(effect)
        series.breached.value += 1
        series.breached.exemplar = exemplar(effect.ticket, 1)
        if effect.deployment is not None:  # late too, if the deployment became known late
            series.deployed_breaches.value += 1
        elif effect.late:
            series.late_breaches.value += 1
        elif effect.provisional:
            series.provisional_breaches.value += 1
        elif effect.page and clock_is_wall:
            # An instant, and not a count: a counter whose first value a restart repeats shows no increase.
            self._pages.labels(*series.labels[:4]).set(effect.detected_at / 1e6)
        if clock_is_wall and measured and not effect.late and effect.deployment is None:
            self._delay.observe_of(effect.ticket, (effect.detected_at - effect.at) / 1e6)

    def _retracted(self, effect: Effect, uncounted: set[str]) -> None:
        if effect.kind is _ESCALATION_RETRACTED:
            if effect.provisional:
                uncounted.add(_stem(effect.retracts))
            return
        series = self._series(effect)
        if effect.kind is _BREACH_RETRACTED:
            series.breaches_retracted.value += 1
        elif effect.retracts_kind is _MET:
            series.met_retracted.value += 1
        elif effect.retracts_kind is _RESUMED and _reopens_met(effect, effect.retracts_reason):
            series.reopenings_retracted.value += 1
        else:
            series.others_retracted.value += 1

    def _warned(self, effect: Effect) -> None:
        labels = self._labels
        policy, commitment = labels.policy.label(effect.policy), labels.commitment.label(effect.commitment)
        self.warnings.labels(policy, commitment, labels.stage.label(effect.level)).value += 1

    def _raised(self, effect: Effect) -> None:
        labels = self._labels
        policy = labels.policy.label(effect.policy)
        ladder, level = labels.ladder.label(effect.ladder), labels.level.label(effect.level)
        raised = self.escalations.labels(policy, ladder, level, effect.reason.value)
        # Created with the other, so that the difference of the two exists.
        late = self.late_escalations.labels(policy, ladder, level)
        if effect.provisional:
            if "." not in effect.id:
                self.provisional_escalations.labels(policy, ladder, level).value += 1
            return
        raised.value += 1
        if effect.late or effect.deployment is not None:
            late.value += 1

    def _series(self, effect: Effect) -> CommitmentSeries:
        fields = effect.fields
        priority, team = fields.get("priority", ""), fields.get("team", "")
        try:
            return self._cache[effect.policy, effect.commitment, priority, team]
        except (KeyError, TypeError):  # not cached yet, or one of them is a list, or there is a label of customers
            customer = as_one_text(fields.get("customer", ""))
            return self._commitments.find(effect.policy, effect.commitment, as_one_text(priority), as_one_text(team), customer)


def _stem(effect_id: str) -> str:
    return effect_id.partition(".")[0]


def _fulfilled(series: CommitmentSeries, effect: Effect) -> None:
    if "." in effect.id:  # stated again
        return
    elapsed, target = effect.elapsed, effect.target
    series.time.observe(elapsed / 1e6)
    series.paused.observe(effect.paused / 1e6)
    if target:
        series.used.observe(elapsed / target)


def _reopens_met(effect: Effect, reason: Reason | None) -> bool:
    """Whether a resumption undoes a verdict. A commitment without a target has a measurement, not a verdict."""
    return reason is _REOPENED and effect.target is not None
