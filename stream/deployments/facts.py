"""The differences that two sets of policies may have, and the problems of the step from one to the other.

Facts without text: ``stream.deployments.phrasing`` has the text of each. Instants and lengths are microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from stream.sla.calendar.duration import Duration
from stream.sla.policy.conditions import ALWAYS, Condition
from stream.sla.policy.policy import Threshold

if TYPE_CHECKING:
    from datetime import date

Value = Condition | Duration | Threshold | tuple[Threshold, ...] | tuple[str, ...] | str | int | float | None
"""The value of a part of a policy; ``None``: nothing."""


class Change(StrEnum):
    """The kind of a difference."""

    ADDED = "added"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"
    RENAMED = "renamed"
    DROPPED = "dropped"
    """Versions only: it is not in the new files and keeps its range."""


class Part(StrEnum):
    """The part of a thing that changed, by its key in the policy language."""

    SINCE = "since"
    APPLIES_TO = "applies_to"
    CALENDAR = "calendar"
    METRIC = "metric"
    STARTS = "starts"
    STARTS_AT = "starts_at"
    STOPS = "stops"
    PAUSES = "pauses"
    RESUMES = "resumes"
    RESTARTS = "restarts"
    CANCELS = "cancels"
    REOPENS = "reopens"
    AGAIN = "again"
    TIMER = "timer"
    TARGET = "target"
    WARN_AT = "warn_at"
    WHEN = "when"
    OBJECTIVE = "objective"
    ON_CHANGE = "on_change"
    EXTENSIONS = "extensions"
    AT_DEADLINE = "at_deadline"
    PAUSE_TIME = "pause_time"
    PAGE = "page"
    KIND = "kind"
    ON = "on"
    OWNER = "owner"
    ON_REQUEST = "on_request"
    RAISE_AGAIN_AFTER = "raise_again_after"
    MONITORING = "monitoring"
    NOTIFY = "notify"
    AT = "at"
    """Of a level, also where the file writes ``after``."""
    REPEAT_EVERY = "repeat_every"
    MAX_REPEATS = "max_repeats"
    ONLY_IN_BUSINESS_HOURS = "only_in_business_hours"
    ASSIGN_TO = "assign_to"
    ORDER = "order"
    """Of the policies of a set, or of the levels of a ladder."""
    TIMEZONE = "timezone"
    DAY = "day"
    """Of a calendar: the length of a working day."""


METRIC_PARTS: Final = (
    Part.STARTS,
    Part.STARTS_AT,
    Part.STOPS,
    Part.PAUSES,
    Part.RESUMES,
    Part.RESTARTS,
    Part.CANCELS,
    Part.REOPENS,
    Part.AGAIN,
    Part.TIMER,
)
"""The parts of a metric, each an attribute of the same name."""


@dataclass(frozen=True, slots=True)
class Place:
    """The thing that a fact is about, by its new name. All empty: the set as a whole."""

    policy: str = ""
    version: int = 0
    commitment: str = ""
    ladder: str = ""
    level: str = ""
    calendar: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One difference. Without a part it is about the thing as a whole."""

    change: Change
    place: Place
    part: Part | None = None
    before: Value = None
    """``RENAMED``: the former name. An added version: the number of the version that it is compared with."""
    after: Value = None
    """An added version: its ``since``."""
    when: Condition | None = ALWAYS
    """The tickets for which it is different; ``None``: there are too many kinds of tickets to list."""


@dataclass(frozen=True, slots=True)
class Hours:
    """The open hours of a calendar on one date, with their reason."""

    windows: tuple[tuple[int, int], ...]
    """Start and end, from midnight on the clocks of the calendar's zone."""
    note: str = ""
    """The name of a holiday or the note of an exception."""


@dataclass(frozen=True, slots=True)
class DayChange:
    """A date on which a calendar has other hours."""

    calendar: str
    day: date
    before: Hours
    after: Hours


class Severity(StrEnum):
    ERROR = "error"
    """The step contradicts what was deployed before. The files must be corrected."""
    WARNING = "warning"
    """The step changes what open tickets were promised. It may be meant."""


class Code(StrEnum):
    """A problem of a step, by a name that does not change."""

    POLICY_WITHDRAWN = "policy-withdrawn"
    COMMITMENT_WITHDRAWN = "commitment-withdrawn"
    LADDER_WITHDRAWN = "ladder-withdrawn"
    RENAME_WITHOUT_WAS = "rename-without-was"
    RENAME_ONTO_EXISTING = "rename-onto-existing"
    VERSION_CHANGED = "version-changed"
    VERSION_WITHOUT_SINCE = "version-without-since"
    VERSION_DOES_NOT_FOLLOW = "version-does-not-follow"
    VERSION_STAYS_IN_FORCE = "version-stays-in-force"
    SINCE_BEFORE_DEPLOYMENT = "since-before-deployment"
    TARGET_SHORTENED = "target-shortened"
    TARGET_CLOCK_CHANGED = "target-clock-changed"
    CONDITIONS_CHANGED = "conditions-changed"
    TAKES_OVER_TICKETS = "takes-over-tickets"
    DAY_CHANGED = "day-changed"
    ZONE_CHANGED = "zone-changed"
    PAST_HOURS_CHANGED = "past-hours-changed"
    FIELDS_NOT_KEPT = "fields-not-kept"

    @property
    def severity(self) -> Severity:
        return Severity.ERROR if self in _ERRORS else Severity.WARNING


_ERRORS: Final = frozenset(
    {
        Code.RENAME_ONTO_EXISTING,
        Code.VERSION_WITHOUT_SINCE,
        Code.VERSION_DOES_NOT_FOLLOW,
        Code.VERSION_STAYS_IN_FORCE,
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error, or a possible error, in the step from one set to the other."""

    code: Code
    place: Place
    before: Value = None
    after: Value = None
    when: Condition | None = ALWAYS

    @property
    def severity(self) -> Severity:
        return self.code.severity


@dataclass(frozen=True, slots=True)
class Difference:
    """All that is different between two sets of policies."""

    at: int
    """The instant of the deployment."""
    facts: tuple[Fact, ...]
    """Policies that stay, that come and that go; then calendars."""
    days: tuple[DayChange, ...]
    """By calendar and date."""
    problems: tuple[Problem, ...]

    def __bool__(self) -> bool:
        """Whether anything is different for a ticket. A version that is dropped keeps its range, so that nothing is."""
        return bool(self.days or self.problems) or any(fact.change is not Change.DROPPED for fact in self.facts)
