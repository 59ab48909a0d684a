"""One entry of ``policies``: a version of a policy, with its commitments and ladders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from stream.documents.readers import items, part, read_count, read_name, section, shown, under
from stream.language.choices import read_choice, total
from stream.language.commitments import read_commitment
from stream.language.conditions import read_ticket_condition
from stream.language.ladders import read_ladder
from stream.language.metrics import in_zone
from stream.language.renames import check_renames, read_was
from stream.sla.calendar.zone import DAY, EPOCH
from stream.sla.policy.policy import Choice, Commitment, Ladder, Policy

if TYPE_CHECKING:
    from stream.documents.document import Report
    from stream.language.scope import Scope
    from stream.sla.policy.conditions import Condition

T = TypeVar("T", Commitment, Ladder)

_KEYS: Final = ("policy", "version", "since", "applies_to", "calendar", "commitments", "escalations", "was")
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Reading:
    """A policy with those of its commitments and ladders that could be read, and where each of them stands."""

    policy: Policy
    report: Report
    commitments: Mapping[str, Report]
    ladders: Mapping[str, Report]


def read_policy(data: object, report: Report, scope: Scope) -> Reading | None:
    """A version of a policy; ``None`` if not even its name and scope could be read."""
    entry = section(data, report, _KEYS, required=("policy", "version", "applies_to", "calendar"))
    if entry is None:
        return None
    name = part(entry, "policy", report, read_name)
    version = part(entry, "version", report, read_count)
    applies_to: Condition | None = part(entry, "applies_to", report, read_ticket_condition)
    calendar = part(entry, "calendar", report, lambda value, here: _read_calendars(value, here, scope))
    since = part(entry, "since", report, lambda value, here: _read_since(value, here, calendar, scope))
    was = read_was(entry, report, name)
    if "commitments" not in entry and "escalations" not in entry:
        report((), "promises nothing: it needs `commitments`, `escalations` or both")

    def commitment(item: object, here: Report) -> Commitment | None:
        found = read_commitment(item, here, scope)
        if found is None or calendar is None:
            return found
        metric = in_zone(found.metric, found.calendar or calendar, scope, here)
        return None if metric is None else replace(found, metric=metric)

    def ladder(item: object, here: Report) -> Ladder | None:
        found = read_ladder(item, here, name or "", names)
        if found is None or calendar is None or found.metric is None:
            return found
        metric = in_zone(found.metric, calendar, scope, here)
        return None if metric is None else replace(found, metric=metric)

    names = _commitment_names(entry.get("commitments"))
    commitments = _by_name(entry, "commitments", report, commitment)
    ladders = _by_name(entry, "escalations", report, ladder)
    if name is None or version is None or applies_to is None or calendar is None:
        return None
    return Reading(
        Policy(
            name,
            version,
            calendar,
            applies_to,
            since,
            tuple(commitment for commitment, _ in commitments.values()),
            tuple(ladder for ladder, _ in ladders.values()),
            was,
        ),
        report,
        {key: here for key, (_, here) in commitments.items()},
        {key: here for key, (_, here) in ladders.items()},
    )


def _by_name(
    entry: Mapping[str, object], key: str, report: Report, read: Callable[[object, Report], T | None]
) -> dict[str, tuple[T, Report]]:
    named: dict[str, tuple[T, Report]] = {}

    def keep(item: object, here: Report) -> None:
        thing = read(item, here)
        if thing is None:
            return
        if thing.name in named:
            here((), f"the policy already has `{thing.name}` among its {key}; give this one another name")
        else:
            named[thing.name] = (thing, here)

    if key in entry:
        items(entry[key], under(report, key), keep)
        check_renames(named.values())
    return named


def _commitment_names(data: object) -> list[str]:
    """The names that commitments are written with, those that could not be read included."""
    entries = [item for item in data if isinstance(item, Mapping)] if isinstance(data, list) else []
    return [str(item.get("name", item.get("metric"))) for item in entries if "name" in item or "metric" in item]


def _read_calendars(data: object, report: Report, scope: Scope) -> Choice[str] | None:
    choice = read_choice(data, report, scope.read_calendar_name, may_be_none=False, condition=read_ticket_condition)
    if choice is not None and not total(choice):
        report((), "some tickets would have no calendar: add `default:` (or a last case without `when`)")
        return None
    return choice


def _read_since(data: object, report: Report, calendar: Choice[str] | None, scope: Scope) -> int | None:
    """A date, which begins at midnight in the zone of the policy's calendar, or an instant; epoch microseconds."""
    try:
        day = date.fromisoformat(data) if isinstance(data, str) and len(data) == 10 else None
        instant = datetime.fromisoformat(data) if isinstance(data, str) and day is None else None
    except ValueError:
        day = instant = None
    if instant is not None and instant.tzinfo is not None:
        return (instant - EPOCH) // _MICROSECOND
    if day is None:
        report((), f"must be a date (2026-01-01) or an instant with its offset (2026-01-01T09:00:00+05:30), not {shown(data)}")
        return None
    named = [scope.calendars[name] for _, name in calendar.cases] if calendar is not None else []
    zones = {calendar.timezone: calendar.zone for calendar in named if calendar is not None}
    if len(zones) > 1:
        report(
            (), f"the policy's calendars lie in different zones ({', '.join(sorted(zones))}): write an instant with its offset"
        )
        return None
    if not zones:
        return None  # the calendar is a problem already
    _, zone = zones.popitem()
    midnight = (day.toordinal() - EPOCH.toordinal()) * DAY
    return min(zone.instants_of(midnight), default=zone.landing(midnight))
