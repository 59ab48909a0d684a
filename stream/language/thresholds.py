"""Durations and the thresholds that are set with them: ``75%``, ``2bd``, ``-30m``, ``+2bh``."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from stream.documents.readers import items, shown
from stream.sla.calendar.duration import Duration, DurationError
from stream.sla.policy.policy import Threshold, ThresholdKind

if TYPE_CHECKING:
    from stream.documents.document import Report

_SHARE: Final = re.compile(r"([0-9]{1,4}(?:\.[0-9]+)?)%")

_LARGEST_SHARE: Final = 10_000
"""Per mille: an escalation at ten times the target is more likely a slip than a plan."""


def read_duration(data: object, report: Report) -> Duration | None:
    """A length such as ``4bh`` or ``1h30m``."""
    if not isinstance(data, str):
        unit = f": `{data}` of what? Write `{data}m`, `{data}bh`, ..." if isinstance(data, int | float) else ""
        report((), f"must be a duration such as 30m, 4bh or 2bd, not {shown(data)}{unit}")
        return None
    try:
        return Duration.parse(data)
    except DurationError as error:
        report((), str(error))
        return None


def read_target(data: object, report: Report) -> Duration | None:
    """A length, or a delay in business days such as ``+1 business day at 16:00``."""
    if not isinstance(data, str) or not data.startswith("+"):
        return read_duration(data, report)
    try:
        return Duration.parse_any(data)
    except DurationError as error:
        report((), str(error))
        return None


def read_share(data: object, report: Report) -> Fraction | None:
    """A percentage, exact, as a fraction of one."""
    match = _SHARE.fullmatch(data) if isinstance(data, str) else None
    if match is None:
        report((), f"must be a percentage such as 75%, not {shown(data)}")
        return None
    return Fraction(match[1]) / 100


def read_warnings(data: object, report: Report) -> tuple[Threshold, ...] | None:
    """One warning or a list of warnings, in the order written; each text once, for the text names the warning."""
    thresholds = items(data if isinstance(data, list) else [data], report, _read_warning)
    known = [threshold for threshold in thresholds or () if threshold is not None]
    if not thresholds or len(known) < len(thresholds):
        return None
    for index, threshold in enumerate(known):
        if threshold.text in [earlier.text for earlier in known[:index]]:
            report((index,), f"`{threshold.text}` is given twice")
    return tuple(known)


def read_at(data: object, report: Report) -> Threshold | None:
    """The threshold at which a level is raised, before or after a deadline: ``75%``, ``-30m``, ``+2bh``."""
    if isinstance(data, str) and data.startswith("+"):
        if "business" not in data:
            return _on(ThresholdKind.AFTER, data, report)
        delay = read_target(data, report)
        return Threshold(ThresholdKind.AFTER, data, duration=delay) if delay else None
    if isinstance(data, str) and data.startswith("-"):
        return _on(ThresholdKind.LEFT, data, report)
    if isinstance(data, str) and data.endswith("%"):
        return _share(data, report)
    report(
        (),
        "must be 75% (of the target), -30m (before the deadline), or +2bh or +1 business day at 09:00 (after it), not "
        f"{shown(data)}; for time since the start use `after`",
    )
    return None


def read_after(data: object, report: Report) -> Threshold | None:
    """The time from the start, pauses apart, after which a level is raised."""
    duration = read_target(data, report)
    return Threshold(ThresholdKind.USED, duration.text, duration=duration) if duration else None


def _read_warning(data: object, report: Report) -> Threshold | None:
    if isinstance(data, str) and data.endswith("%"):
        threshold = _share(data, report)
        if threshold is not None and threshold.per_mille >= 1000:
            report((), f"`{data}` is not a warning: at 100% the target is used up; use less than 100%")
            return None
        return threshold
    if isinstance(data, str) and data.startswith("-"):
        return _on(ThresholdKind.LEFT, data, report)
    if isinstance(data, str) and data.startswith("+"):
        report((), f"`{data}` lies after the deadline and warns of nothing; an escalation level can be `at: {data}`")
        return None
    return read_after(data, report)


def _share(text: str, report: Report) -> Threshold | None:
    share = read_share(text, report)
    if share is None:
        return None
    per_mille = share * 1000
    if per_mille.denominator != 1 or not 0 < per_mille <= _LARGEST_SHARE:
        report((), f"`{text}` must be over 0%, at most {_LARGEST_SHARE // 10}%, and in steps of 0.1%")
        return None
    return Threshold(ThresholdKind.SHARE, text, per_mille=int(per_mille))


def _on(kind: ThresholdKind, text: str, report: Report) -> Threshold | None:
    duration = read_duration(text[1:], report)
    return Threshold(kind, text, duration=duration) if duration else None
