"""The text of differences and problems: the only place where facts become text."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from stream.deployments.facts import Change, Code, Part, Problem
from stream.sla.calendar.duration import Duration
from stream.sla.calendar.zone import EPOCH
from stream.sla.policy.condition_words import condition_words
from stream.sla.policy.conditions import ALWAYS, All, Always, AnyOf, Changed, EventIs, FieldIn, Not
from stream.sla.policy.policy import Threshold

if TYPE_CHECKING:
    from stream.deployments.facts import Fact, Hours, Place, Value

_MINUTE: Final = 60_000_000

_PROBLEMS: Final = {
    Code.POLICY_WITHDRAWN: "the policy is no longer in any file: its open commitments are cancelled, its escalations released",
    Code.COMMITMENT_WITHDRAWN: "the commitment is withdrawn: where it is open it is cancelled",
    Code.LADDER_WITHDRAWN: "the ladder is withdrawn: its escalations are released",
    Code.RENAME_WITHOUT_WAS: "{before} is withdrawn and {after} is added with the same content; "
    "if it was renamed, write `was: {before}`",
    Code.RENAME_ONTO_EXISTING: "`was: {before}` would make two things one, because {after} existed beside {before}; "
    "withdraw {before} or give the new thing a name of its own",
    Code.VERSION_CHANGED: "the version keeps its number and changes its content: open tickets get the new content; "
    "add a version with `since` to keep what was promised to them",
    Code.VERSION_WITHOUT_SINCE: "the new version has no `since`: it needs one, from version 2 on",
    Code.VERSION_DOES_NOT_FOLLOW: "the version begins at {after}, out of order with version {before}, which keeps its range "
    "though it is no longer in any file; versions begin in the order of their numbers",
    Code.VERSION_STAYS_IN_FORCE: "the latest version, from {after} on, is no longer in any file and stays in force; "
    "to replace it, add a version with a higher number",
    Code.SINCE_BEFORE_DEPLOYMENT: "`since` is {after}, before the deployment: clocks that began after it get the version now",
    Code.TARGET_SHORTENED: "the target is shortened in place, from {before} to {after}: open tickets are due earlier, "
    "and those past the new deadline breach at the deployment",
    Code.TARGET_CLOCK_CHANGED: "the target changes its clock in place, from {before} to {after}: "
    "time used and paused is measured anew",
    Code.FIELDS_NOT_KEPT: "reads {after}, which no policy read before: it is kept only of events from the deployment on, so "
    "open tickets are judged without it, unless setting keep_fields names it",
    Code.CONDITIONS_CHANGED: "open clocks start, pause and stop by other conditions from the deployment on",
    Code.TAKES_OVER_TICKETS: "the policy comes before {after} now, and open tickets that it applies to get its commitments",
    Code.DAY_CHANGED: "a working day changes from {before} to {after}: targets and warnings in `bd` change with it",
    Code.PAST_HOURS_CHANGED: "hours before the deployment change, from {before} to {after}: time that open clocks have used "
    "is measured anew; write `versions` with `since` to change the hours from a date on",
    Code.ZONE_CHANGED: "the time zone changes from {before} to {after}: all hours of open clocks are measured anew",
}

_PARTS: Final = {
    Code.DAY_CHANGED: (Part.DAY, Part.DAY),
    Code.VERSION_DOES_NOT_FOLLOW: (None, Part.SINCE),
    Code.SINCE_BEFORE_DEPLOYMENT: (None, Part.SINCE),
    Code.VERSION_STAYS_IN_FORCE: (None, Part.SINCE),
}
"""The parts to which the two values of a problem belong, where the values do not show it."""

_NOTHING: Final = {Part.SINCE: "all time", Part.CALENDAR: "that of the policy"}
"""The text for an absent value; ``none`` for the other parts."""


def problem_words(problem: Problem) -> str:
    """The problem and its remedy, without the place."""
    before, after = _PARTS.get(problem.code, (None, None))
    return _PROBLEMS[problem.code].format(before=value_words(problem.before, before), after=value_words(problem.after, after))


def place_words(place: Place) -> str:
    """``support, version 2, commitment resolution``."""
    if place.calendar:
        return f"calendar {place.calendar}"
    return ", ".join(
        filter(
            None,
            (
                place.policy,
                f"version {place.version}" if place.version else "",
                f"commitment {place.commitment}" if place.commitment else "",
                f"ladder {place.ladder}" if place.ladder else "",
                f"level {place.level}" if place.level else "",
            ),
        )
    )


def part_words(fact: Fact) -> str:
    """``target (priority p1): 8h -> 4h``."""
    assert fact.part is not None
    if fact.when is None:
        return f"{fact.part}: changed, for too many kinds of tickets to list"
    if fact.before == fact.after and fact.part is Part.TIMEZONE:
        return f"{fact.part}: other rules of {fact.after}"
    case = f" ({condition_words(fact.when)})" if fact.when != ALWAYS else ""
    return f"{fact.part}{case}: {value_words(fact.before, fact.part)} -> {value_words(fact.after, fact.part)}"


def version_words(fact: Fact) -> str:
    """A sentence about the change of a version."""
    if fact.change is Change.DROPPED:
        return f"version {fact.place.version} is no longer in any file; it keeps its range"
    if fact.change is Change.CHANGED:
        return f"version {fact.place.version}, changed in place"
    since = f" from {value_words(fact.after, Part.SINCE)} on" if fact.after is not None else ""
    compared = f", compared with version {fact.before}" if fact.before is not None else ""
    return f"version {fact.place.version}{since}{compared}"


def value_words(value: Value, part: Part | None = None) -> str:
    """A value as a policy file writes it, or as near to it as one line allows."""
    match value:
        case None | "" | ():
            return _NOTHING.get(part, "none") if part is not None else "none"
        case Always() | FieldIn() | EventIs() | Changed() | All() | AnyOf() | Not():
            return condition_words(value)
        case Duration() | Threshold():
            return value.text
        case tuple():
            return ", ".join(item if isinstance(item, str) else item.text for item in value)
        case bool():
            return "yes" if value else "no"
        case int() if part is Part.SINCE:
            return instant_words(value)
        case int() if part is Part.DAY:
            return length_words(value)
        case float() if part is Part.OBJECTIVE:
            return f"{value * 100:g}%"
        case _:
            return str(value)


def hours_words(hours: Hours) -> str:
    """``open 09:00-12:00, 13:00-17:00 (Christmas Eve)``."""
    open_hours = ", ".join(windows_words(hours))
    return (f"open {open_hours}" if open_hours else "closed") + (f" ({hours.note})" if hours.note else "")


def windows_words(hours: Hours) -> list[str]:
    """``["09:00-12:00", "13:00-17:00"]``."""
    return [f"{_clock(start)}-{_clock(end)}" for start, end in hours.windows]


def instant_words(instant: int) -> str:
    return (EPOCH + timedelta(microseconds=instant)).isoformat().replace("+00:00", "Z")


def length_words(micros: int) -> str:
    """Hours and minutes: ``8:00``; with seconds where there are any."""
    minutes, rest = divmod(micros, _MINUTE)
    return f"{minutes // 60}:{minutes % 60:02}" + (f":{rest // 1_000_000:02}" if rest else "")


def _clock(micros: int) -> str:
    minutes, rest = divmod(micros, _MINUTE)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{rest // 1_000_000:02}" if rest else "")
