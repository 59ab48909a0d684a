"""Finds the instant of a threshold on a commitment or on a stopwatch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.sla.calendar.duration import Clock
from stream.sla.policy.policy import ThresholdKind

if TYPE_CHECKING:
    from stream.sla.calendar.calendar import Calendar
    from stream.sla.calendar.duration import Amount, Duration
    from stream.sla.policy.policy import Threshold
    from stream.sla.ticket.commitment_state import CommitmentState
    from stream.sla.ticket.stopwatch import Stopwatch

_BUSINESS: Final = Clock.BUSINESS
_SHARE: Final = ThresholdKind.SHARE
_USED: Final = ThresholdKind.USED
_LEFT: Final = ThresholdKind.LEFT


def threshold_instant(
    threshold: Threshold, commitment_state: CommitmentState, watch: Stopwatch, calendar: Calendar
) -> int | None:
    """The instant of a threshold on a commitment, never before its target took hold; ``None`` while that is not in sight."""
    instant = threshold_crossing(threshold, commitment_state, watch, calendar)
    return instant if instant is None or instant > commitment_state.effective_from else commitment_state.effective_from


def threshold_crossing(
    threshold: Threshold, commitment_state: CommitmentState, watch: Stopwatch, calendar: Calendar, *, passed: bool = False
) -> int | None:
    """The instant at which time crosses a threshold of a commitment, past or future, whenever its target took hold.

    ``None`` while that is not in sight.

    ``passed``: also where it was reached before the present stretch of the stopwatch began; otherwise not before that.
    """
    placement = commitment_state.placement(watch)
    if threshold.kind is _SHARE:
        used = commitment_state.share(threshold.per_mille)
        allowed = commitment_state.allowance
        if used is None or allowed is None:
            return None
        # All of the target, or more: no sooner than the deadline.
        not_before = commitment_state.adjusted.not_before if used >= allowed else 0
        return watch.reaches(used, commitment_state.clock, calendar, not_before, False, placement)
    if threshold.kind is _USED:
        reset_at = commitment_state.adjusted.reset_at
        amount = resolve(threshold.duration, calendar, watch.began if reset_at is None else reset_at)
        if amount.clock is not _BUSINESS:
            placement = None
        before = 0 if reset_at is None else watch.elapsed(amount.clock, calendar, reset_at, placement)
        return watch.reaches(before + amount.micros, amount.clock, calendar, amount.not_before, False, placement)
    if threshold.duration is not None and threshold.duration.delay is not None:  # so many business days after the deadline
        due = commitment_state.due
        ended = None if due is None else threshold.duration.delay.end(calendar, due)
        return ended if ended is None or passed else max(ended, watch.since)
    amount = resolve(threshold.duration, calendar, watch.began)
    signed = -amount.micros if threshold.kind is _LEFT else amount.micros
    allowance = commitment_state.allowance
    if allowance is None:
        return None
    if amount.clock is commitment_state.clock:
        # The same clock: so much of the target left, or so much more used. Pauses are then counted exactly.
        return watch.reaches(max(allowance + signed, 0), amount.clock, calendar, 0, False, placement)
    if commitment_state.due is None:
        return None
    if amount.clock is _BUSINESS:
        found = calendar.after(commitment_state.due, signed)
        if found is None and signed > 0:
            return None
        shifted = 0 if found is None else found  # the calendar was not open that long before the deadline
    else:
        shifted = commitment_state.due + signed
    return shifted if passed else max(shifted, watch.since)


def resolve(duration: Duration | None, calendar: Calendar, start: int) -> Amount:
    """The length of a threshold. Raises ValueError for a threshold without one: no policy has such a threshold."""
    if duration is None:
        raise ValueError("a threshold that is not a share needs a duration")
    return duration.resolve(calendar, start)
