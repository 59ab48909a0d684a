"""Effects: one for each fact, with an id that no clock has touched.

The id names the fact: what, of which ticket, commitment, cycle and target. Saying it twice gives the same id, so a repetition
is harmless. When a late event takes a fact back and a later one makes it true again, it is emitted anew as a *revision*: the
stem of the id stays, a suffix (``.1``, ``.2``) counts how often the fact was restated.

Longer than 250 lines because the kinds, the reasons and the fields of an effect refer to each other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from stream.sla.policy.policy import LadderKind, ThresholdKind

TIMER: Final = "timer"
"""The ``cause`` of what time alone made true."""


def deployment_cause(number: int) -> str:
    """The ``cause`` of what a deployment made true."""
    return f"deployment:{number}"


def feed_cause(source: str) -> str:
    """The ``cause`` of what the feed of a source confirmed."""
    return f"feed:{source}"


class Topic(StrEnum):
    """The output topic of an effect."""

    BREACHES = "sla-breaches"
    ESCALATIONS = "sla-escalations"


class Kind(StrEnum):
    """The ``type`` of an effect."""

    STARTED = "commitment.started"
    WARNED = "commitment.warned"
    BREACHED = "commitment.breached"
    MET = "commitment.met"
    MET_LATE = "commitment.met_late"
    """Fulfilled after the breach: states how late. In compliance, the breach counts and this does not."""
    MEASURED = "commitment.measured"
    """Fulfilled where there was no target: counted in no compliance."""
    CANCELLED = "commitment.cancelled"
    PAUSED = "commitment.paused"
    RESUMED = "commitment.resumed"
    RETARGETED = "commitment.retargeted"
    EXTENSION_REFUSED = "commitment.extension_refused"
    ELAPSED = "commitment.elapsed"
    """A timer without an obligation has run out (customer silence): something may be done now. Counted in no compliance."""
    BREACH_RETRACTED = "commitment.breach_retracted"
    RETRACTED = "commitment.retracted"
    """Takes back any other commitment effect that is no longer true."""
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
        return KINDS[self].topic


class KindSpec(NamedTuple):
    """The properties of a kind of effect."""

    topic: Topic
    retracted_by: Kind | None
    """The kind that takes it back; ``None`` for what is never taken back."""
    decides: bool = False
    """It is a verdict on a commitment."""
    routine: bool = False
    """An installation may switch it off (setting ``routine``); see ``Effect.routine``."""


_BREACHES: Final = Topic.BREACHES
_ESCALATIONS: Final = Topic.ESCALATIONS

KINDS: Final[dict[Kind, KindSpec]] = {
    Kind.STARTED: KindSpec(_BREACHES, Kind.RETRACTED, routine=True),
    Kind.WARNED: KindSpec(_BREACHES, Kind.RETRACTED),
    Kind.BREACHED: KindSpec(_BREACHES, Kind.BREACH_RETRACTED, decides=True),
    Kind.MET: KindSpec(_BREACHES, Kind.RETRACTED, decides=True),
    Kind.MET_LATE: KindSpec(_BREACHES, Kind.RETRACTED, decides=True),
    Kind.MEASURED: KindSpec(_BREACHES, Kind.RETRACTED, decides=True, routine=True),
    Kind.CANCELLED: KindSpec(_BREACHES, Kind.RETRACTED, decides=True),
    Kind.PAUSED: KindSpec(_BREACHES, Kind.RETRACTED, routine=True),
    Kind.RESUMED: KindSpec(_BREACHES, Kind.RETRACTED, routine=True),
    Kind.RETARGETED: KindSpec(_BREACHES, Kind.RETRACTED, routine=True),
    Kind.EXTENSION_REFUSED: KindSpec(_BREACHES, Kind.RETRACTED),
    Kind.ELAPSED: KindSpec(_BREACHES, Kind.RETRACTED, decides=True),
    Kind.BREACH_RETRACTED: KindSpec(_BREACHES, None),
    Kind.RETRACTED: KindSpec(_BREACHES, None),
    Kind.RAISED: KindSpec(_ESCALATIONS, Kind.ESCALATION_RETRACTED),
    Kind.REPEATED: KindSpec(_ESCALATIONS, Kind.ESCALATION_RETRACTED),
    Kind.ACKNOWLEDGED: KindSpec(_ESCALATIONS, Kind.ESCALATION_RETRACTED),
    Kind.REFUSED: KindSpec(_ESCALATIONS, Kind.ESCALATION_RETRACTED),
    Kind.MONITORING: KindSpec(_ESCALATIONS, Kind.ESCALATION_RETRACTED),
    Kind.RECURRED: KindSpec(_ESCALATIONS, Kind.ESCALATION_RETRACTED),
    Kind.RELEASED: KindSpec(_ESCALATIONS, Kind.ESCALATION_RETRACTED),
    Kind.ESCALATION_RETRACTED: KindSpec(_ESCALATIONS, None),
}
"""Every kind has its row: whoever adds a kind decides here."""
ROUTINE: Final = frozenset([kind for kind, row in KINDS.items() if row.routine])


class Reason(StrEnum):
    """Why an effect is true. The same words in effects, logs and metric labels."""

    CLOCK_STARTED = "clock_started"
    SHARE_USED = "share_used"
    TIME_USED = "time_used"
    TIME_LEFT = "time_left"
    TARGET_PASSED = "target_passed"
    TARGET_REACHED = "target_reached"
    """The same, where what is fulfilled at the instant of the deadline is breached."""
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
    RESTORED = "restored"
    """The ticket was merged or deleted, and is not any more."""
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
    """A late event showed that it is not true."""
    RESTATED = "restated"
    """A late event changed what the effect shows: the fact stands, and follows at once under its next id."""
    POLICY_CHANGED = "policy_changed"
    """A deployment changed the target, the version or the policy that applies."""
    CALENDAR_CHANGED = "calendar_changed"
    """A deployment changed the hours, the holidays or the zone data on which an unchanged target is measured."""
    RENAMED = "renamed"
    """A deployment gave the policy or the commitment another name, and changed nothing else about it."""
    POLICY_WITHDRAWN = "policy_withdrawn"
    """A deployment no longer has the policy."""
    PAST_WHEN_PROMISED = "past_when_promised"
    """A deployment promised this when its deadline had passed already: it is measured in this cycle, and not judged."""
    REJUDGED = "rejudged"
    """A deployment that holds from an instant in the past changed the record."""


UNDOES: Final = frozenset((Reason.REOPENED, Reason.RESTORED))
"""Why a verdict that was reported is undone."""


class ProvisionalReason(StrEnum):
    """Why an effect is provisional; ``stream.sla.doubt``, ``stream.sla.unconfirmed``."""

    INPUT_LOST = "input_lost"
    """Records of the input were gone before they were read."""
    FEED_SILENT = "feed_silent"
    """The ticks of the feed have stopped."""
    FEED_LAGGING = "feed_lagging"
    """The helpdesk has newer events than the feed."""
    FEED_UNREACHABLE = "feed_unreachable"
    """The helpdesk does not answer."""


THRESHOLD_REASON: Final = {
    ThresholdKind.SHARE: Reason.SHARE_USED,
    ThresholdKind.USED: Reason.TIME_USED,
    ThresholdKind.LEFT: Reason.TIME_LEFT,
    ThresholdKind.AFTER: Reason.AFTER_DEADLINE,
}
"""Why a warning is sent, or a level raised: what its threshold is measured from."""


class Effect(msgspec.Struct, frozen=True, gc=False):
    """One fact for the output topics. Instants and lengths are microseconds.

    The last three are those of a retraction. They have defaults, because Python calls with more than 30 arguments slowly.
    """

    id: str
    kind: Kind
    at: int
    """The instant at which it became true (epoch). For a breach: its deadline, however late it was noticed."""
    detected_at: int
    """The clock when it was noticed (epoch)."""
    ticket: str
    policy: str
    policy_version: int
    commitment: str
    """Empty for a ladder that stands on no commitment."""
    ladder: str
    """Empty for an effect of a commitment."""
    escalation_kind: LadderKind | None
    """Of an escalation: functional or hierarchical."""
    level: str
    """Escalation level, or for a warning its threshold as the policy writes it (``75%``, ``2bd``)."""
    assign_to: str
    """The team that takes the ticket over; only where a level of a functional ladder is raised and names one."""
    notify: tuple[str, ...]
    """Roles to notify."""
    owner: str
    """The role that holds the escalation."""
    cycle: int
    reason: Reason
    cause: str
    """The id of the event that made it true, or ``timer``."""
    due_at: int | None
    allowed_from: int | None
    """Of a refused escalation request: when it may be made."""
    elapsed: int
    """Time used on the clock of the target (business or wall), as of ``at``."""
    paused: int
    """Time paused, on the same clock, as of ``at``."""
    target: int | None
    calendar: str
    timezone: str
    """The zone in which the customer reads ``due_at``."""
    page: bool
    """A breach of which the policy states that a single one pages, or the retraction of one."""
    late: bool
    """True when a late event or a rejudging deployment revealed it: a correction of the record, not news to page for."""
    deployment: int | None
    """The number of the deployment that made it true or revealed it; ``None``: none did."""
    provisional: bool
    """Events of the ticket may be missing that would make it untrue."""
    provisional_reason: ProvisionalReason | None
    fields: dict[str, str | list[str]]
    retracts: str = ""
    """The id of the effect that this one takes back."""
    retracts_kind: Kind | None = None
    """The kind of that effect."""
    retracts_reason: Reason | None = None
    """The reason of that effect; the reason of this one is why the record was corrected."""

    @property
    def routine(self) -> bool:
        """``is_routine``. What takes a routine effect back is routine."""
        if self.retracts_kind is None:
            return is_routine(self.kind, self.reason, self.deployment)
        return is_routine(self.retracts_kind, self.retracts_reason, self.deployment)


def is_routine(kind: Kind, reason: Reason | None, deployment: int | None) -> bool:
    """Reports the way, not the outcome. A reopening or restoration is not routine: it undoes a verdict that was reported as met
    or cancelled. Nor is anything that a deployment changes: somebody must be able to see all of it."""
    return kind in ROUTINE and reason not in UNDOES and deployment is None
