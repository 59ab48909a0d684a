"""What breachwatch tells the world: one effect a fact, with an id that no clock has touched.

The id names the fact: what, of which ticket, commitment, cycle and target. Saying it twice gives the same id, so a repetition
is harmless. When a late event takes a fact back and a later one makes it true again, it is said anew as a *revision*: the
stem of the id stays, a suffix (``.1``, ``.2``) counts how often the fact was restated.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from stream.sla.policy.policy import ThresholdKind

TIMER: Final = "timer"
"""The ``cause`` of what time alone made true."""


class Topic(StrEnum):
    """Where an effect goes."""

    BREACHES = "sla-breaches"
    ESCALATIONS = "sla-escalations"


class Kind(StrEnum):
    """The ``type`` of an effect."""

    STARTED = "commitment.started"
    WARNED = "commitment.warned"
    BREACHED = "commitment.breached"
    MET = "commitment.met"
    MET_LATE = "commitment.met_late"
    """Fulfilled after it had breached: says how late. Not a decision; the breach was."""
    MEASURED = "commitment.measured"
    """Fulfilled where no target was promised: counted in no compliance."""
    CANCELLED = "commitment.cancelled"
    PAUSED = "commitment.paused"
    RESUMED = "commitment.resumed"
    RETARGETED = "commitment.retargeted"
    EXTENSION_REFUSED = "commitment.extension_refused"
    ELAPSED = "commitment.elapsed"
    """A timer that promises nothing has run out (customer silence): something may be done now. Counted in no compliance."""
    BREACH_RETRACTED = "commitment.breach_retracted"
    RETRACTED = "commitment.retracted"
    """Takes back any other commitment effect that is true no more."""
    RAISED = "escalation.raised"
    REPEATED = "escalation.repeated"
    ACKNOWLEDGED = "escalation.acknowledged"
    REFUSED = "escalation.refused"
    MONITORING = "escalation.monitoring"
    RECURRED = "escalation.recurred"
    RELEASED = "escalation.released"
    ESCALATION_RETRACTED = "escalation.retracted"

    @property
    def topic(self) -> Topic:
        return _TOPIC[self]


_TOPIC: Final = {kind: Topic.ESCALATIONS if kind.startswith("escalation.") else Topic.BREACHES for kind in Kind}

CHATTY: Final = frozenset({Kind.STARTED, Kind.PAUSED, Kind.RESUMED, Kind.RETARGETED, Kind.MEASURED})
"""Effects that an installation may switch off, reopenings apart: ``Effect.routine``."""


class Reason(StrEnum):
    """Why an effect is true. The same words in effects, logs and metric labels."""

    CLOCK_STARTED = "clock_started"
    SHARE_USED = "share_used"
    TIME_USED = "time_used"
    TIME_LEFT = "time_left"
    TARGET_PASSED = "target_passed"
    RETARGETED_PAST_DUE = "retargeted_past_due"
    """A new target made the deadline lie in the past: a breach from the moment of the change, not of its old deadline."""
    FULFILLED = "fulfilled"
    FULFILLED_LATE = "fulfilled_late"
    NO_TARGET = "no_target"
    CANCEL_CONDITION = "cancel_condition"
    MERGED = "merged"
    DELETED = "deleted"
    NO_LONGER_APPLIES = "no_longer_applies"
    RESTARTED = "restarted"
    PAUSE_CONDITION = "pause_condition"
    RESUME_CONDITION = "resume_condition"
    REOPENED = "reopened"
    FIELD_CHANGED = "field_changed"
    EXTENSION = "extension"
    NO_EXTENSION = "no_extension"
    """The policy allows none, or no more; or nothing is pending; or it is of the other clock than the target."""
    AFTER_DEADLINE = "after_deadline"
    STILL_OPEN = "still_open"
    """Acknowledged a while ago, and still not solved."""
    DE_ESCALATED = "de_escalated"
    NOT_ACKNOWLEDGED = "not_acknowledged"
    REQUESTED = "requested"
    TOO_EARLY = "too_early"
    ACKNOWLEDGED = "acknowledged"
    SOLVED = "solved"
    RECURRENCE = "recurrence"
    QUIET = "quiet"
    NOT_OFFERED = "not_offered"
    """The policy takes no such request."""
    CORRECTED = "corrected"
    """A late event changed the record."""


THRESHOLD_REASON: Final = {
    ThresholdKind.SHARE: Reason.SHARE_USED,
    ThresholdKind.USED: Reason.TIME_USED,
    ThresholdKind.LEFT: Reason.TIME_LEFT,
    ThresholdKind.AFTER: Reason.AFTER_DEADLINE,
}
"""Why a warning is sent, or a level raised: what its mark is measured from."""


class Effect(msgspec.Struct, frozen=True, gc=False):
    """One fact for the output topics. Instants are epoch microseconds, lengths are microseconds."""

    id: str
    kind: Kind
    at: int
    """When it became true. For a breach: its deadline, however late it was noticed."""
    detected_at: int
    """The clock when it was noticed."""
    ticket: str
    fields: dict[str, str | list[str]]
    policy: str
    policy_version: int
    reason: Reason
    cause: str
    """The id of the event that made it true, or ``timer``."""
    commitment: str = ""
    """Empty for a ladder that stands on no commitment."""
    ladder: str = ""
    level: str = ""
    """Escalation level, or for a warning its mark as the policy writes it (``75%``, ``2bd``)."""
    notify: tuple[str, ...] = ()
    """Roles that are to be told."""
    owner: str = ""
    """The role that holds the escalation."""
    cycle: int = 1
    due_at: int | None = None
    elapsed: int = 0
    """Time used on the clock of the target (business or wall), as of ``at``."""
    paused: int = 0
    """Time paused, on the same clock, as of ``at``."""
    target: int | None = None
    calendar: str = ""
    timezone: str = "UTC"
    """The zone in which the customer reads ``due_at``."""
    late: bool = False
    """True when it was learnt from an event that came after later ones: a correction of the record, not news to page for."""
    retracts: str = ""
    """The id this effect takes back."""
    retracts_kind: Kind | None = None
    """The kind of the effect it takes back."""
    retracts_reason: Reason | None = None
    """The reason of the effect it takes back: its own is that the record was corrected."""
    allowed_from: int | None = None
    """For a refused escalation request: when it may be made."""

    @property
    def routine(self) -> bool:
        """States the way, not the outcome. A reopening is not routine: it undoes a verdict that was told as met."""
        return self.kind in CHATTY and self.reason is not Reason.REOPENED
