"""Encodes an explanation as JSON by ``schemas/explanation.v1.json``. Instants are RFC 3339 in UTC, durations are seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from stream.wire.instants import format_instant

if TYPE_CHECKING:
    from stream.sla.explain.explanation import Acknowledgement, Deadline, Explanation, Moment, Release, Span, Waiting
    from stream.sla.explain.without_deadline import WithoutDeadline

_encode: Final = msgspec.json.Encoder().encode
_ALWAYS_PRESENT: Final = frozenset({"due_at", "ended", "target_seconds", "due_after_seconds", "reason"})
"""Keys of a deadline that are always present; null means that there is no such value."""


def encode_explanation(explanation: Explanation) -> bytes:
    """One line of JSON. Equal explanations give equal bytes."""
    return _encode(
        _without_empty(
            {
                "ticket": explanation.ticket,
                "until": format_instant(explanation.until),
                "partial": explanation.partial,
                "known_since": _instant(explanation.known_since),
                "events": explanation.events,
                "later_events": explanation.later,
                "deadlines": [_deadline(deadline) for deadline in explanation.deadlines],
                "waiting": [_waiting(waiting) for waiting in explanation.waiting] or None,
                "without_deadline": [_missing(missing) for missing in explanation.without_deadline] or None,
            }
        )
    )


def _missing(missing: WithoutDeadline) -> dict[str, Any]:
    return _without_empty(
        {
            "reason": missing.reason,
            "policy": missing.policy,
            "commitment": missing.commitment,
            "metric": missing.metric,
            "condition": missing.condition,
            "fields": dict(missing.fields) or None,
            "since": _instant(missing.since),
        }
    )


def _waiting(waiting: Waiting) -> dict[str, Any]:
    return _without_empty(
        {
            "metric": waiting.metric,
            "field": waiting.field,
            "timezone": waiting.zone,
            "starts_at": _instant(waiting.starts),
            "problem": waiting.problem,
        }
    )


def _deadline(deadline: Deadline) -> dict[str, Any]:
    return _without_empty(
        {
            "commitment": deadline.commitment,
            "ladder": deadline.ladder,
            "escalation_kind": deadline.escalation_kind,
            "level": deadline.level,
            "mark": deadline.threshold,
            "notify": list(deadline.notify) or None,
            "owner": deadline.owner,
            "acknowledged": None if deadline.acknowledged is None else _acknowledgement(deadline.acknowledged),
            "released": None if deadline.released is None else _release(deadline.released),
            "monitored_until": _instant(deadline.monitored_until),
            "metric": deadline.metric,
            "cycle": deadline.cycle,
            "policy": deadline.policy,
            "policy_version": deadline.policy_version,
            "calendar": deadline.calendar,
            "timezone": deadline.timezone,
            "calendar_versions": deadline.calendar_versions,
            "clock": deadline.clock,
            "delay": deadline.delay,
            "target_seconds": _seconds(deadline.target),
            "extension_seconds": _seconds(deadline.extension or None),
            "due_after_seconds": _seconds(deadline.due_after),
            "began": format_instant(deadline.began),
            "ended": _instant(deadline.ended),
            "due_at": _instant(deadline.due),
            "never": deadline.never or None,
            "verdict": deadline.verdict,
            "reason": deadline.reason,
            "provisional_reason": deadline.provisional,
            "terms": list(deadline.terms) or None,
            "elapsed_seconds": _seconds(deadline.elapsed),
            "paused_seconds": _seconds(deadline.paused),
            "spans": [_span(span) for span in deadline.spans],
            "moments": [_moment(moment) for moment in deadline.moments],
        },
        _ALWAYS_PRESENT,
    )


def _acknowledgement(acknowledgement: Acknowledgement) -> dict[str, Any]:
    return _without_empty(
        {
            "at": format_instant(acknowledgement.at),
            "actor": acknowledgement.actor,
            "role": acknowledgement.role,
            "cause": acknowledgement.cause,
        }
    )


def _release(release: Release) -> dict[str, Any]:
    return _without_empty({"at": format_instant(release.at), "reason": release.reason, "cause": release.cause})


def _span(span: Span) -> dict[str, Any]:
    return _without_empty(
        {
            "from": format_instant(span.start),
            "to": format_instant(span.end),
            "kind": span.kind,
            "counted_seconds": _seconds(span.counted),
            "wall_seconds": _seconds(span.wall),
            "note": span.note,
            "cause": span.cause,
            "change": span.change,
            "expected": span.expected,
        }
    )


def _moment(moment: Moment) -> dict[str, Any]:
    return _without_empty(
        {
            "at": format_instant(moment.at),
            "type": moment.kind,
            "reason": moment.reason,
            "provisional_reason": moment.provisional,
            "cause": moment.cause,
            "ladder": moment.ladder,
            "level": moment.level,
            "assign_to": moment.assign_to,
            "notify": list(moment.notify) or None,
            "actor": moment.actor,
            "role": moment.role,
            "change": moment.change,
            "due_at": _instant(moment.due),
            "target_seconds": _seconds(moment.target),
            "elapsed_seconds": _seconds(moment.elapsed),
            "expected": moment.expected,
        }
    )


def _without_empty(keys: dict[str, Any], kept: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The keys without those whose value is empty or ``None``, except for ``kept``."""
    return {name: value for name, value in keys.items() if name in kept or value not in ("", None)}


def _instant(instant: int | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _seconds(micros: int | None) -> int | float | None:
    if micros is None:
        return None
    whole, rest = divmod(micros, 1_000_000)
    return micros / 1_000_000 if rest else whole
