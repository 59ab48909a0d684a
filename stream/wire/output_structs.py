"""The structs of the output records: effects and dead letters on the wire.

``schemas/build.py`` generates their JSON schemas from these structs. ``extra_json_schema`` is a guarantee for consumers, which
``decode_effect`` and ``decode_rejected`` do not check.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from stream.sla.effects import Kind, ProvisionalReason, Reason
from stream.sla.policy.policy import LadderKind
from stream.wire.decode import RejectReason

Seconds = int | float
"""A duration on the wire, an integer if it is whole. A float is exact to the microsecond up to 270 years."""

_INSTANT = Meta(extra_json_schema={"pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,5}[1-9])?Z$"})
_BASE64 = Meta(extra_json_schema={"contentEncoding": "base64", "pattern": "^[A-Za-z0-9+/]*={0,2}$"})
_FROM_0 = Meta(extra_json_schema={"minimum": 0})
_FROM_1 = Meta(extra_json_schema={"minimum": 1})
_NOT_EMPTY = Meta(extra_json_schema={"minLength": 1})
_ID = Meta(extra_json_schema={"pattern": r"^[0-9a-f]{24}(\.[1-9][0-9]*)?$"})
_TICKET = Meta(extra_json_schema={"minLength": 1, "maxLength": 256})
_PATH = Meta(extra_json_schema={"pattern": r"^\$"})


class WireEffect(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One fact about a commitment or an escalation, on the topic sla-breaches or sla-escalations.

    The record key is the ticket. Times are RFC 3339 in UTC, durations are seconds; both are exact to the microsecond. Keys
    without a value are omitted. New keys may be added: ignore keys that you do not know.
    """

    id: Annotated[
        str,
        _ID,
        Meta(
            description="Identifies the fact. An effect that is sent twice has the same id: drop the second one. A suffix "
            ".1, .2 counts how often the fact was stated again after a retraction."
        ),
    ]
    type: Annotated[Kind, Meta(description="What became true.")]
    at: Annotated[
        str, _INSTANT, Meta(description="When it became true; for a breach the deadline itself, even if it was detected late.")
    ]
    detected_at: Annotated[str, _INSTANT, Meta(description="When it was detected.")]
    ticket: Annotated[str, _TICKET, Meta(description="The ticket, as in its events.")]
    policy: Annotated[str, Meta(description="The policy that has the commitment; absent if none applies.")] = ""
    policy_version: Annotated[int, _FROM_0, Meta(description="The policy's version that was in force when the clock started.")]
    commitment: Annotated[str, Meta(description="The commitment; absent for a ladder without one.")] = ""
    ladder: Annotated[str, Meta(description="escalation.*: the ladder.")] = ""
    escalation_kind: Annotated[
        LadderKind | None,
        Meta(description="escalation.*: functional (hands the ticket over to a team) or hierarchical (informs management)."),
    ] = None
    level: Annotated[
        str,
        Meta(description="escalation.*: the level. commitment.warned: the threshold as in the policy (75%, 2bd)."),
    ] = ""
    assign_to: Annotated[
        str,
        Meta(
            description="escalation.raised, escalation.repeated, escalation.recurred of a functional ladder: the team that "
            "takes the ticket over."
        ),
    ] = ""
    notify: Annotated[tuple[Annotated[str, _NOT_EMPTY], ...], Meta(description="Roles to inform.")] = ()
    owner: Annotated[str, Meta(description="The role that holds the escalation.")] = ""
    cycle: Annotated[int, _FROM_1, Meta(description="Counts the starts of the stopwatch on this ticket, from 1.")]
    reason: Annotated[Reason, Meta(description="Why, in one word.")]
    cause: Annotated[str, Meta(description="The id of the event that made it true, timer, or deployment: and a number.")]
    due_at: Annotated[str | None, _INSTANT, Meta(description="The deadline.")] = None
    allowed_from: Annotated[
        str | None, _INSTANT, Meta(description="escalation.refused: from when on a request is allowed.")
    ] = None
    elapsed_seconds: Annotated[
        Seconds, _FROM_0, Meta(description="Time used up to at, on the clock of the target (business or wall).")
    ]
    paused_seconds: Annotated[Seconds, _FROM_0, Meta(description="Time paused up to at, on the same clock.")]
    target_seconds: Annotated[
        Seconds | None, _FROM_0, Meta(description="The target on that clock; absent if there is none.")
    ] = None
    calendar: Annotated[str, Meta(description="The calendar that counts business time.")] = ""
    timezone: Annotated[str, Meta(description="The IANA time zone in which to show due_at to the customer.")] = ""
    page: Annotated[
        bool,
        Meta(
            description="commitment.breached: true if the policy states that a single breach of this commitment pages. Page "
            "only if the effect is neither late nor provisional. Absent: false."
        ),
    ] = False
    late: Annotated[
        bool,
        Meta(
            description="True if a late event or a rejudging deployment caused it: a correction of the record, not a reason to "
            "page anybody."
        ),
    ]
    deployment: Annotated[
        int | None, _FROM_0, Meta(description="The deployment that made it true or revealed it; absent: none did.")
    ] = None
    provisional: Annotated[
        bool,
        Meta(
            description="True if events of the ticket may be missing that would make it untrue: check the ticket before you "
            "act. Absent: false."
        ),
    ] = False
    provisional_reason: Annotated[
        ProvisionalReason | None,
        Meta(
            description="Why it is provisional. input_lost: records of the input were deleted before they were read. "
            "feed_silent, feed_lagging, feed_unreachable: the feed of the ticket is not complete up to the effect; it "
            "follows again as a fact, or is taken back."
        ),
    ] = None
    retracts: Annotated[str, Meta(description="The id of the effect that this one takes back.")] = ""
    retracts_type: Annotated[Kind | None, Meta(description="The type of the effect that this one takes back.")] = None
    retracts_reason: Annotated[Reason | None, Meta(description="The reason of the effect that this one takes back.")] = None
    fields: Annotated[dict[str, str | list[str]], Meta(description="The ticket's fields at that time.")] = {}


class WireRejected(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A rejected record of ticket-events, on the topic ticket-events-rejected.

    It has the reason, the place of the record and its original bytes. The record itself has no effect.
    """

    reason: Annotated[RejectReason, Meta(description="Why it was rejected.")]
    message: Annotated[str, Meta(description="The same, for people.")]
    path: Annotated[str, _PATH, Meta(description="JSON path of the place; absent if there is none.")] = ""
    at: Annotated[str, _INSTANT, Meta(description="When it was rejected, UTC.")]
    topic: Annotated[str, _NOT_EMPTY, Meta(description="The topic of the record.")]
    partition: Annotated[int, _FROM_0]
    offset: Annotated[int, _FROM_0]
    key_base64: Annotated[
        str | None, _BASE64, Meta(description="The record key, at most its first 16 KiB; absent if it had none.")
    ] = None
    value_base64: Annotated[
        str | None, _BASE64, Meta(description="The record value, at most its first 700,000 bytes; absent if it had none.")
    ] = None
    value_bytes: Annotated[
        int | None,
        _FROM_1,
        Meta(
            description="The length of the value; present only if value_base64 is cut. The whole record is at topic, "
            "partition and offset."
        ),
    ] = None
